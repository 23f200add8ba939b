# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What OpenShift's own routers say about a live Route, in words that stay put.

Pure. What follows from it for a SemanticRouter is ``admission.py``; the read is in
``cluster/status.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    status_of,
)

_ADMITTED = "Admitted"


@dataclass(frozen=True)
class Admission:
    """Whether requests reach the router's Service through a Route.

    ready: at least one router of OpenShift serves it, under ``host``.
    failing: waiting alone is unlikely to cure it.
    """

    reason: str
    message: str
    ready: bool = False
    failing: bool = False
    host: str = ""


def admission_of(name: str, route: Manifest | None) -> Admission:
    """The verdict of all of OpenShift's routers together: one that admits the Route is enough."""
    if route is None:
        return Admission("RouteMissing", f"Route {name} does not exist yet.")
    answers = [
        (entry, condition)
        for entry in status_of(route).get("ingress") or []
        if _is_current(entry, route)
        for condition in entry.get("conditions") or []
        if condition.get("type") == _ADMITTED
    ]
    served = [entry for entry, condition in answers if condition.get("status") == "True"]
    refusals = [
        _refusal(entry, condition)
        for entry, condition in answers
        if condition.get("status") == "False"
    ]
    if served:
        return _served(name, route, served, refusals)
    if refusals:
        message = f"Route {name} is refused {' '.join(refusals)}"
        return Admission("RouteRefused", message, failing=True)
    message = (
        f"No router of OpenShift has admitted Route {name} yet. "
        "oc get ingresscontroller -n openshift-ingress-operator shows which there are."
    )
    return Admission("RouteNotAdmitted", message)


def _served(name: str, route: Manifest, served: list[Manifest], refusals: list[str]) -> Admission:
    host = str(served[0].get("host") or "")
    termination = ((route.get("spec") or {}).get("tls") or {}).get("termination")
    if termination != "edge":
        message = (
            f"Route {name} is admitted as {host}, but {termination} sends TLS to the pods, which "
            "listen in plain HTTP. Set spec.openshift.routes.tls.termination to edge."
        )
        return Admission("FeatureNotAvailable", message, failing=True, host=host)
    others = [f"It is refused {refusal}" for refusal in refusals]
    message = " ".join([f"https://{host} leads to Service {name}.", *others])
    return Admission("RouteAdmitted", message, ready=True, host=host)


def _is_current(entry: Manifest, route: Manifest) -> bool:
    """Not the verdict about an earlier host name."""
    wanted = (route.get("spec") or {}).get("host")
    return not wanted or entry.get("host") == wanted


def _refusal(entry: Manifest, condition: Manifest) -> str:
    said = str(condition.get("message") or "it gives no explanation").strip().rstrip(".")
    reason = condition.get("reason")
    why = f" ({reason})" if reason else ""
    return f"by OpenShift's router {entry.get('routerName', '')}{why}: {said}."
