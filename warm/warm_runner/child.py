"""In the forked process: become ansible-runner or ansible-playbook, and end as it would."""

from __future__ import annotations

import fcntl
import gc
import importlib
import logging
import os
import signal
import sys
import termios
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, NoReturn

from warm_runner import locales, nested, protocol
from warm_runner.interpreters import interpreter_of, is_ours
from warm_runner.preload import Loaded
from warm_runner.refresh import Unlike, refresh_ansible, refresh_python
from warm_runner.request import PLAYBOOK, RUNNER, Request

_MODULES = {RUNNER: "ansible_runner.__main__", PLAYBOOK: "ansible.cli.playbook"}
# A run that makes fewer objects than this never looks for garbage, and so copies fewer pages.
_OBJECTS_BEFORE_COLLECTION = 200_000
# Those of the parent: not to be closed by the garbage collector while their numbers are ours.
_streams: list[Any] = []


def become(request: Request, descriptors: Sequence[int], loaded: Loaded, refusal: int) -> NoReturn:
    """`refusal` is where to write why this run has to be a cold one."""

    def begin() -> int:
        os.setsid()
        _take_streams(descriptors)
        _take_surroundings(request, loaded)
        os.close(refusal)
        _take_signals(request)
        _take_terminal(request)
        if request.program == RUNNER:
            nested.prepare(request, lambda playbook: _become_playbook(playbook, loaded))
        return _run(request)

    try:
        _end_as(begin)
    except Unlike as reason:
        os.write(refusal, str(reason).encode())
        os._exit(0)


def _become_playbook(request: Request, loaded: Loaded) -> None:
    """In the child that ansible-runner has forked; returns if the run has to be a cold one."""

    def begin() -> int:
        _take_surroundings(request, loaded)
        # Not before: by the end of a pipe among them, ansible-runner learns that this succeeded.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        _take_signals(request)
        return _run(request)

    with suppress(Unlike):
        _end_as(begin)


def _end_as(begin: Callable[[], int]) -> NoReturn:
    """Whatever comes of it, but for Unlike, which is for the caller."""
    status = 1
    try:
        status = begin()
    except Unlike:
        raise
    except SystemExit as end:
        # Ansible's, for a locale that it refuses.
        status = _status(end.code)
    except BaseException:
        with suppress(Exception):
            traceback.print_exc()
    _end(status)


def _take_streams(descriptors: Sequence[int]) -> None:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)


def _take_surroundings(request: Request, loaded: Loaded) -> None:
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    if not is_ours(request.path):
        raise Unlike(f"{request.path} belongs to another Python")
    name = locales.differing(locales.coerced(request.environment), loaded.environment)
    if name:
        raise Unlike(f"{name} is different")
    os.umask(request.umask)
    try:
        os.chdir(request.directory)
    except OSError as error:
        raise Unlike(f"{request.directory}: {error.strerror}") from error
    os.environ.clear()
    os.environ.update(locales.coerced(request.environment))
    sys.argv = [request.path, *request.arguments[1:]]
    # One program may be called by `python`, the other by `python3`.
    sys.executable = interpreter_of(request.path)
    sys.path.insert(0, os.path.dirname(os.path.realpath(request.path)))
    _open_streams()
    refresh_python(loaded, request.environment)
    if request.program == PLAYBOOK:
        refresh_ansible(loaded)


def _open_streams() -> None:
    """As Python opens them at its start."""
    _streams.extend((sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__))
    _streams.append(sys.__stderr__)
    sys.stdin = sys.__stdin__ = _stream(0, "r", "strict")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "w", "strict")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "w", "backslashreplace")  # type: ignore[misc]


def _stream(number: int, mode: str, errors: str) -> TextIOWrapper:
    unbuffered = mode == "w" and bool(os.environ.get("PYTHONUNBUFFERED"))
    buffering = 0 if unbuffered else -1
    binary: Any = open(number, f"{mode}b", buffering, closefd=False)  # noqa: SIM115 it stays open
    raw = binary if unbuffered else binary.raw
    # Python's own name for them, which shows in messages.
    names = {0: "<stdin>", 1: "<stdout>", 2: "<stderr>"}
    raw.name = names[number]
    errors = _surrogates(errors)
    stream = TextIOWrapper(
        binary,
        encoding="utf-8",
        errors=errors,
        newline="\n",
        line_buffering=mode == "w" and not unbuffered and (number == 2 or os.isatty(number)),
        write_through=unbuffered,
    )
    stream.mode = mode  # type: ignore[misc]
    return stream


def _surrogates(errors: str) -> str:
    """In a locale that was coerced from C, Python takes bytes that are not UTF-8 as they are."""
    if errors == "strict" and os.environ.get("LC_CTYPE") == locales.COERCED:
        return "surrogateescape"
    return errors


def _take_signals(request: Request) -> None:
    for number in protocol.FORWARDED:
        if number in request.ignored:
            signal.signal(number, signal.SIG_IGN)
        elif number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        else:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _take_terminal(request: Request) -> None:
    if request.terminal:
        with suppress(OSError):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _run(request: Request) -> int:
    main = importlib.import_module(_MODULES[request.program]).main
    try:
        return _status(main())
    except SystemExit as end:
        return _status(end.code)
    except KeyboardInterrupt:
        traceback.print_exc()
        _flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 130


def _status(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _end(status: int) -> NoReturn:
    """What Python does at its end, but for freeing what the system frees anyway."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        importlib.import_module("atexit")._run_exitfuncs()
        logging.shutdown()
        if not _flush():
            status = 120
    finally:
        os._exit(status)


def _flush() -> bool:
    """Python's own exit status for output that could not be written is 120."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
    return True
