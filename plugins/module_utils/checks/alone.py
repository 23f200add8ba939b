# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does the spec of a router that serves alone make sense? What only Envoy does is told of here.

What the router's own document says to it is ``router_config``'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    auth,
    backend_kinds,
    crd,
    listener,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    field_path,
    places,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import invalid

_BACK = "or let Envoy take the requests: set spec.gateway.mode to envoy"


@dataclass(frozen=True)
class EnvoyOnly:
    """A field below spec that nobody but Envoy in the pod reads; "*" is any index.

    lost: what is given up without Envoy. blocking: the user relies on it, so nothing is written.
    """

    field: str
    lost: str
    blocking: bool = True

    @property
    def steps(self) -> tuple[str, ...]:
        """The path in parts."""
        return tuple(self.field.split("."))


ENVOY_ONLY = (
    EnvoyOnly("envoy", "no Envoy is in the pod that would have it", blocking=False),
    EnvoyOnly("cors", "the router does not answer browsers that ask for another site's page"),
    EnvoyOnly("auth.jwt", "the router checks no tokens, so that everybody would be let in"),
    EnvoyOnly(
        "vllmEndpoints.*.backend.tls",
        "the router asks backends itself, and verifies them by its system's authorities alone",
    ),
    EnvoyOnly(
        "vllmEndpoints.*.trafficPolicy",
        "the router asks backends itself, as providers.models[].reliability of its document says",
    ),
    EnvoyOnly("auth.apiKeys.*.groups", "the router knows a client's key, and no groups of it"),
)


def envoy_only(words: tuple[str, ...]) -> EnvoyOnly | None:
    """The row that is about a field, without indexes, or about a part above it."""
    for row in ENVOY_ONLY:
        steps = tuple(step for step in row.steps if step != "*")
        if words[: len(steps)] == steps:
            return row
    return None


def _way_in(spec: Spec) -> Problems:
    gateway = spec.get("gateway") or {}
    if gateway.get("existingRef") and spec["service"].get("inference"):
        found = "behind a Gateway the Service leads to the router's own HTTP API"
        yield invalid("spec.service.inference", found, "Remove it")
    contract = router_config.CONTRACTS.get(router_config.contract(spec))
    if serves_alone(spec) and contract and not contract.serves_alone:
        first = next(name for name, one in router_config.CONTRACTS.items() if one.serves_alone)
        yield invalid(
            "spec.gateway.mode",
            f"routers of contract {contract.name} cannot serve requests themselves",
            f"Use an image whose contract is {first} or later, {_BACK}",
        )


def _without_envoy(spec: Spec) -> Problems:
    if not serves_alone(spec):
        return
    defaults = crd.with_defaults({})
    for row in ENVOY_ONLY:
        for path, value in places(spec, row.steps):
            if not value or value == defaults.get(str(path[0])):
                continue
            problem = invalid(field_path(path), row.lost, f"Remove it, {_BACK}")
            yield replace(problem, blocking=row.blocking)


def _pickers(spec: Spec) -> Problems:
    """It would send requests for a model to who only knows where they are to go."""
    if not serves_alone(spec):
        return
    for index, entry in enumerate(spec.get("vllmEndpoints") or []):
        if entry["backend"]["type"] == backend_kinds.TYPE_POOL:
            field = f"spec.vllmEndpoints[{index}].backend.type"
            found = "the router asks no endpoint picker, which alone knows the pool's pods"
            yield invalid(field, found, f"Name a Service of these pods, {_BACK}")


def _clients(spec: Spec) -> Problems:
    """A key whose client is not named could not be handed to the router, and would be refused."""
    if not serves_alone(spec):
        return
    for keys in auth.key_secrets(spec):
        if not keys.clients:
            found = "the router gets the key of each client in a variable, and none is named"
            remedy = f"Name the Secret's keys that may come in, {_BACK}"
            yield invalid(f"{keys.field}.clients", found, remedy)


def _listener(spec: Spec) -> Problems:
    if not serves_alone(spec):
        return
    given = listener.given(spec)
    for key, wanted, field in (
        ("tls", listener.tls_secret(spec), "spec.gateway.tls"),
        ("api_keys", auth.is_wanted(spec), "spec.auth"),
    ):
        if given.get(key) and wanted:
            place = f"spec.config.listeners[0].{key}"
            yield invalid(place, f"{field} says it too", "Keep one of them")


def _ingress(spec: Spec) -> Problems:
    wanted = spec["ingress"]
    if not (wanted["enabled"] and listener.speaks_tls(spec)):
        return
    told = " ".join((wanted.get("annotations") or {}).values()).lower()
    if "https" not in told:
        yield replace(
            invalid(
                "spec.ingress.annotations",
                "the pods serve HTTPS, and none tells the Ingress's controller to speak it to them",
                "Give your controller's own, such as "
                "nginx.ingress.kubernetes.io/backend-protocol: HTTPS",
            ),
            blocking=False,
        )


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _way_in,
    _without_envoy,
    _pickers,
    _clients,
    _listener,
    _ingress,
)
