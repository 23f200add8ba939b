"""The CRD as a text: complete, documented, generated; and what crd.py reads from it."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import bad_input
import documents
import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

Schema = dict[str, Any]

CRD_DIRECTORY = Path(__file__).resolve().parents[5] / "config" / "crd"
UPSTREAM_FIELDS = documents.DATA / "upstream-crd-fields.tsv"

# kubectl apply keeps the whole CRD in an annotation, and annotations hold this much together.
ANNOTATIONS_LIMIT = 256 * 1024

LIMITS = (
    "type",
    "required",
    "enum",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "maxItems",
    "default",
)

# Where this CRD and the upstream one differ on purpose: (path, what) -> why.
OPEN_LEAF = 'takes 0.6 as well as "0.6"; rules check it'
NO_DEFAULT = "unset has a meaning of its own"
REFUSED_LATER = "upstream's webhook or Kubernetes itself refuses it later"
COST = "bounds the cost of a validation rule, far above any use"
DIFFERENCES = {
    r"spec\.config\..*(threshold|sample_rate|sampling\.rate) (type|pattern)": OPEN_LEAF,
    r"spec\.config\.prompt_guard\.model_id default": NO_DEFAULT,
    r"spec\.config\.complexity_rules\[\]\.(hard|easy) required": "newer ones take scores instead",
    r"spec\.image\.tag default": "a release that was tested: docs/adr/0025-the-default-release.md",
    r"spec\.persistence\.storageClassName default": NO_DEFAULT,
    r"spec\.persistence\.accessMode enum": REFUSED_LATER,
    r"spec\.persistence\.size pattern": REFUSED_LATER,
    r"spec\.(startup|liveness|readiness)Probe\.\w+ minimum": REFUSED_LATER,
    r"spec\.vllmEndpoints\[\]\.backend\.service\.port maximum": REFUSED_LATER,
    r"spec\.vllmEndpoints\[\]\.model maxLength": COST,
    r"spec\.vllmEndpoints\[\]\.backend\.type enum": "hosted models have a type here",
    r"spec\.vllmEndpoints maxItems": COST,
    r"spec\.toolsDb maxItems": COST,
    r"spec\.openshift\.routes\.hostname maxLength": "no DNS name is longer",
    r"spec\.vllmEndpoints\[\]\.weight (minimum|maximum)": "Envoy's weights are 32 bits, unsigned",
}


def steps(path: str) -> list[str]:
    return re.findall(r"[^.\[\]]+|\[\]", path)


def look_up(path: str) -> tuple[Schema, bool] | None:
    """The schema at a path, and whether its parent requires it."""
    node, required = crd.schema(), False
    for step in steps(path):
        parent = node
        if step == "[]":
            node, required = parent.get("items", {}), False
        elif step == "*":
            node, required = parent.get("additionalProperties", {}), False
        else:
            node = parent.get("properties", {}).get(step, {})
            required = step in parent.get("required", [])
        if not node:
            return None
    return node, required


def rows() -> list[dict[str, str]]:
    with UPSTREAM_FIELDS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def upstream(row: dict[str, str]) -> dict[str, str]:
    given = dict(part.split("=", 1) for part in (row["constraints"] or "").split("; ") if part)
    return {
        **given,
        **({"type": row["type"]} if row["type"] else {}),
        **({"required": "True"} if row["required"] else {}),
    }


def ours(path: str) -> dict[str, str] | None:
    found = look_up(path)
    if found is None:
        return None
    node, required = found
    # A node's own "required" is about its children.
    limits = {key: str(value) for key, value in node.items() if key != "required"}
    return {**limits, **({"required": "True"} if required else {})}


def differences() -> Iterator[str]:
    for row in rows():
        mine, theirs = ours(row["path"]), upstream(row)
        if mine is None:
            yield f"{row['path']} missing"
            continue
        for key in LIMITS:
            # A default that upstream gives in its controller instead is no difference to users.
            is_new_default = key == "default" and key not in theirs
            if mine.get(key) != theirs.get(key) and not is_new_default:
                yield f"{row['path']} {key}"


def test_every_upstream_field_is_here_with_its_type_and_bounds() -> None:
    assert len(rows()) > 400
    unexplained = [
        difference
        for difference in differences()
        if not any(re.fullmatch(pattern, difference) for pattern in DIFFERENCES)
    ]
    assert unexplained == []


def test_every_explained_difference_still_exists() -> None:
    found = list(differences())
    stale = [
        pattern
        for pattern in DIFFERENCES
        if not any(re.fullmatch(pattern, difference) for difference in found)
    ]
    assert stale == []


def nodes(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}" if path else name)
    if isinstance(schema.get("items"), dict):
        yield from nodes(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], f"{path}.*")


# The CRD describes only the first level of whole containers and volumes, or it would not fit.
BRIEF = re.compile(r"spec\.extra(Containers|Volumes)\[\]\.\w+.+")


def test_every_field_is_described() -> None:
    bare = [
        path
        for path, node in nodes(crd.schema(), "")
        if not BRIEF.fullmatch(path)
        # Items and map values that are no objects are described by their list or map.
        and not node.get("description")
        and path != "metadata"
        and (node.get("type") == "object" or not path.endswith(("[]", ".*")))
    ]
    assert bare == []


def test_a_field_without_type_is_open_or_takes_two() -> None:
    for path, node in nodes(crd.schema(), ""):
        assert "type" in node or any(
            node.get(f"x-kubernetes-{key}") for key in ("preserve-unknown-fields", "int-or-string")
        ), path


def applied() -> Schema:
    """The schema of the CRD that a cluster gets."""
    text = (CRD_DIRECTORY / "bases" / "vllm.ai_semanticrouters.yaml").read_text(encoding="utf-8")
    loaded = yaml.load(text, Loader=yaml.CSafeLoader)
    found: Schema = loaded["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def validations() -> list[dict[str, str]]:
    return [
        rule
        for _, node in nodes(applied(), "")
        for rule in node.get("x-kubernetes-validations", [])
    ]


def test_rules_use_nothing_that_kubernetes_1_24_refuses() -> None:
    assert validations()
    assert {tuple(rule) for rule in validations()} == {("rule", "message")}


def test_every_rule_of_the_crd_is_tried_by_a_wrong_object() -> None:
    tried = [case.said for case in bad_input.cases(bad_input.RULE)]
    untried = {
        rule["message"]
        for rule in validations()
        if not any(
            rule["message"] in said or said.rpartition("value: ")[2] in rule["message"]
            for said in tried
        )
    }
    assert untried == set()


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_crd", CRD_DIRECTORY / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_crd_is_what_its_source_makes() -> None:
    for file, text in generator().generated().items():
        assert file.read_text(encoding="utf-8") == text, "run config/crd/generate.py"


def test_the_generator_refuses_a_text_that_yaml_split_at_a_comma() -> None:
    split = yaml.safe_load("{type: string, description: One thing, and another}")
    with pytest.raises(ValueError, match="and another"):
        generator().composed(split, {}, {})


def test_every_field_of_the_crd_is_described() -> None:
    def undescribed(node: Any, path: str) -> Iterator[str]:
        for name, child in node.get("properties", {}).items():
            if not child.get("description"):
                yield f"{path}.{name}"
            yield from undescribed(child, f"{path}.{name}")
        for key in ("items", "additionalProperties"):
            if isinstance(node.get(key), dict):
                yield from undescribed(node[key], path)

    assert list(undescribed(applied(), "")) == [".metadata"]


def test_the_generator_wants_short_words_for_every_field_far_below_a_brief_type() -> None:
    made = generator()
    core = {
        f"{made.CORE_PREFIX}A": {"properties": {"b": {"$ref": f"#/{made.CORE_PREFIX}B"}}},
        f"{made.CORE_PREFIX}B": {
            "properties": {"c": {"description": "Many words."}, "d": {"description": "More words."}}
        },
    }
    source = {"$core": "A", "$brief": True}
    made_of = made.composed(source, core, {"B": {"c": "C.", "d": "D."}})
    told = made_of["properties"]["b"]["properties"]
    assert told == {"c": {"description": "C."}, "d": {"description": "D."}}
    only = made.composed(source, core, {"B": {"$only": True, "c": "C."}})
    assert only["properties"]["b"]["properties"] == {"c": {"description": "C."}}
    with pytest.raises(ValueError, match=r"B: d"):
        made.composed(source, core, {"B": {"c": "C."}})
    with pytest.raises(ValueError, match="B: nobody has them"):
        made.composed(source, core, {})


def test_the_crd_fits_into_the_annotation_of_kubectl_apply() -> None:
    file = CRD_DIRECTORY / "bases" / "vllm.ai_semanticrouters.yaml"
    whole = yaml.safe_load(file.read_text(encoding="utf-8"))
    stored = json.dumps(whole, separators=(",", ":"))
    assert len(stored) < ANNOTATIONS_LIMIT * 7 / 8, "other annotations need room too"


def test_defaults_cascade_into_an_empty_spec() -> None:
    spec = crd.with_defaults({})
    assert spec["replicas"] == 1
    assert spec["image"]["repository"] == "ghcr.io/vllm-project/semantic-router/extproc"
    assert spec["service"]["api"] == {"port": 8080, "targetPort": 8080, "protocol": "TCP"}
    assert spec["startupProbe"]["failureThreshold"] == 360
    assert spec["envoy"]["failureModeAllow"] is False
    tls = {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}
    assert spec["openshift"] == {"routes": {"enabled": False, "tls": tls}}


def test_nothing_is_made_up_where_unset_has_a_meaning() -> None:
    spec = crd.with_defaults({"config": {"prompt_guard": {}}})
    assert "storageClassName" not in spec["persistence"]
    assert set(spec["config"]) == {"prompt_guard"}
    assert not {"model_id", "variant", "protocol"} & set(spec["config"]["prompt_guard"])


def test_defaults_reach_list_items_and_sections_that_are_present() -> None:
    spec = crd.with_defaults(
        {"vllmEndpoints": [{"name": "a"}], "config": {"response_cache": {"redis": {"index": {}}}}}
    )
    assert spec["vllmEndpoints"][0]["weight"] == 1
    assert spec["config"]["response_cache"]["similarity_threshold"] == "0.8"
    assert spec["config"]["response_cache"]["redis"]["index"]["prefix"] == "doc:"


def test_a_null_is_taken_for_unset() -> None:
    assert crd.with_defaults({"replicas": None})["replicas"] == 1


@pytest.mark.parametrize(
    "path", [*documents.DOCUMENT, *documents.FORMS], ids=lambda path: path.stem
)
def test_defaulting_twice_is_defaulting_once_and_leaves_the_input_alone(path: Path) -> None:
    given = documents.document(path)["spec"]
    before = deepcopy(given)
    once = crd.with_defaults(given)
    assert given == before
    assert crd.with_defaults(once) == once


def defaulted(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a default stands that an empty spec gets."""
    for name, child in node.get("properties", {}).items():
        if "default" in child:
            yield (*path, name)
            yield from defaulted(child, (*path, name))


