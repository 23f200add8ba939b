# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prints manifests, or writes them to a file. Documented in plugins/modules/render.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ansible.utils.display import Display
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.action import (
    Arguments,
    RouterAction,
)


class ActionModule(RouterAction):
    """One multi-document YAML of everything the roles built."""

    ARGUMENT_SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "objects": {"type": "list", "elements": "dict", "required": True},
        "path": {"type": "path"},
    }

    def act(self, arguments: Arguments) -> dict[str, Any]:
        text = "".join(f"---\n{yaml_text(manifest)}" for manifest in arguments["objects"])
        if arguments["path"] is None:
            Display().display(text)
            return {"changed": False}
        return {"changed": _write(Path(arguments["path"]), text, arguments.check_mode)}


def _write(path: Path, text: str, check_mode: bool) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    if not check_mode:
        path.write_text(text)
    return True
