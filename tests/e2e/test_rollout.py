"""When pods are replaced: by which edits, by whose ConfigMaps, and by other people's restarts."""

from __future__ import annotations

import json
from typing import Any

from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually


def template(router: SemanticRouter) -> dict[str, Any]:
    found: dict[str, Any] = router.read("deployment", router.name)["spec"]["template"]
    return found


def config_yaml(router: SemanticRouter) -> str:
    return str(router.read("configmap", f"{router.name}-config")["data"]["config.yaml"])


def effort(router: SemanticRouter, value: str) -> None:
    """Change config.yaml and nothing else."""
    router.spec["config"] = {"default_reasoning_effort": value}
    router.apply()
    router.wait_for("Ready")
    assert f": {value}" in config_yaml(router)


def test_new_configuration_replaces_pods_under_rollout_and_not_under_hot_reload(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    effort(router, "low")
    first = template(router)

    router.spec["configRolloutPolicy"] = "HotReload"
    effort(router, "medium")
    assert template(router) == first, "going over and a new config.yaml leave the pods alone"

    router.spec["configRolloutPolicy"] = "Rollout"
    router.apply()
    eventually(lambda: template(router) != first, 60, "pods that have been overtaken to go")
    second = template(router)
    effort(router, "high")
    assert template(router) != second


def test_a_changed_config_map_of_the_users_own_replaces_the_pods(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    def settings(level: str) -> None:
        config_map = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings"},
            "data": {"LOG_LEVEL": level},
        }
        kubectl("apply", "-n", router.namespace, "-f", "-", stdin=json.dumps(config_map))

    settings("info")
    router.create_service()
    router.spec["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    router.apply()
    router.wait_for("Ready")
    before = template(router)
    assert before["metadata"]["annotations"]["vllm.ai/config-maps-hash"]

    settings("debug")
    eventually(lambda: template(router) != before, 60, "new pods")

    kubectl("delete", "configmap", "settings", "-n", router.namespace)
    after = template(router)
    effort(router, "low")
    name = "vllm.ai/config-maps-hash"
    kept = template(router)["metadata"]["annotations"][name]
    assert kept == after["metadata"]["annotations"][name]


def test_a_restart_by_hand_and_what_reloaders_add_stay(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    kubectl("rollout", "restart", f"deployment/{router.name}", "-n", router.namespace)
    restarted = "kubectl.kubernetes.io/restartedAt"
    moment = template(router)["metadata"]["annotations"][restarted]
    # As Reloader does: its mark on the Deployment, and a variable of its own in the container.
    added = {"name": "STAKATER_KEYS_SECRET", "value": "1"}
    patch = {"spec": {"template": {"spec": {"containers": [
        {"name": "semantic-router", "env": [added]}
    ]}}}}  # fmt: skip
    kubectl(
        "patch", "deployment", router.name, "-n", router.namespace, "-p", json.dumps(patch),
    )  # fmt: skip
    kubectl(
        "annotate", "deployment", router.name, "-n", router.namespace, "example.com/reload=true"
    )

    effort(router, "low")
    router.spec["podAnnotations"] = {"changed": "yes"}
    router.apply()
    eventually(
        lambda: "changed" in template(router)["metadata"]["annotations"], 60, "the next template"
    )
    router.wait_for("Ready")
    live = router.read("deployment", router.name)
    assert live["metadata"]["annotations"]["example.com/reload"] == "true"
    assert live["spec"]["template"]["metadata"]["annotations"][restarted] == moment
    assert added in live["spec"]["template"]["spec"]["containers"][0]["env"]


def test_what_new_pods_refuse_leaves_the_last_good_configuration_to_the_old_ones(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    """No node takes the new pods, so that their status is as a kubelet of this test writes it."""
    router.create_service()
    effort(router, "low")
    good, names = config_yaml(router), set(router.objects())
    ((first, old),) = router.pods()

    router.spec["config"] = {"default_reasoning_effort": "medium"}
    router.spec["nodeSelector"] = {"example.com/none": "here"}
    router.apply()
    (refused,) = eventually(lambda: not_of(router, old), 60, "a new pod")
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    container = {
        "name": "semantic-router", "image": "any", "imageID": "", "ready": False,
        "restartCount": 1, "state": {"waiting": waiting}, "lastState": ended,
    }  # fmt: skip
    status = {"status": {"containerStatuses": [container]}}
    router.patch("pod", refused, status, "--subresource=status")
    told = eventually(lambda: with_reason(router, "NewConfigFails"), 60, "it to be told")
    for part in (refused, first, "reasoning_effort", "goes on serving with the last good one"):
        assert part in told
    assert router.condition("Available")["status"] == "True"
    assert router.condition("Ready")["status"] == "False"

    kubectl("delete", "pod", first, "-n", router.namespace)
    second = eventually(
        lambda: [name for name, of in router.pods() if of == old and name != first],
        60,
        "the old pod to be replaced",
    )
    mounted = config_map_of(router, second[0])
    assert router.read("configmap", mounted)["data"]["config.yaml"] == good
    assert router.get()["status"]["config"]["lastGood"]

    router.spec["config"] = {"default_reasoning_effort": "high"}
    del router.spec["nodeSelector"]
    router.apply()
    router.wait_for("Ready")
    eventually(lambda: not [name for name, of in router.pods() if of == old], 60, "new pods only")
    assert ": high" in config_yaml(router)
    (serving,) = router.pods()
    new = config_map_of(router, serving[0])
    assert ": high" in router.read("configmap", new)["data"]["config.yaml"]
    eventually(
        lambda: set(router.objects()) == names | {f"ConfigMap/{new}"}, 60, "what is left over to go"
    )


def not_of(router: SemanticRouter, template: str) -> list[str]:
    return [name for name, of in router.pods() if of != template]


def with_reason(router: SemanticRouter, reason: str) -> str:
    found = router.condition("Degraded")
    return str(found["message"]) if found["reason"] == reason else ""


def config_map_of(router: SemanticRouter, pod: str) -> str:
    volumes = router.read("pod", pod)["spec"]["volumes"]
    return next(str(one["configMap"]["name"]) for one in volumes if one["name"] == "config")


def test_envoy_and_a_router_that_serves_alone_take_turns_and_leave_nothing_behind(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.spec["image"] = {"tag": "latest"}
    router.apply()
    router.wait_for("Ready")
    with_envoy = set(router.objects())

    router.spec["gateway"] = {"mode": "router"}
    router.apply()
    router.wait_for("Ready")
    name = router.name
    gone = {
        f"ConfigMap/{name}-config",
        f"ConfigMap/{name}-envoy-config",
        f"Service/{name}-headless",
    }
    eventually(
        lambda: set(router.objects()) == with_envoy - gone | {f"ConfigMap/{name}-alone-config"},
        60,
        "what Envoy had to go",
    )
    assert [one["name"] for one in template(router)["spec"]["containers"]] == ["semantic-router"]
    assert router.get()["status"]["gatewayMode"] == "router"

    router.spec["gateway"] = {"mode": "envoy"}
    router.apply()
    router.wait_for("Ready")
    eventually(
        lambda: set(router.objects()) == with_envoy, 60, "Envoy to be back, and nothing else"
    )
