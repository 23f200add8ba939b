"""From places in manifests to fields. tests/unit/test_every_field.py asks it of every field."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import (
    provenance,
    registry,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    LABEL_INSTANCE,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, router

ENDPOINT = {
    "name": "llama",
    "model": "llama",
    "backend": {"type": "service", "service": {"name": "llama", "port": 8000}},
}
GATEWAY = {"existingRef": {"name": "shared", "namespace": "gateways"}, "extProc": True}

POD: Path = ("spec", "template", "spec")
CONTAINER: Path = (*POD, "containers", 0)


def manifest_of(asked: Router, found: Facts, kind: str, name: str = "") -> Manifest:
    return next(
        manifest
        for manifest in registry.build(asked, found)
        if manifest["kind"] == kind and name in ("", manifest["metadata"]["name"])
    )


def named(
    kind: str, place: Path, *, platform: str = "kubernetes", name: str = "", **spec: Any
) -> str:
    """The field that a place of a router's manifest comes from."""
    asked = router(**{"vllmEndpoints": [ENDPOINT], **spec})
    found = facts(asked, platform)
    manifest = manifest_of(asked, found, kind, name)
    return provenance.source_of(asked, found, manifest)(place)


def test_a_default_is_named_by_the_field_that_overrides_it():
    place = (*CONTAINER, "resources", "limits", "memory")

    assert named("Deployment", place) == "spec.resources.limits.memory"


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ((*CONTAINER, "securityContext", "runAsUser"), "spec.securityContext.runAsUser"),
        ((*POD, "securityContext", "fsGroup"), "spec.podSecurityContext.fsGroup"),
        (
            (*POD, "volumes", 2, "persistentVolumeClaim", "claimName"),
            "spec.persistence.existingClaim",
        ),
    ],
)
def test_what_a_builder_fills_in_itself_is_named_by_the_field_that_is_not_set(
    place: Path, field: str
):
    assert named("Deployment", place) == field


def test_a_text_of_several_fields_is_named_by_what_they_have_in_common():
    assert named("Deployment", (*CONTAINER, "image")) == "spec.image"


def test_a_field_of_another_section_that_goes_in_too_does_not_hide_the_section():
    place = (*POD, "containers", 1, "image")

    assert named("Deployment", place, image={"imageRegistry": "mirror"}) == "spec.envoy.image"


def test_an_entry_has_the_index_that_the_user_gave_it():
    env = [{"name": "HOME", "value": "/home"}, {"name": "SECOND", "value": "2"}]
    asked = router(vllmEndpoints=[ENDPOINT], env=env)
    manifest = manifest_of(asked, Facts(), "Deployment")
    variables = manifest["spec"]["template"]["spec"]["containers"][0]["env"]
    index = [variable["name"] for variable in variables].index("SECOND")
    source = provenance.source_of(asked, Facts(), manifest)

    assert index != 1
    assert source((*CONTAINER, "env", index, "value")) == "spec.env[1].value"
    assert source((*CONTAINER, "env", index)) == "spec.env[1]"


def test_a_key_of_a_map_is_part_of_the_field():
    place = (*POD, "nodeSelector", "kubernetes.io/os")

    field = named("Deployment", place, nodeSelector={"kubernetes.io/os": "linux"})

    assert field == "spec.nodeSelector[kubernetes.io/os]"


def test_a_reference_to_a_secret_is_found_in_the_configuration():
    redis = {"connection": {"password_secret_ref": {"name": "cache", "key": "password"}}}
    cache = {"enabled": True, "backend_type": "redis", "redis": redis}
    place = (*CONTAINER, "env", 1, "valueFrom", "secretKeyRef", "name")

    field = named("Deployment", place, config={"response_cache": cache})

    assert field == "spec.config.response_cache.redis.connection.password_secret_ref.name"


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ("name", "spec.vllmEndpoints[0].backend.service.name"),
        ("namespace", "spec.vllmEndpoints[0].backend.service.namespace"),
        ("port", "spec.vllmEndpoints[0].backend.service.port"),
        ("weight", "spec.vllmEndpoints[0].weight"),
    ],
)
def test_what_discovery_found_is_named_by_the_entry_that_it_was_found_for(step: str, field: str):
    place = ("spec", "rules", 0, "backendRefs", 0, step)
    service = {"name": "llama", "namespace": "models", "port": 8000}
    endpoint = {**ENDPOINT, "backend": {"type": "service", "service": service}}

    found = named(
        "HTTPRoute", place, name="my-router-models", gateway=GATEWAY, vllmEndpoints=[endpoint]
    )

    assert found == field


def test_of_several_fields_the_one_of_the_same_name_is_named():
    place = (*CONTAINER, "livenessProbe", "httpGet", "port")

    field = named("Deployment", place, livenessProbe={"httpGet": {"path": "/", "port": "api"}})

    assert field == "spec.livenessProbe.httpGet.port"


@pytest.mark.parametrize(
    ("step", "field"),
    [("operator", "spec.tolerations[1].operator"), ("unheard", "spec.tolerations[1]")],
)
def test_a_place_that_is_not_there_is_named_by_what_would_fill_it_else_by_what_is_around(
    step: str, field: str
):
    tolerations = [{"key": "gpu"}, {"key": "arm", "value": "true"}]

    assert named("Deployment", (*POD, "tolerations", 1, step), tolerations=tolerations) == field


