"""A dry run in paths of fields: exact, bounded, and without a single value."""

from __future__ import annotations

import copy
import json
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import plan

METADATA = {"name": "my-router", "namespace": "team"}


def deployment() -> dict[str, Any]:
    env = [{"name": "HOME", "value": "/home"}, {"name": "SR_PASSWORD", "value": "hunter2"}]
    container = {"name": "router", "args": ["-a", "-b"], "env": env}
    return {
        "kind": "Deployment",
        "metadata": {**METADATA, "resourceVersion": "1", "labels": {"a/b": "c"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
        "status": {"replicas": 1},
    }


def fields(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    found = plan.change(before, after)
    assert found.action == "change"
    return found.fields


def test_paths_lead_to_what_differs_and_show_no_value() -> None:
    after = deployment()
    container = after["spec"]["template"]["spec"]["containers"][0]
    after["spec"]["replicas"] = 2
    after["metadata"]["labels"]["a/b"] = "d"
    container["env"][1]["value"] = "hunter3"
    container["args"] = ["-a", "-c", "-d"]
    path = "spec.template.spec.containers[router]"
    found = fields(deployment(), after)
    assert found == [
        "metadata.labels[a/b]",
        "spec.replicas",
        f"{path}.args[1]",
        f"{path}.args[2]",
        f"{path}.env[SR_PASSWORD].value",
    ]
    assert "hunter" not in json.dumps(found)


def test_an_entry_that_comes_or_goes_is_named() -> None:
    after = deployment()
    container = after["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "NEW", "value": "x"}, container["env"][0]]
    path = "spec.template.spec.containers[router].env"
    assert fields(deployment(), after) == [f"{path}[SR_PASSWORD]", f"{path}[NEW]"]


def test_what_the_api_server_keeps_is_no_change() -> None:
    after = copy.deepcopy(deployment())
    after["metadata"]["resourceVersion"] = "2"
    after["status"]["replicas"] = 0
    assert fields(deployment(), after) == []


def config_map(**files: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": METADATA, "data": files}


def test_paths_lead_into_the_files_of_a_config_map() -> None:
    before = config_map(**{"config.yaml": "a: {b: 1, c: [x]}", "tools_db.json": "[]"})
    after = config_map(**{"config.yaml": "a: {b: 2, c: [x]}", "tools_db.json": '[{"a": 1}]'})
    assert fields(before, after) == ["data[config.yaml].a.b", "data[tools_db.json]"]
    broken = config_map(**{"config.yaml": "a: [", "tools_db.json": "[]"})
    assert fields(broken, before) == ["data[config.yaml]"]


def test_the_list_is_bounded() -> None:
    before = config_map(**{f"key{number}": "1" for number in range(100)})
    after = config_map(**{f"key{number}": "2" for number in range(100)})
    found = fields(before, after)
    assert len(found) == 21
    assert found[-1] == "and 80 more"
    long = config_map(**{"x" * 1000: "1"})
    assert all(len(path) <= 200 for path in fields(config_map(**{"x" * 1000: "2"}), long))


def test_the_summary_counts() -> None:
    changes = [
        plan.change(None, deployment()),
        plan.change(config_map(a="1"), config_map(a="2")),
        plan.change(config_map(a="1"), None),
    ]
    assert plan.as_dict(changes) == {
        "summary": "1 to create, 1 to change, 1 to delete",
        "changes": [
            {"kind": "Deployment", "name": "my-router", "action": "create"},
            {"kind": "ConfigMap", "name": "my-router", "action": "change", "fields": ["data.a"]},
            {"kind": "ConfigMap", "name": "my-router", "action": "delete"},
        ],
    }
    assert plan.as_dict([])["summary"] == "nothing to do"
