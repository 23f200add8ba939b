"""`python -m real_node build|up|down|status|rehearse|run`: the node from a terminal."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from control_plane import ControlPlaneError

from real_node import Node, NodeError, missing, programs

# Neither the code of an exception nor that of a wrong command line.
NOT_RUN = 3


def say(text: str) -> None:
    print(text, flush=True)


def build(_: argparse.Namespace) -> None:
    started = time.monotonic()
    found = programs.ensure(say)
    say(f"{found.directory}: complete ({time.monotonic() - started:.1f} s)")


def up(arguments: argparse.Namespace) -> None:
    node = Node.attach(arguments.state, say)
    if node.alive:
        say(f"up already at {node.plane.url}")
    else:
        node = Node.start(arguments.state, crds=arguments.crd, detached=True, progress=say)
    say(f"{node.plane.kubectl} --kubeconfig {node.plane.kubeconfig} get pods --all-namespaces")


def down(arguments: argparse.Namespace) -> None:
    node = Node.attach(arguments.state, say)
    was = node.alive
    node.stop()
    say("ended the node" if was else f"no node is running in {arguments.state}")


def status(arguments: argparse.Namespace) -> None:
    reasons = missing(arguments.state)
    if reasons:
        raise NodeError("No node can run here. " + " ".join(reasons))
    node = Node.attach(arguments.state, say)
    say(f"up at {node.plane.url}" if node.alive else "a node can run here; none is up")


def rehearse(_: argparse.Namespace) -> None:
    """Where the tests have their nodes."""
    reasons = [*missing(Path(tempfile.gettempdir())), *programs.missing_for_a_build()]
    if reasons:
        say("not run, because no node can run here. " + " ".join(reasons))
        sys.exit(NOT_RUN)


def run(arguments: argparse.Namespace) -> None:
    # What stands for "all that follows" is left in by some releases of Python.
    wanted = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    command = Node.attach(arguments.state, say).command(*wanted)
    os.execvp(command[0], command)  # noqa: S606 becoming that program is the point


def main() -> int:
    parser = argparse.ArgumentParser(prog="real_node", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for function, text in (
        (build, "find the programs, build the missing ones"),
        (up, "start a node with a control plane and leave it running; nothing happens if it is up"),
        (down, "end what `up` started in this directory, and nothing else"),
        (status, "say whether a node is up, can run, or what is missing for one"),
        (rehearse, "end with an error, and one line that says why, where no test can have a node"),
        (run, "run a program in the node's namespaces, where Services have their names"),
    ):
        command = commands.add_parser(function.__name__, help=text, description=text)
        command.set_defaults(function=function)
        if function not in (build, rehearse):
            command.add_argument("--state", type=Path, required=True, metavar="DIR")
        if function is up:
            command.add_argument("--crd", type=Path, action="append", default=[], metavar="FILE")
        if function is run:
            command.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    try:
        arguments.function(arguments)
    except ControlPlaneError as error:
        print(f"node: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
