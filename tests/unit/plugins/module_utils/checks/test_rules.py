"""Rules across fields: each wrong object of tests/bad_input, and right ones that look odd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bad_input
import documents
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import quantity
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def check(resource: dict[str, Any]) -> list[Problem]:
    return rules.check(Router(resource), Facts())


def stored(resource: dict[str, Any]) -> dict[str, Any]:
    """As an API server keeps it."""
    return {**resource, "spec": crd.with_defaults(resource["spec"])}


def with_spec(**spec: Any) -> dict[str, Any]:
    return {**bad_input.good(), "spec": {**bad_input.good()["spec"], **spec}}


@pytest.mark.parametrize("case", bad_input.cases(bad_input.RULE, bad_input.OPERATOR), ids=str)
def test_a_wrong_object_is_found_with_field_and_remedy(case: bad_input.Case) -> None:
    found = {problem.field: problem for problem in check(stored(case.resource()))}
    assert case.field in found
    problem = found[case.field]
    assert case.remedy in problem.remedy
    assert problem.reason == case.reason
    assert problem.blocking
    assert not problem.retry


@pytest.mark.parametrize("case", bad_input.cases(bad_input.RULE, bad_input.OPERATOR), ids=str)
def test_a_wrong_object_is_blamed_for_nothing_else(case: bad_input.Case) -> None:
    blamed = [problem.field for problem in check(stored(case.resource())) if problem.blocking]
    assert blamed == [case.field]


@pytest.mark.parametrize("case", bad_input.cases(bad_input.SCHEMA), ids=str)
def test_a_structural_mistake_in_a_file_hides_the_rules(case: bad_input.Case) -> None:
    assert [problem.field for problem in check(case.resource())] == [case.field]


def test_the_good_object_is_good() -> None:
    assert check(bad_input.good()) == []
    assert check(stored(bad_input.good())) == []


@pytest.mark.parametrize(
    "path", [*documents.DOCUMENT, *documents.FORMS], ids=lambda path: path.stem
)
def test_a_right_object_is_held_up_by_nothing_but_what_this_version_does_not_build(
    path: Path,
) -> None:
    problems = check(stored(documents.document(path)))
    assert {problem.reason for problem in problems if problem.blocking} <= {"FeatureNotAvailable"}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        *(
            (
                {"openshift": {"routes": {"enabled": True, "tls": {"termination": termination}}}},
                "spec.openshift.routes.tls.termination",
            )
            for termination in ("passthrough", "reencrypt")
        ),
    ],
)
def test_an_addition_that_is_not_built_yet_does_not_keep_the_router_from_running(
    spec: dict[str, Any], field: str
) -> None:
    problems = check(with_spec(**spec))
    assert [(problem.field, problem.reason, problem.blocking) for problem in problems] == [
        (field, "FeatureNotAvailable", False)
    ]


@pytest.mark.parametrize(
    "routes",
    [
        {"enabled": True},
        {"enabled": True, "hostname": ""},
        {"enabled": True, "hostname": "router.apps.example.com"},
        {"enabled": True, "tls": {"insecureEdgeTerminationPolicy": "Allow"}},
        {
            "enabled": False,
            "hostname": "https://nowhere",
            "tls": {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Allow"},
        },
    ],
    ids=["defaults", "no name", "a name", "plain HTTP as well", "disabled"],
)
def test_a_route_that_openshift_would_take_is_no_problem(routes: dict[str, Any]) -> None:
    assert check(with_spec(openshift={"routes": routes})) == []


def test_an_empty_gateway_section_means_standalone() -> None:
    assert check(with_spec(gateway={})) == []


def test_an_existing_claim_may_stand_beside_a_storage_class() -> None:
    claim = {"enabled": True, "existingClaim": "models", "storageClassName": "standard"}
    assert check(with_spec(persistence=claim)) == []


def test_a_disabled_autoscaler_may_hold_any_numbers() -> None:
    assert check(with_spec(autoscaling={"minReplicas": 5, "maxReplicas": 2})) == []


def test_a_disabled_cache_needs_no_host() -> None:
    cache = {"enabled": False, "backend_type": "redis"}
    assert check(with_spec(config={"response_cache": cache})) == []


def test_metrics_that_are_not_exposed_take_no_port_of_the_service() -> None:
    service = {"metrics": {"enabled": False, "port": 8080}}
    assert check(with_spec(service=service)) == []


def test_flags_that_repeat_the_operators_own_values_are_harmless() -> None:
    assert check(with_spec(args=["--port=50051", "-metrics-port", "9190", "-secure=false"])) == []


@pytest.mark.parametrize(
    "image",
    [
        {"repository": "localhost:5000/extproc", "tag": "dev"},
        {"repository": "ghcr.io/example/extproc", "tag": f"sha256:{'0' * 64}"},
        {"repository": f"ghcr.io/example/extproc@sha256:{'0' * 64}"},
        {"tag": f"v0.3.0@sha256:{'0' * 64}"},
        {"tag": ""},
        {"imageRegistry": "registry.example.com:5000/mirror"},
        {"imageRegistry": ""},
    ],
)
def test_images_of_every_usual_form_are_accepted(image: dict[str, Any]) -> None:
    assert check(with_spec(image=image)) == []


def _served(name: str, model: str, *adapters: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": model,
        "loras": [{"name": adapter} for adapter in adapters],
        "backend": {"type": "service", "service": {"name": name, "port": 8000}},
    }


@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        ([_served("a", "m", "n"), _served("b", "n")], "n is a model too"),
        ([_served("a", "m", "m")], "m is a model too"),
        ([_served("a", "m"), _served("b", "n", "sql"), _served("c", "m", "sql")], "the model n"),
    ],
    ids=["another model", "its own model", "another model's adapter"],
)
def test_an_adapter_whose_requests_go_elsewhere_is_said_but_no_obstacle(
    endpoints: list[dict[str, Any]], said: str
) -> None:
    (problem,) = check(with_spec(vllmEndpoints=endpoints))
    assert not problem.blocking
    assert problem.field.endswith(".loras[0].name")
    assert said in problem.found


def test_endpoints_of_one_model_may_have_the_same_adapters() -> None:
    assert check(with_spec(vllmEndpoints=[_served(x, "m", "sql") for x in "ab"])) == []


def test_a_variable_of_the_operators_own_is_named_as_without_effect() -> None:
    problems = check(with_spec(env=[{"name": "CONFIG_FILE", "value": "/tmp/other.yaml"}]))  # noqa: S108
    assert [(problem.field, problem.blocking) for problem in problems] == [
        ("spec.env[0].name", False)
    ]


def open_leaves(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Leaves without a type: thresholds and the like."""
    if "type" not in node:
        yield path
    for name, child in node.get("properties", {}).items():
        yield from open_leaves(child, (*path, name))
    if node.get("items", {}).get("properties"):
        yield from open_leaves(node["items"], (*path, "[]"))


