"""What replaces pods whose containers stay the same, and above all what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Endpoint,
    Facts,
    Rollout,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.rollout import (
    seen_annotations,
    template_annotations,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.workload import (
    deployment,
)
from examples import router

BEFORE = {"strategy": "priority"}
AFTER = {"strategy": "confidence"}
BACKEND = {"type": "service", "service": {"name": "a", "port": 8000}}
ENDPOINTS = [{"name": "a", "model": "m", "backend": BACKEND}]


def annotations(facts: Facts | None = None, **spec: Any) -> dict[str, str]:
    return template_annotations(router(**spec), facts or Facts())


def running(live: dict[str, str], facts: Facts | None = None) -> Facts:
    """Facts of a cluster in which the pods run that these annotations belong to."""
    known = facts or Facts()
    return replace(known, rollout=replace(known.rollout, template=live))


def test_under_rollout_a_new_configuration_makes_new_pods() -> None:
    live = annotations(config=BEFORE)
    assert annotations(running(live), config=BEFORE) == live
    assert annotations(running(live), config=AFTER) != live


@pytest.mark.parametrize("changed", [{"config": AFTER}, {"toolsDb": [{"name": "f"}]}])
def test_under_hot_reload_a_new_configuration_leaves_the_pods_alone(
    changed: dict[str, Any],
) -> None:
    live = annotations(config=BEFORE, configRolloutPolicy="HotReload")
    wanted = {"config": BEFORE, **changed, "configRolloutPolicy": "HotReload"}
    assert annotations(running(live), **wanted) == live


def test_under_hot_reload_envoy_s_file_still_makes_new_pods() -> None:
    found = Facts(endpoints=[Endpoint("a", "m", 1, "a", "default", 8000, "http", ready=True)])
    live = annotations(configRolloutPolicy="HotReload")
    after = annotations(
        running(live, found), vllmEndpoints=ENDPOINTS, configRolloutPolicy="HotReload"
    )
    assert after != live


def test_going_over_to_hot_reload_leaves_the_pods_alone() -> None:
    live = annotations(config=BEFORE)
    assert annotations(running(live), config=BEFORE, configRolloutPolicy="HotReload") == live


def test_going_back_replaces_pods_only_if_the_configuration_has_overtaken_them() -> None:
    live = annotations(config=BEFORE)
    assert annotations(running(live), config=BEFORE) == live
    assert annotations(running(live), config=AFTER) == annotations(config=AFTER) != live


def test_a_gateway_s_pods_have_no_envoy_to_follow() -> None:
    gateway = {"existingRef": {"name": "g", "namespace": "default"}}
    assert set(annotations(gateway=gateway)) == {"vllm.ai/config-hash"}
    assert set(annotations()) == {"vllm.ai/config-hash", "vllm.ai/envoy-config-hash"}


class TestConfigMaps:
    NAME = "vllm.ai/config-maps-hash"

    def of(self, digest: str, live: str = "", uses: bool = True) -> str | None:
        template = {self.NAME: live} if live else {}
        rollout = Rollout(uses_config_maps=uses, config_maps=digest, template=template)
        return annotations(Facts(rollout=rollout)).get(self.NAME)

    def test_their_digest_is_in_the_template(self) -> None:
        assert self.of("new", live="old") == "new"

    def test_one_that_is_briefly_gone_leaves_the_pods_alone(self) -> None:
        assert self.of("", live="old") == "old"
        assert self.of("") is None

    def test_one_that_is_used_no_more_leaves_no_trace(self) -> None:
        assert self.of("", live="old", uses=False) is None


class TestSecrets:
    NAME = "vllm.ai/secrets-hash"
    SEEN = "vllm.ai/secrets-seen"

    def of(self, digest: str, seen: str = "", live: str = "") -> tuple[str | None, str | None]:
        template = {self.NAME: live} if live else {}
        rollout = Rollout(uses_secrets=True, secrets=digest, secrets_seen=seen, template=template)
        facts = Facts(rollout=rollout)
        return annotations(facts).get(self.NAME), seen_annotations(facts).get(self.SEEN)

    def test_nothing_is_written_while_nobody_may_look(self) -> None:
        assert self.of("") == (None, None)

    def test_the_first_look_only_remembers(self) -> None:
        assert self.of("one") == (None, "one")

    def test_what_stays_the_same_changes_nothing(self) -> None:
        assert self.of("one", seen="one") == (None, "one")
        assert self.of("two", seen="two", live="two") == ("two", "two")

    def test_a_change_makes_new_pods(self) -> None:
        assert self.of("two", seen="one") == ("two", "two")
        assert self.of("three", seen="two", live="two") == ("three", "three")

    def test_taking_the_permission_back_and_granting_it_again_changes_nothing(self) -> None:
        assert self.of("", seen="two", live="two") == ("two", "two")
        assert self.of("two", seen="two", live="two") == ("two", "two")

    def test_a_secret_that_is_used_no_more_leaves_no_trace(self) -> None:
        rollout = Rollout(template={self.NAME: "two"}, secrets_seen="two")
        facts = Facts(rollout=rollout)
        assert self.NAME not in annotations(facts)
        assert seen_annotations(facts) == {}


def test_the_deployment_carries_them() -> None:
    rollout = Rollout(uses_secrets=True, secrets="two", secrets_seen="one")
    (built,) = deployment(router(), Facts(rollout=rollout))
    assert built["metadata"]["annotations"] == {"vllm.ai/secrets-seen": "two"}
    assert built["spec"]["template"]["metadata"]["annotations"]["vllm.ai/secrets-hash"] == "two"


def test_facts_survive_the_way_through_a_playbook() -> None:
    facts = Facts(rollout=Rollout(uses_secrets=True, secrets="two", template={"a": "b"}))
    assert Facts.from_dict(facts.as_dict()) == facts
