# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.openshift make sense? Whether the cluster is OpenShift is ``facts/discovery.py``'s."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    label_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.listener import speaks_tls
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    labels as own_labels,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    invalid,
)


def _backend_tls(spec: Spec) -> Problems:
    routes = spec["openshift"]["routes"]
    termination = routes["tls"]["termination"]
    if not routes["enabled"]:
        return
    if speaks_tls(spec):
        if termination == "edge":
            yield invalid(
                "spec.openshift.routes.tls.termination",
                "edge sends plain HTTP to the pods, whose listener has TLS",
                "Choose reencrypt or passthrough",
            )
    # Not blocking: OpenShift takes such a Route, and a mesh may put TLS in front of the pods.
    elif termination != "edge":
        yield Problem(
            "FeatureNotAvailable",
            "spec.openshift.routes.tls.termination",
            f"{termination} sends TLS to the pods, and what this version of the operator puts "
            "there listens in plain HTTP",
            "Choose edge, or let the router serve TLS itself with spec.gateway.mode",
            blocking=False,
        )


def _labels(spec: Spec) -> Problems:
    wanted, path = spec["openshift"]["routes"].get("labels") or {}, "spec.openshift.routes.labels"
    for key in own_labels("any"):
        if key in wanted:
            found = f"{key} is the operator's own label, by which it finds what is the router's"
            yield invalid(path, found, "Choose another key")
    yield from label_problems(wanted, path)


def _certificate(spec: Spec) -> Problems:
    tls = spec["openshift"]["routes"]["tls"]
    if tls.get("externalCertificate") and tls["termination"] == "passthrough":
        yield invalid(
            "spec.openshift.routes.tls.externalCertificate",
            "with tls.termination passthrough OpenShift's router needs no certificate",
            "Choose edge, or remove it",
        )


def _destination(spec: Spec) -> Problems:
    tls = spec["openshift"]["routes"]["tls"]
    if tls.get("destinationCACertificate") and tls["termination"] != "reencrypt":
        yield invalid(
            "spec.openshift.routes.tls.destinationCACertificate",
            f"with tls.termination {tls['termination']} nobody verifies the pods' certificate",
            "Choose reencrypt, or remove it",
        )


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _backend_tls,
    _labels,
    _certificate,
    _destination,
)
