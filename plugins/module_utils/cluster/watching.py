# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes the stock ansible-operator watch what a router owns, and says how to wake it by that.

Its proxy begins to watch a kind when an object of it is created with POST, or when it answers a GET
of one with an ownerReference from its memory. A run patches and lists, so of most kinds it would
never hear, and what somebody deletes or edits would be missed until the period is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    ownership,
    resources,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.connection import (
    CONNECTIONS,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_DOORBELL,
    Manifest,
    config_map_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def ask_for(client: Client, router: Router, live: Iterable[Manifest]) -> None:
    """Read one object of each kind, where the stock engine is the one that answers.

    live: objects that there are; those of others do not count. It is asked in every run, since
    nothing says whether it has started anew, and by a run's last task: what was created a moment
    ago is not yet in the proxy's memory.
    """
    if not client.is_ansible_operators:
        return
    own = (item for item in live if ownership.is_controlled_by(item, router))
    of_each_kind = {(item["apiVersion"], item["kind"]): item for item in own}
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for manifest in of_each_kind.values():
            threads.submit(_read, client, resources.path(manifest))


def doorbell(client: Client, router: Router, live: Iterable[Manifest]) -> dict[str, str]:
    """An object of the router's own and an annotation of it that nobody reads.

    The stock engine hears of no objects of others. Who watches these for it, makes it run the
    router by another value there: no right is needed for that which the operator has not.
    """
    if not client.is_ansible_operators:
        return {}
    its_own = ("ConfigMap", config_map_name(router.name, serves_alone(router.spec)))
    return next(
        (
            {"path": resources.path(item), "annotation": ANNOTATION_DOORBELL}
            for item in live
            if (item["kind"], item["metadata"]["name"]) == its_own
            and ownership.is_controlled_by(item, router)
        ),
        {},
    )


def _read(client: Client, path: str) -> None:
    try:
        client.get(path)
    except ApiError:
        # The run has done its work by now; the next one asks again.
        return