def test_a_missing_part_of_spec_is_not_blamed_on_all_that_is_there():
    assert named("Service", ("spec", "sessionAffinity")) == ""


@pytest.mark.parametrize(
    "place",
    [
        ("spec", "selector", "matchLabels", "app.kubernetes.io/name"),
        (*CONTAINER, "name"),
        (*CONTAINER, "env", 1, "value"),
        (*POD, "containers", 1, "command", 0),
        ("kind",),
        ("spec", "template"),
        ("spec",),
    ],
)
def test_what_comes_from_no_field_or_from_many_names_none(place: Path):
    assert named("Deployment", place) == ""


def test_a_variable_that_a_new_one_would_push_aside_does_not_come_from_it():
    # With a credential the list is longer, and another variable at the index.
    config = {"response_cache": {"enabled": True, "redis": {"connection": {"host": "cache"}}}}

    assert named("Deployment", (*CONTAINER, "env", 1, "value"), config=config) == ""


def test_what_the_router_s_name_is_part_of_is_named_by_it():
    place = ("metadata", "labels", LABEL_INSTANCE)

    assert named("Service", place) == "metadata.name"


def test_the_name_of_a_service_account_may_be_a_field():
    place = ("metadata", "name")

    assert named("ServiceAccount", place) == "spec.serviceAccount.name"
    assert named("ServiceAccount", place, serviceAccount={"name": "own"}) == (
        "spec.serviceAccount.name"
    )


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("Ingress", {"ingress": {"enabled": True}}, "spec.ingress"),
        ("NetworkPolicy", {"networkPolicy": {"enabled": True}}, "spec.networkPolicy"),
        ("HorizontalPodAutoscaler", {"autoscaling": {"enabled": True}}, "spec.autoscaling"),
        (
            "ServiceMonitor",
            {"monitoring": {"serviceMonitor": {"enabled": True}}},
            "spec.monitoring.serviceMonitor",
        ),
        ("PersistentVolumeClaim", {}, "spec.persistence"),
        ("Service", {}, "spec.service"),
        ("Deployment", {}, ""),
    ],
)
def test_a_whole_object_is_named_by_the_section_that_asks_for_it(
    kind: str, spec: dict[str, Any], field: str
):
    assert named(kind, (), **spec) == field


def test_a_map_of_the_user_s_is_named_as_a_whole():
    annotations = {"one": "1", "two": "2"}

    field = named(
        "ServiceAccount", ("metadata", "annotations"), serviceAccount={"annotations": annotations}
    )

    assert field == "spec.serviceAccount.annotations"


@pytest.mark.parametrize(
    ("spec", "file", "field"),
    [
        ({"config": {"decisions": [{"name": "x" * 9_000}]}}, "config.yaml", "spec.config"),
        (
            {"vllmEndpoints": [{**ENDPOINT, "name": f"e{n}", "model": f"m{n}"} for n in range(40)]},
            "config.yaml",
            "spec.vllmEndpoints",
        ),
        ({"toolsDb": [{"name": "one"}, {"name": "two"}]}, "tools_db.json", "spec.toolsDb"),
    ],
)
def test_a_file_is_named_by_what_most_of_it_was_made_of(
    spec: dict[str, Any], file: str, field: str
):
    assert named("ConfigMap", ("data", file), **spec).startswith(field)


def test_a_value_that_a_play_has_changed_after_the_builder_names_no_field():
    asked = router(vllmEndpoints=[ENDPOINT])
    manifest = manifest_of(asked, Facts(), "Service")
    ports = [{**port, "port": 1} for port in manifest["spec"]["ports"]]
    changed = {**manifest, "spec": {**manifest["spec"], "ports": ports}}

    assert provenance.source_of(asked, Facts(), manifest)(("spec", "ports", 0, "port"))
    assert provenance.source_of(asked, Facts(), changed)(("spec", "ports", 0, "port")) == ""


def test_a_manifest_that_no_builder_makes_comes_from_no_field():
    asked = router(vllmEndpoints=[ENDPOINT])
    manifest = {"kind": "Service", "metadata": {"name": "theirs"}, "spec": {"type": "ClusterIP"}}

    assert provenance.source_of(asked, Facts(), manifest)(("spec", "type")) == ""


def test_nothing_is_built_for_a_refusal_that_nobody_asks_about(monkeypatch: pytest.MonkeyPatch):
    asked = router(vllmEndpoints=[ENDPOINT])
    manifest = manifest_of(asked, Facts(), "Service")
    monkeypatch.setattr(registry, "BUILDERS", {})

    source = provenance.source_of(asked, Facts(), manifest)

    # Without builders there is no answer, so it was this question that looked for one.
    assert source(("spec", "type")) == ""


def test_a_question_takes_few_builds(monkeypatch: pytest.MonkeyPatch):
    asked = router(vllmEndpoints=[ENDPOINT])
    manifest = manifest_of(asked, Facts(), "Deployment")
    built = []
    (deployment,) = (b for b in registry.BUILDERS["workload"] if b.__name__ == "deployment")

    def counted(of: Router, found: Facts) -> list[Manifest]:
        built.append(of)
        return deployment(of, found)

    monkeypatch.setattr(registry, "BUILDERS", {"workload": (counted,)})

    assert provenance.source_of(asked, Facts(), manifest)((*CONTAINER, "image")) == "spec.image"
    # There are about a hundred fields that are set.
    assert len(built) < 40
