# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do spec.service and spec.ingress make sense?"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    invalid,
)


def _ports(spec: Spec) -> Problems:
    service = spec["service"]
    shown = ["api", "grpc", *(["metrics"] if service["metrics"]["enabled"] else [])]
    for key, names in (("targetPort", ["api", "grpc", "metrics"]), ("port", shown)):
        for first, second in combinations(names, 2):
            if service[first][key] == service[second][key]:
                yield invalid(
                    f"spec.service.{second}.{key}",
                    f"{service[second][key]} is spec.service.{first}.{key} too",
                    "Give each its own port",
                )


def _ingress(spec: Spec) -> Problems:
    if not spec["ingress"]["enabled"]:
        return
    hosts = spec["ingress"].get("hosts") or []
    if not hosts:
        yield invalid("spec.ingress.hosts", "it is empty", "List at least one host")
    for index, host in enumerate(hosts):
        if not host.get("host"):
            yield invalid(f"spec.ingress.hosts[{index}].host", "it is empty", "Give a host name")
        if not host.get("paths"):
            found, remedy = "it is empty", "Give at least one path, e.g. {path: /}"
            yield invalid(f"spec.ingress.hosts[{index}].paths", found, remedy)


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _ports,
    _ingress,
)
