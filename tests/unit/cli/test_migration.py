"""Older forms become SemanticRouters that pass, and nothing gets lost in silence."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.hosted import model_entries
from documents import DOCUMENT, FORMS, document
from examples import resource
from semantic_router_cli.files import FileError
from semantic_router_cli.migration import Migration, is_helm_values, migrate, of_a_file


def from_config(**config: Any) -> Migration:
    return migrate(resource(config=config), "unused", None)


def from_values(**values: Any) -> Migration:
    return migrate({"replicaCount": 1, **values}, "release", None)


def from_endpoint(endpoint: str, **reference: Any) -> Migration:
    model = {"name": "m", "backend_refs": [{"name": "b", "endpoint": endpoint, **reference}]}
    return from_values(config={"version": "v0.3", "providers": {"models": [model]}})


def remarks(migration: Migration) -> str:
    return "\n".join(f"{place}: {text}" for place, text in migration.remarks)


@pytest.mark.parametrize("path", [*DOCUMENT, *FORMS], ids=lambda path: path.stem)
def test_what_was_valid_before_is_valid_after(path: Any) -> None:
    migrated = migrate(document(path), "unused", None)

    assert [str(problem) for problem in migrated.problems() if problem.blocking] == []


def test_bert_model_becomes_the_embedding_model() -> None:
    bert = {"model_id": "models/mom", "threshold": "0.6", "use_cpu": True}
    config = from_config(bert_model=bert, contract="0.4").resource["spec"]["config"]

    assert "bert_model" not in config
    assert config["embedding_models"] == {
        "use_cpu": True,
        "embedding_config": {"min_score_threshold": "0.6"},
    }
    semantic = config["global"]["model_catalog"]["embeddings"]["semantic"]
    assert semantic == {"bert_model_path": "models/mom"}


def test_older_names_get_their_newer_ones() -> None:
    tracing = {"sampling": {"probability": 0.5}, "resource": {"environment": "prod"}}
    migrated = from_config(
        semantic_cache={"enabled": True, "backend_type": "memory"},
        observability={"tracing": tracing},
    )
    config = migrated.resource["spec"]["config"]

    assert config["response_cache"]["enabled"]
    assert config["observability"]["tracing"] == {
        "sampling": {"rate": 0.5},
        "resource": {"deployment_environment": "prod"},
    }
    assert "semantic_cache" in remarks(migrated)


def test_what_the_api_server_added_to_an_object_is_left_out() -> None:
    older = resource()
    older["metadata"] |= {
        "uid": "1",
        "resourceVersion": "2",
        "managedFields": [],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"},
    }
    older["status"] = {"phase": "Running"}
    migrated = migrate(older, "unused", None).resource

    assert "status" not in migrated
    assert migrated["metadata"] == {
        "name": "my-router", "namespace": "default", "annotations": {"mine": "1"},
    }  # fmt: skip


def test_a_password_becomes_a_reference_and_is_shown_nowhere() -> None:
    cache = {"enabled": True, "backend_type": "redis"}
    cache["redis"] = {"connection": {"host": "redis", "password": "hunter2"}}
    migrated = from_config(response_cache=cache)

    connection = migrated.resource["spec"]["config"]["response_cache"]["redis"]["connection"]
    assert connection["password_secret_ref"] == {
        "name": "my-router-redis", "key": "password",
    }  # fmt: skip
    assert "hunter2" not in migrated.text()
    assert "create Secret my-router-redis" in migrated.text()


@pytest.mark.parametrize(
    ("endpoint", "service"),
    [
        ("vllm.ai.svc.cluster.local:80", {"name": "vllm", "namespace": "ai", "port": 80}),
        ("vllm.models.svc:8000", {"name": "vllm", "namespace": "models", "port": 8000}),
        ("vllm:8000", {"name": "vllm", "port": 8000}),
        ("http://vllm:8000/v1", {"name": "vllm", "port": 8000}),
        ("https://vllm:9443", {"name": "vllm", "port": 9443, "scheme": "https"}),
        ("https://vllm", {"name": "vllm", "port": 443}),
    ],
)  # fmt: skip
def test_a_service_of_the_cluster_becomes_an_endpoint(
    endpoint: str, service: dict[str, Any]
) -> None:
    (entry,) = from_endpoint(endpoint).resource["spec"]["vllmEndpoints"]

    assert entry["backend"] == {"type": "service", "service": service}


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("api.openai.com:443", "reached as a hosted model is"),
        ("10.0.0.7:8000", "reached as a hosted model is"),
        ("", "name its URL in base_url"),
    ],
)
def test_an_address_outside_the_cluster_stays_and_is_told(endpoint: str, said: str) -> None:
    migrated = from_endpoint(endpoint)

    assert "vllmEndpoints" not in migrated.resource["spec"]
    assert said in remarks(migrated)
    (model,) = migrated.resource["spec"]["config"]["providers"]["models"]
    assert model["backend_refs"]


def test_weights_and_reasoning_families_go_along() -> None:
    models = [
        {
            "name": "m",
            "reasoning_family": "qwen3",
            "backend_refs": [
                {"name": "same", "endpoint": "a:1", "weight": 3},
                {"name": "same", "endpoint": "b:1"},
            ],
        }
    ]
    entries = from_values(config={"providers": {"models": models}}).resource["spec"][
        "vllmEndpoints"
    ]

    assert [entry["name"] for entry in entries] == ["same", "same-2"]
    assert [entry.get("weight") for entry in entries] == [3, None]
    assert {entry["reasoningFamily"] for entry in entries} == {"qwen3"}


def test_the_flat_configuration_of_early_routers_gives_its_endpoints() -> None:
    migrated = from_values(
        config={
            "vllm_endpoints": [{"name": "e1", "address": "vllm-qwen", "port": 8000, "weight": 1}],
            "model_config": {"qwen": {"preferred_endpoints": ["e1"], "reasoning_family": "qwen3"}},
            "default_model": "qwen",
            "categories": [{"name": "math"}],
        }
    )
    (entry,) = migrated.resource["spec"]["vllmEndpoints"]

    assert (entry["name"], entry["model"], entry["reasoningFamily"]) == ("e1", "qwen", "qwen3")
    assert migrated.resource["spec"]["config"] == {"providers": {"defaults": {"model": "qwen"}}}
    assert "vllm-sr config migrate" in remarks(migrated)
    assert migrated.lost == ["config.categories"]


def test_values_of_the_chart_become_the_fields_of_the_same_meaning() -> None:
    spec = from_values(
        replicaCount=3,
        image={"repository": "r", "tag": "", "pullPolicy": "Always"},
        **{"global": {"imageRegistry": "registry.example.com"}},
        service={"type": "ClusterIP", "port": 8000},
        extraEnv=[{"name": "B", "value": "2"}],
        env=[{"name": "A", "value": "1"}],
        autoscaling={"enabled": False, "maxReplicas": 10},
        ingress={"enabled": False, "hosts": [{"host": "example.local"}]},
        persistence={"enabled": True, "existingClaim": "", "size": "10Gi"},
    ).resource["spec"]

    assert spec == {
        "replicas": 3,
        "image": {
            "repository": "r",
            "pullPolicy": "Always",
            "imageRegistry": "registry.example.com",
        },
        "service": {"type": "ClusterIP", "api": {"port": 8000}},
        "persistence": {"enabled": True, "size": "10Gi"},
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dashboard", {"enabled": True}),
        ("dependencies", {"semanticCache": {"redis": {"enabled": True}}}),
        ("somethingNew", {"a": 1}),
    ],
)
def test_what_has_no_place_is_named(key: str, value: Any) -> None:
    assert f"{key}: not carried over" in remarks(from_values(**{key: value}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dashboard", {"enabled": False, "auth": {"enabled": True}}),
        ("dependencies", {"semanticCache": {"redis": {"enabled": False}}}),
        ("nameOverride", ""),
        ("extraEnv", []),
    ],
)
def test_what_is_off_or_empty_is_not_worth_a_word(key: str, value: Any) -> None:
    assert key not in remarks(from_values(**{key: value}))


def test_the_result_is_yaml_with_its_remarks_as_comments() -> None:
    text = from_values(dashboard={"enabled": True}).text()

    assert "# Lost: dashboard: not carried over" in text
    assert yaml.safe_load(text)["kind"] == "SemanticRouter"


def test_only_values_of_this_chart_are_taken_for_values() -> None:
    assert is_helm_values({"replicaCount": 1})
    assert is_helm_values({"gateway": {"mode": "standalone"}})
    assert not is_helm_values({"kind": "SemanticRouter", "config": {}})
    assert not is_helm_values({"foo": 1})


def test_defaults_of_an_older_document_get_the_names_that_later_routers_read() -> None:
    families = {"qwen3": {"type": "chat_template_kwargs", "parameter": "enable_thinking"}}
    defaults = {
        "default_model": "m", "default_reasoning_effort": "low", "reasoning_families": families,
    }  # fmt: skip
    config = {"version": "v0.3", "providers": {"defaults": defaults, "models": [{"name": "m"}]}}
    later = migrate({"config": config}, "r", None)
    older = migrate({"config": config, "image": {"tag": "v0.3.0"}}, "r", None)

    made = later.resource["spec"]["config"]
    assert made["providers"]["defaults"] == {"model": "m", "reasoning_effort": "low"}
    assert made["reasoning_families"] == families
    assert [problem for problem in later.problems() if problem.blocking] == []
    assert older.resource["spec"]["config"]["providers"]["defaults"] == defaults


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        ({"gateway": {"mode": "standalone", "port": 8899}}, []),
        ({"gateway": {"mode": "standalone", "tls": {"secretName": ""}}}, []),
        ({"gateway": {"mode": "standalone", "tls": {"secretName": "tls"}},
          "image": {"tag": "latest"}}, []),
        ({"gateway": {"mode": "standalone", "tls": {"secretName": "tls"}},
          "image": {"tag": "v0.4.0"}}, ["gateway.tls"]),
        ({"gateway": {"mode": "standalone", "apiKeys": ["sk-1"]}}, ["gateway.apiKeys"]),
        ({"gateway": {"mode": "extproc"}}, ["gateway.mode"]),
        ({"envFromSecrets": ["keys"]}, []),
        ({"rbac": {"create": True}, "nameOverride": "x"}, []),
        ({"somethingNew": {"enabled": True}}, ["somethingNew"]),
        ({"replicaCount": 1, "global": {"imageRegistry": "r", "imageTag": "t"}},
         ["global.imageTag"]),
        ({"replicaCount": 1, "router": {"new": 1, "skipProcessing": {"enabled": True, "by": "x"}}},
         ["router.new", "router.skipProcessing.by"]),
        ({"config": {"listeners": [{"name": "grpc", "port": 50051, "api_keys": ["sk-1"]}]}},
         ["spec.config.listeners[0].api_keys"]),
        ({"config": {"listeners": [{"name": "grpc-50051", "port": 50051, "timeout": "300s"},
                                   {"name": "http-8080", "port": 8080, "timeout": "300s"}]}}, []),
        ({"config": {"listeners": [{"port": 8899, "api_keys": ["sk-1"], "models": ["m"]}]}},
         ["spec.config.listeners[0].api_keys", "spec.config.listeners[0].models"]),
        ({"config": {"listeners": [{"port": 8080}, {"port": 8081}]}}, ["spec.config.listeners[1]"]),
        ({"config": {"vllm_endpoints": [{"name": "e", "address": "vllm", "port": 80,
                                         "models": ["m"], "api_key": "sk-1"}],
                     "model_config": {"m": {"access_key": "sk-2"}}}},
         ["config.vllm_endpoints e api_key", "config.model_config m access_key"]),
        ({"config": {"model_config": {"m": {"loras": [{"name": "law"}]}}}},
         ["config.model_config m loras"]),
        ({"envFromSecrets": {"name": "keys", "key": 1}}, []),
        ({"envFromSecrets": {"keys": True}}, ["envFromSecrets"]),
    ],
)  # fmt: skip
def test_what_has_no_way_over_is_said_to_be_lost(values: dict[str, Any], lost: list[str]) -> None:
    migrated = from_values(**values)

    assert migrated.lost == lost
    assert "sk-1" not in migrated.text()


@pytest.mark.parametrize(
    ("tag", "key"), [("v0.3.0", "type"), ("v0.4.0", "provider"), ("latest", "provider")]
)
def test_the_type_of_a_server_has_the_name_that_the_release_knows(tag: str, key: str) -> None:
    reference = {"endpoint": "shim.models.svc:8080", "type": "anthropic"}
    config = {"version": "v0.3", "providers": {"models": [{"name": "m"}]}}
    config["providers"]["models"][0]["backend_refs"] = [reference]  # type: ignore[index]
    migrated = from_values(image={"tag": tag}, config=config)

    (model,) = migrated.resource["spec"]["config"]["providers"]["models"]
    assert model["backend_refs"] == [{"endpoint": "shim.models.svc:8080", key: "anthropic"}]
    assert ("is called provider now" in remarks(migrated)) is (key == "provider")
    assert [str(problem) for problem in migrated.problems() if problem.blocking] == []


def test_a_namespace_of_the_chart_is_kept_unless_another_is_asked_for() -> None:
    values = {"replicaCount": 1, "global": {"namespace": "theirs"}}
    assert migrate(values, "r", None).resource["metadata"]["namespace"] == "theirs"
    assert migrate(values, "r", "mine").resource["metadata"]["namespace"] == "mine"


def test_a_port_of_the_newer_chart_is_that_of_the_service() -> None:
    spec = from_values(gateway={"mode": "standalone", "port": 8899}).resource["spec"]

    assert spec["service"] == {"api": {"port": 8899}}


def test_the_charts_standalone_is_a_router_that_serves_alone_where_its_release_can() -> None:
    gateway = {"mode": "standalone", "tls": {"secretName": "tls"}}
    newer = from_values(gateway=gateway, image={"tag": "latest"}).resource["spec"]
    older = from_values(gateway={"mode": "standalone"}, image={"tag": "v0.4.0"}).resource["spec"]

    assert newer["gateway"] == {"mode": "router", "tls": {"secretName": "tls"}}
    assert "gateway" not in older


def test_what_a_listener_asks_of_a_router_that_serves_alone_is_kept_and_no_key_in_plain_text() -> (
    None
):
    listener = {"port": 8899, "models": ["m"], "identity": {"trust_headers": True}}
    by_reference = migrate(
        {
            "gateway": {"mode": "standalone"},
            "image": {"tag": "latest"},
            "config": {"listeners": [{**listener, "api_keys": ["${CLIENT_KEY}"]}]},
        },
        "r",
        None,
    )
    in_plain_text = migrate(
        {
            "gateway": {"mode": "standalone"},
            "image": {"tag": "latest"},
            "config": {"listeners": [{**listener, "api_keys": ["sk-1"]}]},
        },
        "r",
        None,
    )

    (kept,) = by_reference.resource["spec"]["config"]["listeners"]
    assert kept["api_keys"] == ["${CLIENT_KEY}"]
    assert (kept["models"], kept["identity"]) == (["m"], {"trust_headers": True})
    assert [str(problem) for problem in by_reference.problems() if problem.blocking] == []
    assert by_reference.lost == []
    assert in_plain_text.lost == ["spec.config.listeners[0].api_keys"]
    assert "sk-1" not in in_plain_text.text()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"image": {"tag": 0.4}}, "image.tag is a float. Give text"),
        ({"config": "routing: {}"}, "config is a str. Give an object"),
        ({"config": {"listeners": {"port": 8899}}}, "config.listeners is a dict. Give a list"),
        ({"config": {"model_config": {"m": []}}}, "config.model_config.m is a list"),
        (
            {"config": {"providers": {"models": [{"name": "m", "backend_refs": [None]}]}}},
            "config.providers.models[0].backend_refs[0] is empty. Remove it",
        ),
        (resource(config="routing: {}"), "spec.config is a str. Give an object"),
    ],
)
def test_what_has_another_shape_is_told_with_its_place(document: Any, said: str) -> None:
    with pytest.raises(FileError) as error:
        migrate(document, "r", None)
    assert said in str(error.value)


def test_several_values_in_one_file_are_one_router_and_the_rest_is_lost() -> None:
    (migrated,) = of_a_file([{"replicaCount": 2}, {"replicaCount": 3}], "r", None)

    assert migrated.resource["spec"]["replicas"] == 2
    assert migrated.lost == ["the file"]


def test_secrets_of_the_environment_are_kept() -> None:
    spec = from_values(envFromSecrets=["keys", {"name": "more", "optional": True}]).resource["spec"]

    assert spec["envFrom"] == [
        {"secretRef": {"name": "keys"}},
        {"secretRef": {"name": "more", "optional": True}},
    ]


def test_a_timeout_that_somebody_chose_is_kept() -> None:
    migrated = from_config(listeners=[{"name": "http", "port": 8899, "timeout": "90s"}])

    (listener,) = migrated.resource["spec"]["config"]["listeners"]
    assert (listener["port"], listener["timeout"]) == (8080, "90s")
    assert [str(problem) for problem in migrated.problems() if problem.blocking] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("api_key_env", "KEY"), ("provider", "anthropic"), ("auth_header", "x-key")],
)
def test_how_a_model_is_asked_stays_in_the_document(key: str, value: str) -> None:
    migrated = from_endpoint("vllm.models.svc:8000", weight=1, **{key: value})
    spec = migrated.resource["spec"]

    (model,) = spec["config"]["providers"]["models"]
    assert model["backend_refs"][0][key] == value
    # Envoy has one way to it, and that is the one that the router knows the words for.
    assert [entry["name"] for entry in model_entries(spec)] == ["m/b"]
    assert "reached as a hosted model is" in remarks(migrated)
    assert migrated.lost == []
