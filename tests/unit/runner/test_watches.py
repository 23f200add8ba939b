"""watches.yaml: defaults are ansible-operator's, and every mistake is named with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
)
from wrapper_runner.problems import StartError
from wrapper_runner.selectors import EVERYTHING, Selector
from wrapper_runner.watches import Kind, Watch, expand, load

CHECKOUT = Path(__file__).resolve().parents[3]
AUTOSCALER = Kind("autoscaling", "v2", "HorizontalPodAutoscaler")
WIDGET = Kind("runner.test", "v1", "Widget")
SECRET = {"version": "v1", "kind": "Secret"}
MINIMAL = {
    "group": "runner.test",
    "version": "v1",
    "kind": "Widget",
    "playbook": "reconcile.yml",
    "manageStatus": False,
    "snakeCaseParameters": False,
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in ("reconcile.yml", "finalize.yml"):
        (tmp_path / name).touch()
    return tmp_path


def read(directory: Path, *entries: Any, **environment: str) -> list[Watch]:
    file = directory / "watches.yaml"
    file.write_text(yaml.safe_dump(list(entries)))
    return load(file, environment)


def complaint(directory: Path, *entries: Any) -> str:
    with pytest.raises(StartError) as caught:
        read(directory, *entries)
    return str(caught.value).removeprefix(f"{directory / 'watches.yaml'}: ")


def test_playbook_is_looked_up_beside_the_file(directory: Path) -> None:
    [watch] = read(directory, MINIMAL)
    assert watch.playbook == directory.resolve() / "reconcile.yml"


def test_defaults_are_those_of_ansible_operator(directory: Path) -> None:
    [watch] = read(directory, MINIMAL)
    assert watch == Watch(WIDGET, watch.playbook)
    assert watch.artifacts == 20
    assert watch.period == 0
    assert watch.watched_period == 0
    assert not watch.annotations_matter
    assert not watch.mark_unsafe
    assert watch.finalizer is None


def test_every_key_reaches_the_watch(directory: Path) -> None:
    [watch] = read(
        directory,
        {
            **MINIMAL,
            "vars": {"greeting": "hello"},
            "maxRunnerArtifacts": 2,
            "reconcilePeriod": "1m30s",
            "watchedPeriod": "10h",
            "watchAnnotationsChanges": True,
            "watchClusterScopedResources": True,
            "markUnsafe": True,
            "selector": {"matchLabels": {"team": "us"}},
            "finalizer": {"name": "a/b", "playbook": "finalize.yml", "vars": {"last": True}},
            "blacklist": [
                {"version": "v1", "kind": "Secret"},
                {"group": "autoscaling", "version": "v2", "kind": "HorizontalPodAutoscaler"},
            ],
            "formerFinalizers": ["a/former"],
            "statusManager": "the-operator",
            "dependents": {
                "selector": {"matchLabels": {"made-by": "us"}},
                "kinds": [
                    {"version": "v1", "kind": "Secret"},
                    {"group": "apps", "version": "v1", "kind": "Deployment"},
                ],
                "statusIgnored": [
                    {"group": "autoscaling", "version": "v2", "kind": "HorizontalPodAutoscaler"},
                ],
            },
        },
    )
    assert watch.vars == {"greeting": "hello"}
    assert watch.artifacts == 2
    assert watch.period == 90
    assert watch.watched_period == 36000
    assert watch.annotations_matter
    assert watch.cluster_scoped_dependents
    assert watch.mark_unsafe
    assert watch.selector == Selector.parse({"matchLabels": {"team": "us"}})
    assert watch.finalizer is not None
    assert watch.finalizer.playbook.name == "finalize.yml"
    assert watch.finalizer.vars == {"last": True}
    assert watch.former_finalizers == ("a/former",)
    assert watch.status_manager == "the-operator"
    assert watch.dependents == (Kind("apps", "v1", "Deployment"), AUTOSCALER)
    assert watch.status_ignored == (AUTOSCALER,)
    assert watch.dependents_selector.query == "made-by in (us)"


def test_dependents_are_not_watched_when_the_watch_says_so(directory: Path) -> None:
    kinds = {"kinds": [{"version": "v1", "kind": "Secret"}]}
    [watch] = read(directory, {**MINIMAL, "dependents": kinds, "watchDependentResources": False})
    assert watch.dependents == watch.status_ignored == ()
    assert watch.dependents_selector == EVERYTHING


def test_finalizer_with_variables_only_runs_the_main_playbook(directory: Path) -> None:
    [watch] = read(directory, {**MINIMAL, "finalizer": {"name": "a/b", "vars": {"last": True}}})
    assert watch.finalizer is not None
    assert watch.finalizer.playbook == watch.playbook


def test_environment_variables_are_replaced_where_they_exist() -> None:
    text = "a: ${NAME}\nb: $NAME\nc: ${OTHER}\nd: $OTHER\n"
    assert expand(text, {"NAME": "x"}) == "a: x\nb: x\nc: ${OTHER}\nd: ${OTHER}\n"


def test_environment_variables_reach_the_watch(directory: Path) -> None:
    [watch] = read(directory, {**MINIMAL, "reconcilePeriod": "${PERIOD}"}, PERIOD="5s")
    assert watch.period == 5


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kind": None}, "[0].kind: is missing"),
        ({"version": ""}, "[0].version: is missing"),
        ({"playbook": None}, "[0].playbook: is missing; name the playbook to run"),
        ({"playbook": "nope.yml"}, "[0].playbook: nope.yml: there is no such file"),
        ({"reconcilePeriods": "1m"}, "[0].reconcilePeriods: is not a key of watches.yaml"),
        ({"reconcilePeriod": "1 minute"}, "[0].reconcilePeriod: '1 minute' is not a duration"),
        ({"reconcilePeriod": 60}, "[0].reconcilePeriod: must be a string, not 60"),
        ({"markUnsafe": "yes"}, "[0].markUnsafe: must be a boolean, not 'yes'"),
        ({"maxRunnerArtifacts": True}, "[0].maxRunnerArtifacts: must be a whole number, not True"),
        ({"vars": ["a"]}, "[0].vars: must be a mapping, not ['a']"),
        ({"role": "widget"}, "[0].role: is not supported by the embedded engine"),
        ({"manageStatus": None}, "[0].manageStatus: is true (its default), which the embedded"),
        ({"snakeCaseParameters": True}, "[0].snakeCaseParameters: is true (its default), which"),
        ({"selector": {"labels": {}}}, "[0].selector: labels is unknown"),
        ({"finalizer": {"playbook": "finalize.yml"}}, "[0].finalizer.name: is missing"),
        ({"finalizer": {"name": "a/b"}}, "[0].finalizer.playbook: is missing"),
        ({"finalizer": {"name": "a/b", "rôle": "x"}}, "[0].finalizer.rôle: is not a key"),
        ({"blacklist": [{"kind": "Secret"}], "dependents": {}}, "[0].blacklist[0].version: is mis"),
        ({"dependents": {"kinds": [{"version": "v1"}]}}, "[0].dependents.kinds[0].kind: is missi"),
        ({"dependents": {"kinds": ["Secret"]}}, "[0].dependents.kinds[0]: must be a mapping"),
        ({"dependents": []}, "[0].dependents: must be a mapping, not []"),
        (
            {"dependents": {"kinds": [SECRET], "statusIgnored": [SECRET]}},
            "[0].dependents.statusIgnored: v1, Kind=Secret is in kinds too; keep one",
        ),
    ],
)
def test_mistake_is_named_with_its_place(
    directory: Path, change: dict[str, Any], expected: str
) -> None:
    entry = {key: value for key, value in {**MINIMAL, **change}.items() if value is not None}
    assert complaint(directory, entry).startswith(expected)


def test_kind_that_is_there_twice_is_refused(directory: Path) -> None:
    expected = "runner.test/v1, Kind=Widget is there more than once; keep one entry"
    assert complaint(directory, MINIMAL, MINIMAL) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "must be a list"), ("a: b", "must be a list"), ("- [", "is not YAML")],
)
def test_file_that_is_no_list_is_refused(directory: Path, text: str, expected: str) -> None:
    file = directory / "broken.yaml"
    file.write_text(text)
    with pytest.raises(StartError, match=expected):
        load(file, {})


def test_missing_file_is_named(directory: Path) -> None:
    with pytest.raises(StartError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load(directory / "nowhere.yaml", {})


def test_watches_file_of_this_repository_is_valid() -> None:
    [watch] = load(CHECKOUT / "watches.yaml", {})
    assert watch.kind == Kind("vllm.ai", "v1alpha1", "SemanticRouter")
    assert watch.playbook == CHECKOUT / "playbooks" / "reconcile.yml"
    assert watch.mark_unsafe
    assert watch.annotations_matter
    assert watch.finalizer is None
    # With fewer, ansible-runner trips over the link `latest` that the stock binary makes.
    assert watch.artifacts >= 3


def test_every_kind_that_a_router_owns_wakes_it_up() -> None:
    [watch] = load(CHECKOUT / "watches.yaml", {})
    owned = {(resource.api_version, resource.kind) for resource in RESOURCES}
    assert owned <= {(kind.api_version, kind.kind) for kind in watch.dependents}


def test_the_stock_engine_does_not_watch_kinds_whose_status_it_cannot_ignore() -> None:
    [entry] = yaml.safe_load((CHECKOUT / "watches.yaml").read_text())
    ignored = entry["dependents"]["statusIgnored"]
    assert ignored
    assert all(kind in entry["blacklist"] for kind in ignored)


@pytest.mark.parametrize("size", [1, 16, 25])
def test_objects_may_share_runs(directory: Path, size: int) -> None:
    [watch] = read(directory, {**MINIMAL, "markUnsafe": True, "batch": size})
    assert watch.batch == size


@pytest.mark.parametrize("size", [0, 26, -1, "16", True])
def test_batch_of_another_size_is_refused(directory: Path, size: Any) -> None:
    assert complaint(directory, {**MINIMAL, "markUnsafe": True, "batch": size}).startswith(
        "[0].batch: must be"
    )


def test_batch_without_marked_text_is_refused(directory: Path) -> None:
    assert "[0].batch: needs markUnsafe: true" in complaint(directory, {**MINIMAL, "batch": 2})
