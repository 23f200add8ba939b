"""The command line is ansible-operator's."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from wrapper_runner.flags import OWN_FLAGS, parser, without


def parse(*arguments: str) -> argparse.Namespace:
    return parser().parse_args(["run", *arguments])


def test_defaults_are_those_of_ansible_operator() -> None:
    options = parse()
    assert options.watches_file == Path("watches.yaml")
    assert options.metrics_bind_address == ":8443"
    assert options.health_probe_bind_address == ":6789"
    assert options.reconcile_period == 36_000
    assert options.graceful_shutdown_timeout == 30
    assert options.leader_elect is False
    assert options.leader_elect_lease_duration == 15
    assert options.leader_elect_renew_deadline == 10
    assert options.ansible_verbosity == 2
    assert options.max_concurrent_reconciles is None


def test_own_flags_have_their_defaults() -> None:
    options = parse()
    assert (options.engine, options.run_timeout, options.runner_dir) == ("auto", 600, None)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--leader-elect"], True),
        (["--leader-elect=true"], True),
        (["--leader-elect=false"], False),
        (["--enable-leader-election"], True),
        (["--leader-elect", "--proxy-port=9999"], True),
    ],
)
def test_switches_are_spelled_as_go_spells_them(arguments: list[str], expected: bool) -> None:
    assert parse(*arguments).leader_elect is expected


@pytest.mark.parametrize(
    "argument",
    ["--reconcile-period=10", "--leader-elect=maybe", "--metrics=:1", "--zap-log-level=loud"],
)
def test_mistake_is_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(argument)
    assert argument.split("=")[0] in capsys.readouterr().err


def test_deployment_of_the_scaffold_is_understood() -> None:
    options = parse(
        *("--leader-elect", "--leader-election-id=semantic-router-operator"),
        *("--health-probe-bind-address=:6789", "--metrics-bind-address=127.0.0.1:8080"),
        *("--metrics-secure=false", "--ansible-log-events=Nothing", "--inject-owner-ref=true"),
    )
    assert options.leader_election_id == "semantic-router-operator"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--engine", "stock", "--proxy-port", "1"], ["--proxy-port", "1"]),
        (["--engine=stock", "--proxy-port=1"], ["--proxy-port=1"]),
        (["--run-timeout=", "--leader-elect"], ["--leader-elect"]),
        (["--leader-elect", "--runner-dir", "/x"], ["--leader-elect"]),
        (["--runner-directory=/x"], ["--runner-directory=/x"]),
    ],
)
def test_flags_are_taken_out_with_their_values(arguments: list[str], expected: list[str]) -> None:
    assert without(arguments, OWN_FLAGS) == expected
