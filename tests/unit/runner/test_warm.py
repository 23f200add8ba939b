"""Warm execution is the default, and never the reason why nothing runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from wrapper_runner import flags, stock, warm

COLLECTION = Path(__file__).parents[3]


def test_warm_is_the_default_and_unknown_to_the_stock_engine() -> None:
    assert flags.parser().parse_args(["run"]).execution == "warm"
    given = ["--execution=cold", "--leader-elect", "--execution", "warm"]
    assert stock.command_line(given, Path("/w.yaml")) == [
        "--watches-file=/w.yaml",
        "--leader-elect",
    ]


def test_cold_changes_nothing() -> None:
    options = flags.parser().parse_args(["run", "--execution=cold"])
    environment = {"PATH": "/bin"}
    with warm.programs(options, environment):
        assert environment == {"PATH": "/bin"}


def test_without_the_package_runs_are_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "warm_runner", None)
    environment = {"PATH": "/bin"}
    with warm.programs(flags.parser().parse_args(["run", "--execution=warm"]), environment):
        assert environment == {"PATH": "/bin"}


def test_a_directory_that_cannot_be_written_leaves_runs_cold(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    options = flags.parser().parse_args(
        ["run", "--execution=warm", f"--runner-dir={tmp_path / 'file'}"]
    )
    environment = {"PATH": "/bin"}
    with warm.programs(options, environment):
        assert environment == {"PATH": "/bin"}


def test_everything_that_is_preloaded_exists() -> None:
    for name in warm.PRELOAD:
        package = name.removesuffix(".*").removeprefix("ansible_collections.vllm.semantic_router.")
        if package != name.removesuffix(".*"):
            assert list((COLLECTION / package.replace(".", "/")).glob("*.py")), name


@pytest.mark.parametrize(
    ("user", "needed"),
    [("token: a", False), ("exec: {command: a}", True), ("auth-provider:", True)],
)
def test_the_kubernetes_client_is_preloaded_for_kubeconfigs_that_need_it(
    tmp_path: Path, user: str, needed: bool
) -> None:
    file = tmp_path / "config"
    file.write_text(f"users: [{{name: me, user: {{{user}}}}}]")
    assert warm._needs_client({"KUBECONFIG": str(file)}) is needed
