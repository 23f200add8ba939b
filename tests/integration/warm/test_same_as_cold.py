"""A warm run is a cold run, but for its time: output, artifacts, events and exit status."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from integration.warm.warm_server import WarmServer, plain_environment, run

PLAYBOOKS = Path(__file__).parent / "playbooks"
LOCAL = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
RUNNER = ("ansible-runner", "run", ".")
# What differs between two cold runs, too.
# Core 2.21 shows all frames of a worker that ends, of which one is another in place.
SHOWS_THE_END = version("ansible-core") >= "2.21"

VARYING = (
    # Where a terminal's line ends in relation to a prompt depends on who is faster.
    (re.compile(r"\r|\\r"), ""),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d)?"), "TIME"),
    (
        re.compile(r"ansible-(tmp|local)-[\w.-]+|ansible-\d+\w+|tmp[\w_]{8}|(?<=[/\"])\.\w{8}\b"),
        "TEMPORARY",
    ),
    (re.compile(r"\b\d+:\d\d:\d\d\.\d+\b"), "DURATION"),
    (re.compile(r"(\"(?:pid|duration|start|end)\": )[^,}]+"), r"\1VARYING"),
    (re.compile(r"<\d+>"), "<PID>"),
    # Core 2.18 tells where a task was when its time was over.
    (re.compile(r"<frame at 0x[0-9a-f]+"), "<frame at ADDRESS"),
)


@dataclass(frozen=True)
class Case:
    """files: contents by path below the private data directory; of playbooks, all are there.
    orderless: which host is the first to end is chance, even from one cold run to the next."""

    name: str
    command: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    runs: int = 1
    fails: bool = False
    orderless: bool = False


def runner(name: str, playbook: str, *options: str, **keywords: Any) -> Case:
    return Case(name, (*RUNNER, "-p", playbook, "-i", "one", *options), **keywords)


def playbook(name: str, file: str, *options: str, **keywords: Any) -> Case:
    return Case(
        name, ("ansible-playbook", "-i", "inventory", f"project/{file}", *options), **keywords
    )


CONFIG = "[defaults]\nroles_path = elsewhere\ncallbacks_enabled = told\n"
CASES = [
    playbook("success", "success.yml"),
    playbook("verbose", "success.yml", "-vvv"),
    playbook("check and diff", "success.yml", "--check", "--diff"),
    playbook("failure", "failure.yml", fails=True),
    playbook("unreachable", "unreachable.yml", fails=True),
    playbook("syntax error", "syntax.yml", fails=True),
    playbook("a playbook that is not there", "missing.yml", fails=True),
    playbook("an option that is not there", "success.yml", "--nothing", fails=True),
    playbook("listing tasks", "success.yml", "--list-tasks"),
    playbook("forced colours", "success.yml", environment={"ANSIBLE_FORCE_COLOR": "1"}),
    playbook("another callback", "success.yml", environment={"ANSIBLE_STDOUT_CALLBACK": "minimal"}),
    playbook("a role by its path", "role.yml", environment={"ANSIBLE_ROLES_PATH": "elsewhere"}),
    playbook("ANSIBLE_CONFIG", "role.yml", environment={"ANSIBLE_CONFIG": "other.cfg"}),
    playbook("a setting that modules keep", "success.yml", environment={"ANSIBLE_TIMEOUT": "31"}),
    playbook("surroundings", "surroundings.yml", environment={"TOLD": "grüße", "TZ": "Asia/Tokyo"}),
    playbook("a plugin in place of Ansible's own", "own/own_plugins.yml"),
    runner("success by the runner", "success.yml"),
    runner("failure by the runner", "failure.yml", fails=True),
    runner("unreachable by the runner", "unreachable.yml", fails=True),
    runner("syntax error by the runner", "syntax.yml", fails=True),
    runner("missing playbook by the runner", "missing.yml", fails=True),
    runner("events as lines", "success.yml", "--json", "-vv"),
    runner("huge output", "huge.yml", "--json"),
    runner("quiet", "success.yml", "-q"),
    runner("ansible.cfg of the project", "role.yml", files={"project/ansible.cfg": CONFIG}),
    runner(
        "extra variables",
        "variables.yml",
        files={"env/extravars": '{"told": "grüße ☃", "deep": {"a": [1, "{{ 2 }}"]}}'},
    ),
    runner("a password", "prompt.yml", files={"env/passwords": '{"Your word.*": "open"}'}),
    Case(
        "rotation of artifacts",
        (*RUNNER, "-p", "success.yml", "--rotate-artifacts", "2", "-i", "RUN"),
        runs=3,
    ),
    Case("no playbook named", RUNNER, fails=True),
]


def in_process(make: Callable[..., Case]) -> Iterator[Case]:
    """Cases with actions that need no process, which a cold run gives one all the same."""

    def one(name: str, hosts: int = 1, **keywords: Any) -> Case:
        own = [f"host-{number}" for number in range(hosts)]
        lines = [f"{host} of_host=of-{host} {LOCAL}" for host in own]
        inventory = "\n".join([*lines, "[some]", *own])
        keywords |= {"files": {"inventory/hosts": inventory}, "orderless": hosts > 1}
        return make(f"{name}, {hosts} hosts", f"in_process/{name}.yml", "-v", **keywords)

    yield one("outcomes")
    yield one("outcomes", 3)
    yield one("own", 3)
    yield one("failure", 3, fails=True)
    yield one("lost", 3, fails=True)
    yield one("crash", fails=True)
    if not SHOWS_THE_END:
        yield one("exit", fails=True)
    yield one("free")


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmServer]:
    with WarmServer(tmp_path_factory.mktemp("warm"), "--preload=yaml") as server:
        yield server


@pytest.fixture(scope="module")
def unbuffered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmServer]:
    with WarmServer(tmp_path_factory.mktemp("unbuffered"), PYTHONUNBUFFERED="1") as server:
        yield server
        assert server.log == []


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_warm_run_is_a_cold_run(case: Case, warm: WarmServer, tmp_path: Path) -> None:
    compare(case, plain_environment(), warm.environment, tmp_path)


@pytest.mark.parametrize("case", [*in_process(playbook)], ids=lambda case: case.name)
def test_so_it_is_where_tasks_have_no_process(case: Case, warm: WarmServer, tmp_path: Path) -> None:
    compare(case, plain_environment(), warm.environment, tmp_path)


@pytest.mark.parametrize("case", [*in_process(runner)], ids=lambda case: case.name)
def test_so_it_is_by_the_runner(case: Case, unbuffered: WarmServer, tmp_path: Path) -> None:
    """Which looks for its events between the lines of two streams: chance, if one is buffered."""
    plain = {**plain_environment(), "PYTHONUNBUFFERED": "1"}
    compare(case, plain, unbuffered.environment, tmp_path)


def test_runs_at_once_do_not_meet(warm: WarmServer, tmp_path: Path) -> None:
    case = runner("one of many", "variables.yml", "--json")

    def one(number: int) -> dict[str, Any]:
        variables = {"env/extravars": json.dumps({"told": f"number {number}", "deep": number})}
        seen = perform(
            Case(case.name, case.command, files=variables), warm.environment, tmp_path / f"{number}"
        )
        assert f"number {number}" in seen["output"]
        assert seen["status"] == 0
        return seen

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(8)))


def compare(case: Case, plain: dict[str, str], warm: dict[str, str], tmp_path: Path) -> None:
    seen = []
    for environment in (plain, warm):
        directory = tmp_path / "data"
        shutil.rmtree(directory, ignore_errors=True)
        one = perform(case, environment, directory)
        seen.append(without_order(one) if case.orderless else one)
    cold, hot = seen
    assert hot == cold
    assert (hot["status"] != 0) == case.fails


def perform(case: Case, environment: dict[str, str], directory: Path) -> dict[str, Any]:
    lay_out(directory, case.files)
    for number in range(case.runs):
        command = [f"run-{number}" if word == "RUN" else word for word in case.command]
        done = run(command, {**environment, **case.environment}, directory)
    own = (environment["PATH"].split(os.pathsep)[0], plain_environment()["PATH"].split(":")[0])
    return {
        "status": done.returncode,
        "output": steady(done.stdout.decode(), directory, own),
        "errors": steady(done.stderr.decode(), directory, own),
        "artifacts": artifacts(directory / "artifacts", directory, own),
    }


def lay_out(directory: Path, files: dict[str, str]) -> None:
    shutil.copytree(PLAYBOOKS, directory / "project")
    shutil.move(directory / "project" / "elsewhere", directory / "elsewhere")
    shutil.copytree(directory / "elsewhere", directory / "project" / "elsewhere")
    standard = {
        "inventory/hosts": f"localhost {LOCAL}\n",
        "env/settings": '{"pexpect_timeout": 1}',
        "other.cfg": CONFIG,
        # Not among the others, which are linted.
        "project/syntax.yml": "- name: Broken\n  hosts: localhost\n  tasks: [{name: x, debug: [1\n",
    }
    for name, text in {**standard, **files}.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def artifacts(directory: Path, data: Path, own: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in sorted(directory.rglob("*")):
        if file.is_file():
            name = steady(str(file.relative_to(directory)), data, own)
            mode = oct(file.stat().st_mode & 0o777)
            found[name] = (mode, steady(file.read_text(), data, own))
    return found


def without_order(seen: dict[str, Any]) -> dict[str, Any]:
    """Without the order among hosts: each one's own lines and events are there in their order.

    An error that several hosts have is told once, in the event of the one that came first.
    """
    events, told, others = [], [], {}
    for name, (mode, text) in seen["artifacts"].items():
        if "/job_events/" in name:
            event = json.loads(re.sub(r": VARYING", ": 0", text))
            for key in ("counter", "start_line", "end_line"):
                del event[key]
            told += event.pop("stdout").splitlines()
            events.append((mode, json.dumps(event, sort_keys=True)))
        else:
            others[name] = mode, sorted(text.splitlines())
    return {
        "status": seen["status"],
        "events": sorted(events),
        "told": sorted(told),
        "others": others,
        **{name: sorted(seen[name].splitlines()) for name in ("output", "errors")},
    }


def steady(text: str, data: Path, own: tuple[str, ...]) -> str:
    """Without what any two runs differ in; PATH is the one difference there has to be."""
    for directory in own:
        text = text.replace(f"{directory}:", "")
    for pattern, instead in VARYING:
        text = pattern.sub(instead, text)
    return text


@pytest.mark.skipif(not SHOWS_THE_END, reason="before core 2.21 both show the same")
def test_a_worker_that_ends_is_told_with_the_reason(warm: WarmServer, tmp_path: Path) -> None:
    files = {"inventory/hosts": f"host-0 {LOCAL}"}
    case = playbook("exit", "in_process/exit.yml", files=files, fails=True)
    for environment in (plain_environment(), warm.environment):
        seen = perform(case, environment, tmp_path / "data")
        assert seen["status"] == 1
        assert "in exit\n    sys.exit(3)\nSystemExit: 3\n" in seen["errors"]
        assert seen["errors"].endswith("[ERROR]: A worker was found in a dead state\n")
        shutil.rmtree(tmp_path / "data")


def test_they_were_warm(warm: WarmServer) -> None:
    """But for two cases whose settings are not the server's: without any, all above would pass."""
    assert sorted(warm.cold_reasons) == [
        "ANSIBLE_ROLES_PATH was read when ansible_runner.__main__ was loaded",
        "Ansible's setting DEFAULT_TIMEOUT was read when the modules were loaded",
    ]


@pytest.mark.parametrize("playbook", ["signals.yml", "in_process/signals.yml"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_has_the_same_end(
    playbook: str, number: int, warm: WarmServer, tmp_path: Path
) -> None:
    ended = []
    for environment in (plain_environment(), warm.environment):
        directory = tmp_path / "data"
        shutil.rmtree(directory, ignore_errors=True)
        lay_out(directory, {})
        with (tmp_path / "said").open("wb") as said:
            process = subprocess.Popen(
                ["ansible-playbook", "-i", "inventory", f"project/{playbook}"],
                env=environment,
                cwd=directory,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        eventually((directory / "waiting").exists, 60, "the task to wait")
        process.send_signal(number)
        status = process.wait(60)
        with suppress(ProcessLookupError):
            # A worker, which ansible-playbook of core 2.18 leaves behind.
            os.killpg(process.pid, signal.SIGKILL)
        ended.append((status, steady((tmp_path / "said").read_text(), directory, ())))
    assert ended[1] == ended[0]
