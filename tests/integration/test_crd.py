"""The CRD on a real API server: what it takes, what it refuses, what it fills in and explains."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import bad_input
import documents
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from bad_input import systematic
from control_plane import Kubectl
from examples import SAMPLES

Resource = dict[str, Any]

RIGHT = [*documents.DOCUMENT, *documents.FORMS]
APPLY = ("apply", "--validate=strict", "--filename=-")
DRY_RUN = (*APPLY, "--dry-run=server")


def stored(kubectl: Kubectl, resource: Resource) -> Resource:
    """The object as the API server would keep it."""
    answer = kubectl(*DRY_RUN, "--output=json", stdin=json.dumps(resource))
    found: Resource = json.loads(answer)
    return found


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_right_objects_pass_strict_validation_and_get_the_defaults_that_crd_py_gives(
    kubectl: Kubectl, namespace: str, path: Path
) -> None:
    resource = documents.document(path, namespace)
    # The document's examples hold no null but in places that the API server drops them from.
    expected = crd.with_defaults(without_nulls(resource["spec"]))
    kept = stored(kubectl, resource)["spec"]
    assert crd.has_defaults(kept)
    assert crd.with_defaults(kept) == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_a_gitops_tool_sees_no_difference_between_a_sample_and_what_is_stored_of_it(
    kubectl: Kubectl, namespace: str, name: str
) -> None:
    in_git = deepcopy(SAMPLES[name])
    in_git["metadata"]["namespace"] = namespace
    live = stored(kubectl, in_git)
    assert list(differences(without_nulls(in_git["spec"]), live["spec"])) == []


def differences(in_git: Any, live: Any, path: str = "spec") -> Iterator[str]:
    """As Argo CD compares custom resources: what git does not say of a map does not count, and a
    list counts as a whole."""
    if isinstance(in_git, dict) and isinstance(live, dict):
        for key, value in in_git.items():
            yield from differences(value, live.get(key), f"{path}.{key}")
    elif in_git != live:
        yield path


@pytest.mark.parametrize("case", bad_input.cases(bad_input.SCHEMA, bad_input.RULE), ids=str)
def test_wrong_objects_are_refused_with_the_field(
    kubectl: Kubectl, namespace: str, case: bad_input.Case
) -> None:
    answer = kubectl.run(*DRY_RUN, stdin=json.dumps(case.resource(namespace=namespace)))
    assert answer.returncode != 0
    assert case.said in answer.stderr


def test_every_limit_that_is_broken_is_refused_with_the_field(
    kubectl: Kubectl, namespace: str
) -> None:
    """All in one kubectl: each alone would take as long as its process takes to start."""
    wrong = {f"wrong-{number}": case for number, case in enumerate(systematic.cases())}
    resources = [case.resource(name, namespace) for name, case in wrong.items()]
    answer = kubectl.run(
        "create", "--dry-run=server", "--validate=ignore", "--filename=-",
        stdin="\n---\n".join(map(json.dumps, resources)),
    )  # fmt: skip
    said = dict(
        re.findall(
            r'"(wrong-\d+)" is invalid: ?(.*?)(?=\n(?:Error|The SemanticRouter) |\Z)',
            answer.stderr,
            re.DOTALL,
        )
    )
    accepted = [str(case) for name, case in wrong.items() if name not in said]
    assert accepted == []
    misplaced = [str(case) for name, case in wrong.items() if case.field not in said[name]]
    assert misplaced == []


@pytest.mark.parametrize("case", bad_input.cases(bad_input.OPERATOR), ids=str)
def test_what_only_the_operator_can_judge_is_accepted_and_kept(
    kubectl: Kubectl, namespace: str, case: bad_input.Case
) -> None:
    resource = case.resource(namespace=namespace)
    kept = stored(kubectl, resource)["spec"]
    assert crd.with_defaults(kept) == crd.with_defaults(resource["spec"])


def test_an_object_without_a_spec_gets_every_default(kubectl: Kubectl, namespace: str) -> None:
    resource = bad_input.good(namespace=namespace)
    del resource["spec"]
    assert stored(kubectl, resource)["spec"] == crd.with_defaults({})


def test_keys_that_the_crd_does_not_know_survive_in_the_configuration(
    kubectl: Kubectl, namespace: str
) -> None:
    resource = bad_input.good(namespace=namespace)
    resource["spec"]["config"] = {
        "future_section": {"a": 1},
        "prompt_guard": {"future_key": [1, {"b": 2}]},
        "global": {"stores": {"anything": True}},
    }
    kept = stored(kubectl, resource)["spec"]["config"]
    assert kept["future_section"] == {"a": 1}
    assert kept["prompt_guard"]["future_key"] == [1, {"b": 2}]
    assert kept["global"] == {"stores": {"anything": True}}


def test_columns_show_the_state(kubectl: Kubectl, namespace: str) -> None:
    resource = bad_input.good("columns", namespace)
    kubectl(*APPLY, stdin=json.dumps(resource))
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "RouterReady",
        "message": "2 of 2 pods are ready.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {
        "phase": "Running",
        "replicas": 2,
        "readyReplicas": 2,
        "gatewayMode": "standalone",
        "conditions": [ready, {**ready, "type": "BackendsResolved"}],
    }
    patch = json.dumps({"status": status})
    kubectl(
        "patch", "sr", "columns", f"--namespace={namespace}",
        "--subresource=status", "--type=merge", f"--patch={patch}",
    )  # fmt: skip
    head, row = kubectl("get", "sr", f"--namespace={namespace}").splitlines()
    assert head.split() == ["NAME", "PHASE", "REPLICAS", "READY", "AGE"]
    assert row.split()[:4] == ["columns", "Running", "2", "2"]
    wide = kubectl("get", "vllm", f"--namespace={namespace}", "--output=wide")
    assert wide.splitlines()[0].split()[5:] == ["MODE", "BACKENDS", "REASON", "MESSAGE"]
    assert "standalone" in wide
    assert "2 of 2 pods are ready." in wide


def test_the_spec_cannot_be_changed_through_the_status(kubectl: Kubectl, namespace: str) -> None:
    kubectl(*APPLY, stdin=json.dumps(bad_input.good("subresource", namespace)))
    patch = json.dumps({"spec": {"replicas": 7}, "status": {"phase": "Running"}})
    answer = kubectl(
        "patch", "sr", "subresource", f"--namespace={namespace}",
        "--subresource=status", "--type=merge", f"--patch={patch}", "--output=json",
    )  # fmt: skip
    patched = json.loads(answer)
    assert patched["spec"]["replicas"] == 1
    assert patched["status"]["phase"] == "Running"


def test_kubectl_scale_changes_the_replicas(kubectl: Kubectl, namespace: str) -> None:
    kubectl(*APPLY, stdin=json.dumps(bad_input.good("scaled", namespace)))
    kubectl("scale", "sr", "scaled", f"--namespace={namespace}", "--replicas=3")
    scaled = json.loads(kubectl("get", "sr", "scaled", f"--namespace={namespace}", "--output=json"))
    assert scaled["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("spec.vllmEndpoints.backend.discoveryLabels", "labels that the Service carries"),
        ("spec.config.response_cache.ttl_seconds", "Seconds until an entry expires"),
        ("spec.envoy.failureModeAllow", "no request skips the guards"),
        ("spec.affinity.podAntiAffinity", "anti-affinity scheduling rules"),
    ],
)
def test_kubectl_explain_documents_fields(kubectl: Kubectl, field: str, words: str) -> None:
    explained = " ".join(kubectl("explain", f"semanticrouters.{field}").split())
    assert words in explained


def without_nulls(value: Any) -> Any:
    """A null stands for "unset" where the schema does not allow one: the API server drops it."""
    if isinstance(value, dict):
        return {key: without_nulls(child) for key, child in value.items() if child is not None}
    if isinstance(value, list):
        return [without_nulls(child) for child in value]
    return value
