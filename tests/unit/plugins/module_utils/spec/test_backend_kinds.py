"""The table of kinds, and everything that has to say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import discovery
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import backend_kinds, crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_kinds import (
    KINDS,
    Kind,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import reasons

CHECKOUT = Path(__file__).parents[5]
HEAD = "| `type` | Needs | What it is | Address | Port, else the first | Proof |"
GUIDE = CHECKOUT / "docs" / "guide" / "discovery.md"
OBJECTS = [kind for kind in KINDS if kind.object]


def row(kind: Kind) -> str:
    """The line of the guide."""
    its = kind.object
    named = f"{its.kind} of {its.project}" if its else kind.found
    where = f"Service `{its.service}`" if its and its.service else ""
    picker = f"Service in `{'.'.join(its.picker)}`" if its and its.picker else ""
    urls = ", ".join(f"`status.{'.'.join(path)}`" for path in its.urls) if its else ""
    ports = ", ".join(f"`{port}`" for port in (*kind.port_numbers, *kind.port_names))
    cells = [
        f"`{kind.type}`",
        f"`{kind.field}`",
        named,
        ", else ".join(filter(None, (where, picker, urls))) or "as found",
        ports or "as stated",
        kind.proof,
    ]
    return f"| {' | '.join(cells)} |"


def test_the_guide_has_the_table() -> None:
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    start = lines.index(HEAD)
    assert lines[start + 2 : start + 2 + len(KINDS)] == [row(kind) for kind in KINDS]
    assert not lines[start + 2 + len(KINDS)]


def test_the_crd_takes_these_types_and_no_others() -> None:
    backend = crd.spec_schema()["properties"]["vllmEndpoints"]["items"]["properties"]["backend"]
    how = {"type", "pickerScheme", "tls"}
    assert backend["properties"]["type"]["enum"] == [kind.type for kind in KINDS]
    assert {kind.field for kind in KINDS} == backend["properties"].keys() - how


@pytest.mark.parametrize("kind", OBJECTS, ids=lambda kind: kind.type)
def test_the_stock_engine_keeps_no_copy_of_all_objects_of_a_kind(kind: Kind) -> None:
    (watch,) = yaml.safe_load((CHECKOUT / "watches.yaml").read_text(encoding="utf-8"))
    its = kind.object
    assert its
    for version in its.versions:
        assert {"group": its.group, "version": version, "kind": its.kind} in watch["blacklist"]


@pytest.mark.parametrize("kind", OBJECTS, ids=lambda kind: kind.type)
def test_each_kind_of_object_has_a_crd_for_tests(kind: Kind) -> None:
    its = kind.object
    assert its
    file = CHECKOUT / "tests" / "crds" / f"{its.plural}.{its.group}.yaml"
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    versions = [version["name"] for version in found["spec"]["versions"]]
    assert (found["spec"]["names"]["kind"], versions) == (its.kind, list(its.versions))


def test_every_reason_of_the_table_is_told_with_a_remedy() -> None:
    told = {reason for kind in OBJECTS for reason in kind.object.reasons}  # type: ignore[union-attr]
    told |= {kind.nothing for kind in KINDS if kind.nothing}
    assert told <= reasons.REASONS.keys()


@pytest.mark.parametrize(
    ("served", "version"),
    [
        ([], "v1alpha2"),
        (["v1alpha1", "v1beta1"], "v1alpha1"),
        (["v1alpha1", "v1alpha2"], "v1alpha2"),
    ],
)
def test_the_newest_version_that_is_served_is_read(served: list[str], version: str) -> None:
    its = backend_kinds.BY_TYPE["llminferenceservice"].object
    assert its
    assert its.api({its.group: served}).version == version


def test_discovery_looks_for_the_apis_of_all_kinds() -> None:
    assert set(backend_kinds.GROUPS) <= set(discovery.CAPABILITY_GROUPS)
