# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the routers in the pods go by the configuration that was written, by their own word.

Pure. Asking them is ``cluster/active_config.py``. Hashes are SHA-256 over the bytes of config.yaml,
as the router counts them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import some

ACTIVE = "ConfigActive"
NOT_ACTIVE = "ConfigNotActive"
NOT_TOLD = "ActiveConfigNotTold"
UNREACHABLE = "PodsUnreachable"
OUTSIDE = "OperatorOutsideCluster"
ROLLING_OUT = "RolloutInProgress"

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
# Digits that tell two hashes apart in a sentence; status.activeConfig has them whole.
_SHORT = 12


def short(whole: str) -> str:
    """Enough of a hash to tell it from another in a sentence."""
    return whole[:_SHORT]


@dataclass(frozen=True)
class Told:
    """What became of asking one pod.

    active: the hash that it gave; "" when it gave none. reason, why: then UNREACHABLE or NOT_TOLD,
    and in words.
    """

    pod: str
    active: str = ""
    reason: str = ""
    why: str = ""


@dataclass(frozen=True)
class Convergence:
    """desired: the hash of what was written. told: of ready pods, by name.

    left_out: ready pods that were not asked, as there are too many. unasked: why nobody was asked,
    a reason; "" when somebody was.
    """

    desired: str
    told: list[Told] = field(default_factory=list)
    left_out: int = 0
    unasked: str = ""

    @property
    def differing(self) -> list[Told]:
        """The pods that go by something else."""
        return [item for item in self.told if item.active not in ("", self.desired)]

    @property
    def is_settled(self) -> bool:
        """Another look at the same objects would find the same."""
        if self.unasked:
            return self.unasked != UNREACHABLE
        silent = not self.told or any(item.reason == UNREACHABLE for item in self.told)
        return not self.differing and not silent


def verdict(found: Convergence) -> tuple[str, str, str]:
    """Status, reason and message of the condition; without a message, the reason's own words."""
    if found.unasked:
        return (FALSE if found.unasked == ROLLING_OUT else UNKNOWN), found.unasked, ""
    wanted = short(found.desired)
    if found.differing:
        pods = some([f"{item.pod} ({short(item.active)})" for item in found.differing])
        said = f"{len(found.differing)} of {_asked(found)} go by another configuration"
        message = f"{said} than {wanted}: {pods}. {_REMEDY}"
        return FALSE, NOT_ACTIVE, message
    for reason in (UNREACHABLE, NOT_TOLD):
        silent = [item for item in found.told if item.reason == reason]
        if silent:
            pods = some([item.pod for item in silent])
            return UNKNOWN, reason, f"Pod {pods}: {silent[0].why}."
    if not found.told:
        return UNKNOWN, UNREACHABLE, "No ready pod has an address yet."
    if found.left_out:
        message = f"{_asked(found)} go by {wanted}; {found.left_out} more were not asked."
        return UNKNOWN, NOT_TOLD, message
    return TRUE, ACTIVE, f"{_asked(found)} go by {wanted}."


_REMEDY = (
    "Wait: a changed file takes up to two minutes to reach a pod. If it stays, the router's log "
    "says why it keeps the old one, and kubectl rollout restart starts it with the new one."
)


def _asked(found: Convergence) -> str:
    return f"{len(found.told)} {'pod' if len(found.told) == 1 else 'pods'}"


def as_status(found: Convergence) -> dict[str, Any]:
    """status.activeConfig."""
    pods = [
        {"name": item.pod, **({"hash": item.active} if item.active else {"message": item.why})}
        for item in found.told
    ]
    return {"desired": found.desired, **({"pods": pods} if pods else {})}
