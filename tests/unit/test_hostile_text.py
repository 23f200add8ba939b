"""Nothing that anybody writes makes the operator or the plugin stumble: it is judged, or built.

hypothesis makes the text. HYPOTHESIS_EXAMPLES makes more of it, for a run by hand.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import bad_input
import pytest
import schema_walk
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import place
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd, duration
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.quantity import quantity
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import parsed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schema_walk import Place
from semantic_router_cli import asking, files, log, migration, rollout, tree
from wrapper_runner import durations, watches
from wrapper_runner.problems import StartError

OPTIONS = ("reconcilePeriod", "selector", "finalizer", "vars", "blacklist")
SAMPLES = Path(__file__).parents[2] / "config" / "samples"
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))

examined = settings(
    max_examples=EXAMPLES, deadline=None, database=None,
    derandomize="HYPOTHESIS_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip

# What breaks programs that take text for something else, and anything at all.
TEXT = st.one_of(
    st.sampled_from(
        [
            "", " ", "null", "~", "yes", "0x10", "1e999", "-1", "{{ 1 + 1 }}", "{% raw %}",
            "${HOME}", "a\nb: c", "---\n", "\u2028", "\x7f", "\u202e", "'", '"', "%s",
            "%START_TIME%", "../../x", "a" * 300, "!!python/object/apply:os.system [id]", "*alias",
            "<<", "\ud7ff", "[::1]:80",
        ]
    ),
    st.text(max_size=40),
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**40), 2**63), st.floats(allow_nan=False), TEXT
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)


@cache
def samples() -> list[dict[str, Any]]:
    found = [
        document
        for file in sorted(SAMPLES.glob("vllm*.yaml"))
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
    ]
    return [bad_input.good(), *(one for one in found if one["kind"] == "SemanticRouter")]


def every_place(value: Any, place: Place = ()) -> list[Place]:
    found = [place]
    if isinstance(value, (dict, list)):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in inner:
            found += every_place(item, (*place, key))
    return found


@contextmanager
def refused_with(*errors: type[Exception], saying: str = ".") -> Iterator[None]:
    """Either nothing is raised, or one of these with words for a person."""
    try:
        yield
    except errors as error:
        said = str(error)
    else:
        return
    assert re.search(saying, said)


@st.composite
def damaged_routers(draw: st.DrawFn) -> dict[str, Any]:
    """A sample in which some values are others."""
    router = draw(st.sampled_from(samples()))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(every_place(router["spec"])[1:] or [("replicas",)]))
        router = schema_walk.written(router, ("spec", *place), draw(VALUES))
    return router


@examined
@given(damaged_routers())
def test_any_router_is_judged_or_built(router: dict[str, Any]) -> None:
    problems = rules.check(Router(router), Facts())
    assert all(problem.found and problem.remedy for problem in problems)
    if not any(problem.blocking for problem in problems):
        for manifest in registry.build(Router(router), Facts(), registry.CONCERNS):
            assert yaml.safe_load(yaml_text(manifest)) == manifest


@examined
@given(damaged_routers())
def test_what_an_api_server_lets_through_is_judged_or_built(router: dict[str, Any]) -> None:
    """It fills in the defaults, and the operator then looks at the structure no more."""
    if not crd.validate(router):
        served = {**router, "spec": crd.with_defaults(router["spec"])}
        problems = rules.check(Router(served), Facts())
        if not any(problem.blocking for problem in problems):
            with refused_with(RouterError):
                registry.build(Router(served), Facts(), registry.CONCERNS)


@examined
@given(VALUES)
def test_any_number_time_and_address_is_read_or_refused(value: Any) -> None:
    duration.seconds(value)
    quantity(value)
    parsed(value)
    with refused_with(ValueError, saying="write it like"):
        durations.seconds(str(value))


@examined
@given(st.one_of(TEXT, VALUES.map(yaml.safe_dump), st.binary(max_size=60)))
def test_any_file_of_the_plugin_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    file = tmp_path_factory.mktemp("file") / "any.yaml"
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    file.write_bytes(raw)
    with refused_with(files.FileError, saying=re.escape(str(file))):
        assert all(isinstance(one, dict) for one in files.documents(str(file)))


@examined
@given(
    st.lists(
        st.fixed_dictionaries(
            {"version": VALUES, "group": VALUES, "kind": VALUES, "playbook": VALUES},
            optional=dict.fromkeys(
                ("reconcilePeriod", "selector", "finalizer", "vars", "blacklist"), VALUES
            ),
        ),
        max_size=2,
    )
)
def test_any_watches_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Any]
) -> None:
    file = tmp_path_factory.mktemp("watches") / "watches.yaml"
    file.write_text(yaml.safe_dump(entries), encoding="utf-8", errors="surrogatepass")
    with refused_with(StartError, saying=re.escape(str(file))):
        watches.load(file, {})


HELM_VALUES = [
    {
        "replicaCount": 2,
        "image": {"repository": "example.com/router", "tag": "v0.4.0"},
        "service": {"type": "ClusterIP", "port": 80},
        "gateway": {"mode": "standalone", "tls": {"secretName": "tls"}},
        "router": {"skipProcessing": {"enabled": True}},
        "env": [{"name": "A", "value": "b"}],
        "envFromSecrets": ["keys"],
        "config": {
            "bert_model": {"model_id": "m", "threshold": 0.6},
            "vllm_endpoints": [{"name": "a", "address": "vllm", "port": 80, "models": ["x"]}],
            "model_config": {"x": {"preferred_endpoints": ["a"], "reasoning_family": "f"}},
            "default_model": "x",
            "categories": [{"name": "m", "model_scores": [{"model": "x", "score": 1.0}]}],
            "observability": {"tracing": {"sampling": {"probability": 1}}},
        },
    },
    {
        "configOverride": {
            "version": "v0.3",
            "listeners": [{"name": "a", "port": 8080, "timeout": "9s", "api_keys": ["k"]}],
            "providers": {
                "defaults": {"default_model": "x", "reasoning_families": {"f": {}}},
                "models": [{"name": "x", "backend_refs": [{"name": "e", "endpoint": "vllm:80"}]}],
            },
            "routing": {"modelCards": [{"name": "replace-with-your-model"}]},
        }
    },
]


@st.composite
def damaged_files(draw: st.DrawFn) -> dict[str, Any]:
    """Helm values or a SemanticRouter in which some values are others."""
    found = draw(st.sampled_from([*HELM_VALUES, *samples()]))
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.sampled_from(every_place(found)[1:] or [("config",)]))
        found = schema_walk.written(found, where, draw(VALUES))
    return found


@examined
@given(damaged_files())
def test_any_file_is_migrated_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    file = tmp_path_factory.mktemp("file") / "any.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8", errors="surrogatepass")
    with refused_with(files.FileError, saying=r"Give |Remove it|Name a readable"):
        for migrated in migration.of_a_file(files.documents(str(file)), "a", None):
            assert migrated.text().startswith("---")


# What is in a message of the API server's, of its policies and of its webhooks.
WORDS = [
    "spec.", "containers", "[0]", "[", "]", "[name=", '"router"', "metadata.annotations", "/spec/",
    "data[config.yaml]", 'Invalid value: "\\x07"', 'Invalid value: "\\U000e0001"', ": ", ".", "=",
    "\u00b2", "[\u00b2]", "/\u00b2/", "[" * 2000,
]  # fmt: skip
MESSAGES = st.lists(st.one_of(TEXT, st.sampled_from(WORDS)), max_size=6).map("".join)
REFUSED: dict[str, Any] = {
    "metadata": {"annotations": {"a\x07": "1", "b/c.d": "2"}},
    "spec": {"containers": [{"name": "router", "args": ["x"], "ports": [{"containerPort": 80}]}]},
    "data": {"config.yaml": "x"},
}


@examined
@given(MESSAGES, MESSAGES)
def test_whatever_the_api_server_says_leads_to_a_place_or_nowhere(where: str, text: str) -> None:
    found = [
        place.path(where, REFUSED),
        *place.named_in(text, REFUSED),
        ("metadata", "annotations"),
    ]
    for one in found:
        assert place.narrowed(one, text, REFUSED)[: len(one)] == one
        assert place.longest(one, REFUSED)[: len(one)] == one


# What programs of others say, in JSON and nearly so.
SAID = st.one_of(VALUES, st.sampled_from([float("inf"), float("nan"), "routing_decision"]))
DEEP = "[" * 100_000
ANSWERS = st.one_of(
    SAID.map(lambda said: json.dumps({"choices": said})),
    SAID.map(lambda said: json.dumps({"choices": [{"message": said}]})),
    SAID.map(lambda said: json.dumps({"error": said})),
    TEXT, st.just(DEEP),
)  # fmt: skip
HEADERS = (
    "x-vsr-selected-model", "x-vsr-matched-keywords", "x-vsr-jailbreak-blocked",
    "x-vsr-response-path", "x-envoy-upstream-service-time",
)  # fmt: skip
FIELDS = ("msg", "event", "upstream", "upstream_host", "model", "decision", "routing_latency_ms")


@examined
@given(
    st.dictionaries(st.sampled_from(HEADERS), st.one_of(TEXT, st.sampled_from(["inf", "nan"]))),
    st.lists(st.dictionaries(st.sampled_from(FIELDS), SAID), max_size=2),
    ANSWERS,
    st.sampled_from([200, 400, 503]),
)
def test_whatever_router_envoy_and_model_say_of_a_request_is_told(
    headers: dict[str, str], lines: list[dict[str, Any]], answer: str, status: int
) -> None:
    router = Router(bad_input.good())
    body = answer.encode("utf-8", "surrogatepass")
    told = asking.trace(router, "1", "pod", status, headers, body, lines, 3)
    assert told.status == status
    for text in (answer, *map(json.dumps, lines)):
        assert isinstance(log.Line("2026-01-01T00:00:00.1Z", "pod", "router", text).said, str)


MOMENTS = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.123456789Z", "2026-01-01T00:00:00.1Z", None]


@examined
@given(
    st.lists(
        st.fixed_dictionaries(
            {"reason": TEXT, "message": st.one_of(TEXT, st.none())},
            optional=dict.fromkeys(("lastTimestamp", "eventTime"), st.sampled_from(MOMENTS)),
        ),
        max_size=3,
    )
)
def test_any_event_is_shown(events: list[dict[str, Any]]) -> None:
    router = Router(bad_input.good())
    about = {"kind": "SemanticRouter", "name": router.name}
    seen = [{**one, "type": "Warning", "involvedObject": about, "metadata": {}} for one in events]
    root = tree.tree(tree.View(router, events=seen), datetime(2026, 1, 1, tzinfo=UTC))
    shown = [node.reason for node in root.all() if node.kind == "event"]
    assert set(shown) <= {str(one["reason"]) for one in events}


@pytest.mark.parametrize("levels", [65, 400, 20_000])
@pytest.mark.parametrize("wall", ["[]", "{}"])
def test_a_file_without_a_floor_is_refused(tmp_path: Path, levels: int, wall: str) -> None:
    opening = wall[0] + ("a: " if wall == "{}" else "")
    file = tmp_path / "any.yaml"
    file.write_text(f"kind: SemanticRouter\nspec: {opening * levels}{wall[1] * levels}\n")
    with pytest.raises(files.FileError, match=r"is nested .* Write it flatter"):
        files.documents(str(file))


@examined
@given(TEXT)
def test_any_goal_is_read_or_refused(text: str) -> None:
    with refused_with(rollout.GoalError, saying="give one of"):
        assert rollout.Goal.parse(text).status
