# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the entries of spec.vllmEndpoints mean together: the models, and the default one.

Where an endpoint is, and whether it is there, is discovery's business.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint


def models(endpoints: Iterable[Endpoint]) -> dict[str, list[Endpoint]]:
    """Model -> its endpoints; models and endpoints both in the order of the spec."""
    grouped: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        grouped.setdefault(endpoint.model, []).append(endpoint)
    return grouped


def default_model(endpoints: Iterable[Endpoint]) -> str:
    """The model with the highest total weight, the first listed of equals; "" when there is none.

    Whether an endpoint is there does not count: a default that followed the backends' ups and downs
    would change the router's configuration, and so its pods, each time.
    """
    totals = {
        model: sum(max(endpoint.weight, 0) for endpoint in group)
        for model, group in models(endpoints).items()
    }
    return max(totals, key=lambda model: totals[model], default="")
