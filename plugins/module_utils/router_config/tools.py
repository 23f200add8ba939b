# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""spec.toolsDb in the form of the router's tools_db.json."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.order import tidy

# Where the ConfigMap is mounted; the router has its own file at the path below otherwise.
TOOLS_DB_PATH = "/etc/semantic-router/tools_db.json"
ROUTER_TOOLS_DB_PATH = "config/tools_db.json"

_FUNCTION_KEYS = ("name", "description", "parameters", "strict")
_ENTRY_KEYS = ("description", "category", "tags")


def tools_database(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Entries of tools_db.json: the nested form as it is, the flat form nested."""
    return [tidy(_nested(entry)) for entry in spec.get("toolsDb") or []]


def _nested(entry: dict[str, Any]) -> dict[str, Any]:
    if "tool" in entry:
        tool = {"type": "function", **entry["tool"]}
    else:
        function = {key: entry[key] for key in _FUNCTION_KEYS if key in entry}
        tool = {"type": "function", "function": function}
    return {"tool": tool, **{key: entry[key] for key in _ENTRY_KEYS if key in entry}}
