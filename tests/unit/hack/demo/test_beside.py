"""Envoy's file outside a pod: its own ports are moved, and it reaches what stands for a backend."""

from __future__ import annotations

from typing import Any

from demo.beside import moved


def socket(address: str, port: int) -> dict[str, Any]:
    return {"address": {"socket_address": {"address": address, "port_value": port}}}


def test_own_ports_are_moved_together_and_off_every_network() -> None:
    bootstrap = {"admin": socket("127.0.0.1", 19000), "listeners": [socket("0.0.0.0", 8080)]}  # noqa: S104
    there = moved(bootstrap, {}, {19000: 1, 8080: 2}.__getitem__, "")
    assert there == {"admin": socket("127.0.0.1", 1), "listeners": [socket("127.0.0.1", 2)]}
    assert bootstrap["admin"] == socket("127.0.0.1", 19000)


def test_a_backends_name_leads_to_its_stand_in_and_a_strangers_to_nobody() -> None:
    there = moved(
        {"clusters": [socket("a.default.svc", 80), socket("b.default.svc", 80)]},
        {"a.default.svc": 7},
        {}.__getitem__,
        "",
    )
    assert there["clusters"] == [socket("127.0.0.1", 7), socket("127.0.0.1", 80)]


def test_sockets_of_two_pods_have_different_names() -> None:
    pipe = {"pipe": {"path": "@internal"}}
    assert moved({"at": [pipe]}, {}, {}.__getitem__, "-1") == {
        "at": [{"pipe": {"path": "@internal-1"}}]
    }