CONFIG_SCHEMA = crd.schema()["properties"]["spec"]["properties"]["config"]
FRACTIONS = list(open_leaves(CONFIG_SCHEMA))
RULE_EXAMPLE = {"name": "code", "hard": {"candidates": ["a"]}, "easy": {"candidates": ["b"]}}


def config_with(path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    if path[0] == "[]":
        return [{**RULE_EXAMPLE, **config_with(path[1:], value)}]
    return {path[0]: config_with(path[1:], value)}


def test_there_are_open_leaves_to_check() -> None:
    assert len(FRACTIONS) >= 10


@pytest.mark.parametrize("path", FRACTIONS, ids=".".join)
@pytest.mark.parametrize("value", ["1.5", 1.5, "-0.1", "high", True, {}], ids=repr)
def test_every_leaf_that_the_schema_leaves_open_is_checked(
    path: tuple[str, ...], value: Any
) -> None:
    field = "spec.config." + ".".join(path).replace(".[]", "[0]")
    problems = check(with_spec(config=config_with(path, value)))
    assert field in [problem.field for problem in problems if problem.blocking]


@pytest.mark.parametrize("path", FRACTIONS, ids=".".join)
@pytest.mark.parametrize("value", ["0.6", 0.6, 0, 1, "1.0"], ids=repr)
def test_every_leaf_that_the_schema_leaves_open_takes_text_and_numbers(
    path: tuple[str, ...], value: Any
) -> None:
    field = "spec.config." + ".".join(path).replace(".[]", "[0]")
    problems = check(with_spec(config=config_with(path, value)))
    assert field not in [problem.field for problem in problems]


@pytest.mark.parametrize(
    ("less", "more"), [("500m", "1"), ("1023Mi", "1Gi"), ("1e3", "2k"), ("999M", "1Gi"), (1, "2")]
)
def test_quantities_are_compared_by_value(less: str, more: str) -> None:
    smaller, greater = quantity(less), quantity(more)
    assert smaller is not None
    assert greater is not None
    assert smaller < greater


def test_what_is_no_quantity_is_left_to_the_schema() -> None:
    assert quantity("lots") is None
    assert quantity("1.2.3") is None
    assert quantity(None) is None


@pytest.mark.parametrize(
    ("spec", "blamed"),
    [
        ({"resources": {"requests": {"memory": "3Gi"}}}, ["spec.resources.requests.cpu"]),
        ({"resources": {"limits": {"cpu": "1"}}}, []),
        (
            {"extraContainers": [{"name": "a", "image": "a"}]},
            ["spec.extraContainers[0].resources.requests.cpu"],
        ),
        ({"envoy": {"resources": {}}}, ["spec.envoy.resources.requests.cpu"]),
        ({}, []),
    ],
)
def test_an_autoscaler_that_would_measure_nothing_is_said_but_no_obstacle(
    spec: dict[str, Any], blamed: list[str]
) -> None:
    problems = check(with_spec(autoscaling={"enabled": True}, **spec))
    assert [(p.field, p.reason, p.blocking) for p in problems] == [
        (field, "AutoscalerBlind", False) for field in blamed
    ]
    assert check(with_spec(**spec)) == []


@pytest.mark.parametrize(
    ("spec", "is_blocked"),
    [
        ({"replicas": 3, "podDisruptionBudget": {"minAvailable": 3}}, True),
        ({"replicas": 3, "podDisruptionBudget": {"minAvailable": "100%"}}, True),
        ({"replicas": 3, "podDisruptionBudget": {"minAvailable": 2}}, False),
        ({"replicas": 3, "podDisruptionBudget": {"maxUnavailable": 0}}, False),
        ({"replicas": 1, "podDisruptionBudget": {"minAvailable": 1}}, False),
        ({"replicas": 1, "podDisruptionBudget": {"minAvailable": 1, "enabled": True}}, True),
        (
            {
                "autoscaling": {"enabled": True, "minReplicas": 2},
                "podDisruptionBudget": {"minAvailable": 2},
            },
            True,
        ),
    ],
)
def test_a_budget_that_blocks_every_drain_is_said_but_no_obstacle(
    spec: dict[str, Any], is_blocked: bool
) -> None:
    problems = check(with_spec(**spec))
    assert [(p.reason, p.blocking) for p in problems] == (
        [("DrainBlocked", False)] if is_blocked else []
    )


def test_pods_that_share_a_volume_may_be_spread_softly_or_by_the_users_own_affinity() -> None:
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname"}
    soft = {**spread, "whenUnsatisfiable": "ScheduleAnyway"}
    hard = {**spread, "whenUnsatisfiable": "DoNotSchedule"}
    shared = {"replicas": 2, "persistence": {"enabled": True}}
    assert check(with_spec(topologySpreadConstraints=[soft], **shared)) == []
    assert check(with_spec(topologySpreadConstraints=[hard], affinity={}, **shared)) == []
    many = {"enabled": True, "accessMode": "ReadWriteMany"}
    assert check(with_spec(topologySpreadConstraints=[hard], replicas=2, persistence=many)) == []


def test_an_ingress_may_leave_everything_open() -> None:
    assert check(with_spec(ingress={"enabled": True})) == []
    hosts = [{"host": "*.example.com"}, {}, {"host": "", "paths": []}]
    assert check(with_spec(ingress={"enabled": True, "hosts": hosts})) == []


def test_a_disabled_ingress_may_hold_anything() -> None:
    hosts = [{"host": "https://nowhere", "paths": [{"path": "x", "pathType": "y"}]}]
    assert check(with_spec(ingress={"hosts": hosts})) == []
