"""`wrapper-runner run`: chooses the engine and starts it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from wrapper_runner import companion, environment, exits, flags, logs, platform, stock, warm
from wrapper_runner.handed import HandOver
from wrapper_runner.problems import StartError

# The pod must start even if the API server is slow to say what it is.
PLATFORM_SECONDS = 5.0

log = logs.Log("cmd")


def program() -> NoReturn:
    """The command `wrapper-runner`; main() is the same for who goes on afterwards."""
    exits.leave(main())


class _Signalled(BaseException):
    """Asked to end; no failure, so nothing on the way may take it for one."""


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = flags.parser().parse_args(given)
    logs.start(options.zap_log_level, options.zap_encoder)
    # The input directories hold whole CRs, and playbooks write files of their own.
    os.umask(0o077)
    _export_ansible_paths(options)
    try:
        _end_on_signals()
        binary = None if options.engine == "embedded" else stock.find(os.environ)
        if options.engine == "stock" and not binary:
            raise StartError(f"there is no ansible-operator on PATH; set {stock.VARIABLE}")
        with warm.programs(options, os.environ) as hand_over:
            if binary:
                _become_stock(binary, given[1:], options)
            return 0 if _run_embedded(options, hand_over) else 1
    except StartError as error:
        log.error("Cannot start", error=str(error))
        return 1
    except _Signalled:
        log.info("Stopped before the start was over")
        return 0


def _end_on_signals() -> None:
    """Until the engine has signal handlers of its own: nothing is under way that could finish.

    A rollout may end a pod that has just started, which is no failure of it.
    """

    def end(*_: object) -> NoReturn:
        raise _Signalled

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def _export_ansible_paths(options: argparse.Namespace) -> None:
    for name, value in (
        ("ANSIBLE_ROLES_PATH", options.ansible_roles_path),
        ("ANSIBLE_COLLECTIONS_PATH", options.ansible_collections_path),
    ):
        if value:
            os.environ[name] = value


def _become_stock(binary: str, arguments: list[str], options: argparse.Namespace) -> None:
    watches_file = options.watches_file.resolve()
    log.info("Handing over to the stock engine", program=binary, watches_file=str(watches_file))
    platform.announce_within(PLATFORM_SECONDS, environment.kubeconfig(os.environ))
    variables = companion.start(os.environ, watches_file)
    stock.become(binary, arguments, watches_file, {**os.environ, **variables})


def _run_embedded(options: argparse.Namespace, hand_over: HandOver | None) -> bool:
    # Only here: the stock engine's image has no prometheus_client, and no use for the rest.
    from wrapper_runner import embedded

    return embedded.run(options, hand_over)
