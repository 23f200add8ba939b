"""A run that was handed over, on a template that says what the tests want."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from eventually import eventually
from warm_runner import protocol, run
from warm_runner.request import Request, parse

Script = Callable[["Template"], None]


class Template:
    """The other end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        size, streams, _, _ = socket.recv_fds(connection, 4, 3)
        for stream in streams:
            os.close(stream)
        self.request: Request = parse(self._exactly(int.from_bytes(size, "big")))

    def say(self, kind: bytes, text: bytes = b"") -> None:
        self._connection.sendall(kind + len(text).to_bytes(4, "big") + text)

    def hear(self, size: int) -> bytes:
        return self._connection.recv(size)

    def begin(self) -> None:
        self.say(protocol.READY)
        assert self.hear(1) == protocol.GO
        self.say(protocol.BEGUN)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._connection.recv(size - len(data))
        return data


class Serving:
    """A socket that serves one connection after the other, each with a script."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.address = directory / "socket"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.address))
        self._listener.listen()
        self._pool = ThreadPoolExecutor()
        self._served = self._pool.submit(lambda: None)

    def _serve(self, script: Script) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # Nobody has come.
            return
        with connection:
            script(Template(connection))

    def hand_over(
        self, script: Script | None, program: str = run.PLAYBOOK, path: str = ""
    ) -> run.Run:
        if script:
            self._served = self._pool.submit(self._serve, script)
        return run.hand_over(
            self.address,
            self.directory / "bin",
            program,
            ["-i", "localhost,"],
            self.directory,
            {"PATH": path or str(self.directory / "real")},
            (0, 1, 2),
        )

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._served.result(10)
        self._pool.shutdown()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    for name in ("bin", "real"):
        program = tmp_path / name / run.PLAYBOOK
        program.parent.mkdir()
        program.touch(0o700)
    made = Serving(tmp_path)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_descriptor_is_left(serving: Serving) -> Iterator[Callable[[], None]]:
    """To be called where the garbage collector could not have closed it, and at the end."""

    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    gc.collect()
    before = count()

    def check() -> None:
        eventually(lambda: count() == before, 10, "descriptors to be closed")

    yield check
    check()


def ends_with(status: int) -> Script:
    def script(template: Template) -> None:
        template.begin()
        template.say(protocol.ENDED, str(status).encode())

    return script


@pytest.mark.parametrize(("status", "seen"), [(0, 0), (2 << 8, 2), (signal.SIGTERM, -15)])
def test_its_status_is_that_of_a_child_process(
    serving: Serving, status: int, seen: int, no_descriptor_is_left: Callable[[], None]
) -> None:
    with serving.hand_over(ends_with(status)) as handed:
        assert handed.wait() == seen
        no_descriptor_is_left()
        assert handed.wait(0) == seen
        assert handed.explanation == ""


def test_the_request_is_what_a_client_on_path_would_send(serving: Serving) -> None:
    seen: list[Request] = []

    def script(template: Template) -> None:
        seen.append(template.request)
        ends_with(0)(template)

    path = f"{serving.directory}/bin:{serving.directory}/real"
    serving.hand_over(script, path=path).wait()
    (request,) = seen
    assert request.program == run.PLAYBOOK
    assert request.path == f"{serving.directory}/real/{run.PLAYBOOK}"
    assert request.arguments == [f"{serving.directory}/bin/{run.PLAYBOOK}", "-i", "localhost,"]
    assert request.directory == str(serving.directory)
    assert request.environment == {"PATH": path}
    assert not request.terminal


def refuses(template: Template) -> None:
    template.say(protocol.COLD, b"too many runs")


def begins_and_refuses(template: Template) -> None:
    template.say(protocol.READY)
    template.hear(1)
    template.say(protocol.COLD, b"too many runs")


@pytest.mark.parametrize("script", [refuses, begins_and_refuses])
def test_a_run_that_has_to_be_cold_says_why(
    serving: Serving, script: Script, no_descriptor_is_left: Callable[[], None]
) -> None:
    with pytest.raises(run.ColdRun, match=r"^too many runs$") as raised:
        serving.hand_over(script)
    no_descriptor_is_left()
    assert raised.tb


def test_a_server_without_an_answer_means_a_cold_run(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.1)
    asked = threading.Event()
    with pytest.raises(run.ColdRun, match="the server gives no answer: timed out"):
        serving.hand_over(lambda _: bool(asked.wait(10)) or None)
    asked.set()


def test_a_template_that_closes_at_once_means_a_cold_run(
    serving: Serving, no_descriptor_is_left: Callable[[], None]
) -> None:
    with pytest.raises(
        run.ColdRun, match="the server gives no answer: it closed the connection"
    ) as raised:
        serving.hand_over(lambda _: None)
    no_descriptor_is_left()
    assert raised.tb


def test_no_server_means_a_cold_run(
    serving: Serving, no_descriptor_is_left: Callable[[], None]
) -> None:
    serving.address.unlink()
    with pytest.raises(run.ColdRun, match=r"there is no server: .*No such file") as raised:
        serving.hand_over(None)
    no_descriptor_is_left()
    assert raised.tb


def test_no_program_means_a_cold_run(serving: Serving) -> None:
    with pytest.raises(run.ColdRun, match="there is no ansible-playbook on PATH"):
        serving.hand_over(None, path=str(serving.directory / "bin"))


def test_another_program_is_the_callers_mistake(serving: Serving) -> None:
    with pytest.raises(ValueError, match="ansible-pull is none of ansible-runner"):
        serving.hand_over(None, program="ansible-pull")


def test_a_run_that_has_begun_and_is_lost_is_not_said_to_be_cold(serving: Serving) -> None:
    def script(template: Template) -> None:
        template.say(protocol.READY)
        template.hear(1)

    handed = serving.hand_over(script)
    assert handed.wait(10) == protocol.FAILED
    assert handed.explanation == (
        "the process that served this run is gone (it closed the connection)"
    )


def test_what_the_server_says_of_its_end_is_kept(serving: Serving) -> None:
    def script(template: Template) -> None:
        template.begin()
        template.say(protocol.TOLD, b"warm-runner: ended after 1 s, the limit for a run\n")
        template.say(protocol.ENDED, b"15")

    handed = serving.hand_over(script)
    assert handed.wait(10) == -signal.SIGTERM
    assert handed.explanation == "warm-runner: ended after 1 s, the limit for a run"


def until_closed(template: Template) -> None:
    template.begin()
    assert template.hear(1) == b""


def test_waiting_ends_with_its_time(serving: Serving) -> None:
    with serving.hand_over(until_closed) as handed:
        started = time.monotonic()
        assert handed.wait(0.2) is None
        assert 0.2 <= time.monotonic() - started < 5
        assert handed.wait(0) is None


def test_ended_it_is_as_if_killed(serving: Serving) -> None:
    handed = serving.hand_over(until_closed)
    handed.end()
    assert handed.wait(0) == -signal.SIGKILL
    assert handed.explanation == ""
    handed.end()
    handed.signal(signal.SIGTERM)


def test_ending_it_wakes_who_waits_for_it(serving: Serving) -> None:
    handed = serving.hand_over(until_closed)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(handed.wait) for _ in range(3)]
        handed.end()
        assert [future.result(10) for future in waiting] == [-signal.SIGKILL] * 3


def test_a_template_that_is_stuck_holds_nobody_up(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "END_PATIENCE", 0.1)
    stuck = threading.Event()

    def script(template: Template) -> None:
        template.begin()
        stuck.wait(30)

    handed = serving.hand_over(script)
    handed.end()
    assert handed.wait(0) == -signal.SIGKILL
    stuck.set()


def test_forgotten_it_ends(serving: Serving) -> None:
    gone = threading.Event()

    def script(template: Template) -> None:
        until_closed(template)
        gone.set()

    handed = serving.hand_over(script)
    with pytest.warns(ResourceWarning):
        del handed
    assert gone.wait(10)


def test_signals_arrive_while_another_thread_waits(serving: Serving) -> None:
    def script(template: Template) -> None:
        template.begin()
        assert template.hear(2) == protocol.SIGNAL + bytes((signal.SIGTERM,))
        template.say(protocol.ENDED, b"15")

    handed = serving.hand_over(script)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(handed.wait)
        handed.signal(signal.SIGTERM)
        assert waiting.result(10) == -signal.SIGTERM
