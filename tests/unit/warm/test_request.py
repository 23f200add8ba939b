"""What is put into a request is taken out of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from warm_runner import protocol
from warm_runner.request import RequestError, parse


@pytest.fixture
def surroundings() -> Iterator[None]:
    mask = os.umask(0o027)
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, handler)
    os.umask(mask)


def test_a_request_arrives_as_it_was_sent(surroundings: None) -> None:
    arguments = ["/bin/ansible-playbook", "", "-e", "a=ü\nb", "--"]
    variables = {b"TOLD": "grüße=\n☃".encode(), b"EMPTY": b""}
    request = parse(
        protocol.encode("ansible-playbook", "/real/one", "/grün", arguments, variables, True)
    )
    assert request.program == "ansible-playbook"
    assert request.path == "/real/one"
    assert request.directory == "/grün"
    assert request.umask == 0o027
    assert request.ignored == (signal.SIGHUP,)
    assert request.terminal
    assert request.arguments == arguments
    assert request.environment == {"TOLD": "grüße=\n☃", "EMPTY": ""}


def test_reading_the_umask_does_not_change_it(surroundings: None) -> None:
    assert protocol.umask() == 0o027
    assert os.umask(0o027) == 0o027


def test_bytes_that_are_no_text_arrive() -> None:
    request = parse(protocol.encode("ansible-playbook", "", "/", ["", os.fsdecode(b"\xff")], {}))
    assert os.fsencode(request.arguments[1]) == b"\xff"
    assert not request.terminal


@pytest.mark.parametrize("argument", ["a\0b", "\0"])
def test_a_null_byte_is_refused_as_it_is_by_the_system(argument: str) -> None:
    with pytest.raises(ValueError, match="embedded null byte"):
        protocol.encode("ansible-playbook", "", "/", [argument], {})


@pytest.mark.parametrize(
    "text", [b"", b"2", b"0\0ansible-runner\0\0/\0" + b"18\0\0\0000", b"2\0sh\0\0/\0000\0\0\0000"]
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(RequestError):
        parse(text)
