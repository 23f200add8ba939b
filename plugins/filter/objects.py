# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that makes manifests of a router: plain dicts in and out. It builds nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.plain import plain


def objects(
    router: Mapping[str, Any],
    facts: Mapping[str, Any],
    concerns: Iterable[str] = registry.CONCERNS,
) -> list[Manifest]:
    """What the builders of these concerns make."""
    wanted = [str(name) for name in concerns]
    unknown = sorted(set(wanted) - set(registry.CONCERNS))
    if unknown:
        raise AnsibleFilterError(
            f"there is no concern {', '.join(unknown)}; there are {', '.join(registry.CONCERNS)}"
        )
    try:
        return registry.build(Router(plain(router)), Facts.from_dict(plain(facts)), wanted)
    except RouterError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter, by its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Called by Ansible."""
        return {"objects": objects}
