# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""envoy.yaml of the standalone mode: a complete, static Envoy bootstrap, as a dict.

A request's way, which is also the order to read this package in:
listener.py (headers a client may not send are dropped, the router is asked through ext_proc),
auth.py (who is let in), cors.py (which web pages' scripts),
routes.py (x-selected-model, which only the router can have set, picks the cluster) and
clusters.py (the endpoints of one model, with their weights).

Every feature used here exists since Envoy 1.36.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import (
    egress,
    failover,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.auth import issuer_clusters
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import clusters
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.listener import listeners
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.overload import (
    overload_manager,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import node
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def bootstrap(router: Router, facts: Facts) -> dict[str, Any]:
    """The whole of envoy.yaml."""
    ports = pod_ports(router.spec)
    return {
        **node(router, facts),
        # Only from inside the pod: whoever reaches the admin interface can stop Envoy.
        "admin": {
            "address": {
                "socket_address": {"address": "127.0.0.1", "port_value": ports.admin},
            },
        },
        "static_resources": {
            "listeners": [*listeners(router, facts, ports), *egress.relays(router, facts)],
            "clusters": [
                *clusters(router, facts, ports),
                *failover.clusters(router, facts),
                *issuer_clusters(router),
            ],
        },
        **_bootstrap_extensions(router, facts),
        "overload_manager": overload_manager(router.spec),
    }


def _bootstrap_extensions(router: Router, facts: Facts) -> dict[str, Any]:
    """What Envoy needs to have listeners that only it reaches."""
    if not egress.relays(router, facts) and not failover.targets(router, facts):
        return {}
    config = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
    name = "envoy.bootstrap.internal_listener"
    return {"bootstrap_extensions": [{"name": name, "typed_config": {"@type": config}}]}
