"""ansible-runner is started, read and ended; here by a stand-in of that name on PATH."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from wrapper_runner.playing import Play, Player, PlayError

EVENT = '{"event": "runner_on_ok", "event_data": {}}'
STATS = '{"event": "playbook_on_stats", "event_data": {}}'


def play(tmp_path: Path, timeout: float = 30) -> Play:
    return Play(
        tmp_path / "in", Path("/play.yml"), "job", artifacts=2, verbosity=2, timeout=timeout
    )


def player(tmp_path: Path, script: str) -> Player:
    program = tmp_path / "ansible-runner"
    program.write_text(f"#!{sys.executable}\nimport os, sys, time\n{script}\n")
    program.chmod(0o755)
    return Player({**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})


def events(tmp_path: Path, script: str, timeout: float = 30) -> list[dict[str, Any]]:
    return list(player(tmp_path, script).events(play(tmp_path, timeout), {"KUBECONFIG": "/kube"}))


def test_command_is_the_one_of_ansible_operator_with_events_on_stdout(tmp_path: Path) -> None:
    directory = str(tmp_path / "in")
    expected = ["run", directory, "--rotate-artifacts", "2", "-p", "/play.yml", "-i", "job"]
    assert play(tmp_path).arguments == [*expected, "--json", "-vv"]


def test_events_are_read_and_other_lines_passed_over(tmp_path: Path) -> None:
    script = f"print('banner'); print('{EVENT}'); print('[1]'); print('{STATS}')"
    assert [e["event"] for e in events(tmp_path, script)] == ["runner_on_ok", "playbook_on_stats"]


def test_kubeconfig_reaches_the_program(tmp_path: Path) -> None:
    script = f"print('{STATS}'.replace('{{}}', '\"' + os.environ['KUBECONFIG'] + '\"'))"
    assert events(tmp_path, script)[0]["event_data"] == "/kube"


def test_program_that_ends_early_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    script = f"print('banner'); print('{EVENT}'); print('\\x1b[31mout of memory'); sys.exit(4)"
    with pytest.raises(PlayError, match=r"\(4\) ended before its play: out of memory$"):
        events(tmp_path, script)


def test_program_that_ends_with_a_traceback_says_what_it_comes_to(tmp_path: Path) -> None:
    with pytest.raises(PlayError, match=r"ended before its play: OSError: full$"):
        events(tmp_path, "raise OSError('full')")


def test_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(PlayError, match=r"ended after 0\.5 s, the limit of --run-timeout"):
        events(tmp_path, "time.sleep(60)", timeout=0.5)


def test_program_that_ignores_the_request_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrapper_runner.spawned.KILL_AFTER", 0.5)
    script = f"""
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "60"], start_new_session=True, stdout=subprocess.DEVNULL)
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
time.sleep(60)
"""
    with pytest.raises(PlayError, match="--run-timeout"):
        events(tmp_path, script, timeout=3)
    child = Path("/proc") / (tmp_path / "child").read_text()

    def is_gone() -> bool:
        try:
            return (child / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    eventually(is_gone, 10, "the killed child to end")


def test_shutdown_ends_what_runs_and_lets_nothing_more_start(tmp_path: Path) -> None:
    stage = player(tmp_path, f"print('{EVENT}', flush=True); time.sleep(60)")
    running = stage.events(play(tmp_path), {})
    next(running)
    assert stage.end_all() == 1
    with pytest.raises(PlayError, match="ended because the operator stops"):
        next(running)
    with pytest.raises(PlayError, match="the operator is stopping"):
        next(stage.events(play(tmp_path), {}))


def test_missing_program_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(PlayError, match="pip install ansible-runner"):
        Player({"PATH": str(tmp_path)}).program()
