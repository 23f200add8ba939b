# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes a filter of a builder: plain dicts in, manifests out. It builds nothing itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router

Builder = Callable[[Router, Facts], list[Manifest]]
Filter = Callable[[Mapping[str, Any], Mapping[str, Any]], list[Manifest]]


def filter_of(builder: Builder) -> Filter:
    """The filter ``router | builder(facts)``."""

    def build(router: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Manifest]:
        try:
            return builder(Router(_plain(router)), Facts.from_dict(_plain(facts)))
        except RouterError as error:
            raise AnsibleFilterError(str(error)) from error

    return build


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    # Ansible's own string and container types neither copy nor dump alike in all its versions.
    return dict(json.loads(json.dumps(value, default=str)))
