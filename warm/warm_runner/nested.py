"""In ansible-runner's process: the child that it forks for ansible-playbook becomes it at once.

Executing the client there would ask the template for one more fork, of what this child already is.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from warm_runner import protocol
from warm_runner.request import PLAYBOOK, Request


def prepare(runner: Request, become: Callable[[Request], None]) -> None:
    """`become` returns if the playbook has to be run by executing its program.

    Only the ansible-playbook beside the client that has asked for this run is stood in for, and
    only where pexpect starts it, which is how ansible-runner starts playbooks.
    """
    _spare_pause()
    own = os.path.realpath(os.path.dirname(runner.arguments[0]))
    execute = os.execvpe

    def execvpe(file: bytes, args: list[bytes], env: Mapping[bytes, bytes]) -> None:
        directory, name = os.path.split(os.fsdecode(file))
        if name == PLAYBOOK and os.path.realpath(directory) == own:
            _forget_runner()
            become(_request(args, env, own))
        execute(file, args, env)

    os.execvpe = execvpe  # type: ignore[assignment]


def _request(args: Iterable[bytes], env: Mapping[bytes, bytes], own: str) -> Request:
    """What the client would send, of the child as pexpect has prepared it."""
    environment = {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()}
    return Request(
        program=PLAYBOOK,
        path=protocol.cold_program(PLAYBOOK, own, environment.get("PATH", os.defpath)),
        directory=os.getcwd(),
        umask=protocol.umask(),
        ignored=protocol.ignored_signals(),
        terminal=False,
        arguments=[os.fsdecode(argument) for argument in args],
        environment=environment,
    )


def _forget_runner() -> None:
    """What ansible-runner has set up in its process; ansible-playbook's would not have it."""
    utils: Any = importlib.import_module("ansible_runner.utils")
    atexit.unregister(utils.cleanup_folder)
    names = (name for name in logging.root.manager.loggerDict if name.startswith("ansible-runner"))
    for logger in (logging.root, *map(logging.getLogger, names)):
        logger.handlers.clear()


def _spare_pause() -> None:
    """ptyprocess gives a process 0.1 s to end when its terminal is closed, even if it has ended."""
    process: Any = importlib.import_module("ptyprocess").PtyProcess
    close = process.close

    def close_at_once(this: Any, force: bool = True) -> None:
        if not this.isalive():
            this.delayafterclose = 0
        close(this, force=force)

    process.close = close_at_once
