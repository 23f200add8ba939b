"""What the site adds to the pages: the CRD reference, and links that leave docs/."""

from __future__ import annotations

from typing import Any

import docs_site
import pytest
import yaml

REPOSITORY = "https://example.com/repo"

LEAVES = {
    "type": "object",
    "description": "Of a | b.",
    "required": ["kind"],
    "properties": {
        "kind": {"type": "string", "enum": ["", "x"], "description": "Which."},
        "port": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 9, "default": 0},
        "either": {"x-kubernetes-int-or-string": True, "pattern": "a|b"},
        "open": {"x-kubernetes-preserve-unknown-fields": True},
    },
    "x-kubernetes-validations": [{"rule": "true", "message": "kind is odd; choose another"}],
}


def crd(**fields: Any) -> str:
    properties = {"spec": {"type": "object", "properties": fields}, "status": {"properties": {}}}
    version = {"name": "v1", "schema": {"openAPIV3Schema": {"properties": properties}}}
    return yaml.safe_dump({"spec": {"group": "example.com", "versions": [version]}})


def rows(page: str) -> dict[str, list[str]]:
    """Field -> its other cells."""
    cells = [line[2:-2].split(" | ") for line in page.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in cells}


def fields(node: dict[str, Any], path: str) -> list[str]:
    found = [path]
    for name, child in node.get("properties", {}).items():
        found += fields(child, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", ".{}")):
        if isinstance(node.get(key), dict):
            found += fields(node[key], path + mark)[1:]
    return found


def test_every_field_of_the_crd_has_its_row() -> None:
    text = docs_site.CRD.read_text(encoding="utf-8")
    root = yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    expected = [
        field
        for part in ("spec", "status")
        for name, node in root[part]["properties"].items()
        for field in fields(node, f"{part}.{name}")
    ]
    assert list(rows(docs_site.reference(text))) == expected


def test_a_row_tells_type_default_constraints_and_description() -> None:
    told = rows(docs_site.reference(crd(item=LEAVES)))
    assert told["spec.item"] == ["object", "", "kind is odd; choose another", "Of a &#124; b."]
    assert told["spec.item.kind"] == ["string", "", 'required<br>one of `""`, `x`', "Which."]
    assert told["spec.item.port"] == ["int32", "`0`", "at least 1<br>at most 9", ""]
    assert told["spec.item.either"] == ["integer or string", "", "matches `a|b`", ""]
    assert told["spec.item.open"][0] == "any"


def test_entries_of_lists_and_maps_are_below_their_field() -> None:
    listed = {"type": "array", "items": LEAVES, "x-kubernetes-list-map-keys": ["kind"]}
    mapped = {"type": "object", "additionalProperties": LEAVES}
    told = rows(docs_site.reference(crd(listed=listed, mapped=mapped)))
    assert told["spec.listed"][:3] == [
        "list of object",
        "",
        "unique by kind<br>each: kind is odd; choose another",
    ]
    assert "spec.listed[].kind" in told
    assert told["spec.mapped"][0] == "map of object"
    assert "spec.mapped.{}.kind" in told


@pytest.mark.parametrize(
    ("link", "place"),
    [
        ("../../config/samples", f"{REPOSITORY}/tree/main/config/samples"),
        ("../../watches.yaml", f"{REPOSITORY}/blob/main/watches.yaml"),
        ("config.md#sections", "config.md#sections"),
        ("../../no-such-file", "../../no-such-file"),
        ("https://example.com/x", "https://example.com/x"),
        ("#here", "#here"),
    ],
)
def test_links_out_of_the_site_lead_to_the_repository(link: str, place: str) -> None:
    text = docs_site.outward(f"[x]({link})", "guide/storage.md", REPOSITORY)
    assert text == f"[x]({place})"
