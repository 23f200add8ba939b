# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a value stands below spec, and how messages spell that."""

from __future__ import annotations

# As keys and list indexes.
Path = tuple[str | int, ...]


def field_path(path: Path) -> str:
    """The path as `kubectl explain` spells it, with list indexes: spec.config.decisions[0].name."""
    text = "spec"
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text
