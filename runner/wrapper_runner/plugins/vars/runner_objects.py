# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gives each host of a play its object's variables, from a file that the engine has written.

As variables of an inventory file they would cost ansible-core 2.19 some 15 ms a host, which tags
and visits each string in them several times; a vars plugin hands over what it has.

This runs in ansible-playbook, which may be of another Python than the engine: it imports Ansible
only.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

from ansible import template
from ansible.inventory.host import Host
from ansible.plugins.vars import BaseVarsPlugin
from ansible.utils.unsafe_proxy import wrap_var

FILE = "WRAPPER_RUNNER_OBJECTS"


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]
    # Else Ansible makes one anew for each host and task.
    is_stateless = True

    def get_vars(self, _loader: Any, _path: str, entities: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for entity in entities:
            if isinstance(entity, Host):
                found |= _objects(os.environ.get(FILE, "")).get(entity.name, {})
        return found


@cache
def _objects(path: str) -> dict[str, dict[str, Any]]:
    if not path:
        return {}
    with open(path, encoding="utf-8") as file:
        return {host: _data(variables) for host, variables in json.load(file).items()}


def _data(variables: dict[str, Any]) -> dict[str, Any]:
    """Text that is no template: from 2.19 on, any without the tag of trust; before, marked text."""
    trusted = getattr(template, "is_trusted_as_template", None)
    if trusted and not trusted("plain text"):
        return variables
    marked: dict[str, Any] = wrap_var(variables)
    return marked
