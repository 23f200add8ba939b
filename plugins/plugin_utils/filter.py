# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes filters of builders: plain dicts in, manifests out. It builds nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.plain import plain

Builder = Callable[[Router, Facts], list[Manifest]]
Filter = Callable[[Mapping[str, Any], Mapping[str, Any]], list[Manifest]]
ObjectsFilter = Callable[[Mapping[str, Any], Mapping[str, Any], Iterable[str]], list[Manifest]]


def filters_of(builders: Mapping[str, Builder]) -> dict[str, Filter]:
    """The filters ``router | name(facts)``."""
    return {name: _filter_of(builder) for name, builder in builders.items()}


def objects_of(builders: Mapping[str, Builder]) -> ObjectsFilter:
    """The filter ``router | objects(facts, names)``: what the filters of these names give.

    A router that crosses Jinja is taken apart value by value, which costs more than building all of
    its objects; so this is done once.
    """

    def build(
        router: Mapping[str, Any], facts: Mapping[str, Any], names: Iterable[str]
    ) -> list[Manifest]:
        wanted = [str(name) for name in names]
        unknown = sorted(set(wanted) - set(builders))
        if unknown:
            raise AnsibleFilterError(
                f"there is no object {', '.join(unknown)}; there are {', '.join(sorted(builders))}"
            )
        return _built([builders[name] for name in wanted], router, facts)

    return build


def _filter_of(builder: Builder) -> Filter:
    def build(router: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Manifest]:
        return _built([builder], router, facts)

    return build


def _built(
    builders: Iterable[Builder], router: Mapping[str, Any], facts: Mapping[str, Any]
) -> list[Manifest]:
    subject, known = Router(plain(router)), Facts.from_dict(plain(facts))
    try:
        return [manifest for build in builders for manifest in build(subject, known)]
    except RouterError as error:
        raise AnsibleFilterError(str(error)) from error
