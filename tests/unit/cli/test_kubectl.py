"""What kubectl is asked to do, and what is said when it does not do it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from semantic_router_cli.kubectl import Kubectl


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that is written by the test, and is the only one."""
    file = tmp_path / "kubectl"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return file


def behave(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\necho $$ > {program.parent}/pid\n{script}\n")
    program.chmod(0o755)


def is_running(program: Path) -> bool:
    pid = int((program.parent / "pid").read_text())
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ports_are_open_as_long_as_they_are_needed(program: Path) -> None:
    arguments = program.parent / "arguments"
    behave(
        program,
        f'echo "$@" > {arguments}\n'
        'echo "Forwarding from 127.0.0.1:40001 -> 19000"\n'
        'echo "Forwarding from 127.0.0.1:40002 -> 8081"\n'
        "exec sleep 60",
    )
    kubectl = Kubectl("/some/kubeconfig", "there", "ann")
    with kubectl.forwarded("here", "pod/pod-1", [19000, 8081], 5) as local:
        assert local == {19000: 40001, 8081: 40002}
        assert is_running(program)
    assert not is_running(program)
    said = arguments.read_text().split()
    assert {"--kubeconfig=/some/kubeconfig", "--context=there", "--as=ann"} <= set(said)
    assert {"pod/pod-1", ":19000", ":8081", "127.0.0.1"} <= set(said)


def test_what_kubectl_has_against_it_is_quoted(program: Path) -> None:
    behave(program, 'echo "error: pods pod-1 is forbidden"; exit 1')
    with (
        pytest.raises(RouterError, match=r"pods pod-1 is forbidden\. You may have to create"),
        Kubectl().forwarded("here", "pod/pod-1", [1], 5),
    ):
        pass


def test_without_kubectl_one_is_told_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(RouterError, match="neither kubectl nor oc is on PATH"),
        Kubectl().forwarded("here", "pod/pod-1", [1], 5),
    ):
        pass


def test_no_kubeconfig_is_no_reason_to_try_a_port_of_this_machine(
    program: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    behave(program, 'echo "Starting to serve"; exec sleep 60')
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(RouterError, match="there is no kubeconfig"):
        Kubectl().connect()
    assert not (program.parent / "pid").exists()