@pytest.mark.parametrize("path", [*defaulted(crd.schema()["properties"]["spec"])], ids=".".join)
def test_a_default_that_the_clusters_older_crd_lacks_is_filled_in(path: tuple[str, ...]) -> None:
    stored = crd.with_defaults({})
    parent = stored
    for name in path[:-1]:
        parent = parent[name]
    del parent[path[-1]]
    resource = {"metadata": {"name": "my-router"}, "spec": stored}
    assert Router(resource).spec == crd.with_defaults({})


def test_the_shared_schema_is_not_handed_out_with_the_defaults() -> None:
    crd.with_defaults({})["resources"]["limits"]["memory"] = "1Ti"
    assert crd.with_defaults({})["resources"]["limits"]["memory"] == "7Gi"


@pytest.mark.parametrize(
    "path", [*documents.DOCUMENT, *documents.FORMS], ids=lambda path: path.stem
)
def test_right_objects_have_no_structural_mistake(path: Path) -> None:
    assert crd.validate(documents.document(path)) == []


@pytest.mark.parametrize("case", bad_input.cases(bad_input.SCHEMA), ids=str)
def test_structural_mistakes_are_found_without_an_api_server(case: bad_input.Case) -> None:
    problems = crd.validate(case.resource())
    assert [problem.field for problem in problems] == [case.field]
    assert case.remedy in problems[0].remedy
    assert problems[0].reason == case.reason


@pytest.mark.parametrize(
    ("resource", "field"),
    [
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, "kind"),
        (
            {"apiVersion": "vllm.ai/v1alpha1", "kind": "SemanticRouter", "metadata": {}},
            "metadata.name",
        ),
        ({**bad_input.good(), "spec": ["replicas"]}, "spec"),
    ],
)
def test_an_object_of_another_shape_is_named(resource: dict[str, Any], field: str) -> None:
    assert [problem.field for problem in crd.validate(resource)] == [field]


def test_keys_that_only_a_router_may_know_are_listed_by_path() -> None:
    config = {
        "future_section": {"a": 1},
        "prompt_guard": {"enabled": True, "treshold": 0.5},
        "decisions": [{"name": "a", "rules": {}, "algorithm": {"type": "x"}, "tier": 1}],
        "reasoning_families": {"mine": {"type": "x", "paramter": "y"}},
    }
    assert [problem.field for problem in crd.unlisted_keys(config)] == [
        "spec.config.prompt_guard.treshold",
        "spec.config.decisions[0].tier",
        "spec.config.reasoning_families.mine.paramter",
    ]
