"""What campaigns take for the same router."""

from __future__ import annotations

from typing import Any

from torture import objects

REVISION = "-0123456789abcdef"


def config_map(name: str, text: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": name}, "data": {"config.yaml": text}}


def deployment(mounted: str) -> dict[str, Any]:
    volumes = [{"name": "config", "configMap": {"name": mounted}}]
    return {
        "kind": "Deployment",
        "metadata": {"name": "one"},
        "spec": {"template": {"spec": {"volumes": volumes}}},
    }


def state(mounted: str, **texts: str) -> dict[str, Any]:
    maps = [config_map(name.replace("_", "-"), text) for name, text in texts.items()]
    found = [deployment(mounted), *maps]
    named = {f"{item['kind']}/{item['metadata']['name']}": item for item in found}
    return objects.compared(named, "one")


def test_a_router_whose_configuration_has_changed_is_like_one_that_is_new() -> None:
    new = state("one-config", one_config="after")
    changed = {f"one_config{REVISION}": "after"}
    assert state(f"one-config{REVISION}", **changed, one_config="before") == new
    assert state(f"one-config{REVISION}", **changed, one_config="after") == new


def test_what_its_pods_mount_is_compared() -> None:
    changed = {f"one_config{REVISION}": "after"}
    found = state(f"one-config{REVISION}", **changed, one_config="before")
    assert list(objects.differences(found, state("one-config", one_config="before")))
