"""What modules read at import is noticed, whichever way they read it."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest
from warm_runner.captures import Captures

READERS = {
    "brackets": "import os\nX = os.environ['SEEN']",
    "get": "import os\nX = os.environ.get('SEEN', 'default')",
    "getenv": "from os import getenv\nX = getenv('SEEN')",
    "membership": "from os import environ\nX = 'SEEN' in environ",
    "within a class": "import os\nclass C:\n    x = os.environ.get('SEEN')",
}


@pytest.mark.parametrize("source", READERS.values(), ids=READERS)
def test_a_variable_read_at_import_is_recorded_with_its_reader(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reader_of_variables.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SEEN", "one")
    monkeypatch.delitem(sys.modules, "reader_of_variables", raising=False)
    captures = Captures()
    with captures.recording_variables():
        __import__("reader_of_variables")
    monkeypatch.delitem(sys.modules, "reader_of_variables")
    assert captures.variables == {"SEEN": "one"}
    assert captures.differing_variables({"SEEN": "one"}) == {}
    assert captures.differing_variables({}) == {"SEEN": {"reader_of_variables"}}


def test_a_variable_that_was_not_set_differs_once_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSEEN", raising=False)
    captures = Captures()
    with captures.recording_variables():
        exec("import os; os.environ.get('UNSEEN')", {"__name__": "somebody"})  # noqa: S102
    assert captures.differing_variables({"UNSEEN": ""}) == {"UNSEEN": {"somebody"}}
    assert not captures.differing_variables({})


def test_recording_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(os.environ)
    captures = Captures()
    with captures.recording_variables():
        assert type(os.environ) is not kind
    assert type(os.environ) is kind
    os.environ.get("HOME")
    assert captures.variables == {}


def test_generators_that_were_seeded_by_chance_are_recorded() -> None:
    captures = Captures()
    source = """
import random
by_chance, again = random.Random(), random.Random(7)
again.seed()
not_any_more, chosen = random.Random(), random.Random(7)
not_any_more.seed(7)
"""
    module: dict[str, object] = {}
    with captures.recording_generators():
        exec(source, module)  # noqa: S102
    assert captures.generators == {module["by_chance"], module["again"]}
    random.Random()  # noqa: S311
    assert len(captures.generators) == 2


class Settings:
    """Stands in for Ansible's ConfigManager."""

    def get_configuration_definitions(self) -> dict[str, object]:
        return {"TIMEOUT": {}, "PAGER": {}}

    def get_config_value(self, name: str) -> str:
        return f"value of {name}"


def constants() -> ModuleType:
    module = ModuleType("constants")
    vars(module).update(config=Settings(), TIMEOUT=10, PAGER="less", LOCALHOST="not a setting")
    return module


def test_settings_read_at_import_are_recorded_and_compared() -> None:
    module, captures = constants(), Captures()
    with captures.recording_settings(module):
        read = "C.TIMEOUT; C.LOCALHOST; C.config.get_config_value('PAGER')"
        exec(read, {"C": module, "__name__": "somebody"})  # noqa: S102
    assert captures.settings == {"TIMEOUT": 10, "PAGER": "less"}
    assert captures.differing_setting(module) == ""
    vars(module)["PAGER"] = "more"
    assert captures.differing_setting(module) == "PAGER"
