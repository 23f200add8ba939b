# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the endpoints are together.

Where an endpoint is, and whether it is there, is discovery's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint


def by_model(endpoints: Iterable[Endpoint]) -> dict[str, list[Endpoint]]:
    """Model -> its endpoints; models and endpoints both in the order of the spec."""
    grouped: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        grouped.setdefault(endpoint.model, []).append(endpoint)
    return grouped


def within_reach(endpoints: Iterable[Endpoint], outside: bool = True) -> list[Endpoint]:
    """The endpoints, without the addresses that no route can lead to.

    A route has one path for all endpoints of its model: that of the first which has an address.
    outside: routes can lead out of the cluster.
    """
    paths: dict[str, str] = {}
    found = []
    for endpoint in endpoints:
        if endpoint.is_outside and not outside:
            found.append(_unreachable(endpoint, "an HTTPRoute leads to Services of the cluster"))
            continue
        path = paths.setdefault(endpoint.model, endpoint.path) if endpoint.host else endpoint.path
        if path == endpoint.path:
            found.append(endpoint)
        else:
            others = f"other endpoints of {endpoint.model} are at {path or '/'}"
            found.append(_unreachable(endpoint, others))
    return found


def _unreachable(endpoint: Endpoint, why: str) -> Endpoint:
    return replace(
        endpoint,
        service="",
        namespace="",
        server_name="",
        port=0,
        path="",
        ready=False,
        reason="BackendOutOfReach",
        message=f"it is at {endpoint.url or endpoint.address}, and {why}",
    )
