# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the endpoints are together.

Where an endpoint is, and whether it is there, is discovery's business.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint


def by_model(endpoints: Iterable[Endpoint]) -> dict[str, list[Endpoint]]:
    """Model -> its endpoints; models and endpoints both in the order of the spec."""
    grouped: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        grouped.setdefault(endpoint.model, []).append(endpoint)
    return grouped
