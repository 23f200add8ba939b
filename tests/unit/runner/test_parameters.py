"""Extra vars are what ansible-operator's runner.go makes of the same object."""

from __future__ import annotations

import json
from typing import Any

from wrapper_runner.parameters import (
    extra_vars,
    host_name,
    host_vars,
    mark_unsafe,
    object_variable,
)
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Kind

KIND = Kind("vllm.ai", "v1alpha1", "SemanticRouter")
JINJA = "{{ lookup('pipe', 'id') }}"


def router(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "my-router", "namespace": "ai"},
        "spec": spec,
    }


def test_spec_keys_keep_their_names_and_the_object_is_there_whole() -> None:
    cr = router(replicas=2, vllmEndpoints=[{"name": "a"}])
    assert extra_vars(KIND, cr, {}, unsafe=False) == {
        "replicas": 2,
        "vllmEndpoints": [{"name": "a"}],
        "ansible_operator_meta": {"name": "my-router", "namespace": "ai"},
        "_vllm_ai_semanticrouter": cr,
        "_vllm_ai_semanticrouter_spec": cr["spec"],
    }


def test_group_and_kind_become_a_variable_name() -> None:
    assert object_variable(Kind("cert-manager.io", "v1", "Issuer")) == "_cert_manager_io_issuer"


def test_variables_of_the_watch_win() -> None:
    variables = {"replicas": 9, "ansible_operator_meta": "mine"}
    parameters = extra_vars(KIND, router(replicas=2), variables, unsafe=True)
    assert parameters["replicas"] == 9
    assert parameters["ansible_operator_meta"] == "mine"


def test_spec_cannot_replace_what_the_operator_says() -> None:
    cr = router(ansible_operator_meta="forged", _vllm_ai_semanticrouter="forged")
    parameters = extra_vars(KIND, cr, {}, unsafe=False)
    assert parameters["ansible_operator_meta"]["name"] == "my-router"
    assert parameters["_vllm_ai_semanticrouter"]["metadata"]["name"] == "my-router"


def test_object_without_a_spec_has_an_empty_one() -> None:
    cr = {"metadata": {"name": "bare"}}
    parameters = extra_vars(KIND, cr, {}, unsafe=True)
    assert parameters["_vllm_ai_semanticrouter"]["spec"] == {}
    assert parameters["_vllm_ai_semanticrouter_spec"] == {}
    assert parameters["ansible_operator_meta"] == {"name": "bare", "namespace": ""}


def test_every_string_value_is_marked_unsafe_and_nothing_else() -> None:
    value = {"text": JINJA, "list": ["a", 1, None, {"deep": "b"}], "flag": True, "ratio": 0.5}
    assert mark_unsafe(value) == {
        "text": {"__ansible_unsafe": JINJA},
        "list": [{"__ansible_unsafe": "a"}, 1, None, {"deep": {"__ansible_unsafe": "b"}}],
        "flag": True,
        "ratio": 0.5,
    }


def test_no_string_of_the_object_stays_unmarked() -> None:
    cr = router(config={"text": JINJA}, args=[JINJA])
    cr["metadata"]["annotations"] = {"note": JINJA}
    text = json.dumps(extra_vars(KIND, cr, {}, unsafe=True))
    assert text.count(json.dumps(JINJA)) == text.count(json.dumps({"__ansible_unsafe": JINJA}))


def test_variables_of_a_host_are_those_of_a_run_by_itself_without_marks() -> None:
    cr = router(replicas=2, vllmEndpoints=[{"name": JINJA}])
    assert host_vars(KIND, cr) == extra_vars(KIND, cr, {}, unsafe=False)


def test_object_does_not_say_how_its_host_is_reached() -> None:
    cr = router(ansible_connection="ssh", ansible_python_interpreter="evil", replicas=1)
    variables = host_vars(KIND, cr)
    assert not {"ansible_connection", "ansible_python_interpreter"} & variables.keys()
    assert variables["ansible_operator_meta"]["name"] == "my-router"
    assert variables["replicas"] == 1
    assert variables["_vllm_ai_semanticrouter"] == cr


def test_hosts_of_different_objects_have_different_names() -> None:
    keys = [Key("a", "b.c"), Key("a-b", "c"), Key("a", "b-c"), Key("a", "b"), Key("", "all")]
    assert [host_name(key) for key in keys] == ["a.b.c", "a-b.c", "a.b-c", "a.b", "cluster.all"]
