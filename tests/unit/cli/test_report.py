"""What a report holds, and what it never does."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from semantic_router_cli.report import LEFT_OUT, File, shareable, write

CANARY = "s3cr3t" * 3


@pytest.mark.parametrize(
    "held",
    [
        {"config": {"stores": [{"password": CANARY, "host": "redis"}]}},
        {"config": {"api_keys": [CANARY]}},
        {"config": {"store": {"url": f"redis://me:{CANARY}@redis:6379"}}},
        {"env": [{"name": "HF_TOKEN", "value": CANARY}]},
        {"backend": {"external": {"extraHeaders": [{"name": "x-key", "value": CANARY}]}}},
        {"headers": {"authorization": CANARY}},
        {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY}},
    ],
    ids=lambda held: next(iter(held)),
)
def test_a_credential_is_left_out_wherever_it_may_stand(held: dict[str, object]) -> None:
    shared = str(shareable({"spec": held}))
    assert CANARY not in shared
    assert LEFT_OUT in shared


def test_everything_else_is_there() -> None:
    told = {
        "metadata": {"annotations": {"vllm.ai/paused": "true"}},
        "spec": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
    }
    assert shareable({**told, "managedFields": []}) == told


def test_a_report_does_not_write_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "report.tar.gz"
    assert write(str(path), [File("a.yaml", "a: 1\n")]) == 1
    with tarfile.open(path) as archive:
        assert archive.getnames() == ["report/a.yaml"]
    with pytest.raises(FileExistsError):
        write(str(path), [])
