"""What the client puts into a request, the server takes out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from warm_runner import client
from warm_runner.request import RequestError, parse


def test_a_request_arrives_as_it_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["/bin/ansible-playbook", "", "-e", "a=ü\nb", "--"])
    monkeypatch.setenv("TOLD", "grüße=\n☃")
    monkeypatch.setenv("EMPTY", "")
    previous = os.umask(0o027)
    try:
        request = parse(client.request("ansible-playbook", "/real/ansible-playbook"))
    finally:
        assert os.umask(previous) == 0o027
    assert request.program == "ansible-playbook"
    assert request.path == "/real/ansible-playbook"
    assert request.directory == str(tmp_path)
    assert request.umask == 0o027
    assert request.arguments == ["/bin/ansible-playbook", "", "-e", "a=ü\nb", "--"]
    assert request.environment == dict(os.environ)


def test_bytes_that_are_no_text_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["ansible-playbook", os.fsdecode(b"\xff")])
    request = parse(client.request("ansible-playbook", ""))
    assert os.fsencode(request.arguments[1]) == b"\xff"


@pytest.mark.parametrize(
    "text", [b"", b"1", b"0\0ansible-runner\0\0/\0" + b"18\0\0\0000", b"1\0sh\0\0/\0000\0\0\0000"]
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(RequestError):
        parse(text)
