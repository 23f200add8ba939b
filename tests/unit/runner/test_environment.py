"""Environment variables by ansible-operator's names."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from wrapper_runner import environment
from wrapper_runner.watches import Kind, Watch

ROUTER = Kind("vllm.ai", "v1alpha1", "SemanticRouter")
WATCH = Watch(ROUTER, Path("reconcile.yml"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, [""]), ("", [""]), (" , ", [""]), ("a", ["a"]), ("a, b,,c ", ["a", "b", "c"])],
)
def test_watch_namespace_is_a_list(value: str | None, expected: list[str]) -> None:
    given = {} if value is None else {"WATCH_NAMESPACE": value}
    assert environment.namespaces(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 4),
        ({"MAX_CONCURRENT_RECONCILES_SEMANTICROUTER_VLLM_AI": "7"}, 7),
        ({"WORKER_SEMANTICROUTER_VLLM_AI": "3"}, 3),
        (
            {
                "WORKER_SEMANTICROUTER_VLLM_AI": "3",
                "MAX_CONCURRENT_RECONCILES_SEMANTICROUTER_VLLM_AI": "7",
            },
            7,
        ),
        ({"WORKER_SEMANTICROUTER_VLLM_AI": "many"}, 4),
        ({"WORKER_SEMANTICROUTER_VLLM_AI": "0"}, 4),
        ({"WORKER_OTHER_VLLM_AI": "9"}, 4),
    ],
)
def test_workers_of_a_kind_may_be_set(given: dict[str, str], expected: int) -> None:
    assert environment.workers(WATCH, 4, given) == expected


def test_there_is_always_a_worker() -> None:
    assert environment.workers(WATCH, 0, {}) == 1


def test_without_a_word_there_is_one_worker_for_each_cpu_and_one_for_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environment, "_cpus", lambda: 3)
    batches = replace(WATCH, batch=16)
    assert environment.workers(WATCH, None, {}) == 3
    assert environment.workers(batches, None, {}) == 1
    assert environment.workers(batches, 2, {}) == 2


@pytest.mark.parametrize(("value", "expected"), [("0", 0), ("7", 7), ("8", 2), ("-1", 2), ("x", 2)])
def test_verbosity_of_a_kind_may_be_set_from_0_to_7(value: str, expected: int) -> None:
    given = {"ANSIBLE_VERBOSITY_SEMANTICROUTER_VLLM_AI": value}
    assert environment.verbosity(ROUTER, 2, given) == expected


def test_kubeconfig_is_found_by_either_name_and_made_absolute() -> None:
    here = str(Path.cwd() / "kube")
    assert environment.kubeconfig({"KUBECONFIG": "kube", "K8S_AUTH_KUBECONFIG": "no"}) == here
    assert environment.kubeconfig({"K8S_AUTH_KUBECONFIG": "kube"}) == here


def test_in_a_pod_there_is_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "token").touch()
    (tmp_path / "namespace").write_text("operators\n")
    assert environment.kubeconfig({}) is None
    assert environment.own_namespace() == "operators"


def test_without_anything_it_is_the_one_of_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert environment.kubeconfig({}) == str(tmp_path / ".kube" / "config")
    assert environment.own_namespace() == ""


def test_paths_are_made_absolute_for_a_program_elsewhere() -> None:
    given = {"KUBECONFIG": f"a{os.pathsep}/b", "PATH": "bin"}
    expected = f"{Path.cwd() / 'a'}{os.pathsep}/b"
    assert environment.with_absolute_paths(given) == {"KUBECONFIG": expected, "PATH": "bin"}
