# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.openshift make sense? Whether the cluster is OpenShift is ``facts/discovery.py``'s."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    further_labels,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import is_host_name
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.listener import speaks_tls
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    invalid,
)


def _hostname(spec: Spec) -> Problems:
    routes = spec["openshift"]["routes"]
    hostname = routes.get("hostname")
    if routes["enabled"] and hostname and not is_host_name(hostname):
        yield invalid(
            "spec.openshift.routes.hostname",
            f'"{hostname}" is no DNS name',
            "Give one such as router.apps.example.com, without scheme, port or path, "
            "or leave it out",
        )


def _insecure_policy(spec: Spec) -> Problems:
    routes = spec["openshift"]["routes"]
    policy = routes["tls"]["insecureEdgeTerminationPolicy"]
    if routes["enabled"] and (routes["tls"]["termination"], policy) == ("passthrough", "Allow"):
        yield invalid(
            "spec.openshift.routes.tls.insecureEdgeTerminationPolicy",
            "Allow does not go with tls.termination passthrough",
            "Choose Redirect or None: OpenShift cannot pass on what is not TLS",
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
    yield from further_labels(spec["openshift"]["routes"], "labels", "spec.openshift.routes")


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
    _hostname,
    _insecure_policy,
    _backend_tls,
    _labels,
    _certificate,
    _destination,
)
