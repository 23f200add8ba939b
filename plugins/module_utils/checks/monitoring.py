# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.monitoring make sense? Whether the cluster has a Prometheus operator is discovery's."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    annotation_problems,
    label_problems,
)

_PARTS = ("serviceMonitor", "prometheusRule", "grafanaDashboard")


def _labels(spec: Spec) -> Problems:
    for part in _PARTS:
        wanted = spec["monitoring"][part].get("labels") or {}
        yield from label_problems(wanted, f"spec.monitoring.{part}.labels")


def _annotations(spec: Spec) -> Problems:
    wanted = spec["monitoring"]["grafanaDashboard"].get("annotations")
    yield from annotation_problems(wanted, "spec.monitoring.grafanaDashboard.annotations")


RULES: tuple[Callable[[Spec], Problems], ...] = (_labels, _annotations)
