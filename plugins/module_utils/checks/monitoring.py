# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.monitoring make sense? Whether the cluster has a Prometheus operator is discovery's."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    annotation_problems,
    label_problems,
    own_label_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import seconds
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import invalid

_PARTS = ("serviceMonitor", "prometheusRule", "grafanaDashboard")


def _metrics(spec: Spec) -> Problems:
    is_shown = spec["service"]["metrics"]["enabled"]
    if spec["monitoring"]["serviceMonitor"]["enabled"] and not is_shown:
        yield invalid(
            "spec.monitoring.serviceMonitor.enabled",
            "it is true but spec.service.metrics.enabled is false, so there is nothing to scrape",
            "Change one of them",
        )


def _times(spec: Spec) -> Problems:
    wanted = spec["monitoring"]["serviceMonitor"]
    interval = seconds(wanted["interval"]) or 0.0
    if not interval:
        found, remedy = "it is 0", "Give a time such as 30s"
        yield invalid("spec.monitoring.serviceMonitor.interval", found, remedy)
    elif (seconds(wanted.get("scrapeTimeout")) or 0.0) > interval:
        yield invalid(
            "spec.monitoring.serviceMonitor.scrapeTimeout",
            f"{wanted['scrapeTimeout']} is longer than interval, {wanted['interval']}",
            "Lower it or raise interval",
        )


def _labels(spec: Spec) -> Problems:
    for part in _PARTS:
        wanted = spec["monitoring"][part].get("labels") or {}
        path = f"spec.monitoring.{part}.labels"
        yield from own_label_problems(wanted, path, "its objects")
        yield from label_problems(wanted, path)


def _annotations(spec: Spec) -> Problems:
    wanted = spec["monitoring"]["grafanaDashboard"].get("annotations")
    yield from annotation_problems(wanted, "spec.monitoring.grafanaDashboard.annotations")


RULES: tuple[Callable[[Spec], Problems], ...] = (_metrics, _times, _labels, _annotations)
