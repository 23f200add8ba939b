from __future__ import annotations

from dataclasses import astuple
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import (
    PodPorts,
    pod_ports,
)


def spec(api: int = 8080, grpc: int = 50051, metrics: int = 9190) -> dict[str, Any]:
    return {
        "service": {
            "api": {"targetPort": api},
            "grpc": {"targetPort": grpc},
            "metrics": {"targetPort": metrics},
        }
    }


def test_the_defaults_leave_8081_to_the_router_api():
    assert pod_ports(spec()) == PodPorts(
        listener=8080, api=8081, grpc=50051, metrics=9190, admin=19000, looper=8899, told=8181
    )


def test_the_router_api_steps_over_ports_that_the_user_chose():
    assert pod_ports(spec(api=8081, grpc=8082, metrics=8083)).api == 8084


def test_the_admin_port_steps_over_ports_that_the_user_chose():
    assert pod_ports(spec(metrics=19000)).admin == 19001


def test_no_two_ports_are_equal_when_the_users_three_differ():
    for api in (8081, 19000, 65535):
        ports = pod_ports(spec(api=api, grpc=8082, metrics=19001))
        assert len(set(astuple(ports))) == 7


def test_ports_of_extra_containers_stay_theirs():
    taken = (8081, 19000, 8181)
    neighbour = {"ports": [{"containerPort": port} for port in taken]}
    udp = {"ports": [{"containerPort": 8082, "protocol": "UDP"}, {"containerPort": 8899}]}
    ports = pod_ports({**spec(), "extraContainers": [neighbour, {}, udp]})
    assert (ports.api, ports.admin, ports.looper) == (8082, 19001, 8900)
    assert ports.told == 8182
