"""`warm-runner exec -- PROGRAM ...`: any program, with warm Ansible programs on its PATH."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from warm_runner import server


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    options = _parser().parse_args(arguments)
    program = shutil.which(options.command[0])
    if not program:
        print(f"warm-runner: there is no {options.command[0]} on PATH", file=sys.stderr)
        sys.exit(127)
    directory = options.directory or Path(tempfile.mkdtemp(prefix="warm-runner-"))
    environment = dict(os.environ)
    try:
        started = server.start(
            directory.resolve(),
            server.Options(
                preload=options.preload,
                reload=options.reload,
                run_timeout=options.run_timeout,
                max_runs=options.max_runs,
                recycle_after=options.recycle_after,
            ),
            environment,
        )
        environment["PATH"] = started.first_on(environment.get("PATH", os.defpath))
    except server.ServerError as error:
        print(f"warm-runner: runs are cold: {error}", file=sys.stderr)
    os.execve(program, options.command, environment)  # noqa: S606 replacing this is the point


def _parser() -> argparse.ArgumentParser:
    defaults = server.Options()
    parser = argparse.ArgumentParser(
        prog="warm-runner",
        description="Runs ansible-runner and ansible-playbook from a process that has them loaded.",
    )
    run = parser.add_subparsers(dest="action", required=True).add_parser(
        "exec",
        help="become a program that finds the warm ansible-runner and ansible-playbook on PATH",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    run.add_argument("--directory", type=Path, help="for socket and programs; removed at the end")
    run.add_argument(
        "--preload",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module that runs import, as kubernetes or ansible_collections.a.b.plugins.action.c",
    )
    run.add_argument(
        "--reload",
        action="append",
        default=[],
        metavar="MODULE",
        help="a preloaded module that reads variables at import and may be executed again",
    )
    run.add_argument("--run-timeout", type=float, default=defaults.run_timeout, metavar="SECONDS")
    run.add_argument("--max-runs", type=int, default=defaults.max_runs, help="at a time")
    run.add_argument("--recycle-after", type=int, default=defaults.recycle_after, metavar="RUNS")
    run.add_argument("command", nargs="+", help="-- and the program with its arguments")
    return parser


if __name__ == "__main__":
    main()
