"""Text of a SemanticRouter is data: never a template, never a secret's hiding place."""

from __future__ import annotations

import base64
import json
from typing import Any

import yaml
from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import OWNED, SemanticRouter

TEMPLATE = "{{ lookup('pipe', 'echo evaluated-$((40+2))') }}"
EVALUATED = "evaluated-42"
# A model's name travels in a header: no spaces.
MODEL = "{{lookup('pipe','expr${IFS}40+2')}}"
CANARY = "canary-5f2c91d7b6"
EVERYTHING = f"{OWNED},events,semanticrouters"


def full_of_templates() -> dict[str, Any]:
    """Every string that the schema leaves free, in as many kinds of fields as possible."""
    return {
        "podAnnotations": {"note": TEMPLATE},
        "serviceAccount": {"annotations": {"note": TEMPLATE}},
        "persistence": {"enabled": True, "size": "1Gi", "annotations": {"note": TEMPLATE}},
        "args": [TEMPLATE],
        "env": [{"name": "NOTE", "value": TEMPLATE}],
        "vllmEndpoints": [
            {
                "name": "first",
                "model": MODEL,
                "backend": {"type": "service", "service": {"name": "vllm-qwen", "port": 8000}},
            }
        ],
        "config": {
            "prompt_guard": {"enabled": True, "model_id": TEMPLATE},
            "observability": {"tracing": {"enabled": True, "exporter": {"endpoint": TEMPLATE}}},
        },
        "toolsDb": [
            {
                "tool": {
                    "type": "function",
                    "function": {"name": "note", "description": TEMPLATE, "parameters": {}},
                },
                "description": TEMPLATE,
                "category": TEMPLATE,
                "tags": [TEMPLATE],
            }
        ],
    }


def test_jinja_in_every_string_stays_literal(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    router.resource["spec"] = full_of_templates()
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    objects = json.dumps(list(router.objects().values()))
    everything = objects + json.dumps(router.get()) + operator.text
    assert EVALUATED not in everything
    pods = router.read("deployment", router.name)["spec"]["template"]
    assert pods["metadata"]["annotations"]["note"] == TEMPLATE
    container = pods["spec"]["containers"][0]
    assert TEMPLATE in container["args"]
    assert {"name": "NOTE", "value": TEMPLATE} in container["env"]
    config_map = router.read("configmap", f"{router.name}-config")["data"]
    assert json.loads(config_map["tools_db.json"])[0]["description"] == TEMPLATE
    config = yaml.safe_load(config_map["config.yaml"])
    assert [model["name"] for model in config["providers"]["models"]] == [MODEL]
    assert config["global"]["model_catalog"]["modules"]["prompt_guard"]["model_id"] == TEMPLATE
    assert [endpoint["model"] for endpoint in router.get()["status"]["endpoints"]] == [MODEL]
    for kind, name in (
        ("serviceaccount", router.name),
        ("persistentvolumeclaim", f"{router.name}-models"),
    ):
        assert router.read(kind, name)["metadata"]["annotations"]["note"] == TEMPLATE


def test_no_secret_value_is_found_anywhere(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "passwords"},
        "data": {"redis": base64.b64encode(CANARY.encode()).decode()},
    }
    kubectl("apply", "-n", router.namespace, "-f", "-", stdin=json.dumps(secret))
    router.spec["config"] = {
        "response_cache": {
            "backend_type": "redis",
            "redis": {
                "connection": {
                    "host": "redis",
                    "password_secret_ref": {"name": "passwords", "key": "redis"},
                }
            },
        }
    }
    router.spec["env"] = [
        {
            "name": "HF_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "passwords", "key": "redis"}},
        }
    ]
    router.create_service()
    router.apply()
    router.wait_for("Ready")

    env = router.read("deployment", router.name)["spec"]["template"]["spec"]["containers"][0]["env"]
    names = [
        entry["name"]
        for entry in env
        if entry.get("valueFrom", {}).get("secretKeyRef", {}).get("key") == "redis"
    ]
    assert len(names) == 2, env
    config = router.read("configmap", f"{router.name}-config")["data"]["config.yaml"]
    own = next(name for name in names if name.startswith("SR_"))
    assert f"${{{own}}}" in config

    objects = kubectl("get", EVERYTHING, "-n", router.namespace, "-o", "json")
    encoded = base64.b64encode(CANARY.encode()).decode()
    artifacts = operator.artifacts(router.namespace)
    for place, text in {
        "objects, status, events": objects, "the log": operator.text, "artifacts": artifacts
    }.items():  # fmt: skip
        assert router.name in text, f"{place}: nothing of this router is in there"
        assert CANARY not in text, place
        assert encoded not in text, place


def test_a_password_in_plain_text_works_and_is_repeated_nowhere(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    password = f"{CANARY}-$(HOME)"
    connection = {"host": "redis", "password": password}
    router.spec["config"] = {
        "response_cache": {"backend_type": "redis", "redis": {"connection": connection}}
    }
    router.create_service()
    router.apply()
    router.wait_for("Ready")

    valid = router.condition("ConfigValid")
    assert (valid["status"], valid["reason"]) == ("True", "PlainTextCredential")
    assert "redis.connection.password: " in valid["message"]
    assert "password_secret_ref" in valid["message"]
    env = router.read("deployment", router.name)["spec"]["template"]["spec"]["containers"][0]["env"]
    (own,) = [entry for entry in env if entry["name"].startswith("SR_")]
    assert own["value"] == f"{CANARY}-$$(HOME)", "Kubernetes would expand $(HOME)"
    config_maps = json.dumps(kubectl("get", "configmaps", "-n", router.namespace, "-o", "json"))
    assert f"${{{own['name']}}}" in config_maps
    events = kubectl("get", "events", "-n", router.namespace, "-o", "json")
    assert "PlainTextCredential" in events
    status = json.dumps(router.get()["status"])
    for place, text in {
        "ConfigMaps": config_maps, "status": status, "events": events, "the log": operator.text
    }.items():  # fmt: skip
        assert CANARY not in text, place
