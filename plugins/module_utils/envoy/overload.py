# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Envoy refuses before its memory is full, so that the kernel does not kill it.

Requests with a large body are counted: so many at once, and one too many is refused before its body
is read. Envoy looks at its heap some fifty times a second, and in between a few of them fill it.
What small ones take grows more slowly: there the heap decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BODY_LIMIT_BYTES,
    MAX_CONNECTIONS,
    MIB,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.quantity import quantity

# Kept for Envoy itself and for small requests.
_RESERVED_BYTES = 128 * MIB
# The body, what the router is sent of it, and what it hands back: measured, in bodies.
_COPIES = 3

_HEAP = "envoy.resource_monitors.fixed_heap"
# Shares of the container's limit. Memory that is freed goes back to the kernel first.
_SHRINK, _REFUSE, _BREAK_OFF = 0.4, 0.5, 0.7


@dataclass(frozen=True)
class Counted:
    """Requests with more than `above` bytes, and at most `limit`. cluster: where the router is
    asked about them, whose circuit breaker does the counting."""

    cluster: str
    above: int
    limit: int

    def at_once(self, spec: Mapping[str, Any]) -> int:
        """How many may be in hand."""
        memory = _memory_limit(spec)
        if memory is None:
            return MAX_CONNECTIONS
        share = (memory - _RESERVED_BYTES) // len(COUNTED)
        return max(1, share // (_COPIES * self.limit))


LARGE = Counted("router-ext-proc-large", 4 * MIB, BODY_LIMIT_BYTES)
# Such as a few pictures.
MEDIUM = Counted("router-ext-proc-medium", MIB, 4 * MIB)
COUNTED = (LARGE, MEDIUM)


def overload_manager(spec: Mapping[str, Any]) -> dict[str, Any]:
    """``overload_manager`` of the bootstrap."""
    limit = _memory_limit(spec)
    return {
        **(_heap_actions() if limit else {}),
        "resource_monitors": [
            *([_heap_monitor(limit)] if limit else []),
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors"
                    ".downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": MAX_CONNECTIONS,
                },
            },
        ],
    }


def _memory_limit(spec: Mapping[str, Any]) -> int | None:
    limits = spec["envoy"]["resources"].get("limits") or {}
    memory = quantity(limits.get("memory"))
    return int(memory) if memory else None


def _heap_monitor(limit: int) -> dict[str, Any]:
    return {
        "name": _HEAP,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3"
            ".FixedHeapConfig",
            "max_heap_size_bytes": limit,
        },
    }


def _heap_actions() -> dict[str, Any]:
    return {
        "refresh_interval": "0.02s",
        "actions": [
            _above("envoy.overload_actions.shrink_heap", _SHRINK),
            _above("envoy.overload_actions.stop_accepting_requests", _REFUSE),
        ],
        # Of requests whose body still comes in, which nothing else ends.
        "loadshed_points": [
            _above("envoy.load_shed_points.http1_server_abort_dispatch", _BREAK_OFF),
            _above("envoy.load_shed_points.http2_server_go_away_and_close_on_dispatch", _BREAK_OFF),
        ],
    }


def _above(name: str, share: float) -> dict[str, Any]:
    return {"name": name, "triggers": [{"name": _HEAP, "threshold": {"value": share}}]}
