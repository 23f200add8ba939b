"""The ConfigMaps around config.yaml, tools_db.json and envoy.yaml."""

from __future__ import annotations

import json
from typing import Any

import many
import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Endpoint,
    Facts,
    Rollout,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import (
    CONFIG_MAP_LIMIT_BYTES,
    config_hashes,
    config_maps,
    mounted_config_maps,
    service_ca_config_map,
    yaml_text,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts


def router(**spec: Any) -> Router:
    return Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "my-router", "namespace": "routing"},
            "spec": spec,
        }
    )


def test_there_is_one_config_map_for_each_container() -> None:
    ours, envoys = config_maps(router(), Facts())
    assert (ours["metadata"]["name"], set(ours["data"])) == (
        "my-router-config",
        {"config.yaml", "tools_db.json"},
    )
    assert (envoys["metadata"]["name"], set(envoys["data"])) == (
        "my-router-envoy-config",
        {"envoy.yaml"},
    )
    for config_map in (ours, envoys):
        assert config_map["metadata"]["namespace"] == "routing"
        assert config_map["metadata"]["labels"]["app.kubernetes.io/instance"] == "my-router"


def test_files_are_what_their_readers_parse() -> None:
    ours, envoys = config_maps(
        router(toolsDb=[{"name": "f", "description": "ünïcode", "parameters": {}}]), Facts()
    )
    assert yaml.safe_load(ours["data"]["config.yaml"])["version"] == "v0.3"
    assert "ünïcode" in ours["data"]["tools_db.json"]
    assert json.loads(ours["data"]["tools_db.json"])[0]["tool"]["function"]["name"] == "f"
    assert "static_resources" in yaml.safe_load(envoys["data"]["envoy.yaml"])


def test_openshift_is_asked_for_its_service_ca_where_a_backend_is_verified_by_it() -> None:
    backend = Endpoint("e", "m", 1, "vllm", "models", 8443, "https", ready=True)
    facts = Facts(platform="openshift", endpoints=[backend])
    (asked,) = service_ca_config_map(router(), facts)
    assert asked["metadata"]["name"] == "my-router-service-ca"
    assert asked["metadata"]["annotations"] == {"service.beta.openshift.io/inject-cabundle": "true"}
    # What is in it is OpenShift's.
    assert "data" not in asked
    assert service_ca_config_map(router(), Facts(endpoints=[backend])) == []


def test_hash_follows_the_content_and_nothing_else() -> None:
    before = config_hashes(router(), Facts())
    assert config_hashes(router(), Facts()) == before
    assert config_hashes(router(replicas=3), Facts()) == before
    assert config_hashes(router(config={"strategy": "priority"}), Facts()) != before
    assert config_hashes(router(toolsDb=[{"name": "f"}]), Facts()) != before
    endpoint = Endpoint("a", "one", 1, "a", "default", 8000, "http", ready=True)
    assert config_hashes(router(), Facts(endpoints=[endpoint])) != before


class TestAChangedContent:
    """Pods of an earlier ReplicaSet find what they started with, until nobody mounts it."""

    BEFORE, AFTER, LATER = ({"strategy": one} for one in ("priority", "confidence", "weighted"))

    def used(self, *mounted: tuple[str, dict[str, Any]], **rollout: Any) -> Facts:
        """ConfigMaps of pods, the live template's first, and what each started with."""
        in_use = {
            name: config_hashes(router(config=config), Facts())[0] for name, config in mounted
        }
        in_use["my-router-envoy-config"] = config_hashes(router(), Facts())[1]
        return Facts(rollout=Rollout(in_use=in_use, **rollout))

    def made(self, facts: Facts, **spec: Any) -> tuple[str, list[str]]:
        """The one that new pods mount, and all that are written for the router."""
        asked = router(**spec)
        names = [item["metadata"]["name"] for item in config_maps(asked, facts)]
        mounted, envoys = mounted_config_maps(asked, facts)
        assert envoys == "my-router-envoy-config"
        return mounted, [name for name in names if name != envoys]

    def own(self, config: dict[str, Any]) -> str:
        return f"my-router-config-{config_hashes(router(config=config), Facts())[0]}"

    def test_leaves_the_plain_name_to_the_pods_that_started_with_it(self) -> None:
        facts = self.used(("my-router-config", self.BEFORE))
        assert self.made(facts, config=self.BEFORE) == ("my-router-config", ["my-router-config"])
        own = self.own(self.AFTER)
        assert self.made(facts, config=self.AFTER) == (own, [own])

    def test_goes_under_the_plain_name_too_when_no_pod_mounts_that(self) -> None:
        own = self.own(self.AFTER)
        facts = self.used((own, self.AFTER))
        assert self.made(facts, config=self.AFTER) == (own, [own, "my-router-config"])
        files = [item["data"] for item in config_maps(router(config=self.AFTER), facts)]
        assert files[0] == files[1]
        later = self.own(self.LATER)
        assert self.made(facts, config=self.LATER) == (later, [later, "my-router-config"])

    def test_waits_for_the_pods_of_the_first_content_through_a_second_mistake(self) -> None:
        refused, later = self.own(self.AFTER), self.own(self.LATER)
        facts = self.used((refused, self.AFTER), ("my-router-config", self.BEFORE))
        assert self.made(facts, config=self.LATER) == (later, [later])

    def test_that_is_taken_back_goes_back_to_the_pods_that_are_there(self) -> None:
        facts = self.used((self.own(self.AFTER), self.AFTER), ("my-router-config", self.BEFORE))
        assert self.made(facts, config=self.BEFORE) == ("my-router-config", ["my-router-config"])

    def test_is_written_where_the_pods_read_it_under_hot_reload(self) -> None:
        own = self.own(self.BEFORE)
        started = {"vllm.ai/config-hash": own.rpartition("-")[2]}
        for name in (own, "my-router-config"):
            facts = self.used((name, self.BEFORE), template=started)
            mounted, names = self.made(facts, config=self.AFTER, configRolloutPolicy="HotReload")
            assert mounted == name
            assert set(names) == {name, "my-router-config"}


