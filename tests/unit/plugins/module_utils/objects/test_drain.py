"""The script by which a router that serves alone ends, run as the kubelet runs it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.drain import router_drain
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from examples import router

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the kernel's table of connections is Linux's"
)


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    try:
        made = socket.create_server(
            ("127.0.0.1" if request.param == socket.AF_INET else "::1", 0), family=request.param
        )
    except OSError:
        pytest.skip("this machine has no such address")
    with made:
        yield made


def ending(port: int, deadline: int) -> subprocess.Popen[bytes]:
    spec = router(
        gateway={"mode": "router"},
        terminationGracePeriodSeconds=60,
        service={"api": {"targetPort": port}},
    ).spec
    command = router_drain(spec, pod_ports(spec))["preStop"]["exec"]["command"]
    *script, given, _, _ = command
    assert given == str(port)
    return subprocess.Popen([*script, given, "0", str(deadline)])


def test_a_pod_that_nobody_is_connected_to_ends(listener: socket.socket) -> None:
    assert ending(listener.getsockname()[1], 60).wait(timeout=10) == 0


def test_a_pod_waits_for_an_answer_in_hand_and_no_longer(listener: socket.socket) -> None:
    client = socket.create_connection(listener.getsockname()[:2])
    with client, listener.accept()[0]:
        process = ending(listener.getsockname()[1], 60)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2.5)
    assert process.wait(timeout=10) == 0


def test_a_client_that_stays_does_not_hold_a_pod_beyond_its_time(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()[:2]), listener.accept()[0]:
        begun = time.monotonic()
        assert ending(listener.getsockname()[1], 2).wait(timeout=10) == 0
        assert time.monotonic() - begun >= 1


@pytest.mark.parametrize(("grace", "deadline"), [(60, 25), (180, 145), (30, 15), (5, 1)])
def test_a_router_that_serves_alone_has_time_left_to_end_what_clients_keep_open(
    grace: int, deadline: int
) -> None:
    spec = router(gateway={"mode": "router"}, terminationGracePeriodSeconds=grace).spec
    given = router_drain(spec, pod_ports(spec))["preStop"]["exec"]["command"][-1]
    assert given == str(deadline)
