"""A play that is handed over to another process: here to a stand-in, a program of the test's."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from handed_run import Executed
from wrapper_runner.handed import Command, Run
from wrapper_runner.inputdir import PLUGINS, InputDirectory
from wrapper_runner.playing import Play, Player, PlayError, Stopping

STARTED = json.dumps({"event": "runner_on_start", "event_data": {}})
STATS = json.dumps({"event": "playbook_on_stats", "event_data": {}})
TELL = 'print(TEXT, file=open(os.environ["WRAPPER_RUNNER_EVENTS"], "a"), flush=True)'
HANG = "import time; time.sleep(60)"


class Stage:
    """A player whose runs are handed over; `runs` are those that were."""

    def __init__(self, directory: Path, *script: str) -> None:
        self.input = InputDirectory(directory / "in")
        self.runs: list[Executed] = []
        self._playbook = directory / "play.yml"
        self._playbook.write_text("- hosts: localhost\n")
        self._script = "\n".join(script)
        self.player = Player(dict(os.environ), self._hand_over)

    def _hand_over(self, command: Command) -> Run | None:
        script = f"import os, sys\n{self._script}"
        self.runs.append(Executed(command, sys.executable, "-c", script))
        return self.runs[-1]

    def events(
        self, ident: str = "job", keep: int = 2, timeout: float = 30, args: str = "", **env: str
    ) -> Iterator[dict[str, Any]]:
        self.input.write(self._playbook, {}, env, args)
        play = Play(self.input.path, self._playbook, ident, keep, 2, timeout)
        return self.player.events(play, env)

    @property
    def artifacts(self) -> Path:
        return self.input.path / "artifacts"


def tell(*texts: str) -> str:
    return "\n".join(TELL.replace("TEXT", repr(text)) for text in texts)


def test_events_come_from_a_file_and_what_is_printed_is_kept(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tell(STARTED, STATS), "print('PLAY [all]')")
    assert [event["event"] for event in stage.events()] == ["runner_on_start", "playbook_on_stats"]
    assert (stage.artifacts / "job" / "stdout").read_text() == "PLAY [all]\n"


def test_program_gets_what_ansible_runner_would_give_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tell(STATS), "import json", "print(json.dumps(sys.argv[1:]))")
    list(stage.events(args="--tags 'a b'", ANSIBLE_CALLBACK_PLUGINS="/mine", KUBECONFIG="/kube"))
    place = stage.input.path
    assert json.loads((stage.artifacts / "job" / "stdout").read_text()) == [
        *("--tags", "a b"),
        *("-i", str(place / "inventory")),
        *("-e", f"@{place / 'env' / 'extravars'}"),
        *("-vv", str(tmp_path / "play.yml")),
    ]
    [run] = stage.runs
    assert run.command.directory == place / "project"
    environment = run.command.environment
    assert environment["KUBECONFIG"] == "/kube"
    assert environment["ANSIBLE_CALLBACK_PLUGINS"] == f"{PLUGINS / 'callback'}:/mine"
    assert environment["ANSIBLE_RETRY_FILES_ENABLED"] == "False"


def test_run_that_has_to_be_a_cold_one_is_left_to_ansible_runner(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "ansible-runner"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nprint('{STATS}')\n")
    program.chmod(0o755)
    stage = Stage(tmp_path)
    stage.player = Player({"PATH": f"{program.parent}:{os.defpath}"}, lambda _: None)
    assert [event["event"] for event in stage.events()] == ["playbook_on_stats"]
    assert not list(stage.artifacts.iterdir())


def test_artifacts_of_the_last_runs_are_kept(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tell(STATS))
    for number in range(4):
        list(stage.events(ident=str(number)))
    assert sorted(path.name for path in stage.artifacts.iterdir()) == ["2", "3"]
    list(stage.events(ident="4", keep=0))
    assert sorted(path.name for path in stage.artifacts.iterdir()) == ["2", "3", "4"]


def test_run_that_ends_with_a_traceback_says_what_it_comes_to(tmp_path: Path) -> None:
    with pytest.raises(PlayError, match=r"ended before its play: OSError: full$"):
        list(Stage(tmp_path, "raise OSError('full')").events())


def test_run_that_ends_early_is_an_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Executed, "explanation", "the run was ended by SIGKILL")
    stage = Stage(
        tmp_path, tell(STARTED), "print('x ' * 50_000)\nprint()\nprint('oh no')\nsys.exit(4)"
    )
    with pytest.raises(PlayError) as caught:
        list(stage.events())
    assert str(caught.value) == (
        "ansible-playbook (4) ended before its play: oh no | the run was ended by SIGKILL"
    )


def test_run_that_ends_early_in_one_long_line_is_told_by_its_end(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "print('x' * 100_000, end='oh no')\nsys.exit(4)")
    with pytest.raises(PlayError, match=r"x+oh no$") as caught:
        list(stage.events())
    assert len(str(caught.value)) < 5000


def test_run_that_ended_well_without_its_last_event_asks_for_the_disk(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tell(STARTED))
    with pytest.raises(PlayError, match=r"its events have no end: is the disk of .* full"):
        list(stage.events())


def test_run_that_died_before_it_told_anything_is_an_error(tmp_path: Path) -> None:
    stage = Stage(tmp_path, f"os.kill(os.getpid(), {int(signal.SIGKILL)})")
    with pytest.raises(PlayError, match=r"\(-9\) ended before its play: it printed nothing"):
        list(stage.events())


def test_line_that_a_killed_run_did_not_finish_is_no_event(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tell(STARTED, STATS[:20]))
    events = stage.events()
    assert next(events)["event"] == "runner_on_start"
    with pytest.raises(PlayError):
        next(events)


def test_run_that_takes_too_long_is_ended_and_its_events_are_read(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tell(STARTED), HANG)
    events = stage.events(timeout=2)
    assert next(events)["event"] == "runner_on_start"
    with pytest.raises(PlayError, match=r"ended after 2 s, the limit of --run-timeout"):
        next(events)
    assert stage.runs[0].ends


def test_shutdown_ends_what_runs_and_lets_nothing_more_start(tmp_path: Path) -> None:
    stage = Stage(tmp_path, tell(STARTED), HANG)
    told = stage.artifacts / "job" / "events"
    ended: list[int] = []

    def end_all() -> None:
        eventually(told.exists, 10, "the run to begin")
        ended.append(stage.player.end_all())

    thread = threading.Thread(target=end_all)
    thread.start()
    with pytest.raises(Stopping, match="ended because the operator stops"):
        list(stage.events())
    thread.join()
    assert ended == [1]
    with pytest.raises(Stopping, match="the operator is stopping"):
        list(stage.events(ident="next"))
    assert len(stage.runs) == 1
