"""The program that stands in for ansible-runner or ansible-playbook: hands a run to the server.

Its source is copied into a script that runs with `python -ISE`, and its start is most of what a
warm run costs its caller: builtin modules only, nothing else is imported.

What it says: one message of NUL-separated fields (see `request`), with descriptors 0, 1 and 2.
What it hears, as one byte, four bytes of length and a text:
  R  ready; it answers G, and only now the run starts. Before, it may leave and run cold
  C  run cold, because of the text: execute the real program
  T  the text belongs on stderr
  X  the run has ended; the text is its wait status
Afterwards it sends S and a byte for every signal that it gets.
"""

from __future__ import annotations

# ruff: noqa: SIM105 contextlib would have to be imported
import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

VERSION = "1"
# A template process that is starting takes a second or two; a cold run then is no worse.
PATIENCE = 5.0
FORWARDED = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1)
FAILED = 254
TIOCNOTTY = 0x5422


def main(address: str, own: str) -> NoReturn:
    name = os.path.basename(sys.argv[0])
    program = cold_program(name, own, os.environ.get("PATH", os.defpath))
    # Through a descriptor: an address in AF_UNIX has room for some hundred bytes only.
    connection = connect(address)
    if connection is None:
        run_cold(program, name)
    assert connection is not None  # noqa: S101 said for the type checker
    try:
        connection.settimeout(PATIENCE)
        send(connection, request(name, program))
        kind, _ = receive(connection)
        connection.settimeout(None)
        started = kind == b"R"
    except OSError:
        started = False
    if not started:
        connection.close()
        run_cold(program, name)
    follow(connection, program, name)


def connect(address: str) -> _socket.socket | None:
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    directory, base = os.path.split(address)
    try:
        opened = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{opened}/{base}")
        finally:
            os.close(opened)
    except OSError:
        connection.close()
        return None
    return connection


def follow(connection: _socket.socket, program: str, name: str) -> NoReturn:
    """Be the run, from outside: pass on signals, end as it ends."""

    def pass_on(number: int, _: object) -> None:
        try:
            connection.send(b"S" + bytes((number,)))
        except OSError:
            pass

    ignored = [n for n in FORWARDED if _signal.getsignal(n) == _signal.SIG_IGN]
    for number in FORWARDED:
        if number not in ignored:
            _signal.signal(number, pass_on)
    give_up_terminal()
    try:
        connection.send(b"G")
        while True:
            kind, text = receive(connection)
            if kind == b"T":
                complain(text)
            elif kind == b"C":
                for number in FORWARDED:
                    if number not in ignored:
                        _signal.signal(number, _signal.SIG_DFL)
                take_terminal()
                run_cold(program, name)
            elif kind == b"X":
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


def request(name: str, program: str) -> bytes:
    """version, program, its path, directory, umask, ignored signals, terminal, number of arguments,
    arguments, variables."""
    mask = os.umask(0o77)
    os.umask(mask)
    ignored = ",".join(str(int(n)) for n in FORWARDED if _signal.getsignal(n) == _signal.SIG_IGN)
    fields = [VERSION, name, program, os.getcwd(), str(mask), ignored]
    fields += ["1" if owns_terminal() else "", str(len(sys.argv)), *sys.argv]
    head = [os.fsencode(field) for field in fields]
    variables = [key + b"=" + value for key, value in os.environb.items()]
    return b"\0".join(head + variables)


def send(connection: _socket.socket, text: bytes) -> None:
    descriptors = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)]
    connection.sendmsg([len(text).to_bytes(4, "big")], ancillary)
    connection.sendall(text)


def receive(connection: _socket.socket) -> tuple[bytes, bytes]:
    head = exactly(connection, 5)
    return head[:1], exactly(connection, int.from_bytes(head[1:], "big"))


def exactly(connection: _socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("it closed the connection")
        data += part
    return data


def cold_program(name: str, own: str, path: str) -> str:
    """The program that a PATH finds when this one is left out; "" if there is none."""
    for directory in path.split(os.pathsep):
        found = os.path.join(directory or ".", name)
        # Its own directory may be there under another name, or twice.
        is_own = os.path.realpath(directory or ".") == own
        if not is_own and os.access(found, os.X_OK) and not os.path.isdir(found):
            return os.path.abspath(found)
    return ""


def run_cold(program: str, name: str) -> NoReturn:
    if not program:
        complain(f"warm-runner: there is no {name} on PATH\n".encode())
        os._exit(127)
    try:
        os.execv(program, [program, *sys.argv[1:]])  # noqa: S606 becoming it is the point
    except OSError as error:
        complain(f"warm-runner: {program}: {error.strerror}\n".encode())
        os._exit(126)
