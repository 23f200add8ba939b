"""What is said between a template process and who asks it for a run.

The asking side: one message of NUL-separated fields (see `encode` and request.py) that brings along
the run's standard streams; `begin`; then S and a byte for every signal to the run. Who closes the
connection ends the run. What it hears, as one byte, four bytes of length and a text:
  R  ready: the run starts when it is told to begin, and not before
  C  the run has to be a cold one, because of the text
  B  the run has begun, and is not cold any more
  T  the text belongs on stderr
  X  the run has ended; the text is its wait status

Part of the client scripts, whose start is most of what a warm run costs their callers: only what is
compiled into Python, or loaded by it in any case, is imported.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = "2"
READY, COLD, BEGUN, TOLD, ENDED = b"R", b"C", b"B", b"T", b"X"
GO, SIGNAL = b"G", b"S"
FORWARDED = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1)
# A template process that is starting takes a second or two; a cold run then is no worse.
PATIENCE = 5.0
LARGEST_REQUEST = 16 << 20
# The exit status of a run whose process is gone: 1 to 8, 99 and 250 are Ansible's.
FAILED = 254


class ColdRun(Exception):
    """The run has to be a cold one; nothing of it has begun."""


def ask(address: str, request: bytes, streams: Sequence[int]) -> _socket.socket:
    """The connection of a run that is ready to begin, or ColdRun."""
    if len(request) > LARGEST_REQUEST:
        raise ColdRun("the request is too large")
    try:
        connection = _connect(address)
    except OSError as error:
        raise ColdRun(f"there is no server: {error}") from error
    try:
        connection.settimeout(PATIENCE)
        _send(connection, request, streams)
        kind, text = receive(connection)
        connection.settimeout(None)
    except OSError as error:
        connection.close()
        raise ColdRun(f"the server gives no answer: {error}") from error
    if kind != READY:
        connection.close()
        raise ColdRun(os.fsdecode(text))
    return connection


def begin(connection: _socket.socket) -> None:
    connection.send(GO)


def send_signal(connection: _socket.socket, number: int) -> None:
    connection.send(SIGNAL + bytes((number,)))


def receive(connection: _socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(connection, 5)
    return head[:1], _exactly(connection, int.from_bytes(head[1:], "big"))


def encode(
    program: str,
    path: str,
    directory: str,
    arguments: Sequence[str],
    variables: Mapping[bytes, bytes],
    terminal: bool = False,
) -> bytes:
    """version, program, its path, directory, umask, ignored signals, terminal, number of arguments,
    arguments, variables."""
    ignored = ",".join(str(number) for number in ignored_signals())
    fields = [VERSION, program, path, directory, str(umask()), ignored, "1" if terminal else ""]
    parts = [os.fsencode(field) for field in (*fields, str(len(arguments)), *arguments)]
    parts += [name + b"=" + value for name, value in variables.items()]
    if any(b"\0" in part for part in parts):
        # As execve(2) could not be told it.
        raise ValueError("embedded null byte")
    return b"\0".join(parts)


def umask() -> int:
    # umask(2) only tells it to who changes it, for all threads.
    with open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"Umask:"):
                return int(line[6:], 8)
    raise OSError("/proc/self/status says no umask")


def ignored_signals() -> tuple[int, ...]:
    return tuple(int(n) for n in FORWARDED if _signal.getsignal(n) == _signal.SIG_IGN)


def cold_program(name: str, own: str, path: str) -> str:
    """The program that a PATH finds when the directory `own` is left out; "" if there is none."""
    for directory in path.split(os.pathsep):
        found = os.path.join(directory or ".", name)
        # Its own directory may be there under another name, or twice.
        is_own = os.path.realpath(directory or ".") == own
        if not is_own and os.access(found, os.X_OK) and not os.path.isdir(found):
            return os.path.abspath(found)
    return ""


def _connect(address: str) -> _socket.socket:
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    directory, base = os.path.split(address)
    try:
        # Through a descriptor: an address in AF_UNIX has room for some hundred bytes only.
        opened = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{opened}/{base}")
        finally:
            os.close(opened)
    except OSError:
        connection.close()
        raise
    return connection


def _send(connection: _socket.socket, text: bytes, streams: Sequence[int]) -> None:
    descriptors = b"".join(number.to_bytes(4, sys.byteorder) for number in streams)
    ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)]
    connection.sendmsg([len(text).to_bytes(4, "big")], ancillary)
    connection.sendall(text)


def _exactly(connection: _socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("it closed the connection")
        data += part
    return data
