"""What breaks with the router's newest package is said in the words of the table of effects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import newest_router
import pytest


def schema_of(*places: str) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for place in places:
        below = properties
        *above, last = place.split(".")
        for step in above:
            below = below.setdefault(step, {"properties": {}})["properties"]
        below[last] = {"type": "string"}
    return {"$defs": {}, "properties": properties}


def test_a_key_that_has_gone_is_said_with_who_read_it_and_which_documents_have_it() -> None:
    place = "global.services.startup_status.path"
    using = {"global": {"services": {"startup_status": {"path": "x"}}}}
    documents = {"one.yaml": using, "other.yaml": {"global": {"services": {}}}}
    (line,) = newest_router.differences(
        schema_of("version", place), schema_of("version"), documents
    )
    assert line.startswith(f"gone     {place}: the router read it, ")
    assert line.endswith("; in one.yaml")


def test_a_new_key_is_said_to_be_unknown_unless_the_table_has_a_row_for_it() -> None:
    known, unknown = "global.services.startup_status.new", "global.entirely_new"
    newest = schema_of("version", known, unknown)
    unread, read = newest_router.differences(schema_of("version"), newest, {})
    assert unread == f"new      {unknown}: nobody has looked who reads it"
    assert read.startswith(f"new      {known}: the router reads it, ")


@pytest.mark.parametrize(("refused", "status"), [([], 0), ([("a.yaml", "no such key")], 1)])
def test_a_refused_document_fails_the_job_and_is_named(
    refused: list[tuple[str, str]],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def sample(directory: Path) -> Iterator[Path]:
        file = directory / "a.yaml"
        file.write_text("{}")
        yield file

    monkeypatch.setattr(newest_router, "install", lambda: "9.9")
    monkeypatch.setattr(newest_router, "golden_files", list)
    monkeypatch.setattr(newest_router, "sample_files", sample)
    monkeypatch.setattr(newest_router, "refusals", lambda _files: iter(refused))
    monkeypatch.setattr(
        newest_router,
        "newest_schema",
        lambda: newest_router.schema.load(newest_router.NEWEST).schema,
    )
    assert newest_router.main() == status
    said = capsys.readouterr().out
    assert ("refused  a.yaml: no such key" in said) == bool(status)
    assert f"{1 - status} of 1 documents are accepted" in said


def test_every_sample_for_routers_of_today_is_shown(tmp_path: Path) -> None:
    names = {file.name for file in newest_router.sample_files(tmp_path)}
    assert "vllm.ai_v1alpha1_semanticrouter_every_field.0.yaml" in names
    assert len(names) > 10
