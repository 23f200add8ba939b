"""A reconcile around its run: who runs alone, whose finalizer goes, what an event's file is for."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from wrapper_runner.cluster import Cluster, ClusterError, Resource
from wrapper_runner.parameters import host_name
from wrapper_runner.playing import Play, Player, PlayError, Stopping
from wrapper_runner.reconciler import (
    ANNOTATION_ARTIFACTS,
    ANNOTATION_PERIOD,
    ANNOTATION_VERBOSITY,
    FINALIZE_SOON,
    SECONDS_FOR_EACH,
    Isolate,
    Limits,
    Reconciled,
    ReconcileError,
    Reconciler,
    Result,
)
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Finalizer, Kind, Watch

KIND = Kind("runner.test", "v1", "Widget")
ROOT = "/apis/runner.test/v1/namespaces"
OURS, THEIRS = "runner.test/ours", "team.test/theirs"
ANNA, BERT, CARL = (Key("ai", name) for name in ("anna", "bert", "carl"))
Json = dict[str, Any]


class Widgets:
    """An API server's part of it: reads, and merge patches of finalizers."""

    def __init__(self, *keys: Key) -> None:
        self.objects = {key: widget(key) for key in keys}
        self.patches: list[Json] = []

    def resource(self, kind: Kind) -> Resource:
        return Resource(kind, "widgets", namespaced=True)

    def get(self, path: str, *_: Any) -> Json:
        for key, found in self.objects.items():
            if path == f"{ROOT}/{key.namespace}/widgets/{key.name}":
                return cast(Json, json.loads(json.dumps(found)))
        raise ClusterError(404, "not found")

    def merge(self, path: str, patch: Json) -> Json:
        self.patches.append(patch)
        for key, found in self.objects.items():
            if path == f"{ROOT}/{key.namespace}/widgets/{key.name}":
                found["metadata"].update(patch["metadata"])
        return self.get(path)


def widget(key: Key) -> Json:
    return {
        "apiVersion": KIND.api_version,
        "kind": KIND.kind,
        "metadata": {**key._asdict(), "resourceVersion": "7"},
        "spec": {"colour": "red"},
    }


class Stage:
    """A player that plays nothing: each host's play ends as `ends` says, and is kept in `plays`."""

    def __init__(self) -> None:
        self.plays: list[tuple[Play, Mapping[str, str], Json]] = []
        self.failed: set[str] = set()
        self.left_out: set[str] = set()
        self.busy: set[str] = set()
        self.error: Exception | None = None
        self.messages: list[str] = []

    def events(self, play: Play, variables: Mapping[str, str]) -> Iterator[Json]:
        objects = play.directory / "env" / "objects"
        given = json.loads(objects.read_text()) if objects.exists() else {}
        self.plays.append((play, variables, given))
        hosts = [host for host in given or ["localhost"] if host not in self.left_out]
        for host in hosts:
            yield event("runner_on_start", host=host)
            if host in self.failed:
                yield event("runner_on_failed", host=host, task="Apply", res={"msg": "no permit"})
            elif host not in self.busy:
                said = {"messages": self.messages}
                yield event("runner_on_ok", host=host, task="Apply", res=said)
        if self.error:
            raise self.error
        counts = {"processed": dict.fromkeys(hosts, 1), "changed": {}, "dark": {}}
        yield event(
            "playbook_on_stats",
            **counts,
            failures={host: 1 for host in hosts if host in self.failed},
        )


def event(name: str, **data: Any) -> Json:
    return {"event": name, "event_data": data}


class Room:
    """A reconciler, and what is around it."""

    def __init__(self, directory: Path, *keys: Key, **watch: Any) -> None:
        for name in ("play.yml", "finalize.yml"):
            (directory / name).write_text("- hosts: localhost\n")
        self.directory = directory
        self.widgets = Widgets(*keys)
        self.stage = Stage()
        self.reconciler = Reconciler(
            cast(Cluster, self.widgets),
            Watch(KIND, directory / "play.yml", **watch),
            Limits(period=600, verbosity=2, timeout=100, ansible_args=""),
            cast(Player, self.stage),
            {"KUBECONFIG": "/kube"},
            directory / "runs",
        )

    def run(self, *keys: Key) -> dict[Key, Result]:
        """Without what the engine is to watch, which is for tests of the observer."""
        results = dict(self.reconciler.reconcile(keys, lambda _: 1000))
        return {
            key: Reconciled(result.after, result.conditions)
            if isinstance(result, Reconciled)
            else result
            for key, result in results.items()
        }

    def metadata(self, key: Key) -> Json:
        return cast(Json, self.widgets.objects[key]["metadata"])

    @property
    def playbooks(self) -> list[str]:
        return [play.playbook.name for play, _, _ in self.stage.plays]


