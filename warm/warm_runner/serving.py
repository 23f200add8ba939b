"""What a template process runs: `python -m warm_runner.serving`."""

from __future__ import annotations

import argparse
import os
import signal
import socket

from warm_runner import kernel, template


def main() -> None:
    options = _parser().parse_args()
    kernel.end_with_parent(os.getppid(), signal.SIGTERM)
    os.set_inheritable(options.listener, False)
    os.set_inheritable(options.word, False)

    def retire(reason: str) -> None:
        os.write(options.word, reason.encode())

    limits = template.Limits(
        run=options.run_timeout, runs=options.max_runs, served=options.recycle_after
    )
    listener = socket.socket(fileno=options.listener)
    template.run(listener, options.preload, options.reload, limits, retire)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--word", type=int, required=True)
    parser.add_argument("--preload", action="append", default=[])
    parser.add_argument("--reload", action="append", default=[])
    parser.add_argument("--run-timeout", type=float, required=True)
    parser.add_argument("--max-runs", type=int, required=True)
    parser.add_argument("--recycle-after", type=int, required=True)
    return parser


if __name__ == "__main__":
    main()
