# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which conditions are worth an Event. Pure; the Events are written in ``cluster/status.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.status.conditions import (
    AVAILABLE,
    BACKENDS_RESOLVED,
    CONFIG_VALID,
    CONVERGED,
    DEGRADED,
    DRY_RUN,
    FALSE,
    PAUSED,
    PROGRESSING,
    READY,
    RELEASE_ASSUMED,
    ROUTE_READY,
    TRUE,
    WARNINGS,
    Condition,
    condition,
    is_good,
)

_MOST_SPECIFIC_FIRST = (
    CONFIG_VALID,
    BACKENDS_RESOLVED,
    DEGRADED,
    READY,
    ROUTE_READY,
    AVAILABLE,
    PROGRESSING,
    CONVERGED,
)
_TROUBLES = (CONFIG_VALID, BACKENDS_RESOLVED, DEGRADED)


def between(previous: Mapping[str, Any], current: Mapping[str, Any]) -> list[Condition]:
    """Those that flipped, those that are bad for another reason than before, new warnings and new
    plans; of a new object, what is wrong or Ready.

    One mistake flips several conditions for one reason: the most specific one speaks.
    """
    before = {item.get("type"): item for item in previous.get("conditions") or []}
    warned = {item.get("reason") for item in previous.get("conditions") or []}
    by_type = {item["type"]: item for item in current["conditions"]}
    told = {item["reason"]: item for item in _switched(before, by_type)}
    for name in _MOST_SPECIFIC_FIRST:
        now = by_type.get(name)
        if now is None:
            continue
        worth = _is_another(before[name], now) if name in before else _is_worth_a_start(now)
        if worth or (now["reason"] in WARNINGS and now["reason"] not in warned):
            told.setdefault(now["reason"], now)
    return list(told.values())


def _is_worth_a_start(now: Condition) -> bool:
    """A new object cannot but be unavailable, progressing and not yet admitted."""
    if now["type"] in (AVAILABLE, PROGRESSING, ROUTE_READY, CONVERGED):
        return False
    return bool(now["status"] == (TRUE if now["type"] in (READY, DEGRADED) else FALSE))


def _is_another(before: Mapping[str, Any], now: Condition) -> bool:
    if before.get("status") != now["status"]:
        return True
    # The others go from one step of waiting to the next.
    is_trouble = now["type"] in _TROUBLES
    return is_trouble and not is_good(now) and before.get("reason") != now["reason"]


def _switched(
    before: Mapping[str, Mapping[str, Any]], current: Mapping[str, Condition]
) -> list[Condition]:
    """Pausing, resuming, and each dry run or assumption that is another than the one before."""
    told = []
    if PAUSED in current and PAUSED not in before:
        told.append(current[PAUSED])
    if PAUSED in before and PAUSED not in current:
        told.append(condition(PAUSED, FALSE, "Resumed"))
    assumed = current.get(RELEASE_ASSUMED)
    if assumed and assumed["message"] != before.get(RELEASE_ASSUMED, {}).get("message"):
        told.append(assumed)
    planned = current.get(DRY_RUN)
    if planned and planned["message"] != before.get(DRY_RUN, {}).get("message"):
        told.append(planned)
    return told


def is_news(condition: Mapping[str, Any]) -> bool:
    """Neither good nor bad: somebody asked for it, or a rollout begins."""
    asked = condition["type"] in (PAUSED, DRY_RUN) and condition["reason"] != "DryRunRefused"
    return asked or bool(condition["type"] == PROGRESSING)