def finalizing(directory: Path, *keys: Key) -> Room:
    finalizer = Finalizer(OURS, directory / "finalize.yml")
    return Room(directory, *keys, finalizer=finalizer, batch=16)


class TestFinalizer:
    def test_it_is_put_on_beside_those_of_others(self, tmp_path: Path) -> None:
        room = finalizing(tmp_path, ANNA)
        room.metadata(ANNA)["finalizers"] = [THEIRS]
        assert room.run(ANNA) == {ANNA: Reconciled(600, [])}
        assert room.metadata(ANNA)["finalizers"] == [THEIRS, OURS]
        assert room.playbooks == ["play.yml"]

    def test_its_playbook_runs_and_only_it_is_taken_off(self, tmp_path: Path) -> None:
        room = finalizing(tmp_path, ANNA)
        room.metadata(ANNA).update(finalizers=[THEIRS, OURS, "z"], deletionTimestamp="now")
        room.run(ANNA)
        assert room.playbooks == ["finalize.yml"]
        (patch,) = room.widgets.patches
        # With the version that was read, so that one which came in between is not lost.
        assert patch["metadata"] == {"finalizers": [THEIRS, "z"], "resourceVersion": "7"}

    def test_it_stays_when_its_playbook_fails(self, tmp_path: Path) -> None:
        room = finalizing(tmp_path, ANNA)
        room.metadata(ANNA).update(finalizers=[OURS], deletionTimestamp="now")
        room.stage.failed = {"localhost"}
        assert isinstance(room.run(ANNA)[ANNA], ReconcileError)
        assert room.widgets.patches == []

    def test_who_is_deleted_during_a_run_is_finalized_soon(self, tmp_path: Path) -> None:
        room = finalizing(tmp_path, ANNA)
        room.metadata(ANNA)["finalizers"] = [OURS]
        events = room.stage.events

        def deleting(play: Play, variables: Mapping[str, str]) -> Iterator[Json]:
            room.metadata(ANNA)["deletionTimestamp"] = "now"
            return events(play, variables)

        room.stage.events = deleting  # type: ignore[method-assign]
        assert room.run(ANNA) == {ANNA: Reconciled(FINALIZE_SOON, [])}

    def test_who_waits_for_others_only_has_no_run(self, tmp_path: Path) -> None:
        room = finalizing(tmp_path, ANNA)
        room.metadata(ANNA).update(finalizers=[THEIRS], deletionTimestamp="now")
        assert room.run(ANNA) == {ANNA: Reconciled(None)}
        assert room.playbooks == []
        assert room.widgets.patches == []


