"""The router's stand-in is nowhere kinder than the real program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stand_ins import router
from stand_ins.ext_proc import StubRouter


def test_flags_have_the_real_ones_defaults_and_the_last_of_a_name_wins() -> None:
    found = router.flags(["-config=/a", "--port", "7", "-config", "/b"], "0.5")
    assert (found["config"], found["port"]) == ("/b", 7)
    assert (found["api-port"], found["metrics-port"], found["enable-api"]) == (8080, 9190, True)


@pytest.mark.parametrize(
    ("arguments", "contract", "said"),
    [
        (["-unknown"], "0.5", "flag provided but not defined: -unknown"),
        (["-api-bind=0.0.0.0"], "0.3", "flag provided but not defined: -api-bind"),
        (["-port"], "0.5", "flag needs an argument: -port"),
        (["-port=x"], "0.5", 'invalid value "x" for flag -port'),
    ],
)
def test_what_go_refuses_ends_the_start(arguments: list[str], contract: str, said: str) -> None:
    with pytest.raises(router.FlagError, match=said):
        router.flags(arguments, contract)


def test_a_switch_takes_its_value_behind_an_equals_sign_only() -> None:
    assert router.flags(["-enable-api=false"], "0.5")["enable-api"] is False
    assert router.flags(["-download-only", "-port=7"], "0.5")["port"] == 7


def test_the_api_is_on_loopback_unless_it_may_be_elsewhere() -> None:
    asked = {"api-bind": router.EVERYWHERE}
    assert router.api_address({"api-bind": ""}, "0.5", {}) == "127.0.0.1"
    assert router.api_address({"api-bind": ""}, "0.3", {}) == router.EVERYWHERE
    assert router.api_address(asked, "0.5", {router.CONSENT: "true"}) == router.EVERYWHERE
    with pytest.raises(SystemExit, match="demands tokens"):
        router.api_address(asked, "0.5", {})


@pytest.mark.parametrize("text", ["", "[", "version: v0.3"])
def test_a_file_that_is_no_configuration_ends_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(SystemExit, match="Failed to load config"):
        router.load(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"operator": "XOR"}, "no operator XOR"),
        ({"method": "glob"}, "no method glob"),
        ({"method": "regex", "keywords": ["maths", "("]}, "no regular expression \\("),
        ({"method": "regex", "keywords": ["a(?=b)"]}, "no regular expression a"),
        ({"method": "regex", "keywords": [r"(a)\1"]}, "no regular expression"),
        ({"method": "regex", "keywords": ["(?>a)"]}, "no regular expression"),
    ],
)
def test_a_rule_that_no_router_has_ends_the_start(rule: dict[str, Any], said: str) -> None:
    keywords = {"name": "rule", "operator": "OR", "keywords": ["maths"], **rule}
    with pytest.raises(SystemExit, match=said):
        router.judge({"routing": {"signals": {"keywords": [keywords]}}})


@pytest.mark.parametrize("method", ["", "regex", "Regex", "bm25"])
def test_a_rule_that_a_router_has_starts(method: str) -> None:
    patterns = ["poems?", r"\bode\b", "(?i)sonnet", "(?P<form>haiku)", "[a-z]{2,9}", r"c\+\+"]
    keywords = {"name": "rule", "operator": "OR", "method": method, "keywords": patterns}
    router.judge({"routing": {"signals": {"keywords": [keywords]}}})


def test_a_regular_expression_is_one_only_where_the_rule_says_so() -> None:
    rule = {"name": "verse", "operator": "OR", "keywords": ["poems?"]}
    decision = {
        "name": "verse",
        "rules": {"operator": "OR", "conditions": [{"type": "keyword", "name": "verse"}]},
        "modelRefs": [{"model": "poet"}],
    }

    def chosen(**more: Any) -> str:
        routing = {"signals": {"keywords": [{**rule, **more}]}, "decisions": [decision]}
        config = {"routing": routing, "providers": {"defaults": {"model": "other"}}}
        said = StubRouter(config, "0.5", 0).classify("A poem, please")
        return str(said["recommended_model"])

    assert chosen() == "other"
    assert chosen(method="regex") == "poet"
    assert chosen(method="regex", keywords=["POEM"]) == "poet"
    assert chosen(method="regex", keywords=["POEM"], case_sensitive=True) == "other"


def test_a_models_directory_that_it_may_not_write_to_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Root may write anywhere, but into no file as if it were a directory.
    (tmp_path / "models").touch()
    monkeypatch.chdir(tmp_path)
    state = router.State()
    with pytest.raises(SystemExit, match="Failed to download models"):
        router._load_models(state)
    assert not state.ready


def test_the_hash_of_the_file_and_of_what_is_active_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("routing: {}\n")
    state = router.State(active=router.digest(file))
    file.write_text("routing: {a: 1}\n")
    status, body, _ = router.api("/config/hash", b"", state, file, None)
    said = json.loads(body)
    assert (status, said["active_hash"]) == (200, state.active)
    assert said["hash"] == router.digest(file) != state.active
