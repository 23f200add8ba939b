"""The program that stands in for ansible-runner or ansible-playbook: hands a run to the server.

Its source is copied, behind that of protocol.py, into a script that runs with `python -ISE`. See
there for what may be imported.
"""

from __future__ import annotations

# ruff: noqa: SIM105 contextlib would have to be imported
import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

from warm_runner.protocol import (
    COLD,
    ENDED,
    FAILED,
    FORWARDED,
    TOLD,
    ColdRun,
    ask,
    begin,
    cold_program,
    encode,
    ignored_signals,
    receive,
    send_signal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

TIOCNOTTY = 0x5422


def main(address: str, own: str) -> NoReturn:
    name = os.path.basename(sys.argv[0])
    program = cold_program(name, own, os.environ.get("PATH", os.defpath))
    try:
        directory, terminal = os.getcwd(), owns_terminal()
        request = encode(name, program, directory, sys.argv, os.environb, terminal)
        connection = ask(address, request, (0, 1, 2))
    except (ColdRun, OSError):
        run_cold(program, name)
    follow(connection, program, name)


def follow(connection: _socket.socket, program: str, name: str) -> NoReturn:
    """Be the run, from outside: pass on signals, end as it ends."""

    def pass_on(number: int, _: object) -> None:
        try:
            send_signal(connection, number)
        except OSError:
            pass

    handled = [number for number in FORWARDED if number not in ignored_signals()]
    for number in handled:
        _signal.signal(number, pass_on)
    give_up_terminal()
    try:
        begin(connection)
        while True:
            kind, text = receive(connection)
            if kind == TOLD:
                complain(text)
            elif kind == COLD:
                for number in handled:
                    _signal.signal(number, _signal.SIG_DFL)
                take_terminal()
                run_cold(program, name)
            elif kind == ENDED:
                end_as(int(text))
    except OSError as error:
        # It may have changed something already: run it again is what the caller decides.
        complain(f"warm-runner: the process that served this run is gone ({error})\n".encode())
        os._exit(FAILED)


def end_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            _signal.signal(number, _signal.SIG_DFL)
        except (ImportError, OSError, ValueError):
            pass
        os.kill(os.getpid(), number)
        os._exit(128 + number)
    os._exit(os.WEXITSTATUS(status))


def complain(text: bytes) -> None:
    try:
        os.write(2, text)
    except OSError:
        pass


def give_up_terminal() -> None:
    """Let the run have our controlling terminal, if it is ours to give (as pexpect makes it)."""
    if owns_terminal():
        previous = _signal.signal(_signal.SIGHUP, _signal.SIG_IGN)
        ioctl(0, TIOCNOTTY)
        _signal.signal(_signal.SIGHUP, previous)


def take_terminal() -> None:
    if os.getsid(0) == os.getpid() and os.isatty(0):
        try:
            os.close(os.open(os.ttyname(0), os.O_RDWR))
        except OSError:
            pass


def owns_terminal() -> bool:
    if os.getsid(0) != os.getpid() or not os.isatty(0):
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def ioctl(descriptor: int, number: int) -> None:
    import fcntl

    try:
        fcntl.ioctl(descriptor, number)
    except OSError:
        pass


def run_cold(program: str, name: str) -> NoReturn:
    if not program:
        complain(f"warm-runner: there is no {name} on PATH\n".encode())
        os._exit(127)
    try:
        os.execv(program, [program, *sys.argv[1:]])  # noqa: S606 becoming it is the point
    except OSError as error:
        complain(f"warm-runner: {program}: {error.strerror}\n".encode())
        os._exit(126)