def test_hash_does_not_follow_readiness() -> None:
    """A backend that is briefly gone changes a condition, never the pods."""
    backend = {"type": "service", "service": {"name": "a", "port": 8000}}
    subject = router(vllmEndpoints=[{"name": "a", "model": "one", "backend": backend}])
    hashes = {
        config_hashes(
            subject,
            Facts(endpoints=[Endpoint("a", "one", 1, "a", "default", 8000, "http", ready=ready)]),
        )
        for ready in (True, False)
    }
    assert len(hashes) == 1


def test_order_of_keys_in_the_object_does_not_matter() -> None:
    one = {"tools": {"enabled": True, "top_k": 2}, "prompt_guard": {"enabled": False}}
    other = {"prompt_guard": {"enabled": False}, "tools": {"top_k": 2, "enabled": True}}
    assert config_hashes(router(config=one), Facts()) == config_hashes(
        router(config=other), Facts()
    )


@pytest.mark.parametrize(
    "text",
    [
        "y",
        "N",
        "on",
        "1e3",
        "0x1F",
        "0o17",
        "1_000",
        ".5",
        "-",
        "~",
        "",
        "12:30:00",
        "null",
        "=",
        "<<",
    ],
)
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert yaml_text({"key": text}).strip() in {f'key: "{text}"', f"key: '{text}'"}


def test_long_and_repeated_values_stay_readable() -> None:
    shared = ["x" * 300 + " " + "y" * 300]
    text = yaml_text({"one": shared, "two": shared, "prompt": "first\nsecond\n"})
    assert "&" not in text
    assert max(len(line) for line in text.splitlines()) > 600
    assert "prompt: |\n  first\n  second\n" in text


def envoy_yaml(models: int, of_each: int) -> str:
    asked = router(vllmEndpoints=many.endpoints(models, of_each))
    _, found = config_maps(asked, facts(asked, "kubernetes"))
    return str(found["data"]["envoy.yaml"])


def test_what_has_no_room_in_block_style_is_written_without_blanks() -> None:
    block, json_text = envoy_yaml(2, 1), envoy_yaml(200, 5)
    assert block.startswith("admin:\n  address:")
    assert len(json_text.encode()) <= CONFIG_MAP_LIMIT_BYTES
    assert len(yaml_text(json.loads(json_text)).encode()) > CONFIG_MAP_LIMIT_BYTES
    clusters = json.loads(json_text)["static_resources"]["clusters"]
    assert len([each for each in clusters if each["name"].startswith("model-")]) == 200


def test_no_pod_reads_the_file_of_the_other_kind_while_they_are_replaced() -> None:
    """Where Envoy asks for keys, the router's file has none, and routers read theirs anew."""
    auth = {"apiKeys": [{"secretRef": {"name": "team"}, "clients": ["web"]}]}
    envoys, alone = (
        config_maps(router(auth=auth, gateway={"mode": mode}, image={"tag": "v0.5.0"}), Facts())
        for mode in ("envoy", "router")
    )
    (theirs,) = alone

    assert theirs["metadata"]["name"] not in [each["metadata"]["name"] for each in envoys]
    listener = yaml.safe_load(theirs["data"]["config.yaml"])["listeners"][0]
    assert listener["api_keys"] == ["${SR_AUTH__API_KEYS__0__WEB}"]
    assert "api_keys" not in yaml.safe_load(envoys[0]["data"]["config.yaml"])["listeners"][0]
