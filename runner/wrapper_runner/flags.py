"""The command line of `wrapper-runner run`: ansible-operator's own flags and defaults, plus four.

Both engines get the same command line, so flags that only concern the stock engine are accepted by
the embedded one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wrapper_runner import durations

# What the stock binary does not know; each takes a value.
OWN_FLAGS = ("--engine", "--execution", "--run-timeout", "--runner-dir")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="wrapper-runner",
        description="Runs the playbooks of a watches.yaml, with or without ansible-operator.",
    )
    run = top.add_subparsers(dest="command", required=True).add_parser(
        "run",
        help="run the operator",
        description="Hands over to the stock ansible-operator where there is one "
        "(ANSIBLE_OPERATOR_BIN, or on PATH); else does the same itself.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        # `--leader-elect` must not be taken for an abbreviation, as it is not by ansible-operator.
        allow_abbrev=False,
    )
    _add_own(run.add_argument_group("wrapper-runner"))
    _add_ansible(run.add_argument_group("playbooks"))
    _add_controller(run.add_argument_group("controllers"))
    _add_election(run.add_argument_group("leader election"))
    _add_logging(run.add_argument_group("logs"))
    _add_stock_only(
        run.add_argument_group("stock engine only, accepted and without effect otherwise")
    )
    return top


Group = argparse._ArgumentGroup


def _add_own(group: Group) -> None:
    group.add_argument(
        "--engine",
        choices=("auto", "stock", "embedded"),
        default="auto",
        help="auto takes the stock ansible-operator if there is one",
    )
    group.add_argument(
        "--execution",
        choices=("warm", "cold"),
        default="warm",
        help="warm forks playbooks from a process that has Ansible loaded, if it is installed",
    )
    group.add_argument(
        "--run-timeout",
        type=_duration,
        default="10m",
        help="a playbook that runs longer is ended and counts as failed",
    )
    group.add_argument(
        "--runner-dir",
        type=Path,
        help="keep ansible-runner's directories here (mode 0700); a temporary place otherwise",
    )


def _add_ansible(group: Group) -> None:
    group.add_argument(
        "--watches-file",
        type=Path,
        default=Path("./watches.yaml"),
        help="what to watch and what to run; its paths are relative to it",
    )
    group.add_argument("--ansible-verbosity", type=int, default=2, help="number of v's, 0 to 7")
    group.add_argument("--ansible-roles-path", default="", help="sets ANSIBLE_ROLES_PATH")
    group.add_argument(
        "--ansible-collections-path", default="", help="sets ANSIBLE_COLLECTIONS_PATH"
    )
    group.add_argument("--ansible-args", default="", help="further ansible-playbook arguments")


def _add_controller(group: Group) -> None:
    group.add_argument(
        "--reconcile-period",
        type=_duration,
        default="10h",
        help="between runs when nothing happens, unless watches.yaml says otherwise",
    )
    group.add_argument(
        "--max-concurrent-reconciles",
        type=int,
        help="playbooks at a time, for each watched kind; without it, the number of CPUs, or 1 "
        "where objects share runs (batch in watches.yaml)",
    )
    group.add_argument(
        "--metrics-bind-address", "--metrics-addr", default=":8443", help="0 = no metrics"
    )
    _switch(group, "--metrics-secure", help="serve metrics in HTTPS")
    _switch(
        group,
        "--metrics-require-rbac",
        help="ask the API server who reads metrics, and whether they may; needs --metrics-secure",
    )
    group.add_argument("--health-probe-bind-address", default=":6789", help="0 = no probes")
    group.add_argument(
        "--graceful-shutdown-timeout",
        type=_duration,
        default="30s",
        help="how long running playbooks may go on after SIGTERM",
    )


def _add_election(group: Group) -> None:
    _switch(group, "--leader-elect", "--enable-leader-election")
    group.add_argument("--leader-election-id", default="", help="name of the Lease")
    group.add_argument(
        "--leader-election-namespace", default="", help="of the Lease; the pod's own by default"
    )
    group.add_argument(
        "--leader-elect-lease-duration",
        type=_duration,
        default="15s",
        help="how long others wait before they take a Lease that is not renewed",
    )
    group.add_argument(
        "--leader-elect-renew-deadline",
        type=_duration,
        default="10s",
        help="how long the leader tries to renew before it gives up",
    )


def _add_logging(group: Group) -> None:
    group.add_argument("--zap-log-level", choices=("debug", "info", "error"), default="info")
    group.add_argument(
        "--zap-encoder", choices=("json", "console"), help="console on a terminal, else json"
    )


def _add_stock_only(group: Group) -> None:
    _switch(group, "--inject-owner-ref")
    _switch(group, "--enable-http2")
    for name in ("--ansible-log-events", "--proxy-port", "--leader-elect-resource-lock"):
        group.add_argument(name, help=argparse.SUPPRESS)


def _switch(group: Group, *names: str, help: str | None = None) -> None:
    """Go's boolean flags: `--leader-elect` and `--leader-elect=false`."""
    group.add_argument(
        *names, type=_boolean, nargs="?", const=True, default=False, metavar="true|false", help=help
    )


def _boolean(text: str) -> bool:
    """What Go's strconv.ParseBool accepts."""
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def _duration(text: str) -> float:
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def without(arguments: Sequence[str], names: Sequence[str]) -> list[str]:
    """A command line without these flags and their values, `--flag value` or `--flag=value`."""
    kept: list[str] = []
    value_follows = False
    for argument in arguments:
        name, separator, _ = argument.partition("=")
        if value_follows:
            value_follows = False
        elif name in names:
            value_follows = not separator
        else:
            kept.append(argument)
    return kept