class TestTogether:
    def test_all_are_hosts_of_one_play_with_their_objects(self, tmp_path: Path) -> None:
        room = Room(tmp_path, ANNA, BERT, batch=16)
        assert room.run(ANNA, BERT) == {ANNA: Reconciled(600, []), BERT: Reconciled(600, [])}
        ((play, variables, objects),) = room.stage.plays
        assert set(objects) == {host_name(ANNA), host_name(BERT)}
        assert objects[host_name(ANNA)]["_runner_test_widget"]["spec"] == {"colour": "red"}
        assert variables["KUBECONFIG"] == "/kube"
        assert play.timeout == 2 * SECONDS_FOR_EACH
        parameters = json.loads((play.directory / "env" / "extravars").read_text())
        assert parameters["routers"] == "all"

    def test_no_object_stays_on_disk(self, tmp_path: Path) -> None:
        room = Room(tmp_path, ANNA, BERT, batch=16)
        for room.stage.error in (None, PlayError("it died")):
            room.run(ANNA, BERT)
            assert list((tmp_path / "runs").rglob("objects")) == []

    @pytest.mark.parametrize("annotation", [ANNOTATION_VERBOSITY, ANNOTATION_ARTIFACTS])
    def test_what_is_said_of_a_run_asks_for_one_of_its_own(
        self, tmp_path: Path, annotation: str
    ) -> None:
        room = Room(tmp_path, ANNA, BERT, CARL, batch=16)
        room.metadata(BERT)["annotations"] = {annotation: "4"}
        results = room.run(ANNA, BERT, CARL)
        assert isinstance(results.pop(BERT), Isolate)
        assert results == {ANNA: Reconciled(600, []), CARL: Reconciled(600, [])}
        room.run(BERT)
        alone, _, _ = room.stage.plays[-1]
        given = {ANNOTATION_VERBOSITY: alone.verbosity, ANNOTATION_ARTIFACTS: alone.artifacts}
        assert given[annotation] == 4

    def test_a_period_of_its_own_does_not(self, tmp_path: Path) -> None:
        room = Room(tmp_path, ANNA, BERT, batch=16)
        room.metadata(BERT)["annotations"] = {ANNOTATION_PERIOD: "1m"}
        assert room.run(ANNA, BERT) == {ANNA: Reconciled(600, []), BERT: Reconciled(60, [])}

    def test_the_finalizers_of_watches_do(self, tmp_path: Path) -> None:
        room = finalizing(tmp_path, ANNA, BERT, CARL)
        room.metadata(BERT)["finalizers"] = [OURS]
        room.metadata(CARL).update(finalizers=[OURS], deletionTimestamp="now")
        results = room.run(ANNA, BERT, CARL)
        assert isinstance(results[ANNA], Isolate)
        assert isinstance(results[CARL], Isolate)
        assert results[BERT] == Reconciled(600, [])

    def test_a_failure_is_its_own_objects(self, tmp_path: Path) -> None:
        room = Room(tmp_path, ANNA, BERT, batch=16)
        room.stage.failed = {host_name(ANNA)}
        results = room.run(ANNA, BERT)
        assert str(results[ANNA]) == "Apply: no permit"
        assert isinstance(results[ANNA], ReconcileError)
        assert results[BERT] == Reconciled(600, [])

    def test_of_a_run_that_died_each_has_one_by_itself_the_busy_ones_last(
        self, tmp_path: Path
    ) -> None:
        room = Room(tmp_path, ANNA, BERT, CARL, batch=16)
        room.stage.busy = {host_name(ANNA)}
        room.stage.error = PlayError("it died")
        results = room.run(ANNA, BERT, CARL)
        assert all(isinstance(result, Isolate) for result in results.values())
        assert list(results) == [BERT, CARL, ANNA]

    def test_of_a_run_that_the_shutdown_ended_none_has(self, tmp_path: Path) -> None:
        room = Room(tmp_path, ANNA, BERT, batch=16)
        room.stage.error = Stopping("ended because the operator stops")
        assert room.run(ANNA, BERT) == dict.fromkeys((ANNA, BERT), room.stage.error)

    def test_who_was_left_out_has_one_by_itself(self, tmp_path: Path) -> None:
        room = Room(tmp_path, ANNA, BERT, batch=16)
        room.stage.left_out = {host_name(BERT)}
        results = room.run(ANNA, BERT)
        assert results[ANNA] == Reconciled(600, [])
        assert isinstance(results[BERT], Isolate)


class TestLog:
    @pytest.fixture(autouse=True)
    def _info(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "wrapper_runner")

    def test_each_of_a_shared_run_is_told_its_job_and_its_duration(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        Room(tmp_path, ANNA, BERT, batch=16).run(ANNA, BERT)
        lines = [(record.getMessage(), vars(record)["fields"]) for record in caplog.records]
        assert [message for message, _ in lines] == ["Reconciling"] * 2 + ["Reconciled"] * 2
        assert [fields["name"] for _, fields in lines] == ["anna", "bert"] * 2
        assert len({fields["job"] for _, fields in lines}) == 1
        assert [fields.get("together") for _, fields in lines] == [2, 2, None, None]
        assert lines[2][1]["duration"] == lines[3][1]["duration"]

    def test_a_run_by_itself_says_what_it_does(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        room = finalizing(tmp_path, ANNA)
        room.run(ANNA)
        room.metadata(ANNA)["deletionTimestamp"] = "now"
        room.run(ANNA)
        said = [record.getMessage() for record in caplog.records]
        assert said == ["Reconciling", "Reconciled", "Finalizing", "Reconciled"]
        jobs = [vars(record)["fields"]["job"] for record in caplog.records]
        assert jobs[0] == jobs[1] != jobs[2] == jobs[3]

    def test_a_period_that_nobody_understands_is_said_and_not_taken(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        room = Room(tmp_path, ANNA)
        room.metadata(ANNA)["annotations"] = {ANNOTATION_PERIOD: "soon"}
        assert room.run(ANNA) == {ANNA: Reconciled(600, [])}
        (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert line.getMessage() == f"Annotation {ANNOTATION_PERIOD} is ignored"

    def test_what_a_run_repeats_is_said_once_until_it_is_forgotten(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        room = Room(tmp_path, ANNA)
        for room.stage.messages in (["one"], ["one", "two", "two"], ["two"], ["one"]):
            room.run(ANNA)
        room.reconciler.forget(ANNA)
        room.run(ANNA)
        said = [record.getMessage() for record in caplog.records]
        assert [text for text in said if text in ("one", "two")] == ["one", "two", "one", "one"]
