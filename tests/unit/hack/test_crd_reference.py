"""The pages of the CRD reference: every field and rule is told, in words, with an example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import crd_reference
import docs_site
import yaml

WRITER = crd_reference.Writer([], "1.99")

LEAVES = {
    "type": "object",
    "description": "Of a `b` <c>.",
    "required": ["kind"],
    "properties": {
        "kind": {"type": "string", "enum": ["", "x"], "description": "Which."},
        "port": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 9, "default": 0},
        "either": {"x-kubernetes-int-or-string": True, "pattern": "a|b"},
        "open": {"x-kubernetes-preserve-unknown-fields": True},
    },
    "x-kubernetes-validations": [{"rule": "self.a", "message": "kind is odd; choose another"}],
}


def rows(text: str) -> dict[str, list[str]]:
    """Anchor -> the cells of its row, without tags."""
    return {
        found[1]: [re.sub("<[^>]*>", "", cell) for cell in found[2].split("</td>")[:-1]]
        for found in re.finditer(r'<tr id="([^"]*)">(.*?)</tr>', text)
    }


def page(**fields: Any) -> str:
    root = {
        "spec": {"type": "object", "properties": fields},
        "status": {"type": "object", "description": "It.", "properties": {}},
    }
    return WRITER.pages(root)[0].text


def every_page(pages: tuple[crd_reference.Page, ...]) -> Iterator[crd_reference.Page]:
    for one in pages:
        yield one
        yield from every_page(one.below)


def fields(path: str, node: dict[str, Any]) -> Iterator[str]:
    for name, child in node.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from fields(f"{path}.{name}", child)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from fields(path, node[key])


def test_every_field_below_a_page_has_a_row_with_a_description() -> None:
    root = docs_site.properties()
    told = {}
    for one in every_page(docs_site.reference()):
        path = one.source.removeprefix("reference/").removesuffix(".md").replace("/", ".")
        told |= {f"{path}.{anchor}": cells for anchor, cells in rows(one.text).items()}
    expected = {
        field
        for name, node in (*root["spec"]["properties"].items(), ("status", root["status"]))
        for field in fields(name, node)
    }
    # A child of `config` has a page instead of a row.
    assert expected - set(told) == {
        f"config.{name}" for name in root["spec"]["properties"]["config"]["properties"]
    }
    assert set(told) <= expected
    assert [field for field, cells in told.items() if not cells[2]] == []


def test_every_rule_of_the_crd_is_told_and_none_of_its_expressions() -> None:
    text = "\n".join(one.text for one in every_page(docs_site.reference()))

    def rules(node: Any) -> Iterator[dict[str, str]]:
        if isinstance(node, dict):
            yield from node.get("x-kubernetes-validations", [])
            for value in node.values():
                yield from rules(value)

    found = list(rules(docs_site.properties()["spec"]["properties"]))
    assert len(found) > 50
    for rule in found:
        assert crd_reference._sentence(rule["message"]) in text, rule["message"]
        assert rule["rule"] not in text
    assert "self." not in text
    assert "has(" not in text


def test_a_row_tells_type_default_constraints_and_description() -> None:
    told = rows(page(item=LEAVES))
    assert told["kind"] == ["kind", "string", "Which.Required. One of &quot;&quot;, x."]
    assert told["port"] == ["port", "int32", "Default: 0. At least 1. At most 9."]
    assert told["either"][1:] == ["integer or string", "Pattern: a|b."]
    assert told["open"][1] == "any"


def test_a_rule_is_what_is_refused_and_what_to_do_then() -> None:
    assert "<li>kind is odd. Choose another.</li>" in page(item=LEAVES)


def test_a_description_is_text_but_for_what_stands_between_backticks() -> None:
    assert "<p>Of a <code>b</code> &lt;c&gt;.</p>" in page(item=LEAVES)


def test_entries_of_lists_and_maps_are_below_their_field_under_its_path() -> None:
    listed = {"type": "array", "items": LEAVES, "x-kubernetes-list-map-keys": ["kind"]}
    mapped = {"type": "object", "additionalProperties": LEAVES}
    text = page(item={"type": "object", "properties": {"listed": listed, "mapped": mapped}})
    told = rows(text)
    assert told["listed"][1:] == ["list of object", "No two entries with the same kind."]
    assert told["mapped"][1] == "map of object"
    assert {"listed.kind", "mapped.kind"} < set(told)
    assert "## listed[] { #listed-fields }" in text
    assert "## mapped&#123;&#125; { #mapped-fields }" in text
    assert text.count("kind is odd") == 2


def test_a_type_of_kubernetes_leads_to_its_reference_and_hides_what_is_far_below() -> None:
    core = {crd_reference.TYPE: "io.k8s.api.core.v1.Affinity", "type": "object"}
    deep = {
        **core,
        "properties": {
            "b": {
                **core,
                "properties": {
                    "c": {**core, "properties": {"d": {"type": "string", "description": "D."}}}
                },
            }
        },
    }
    text = page(item=deep)
    assert 'kubernetes-api/v1.99/#affinity-v1-core">Affinity</a>' in text
    assert text.index("<details") < text.index('id="b.c.d"')
    assert text.index('id="b.c"') < text.index("<details")


def test_the_links_go_to_the_kubernetes_that_is_tested() -> None:
    assert re.fullmatch(r"1\.\d+", docs_site.writer().minor)


def test_an_example_is_the_samples_own_lines_under_those_that_lead_to_them() -> None:
    sample = (
        "kind: X\nspec:\n  a: 1\n\n  # of b\n  b: # why\n    c:\n      - d: 1\n\n"
        "    # of e\n    e: 2\n  f: 3\n"
    )
    assert crd_reference.excerpt(sample, ("spec", "b", "c")) == (
        "spec:\n  b: # why\n    c:\n      - d: 1"
    )
    assert crd_reference.excerpt(sample, ("spec", "f")) == "spec:\n  f: 3"
    assert crd_reference.excerpt(sample, ("spec", "none")) == ""
    assert crd_reference.excerpt(sample, ("spec", "b", "a")) == ""


def test_every_page_of_spec_has_an_example_that_is_yaml() -> None:
    # The first is written by nobody, the second is the former name of another.
    without = {"reference/status.md", "reference/config/semantic_cache.md"}
    for one in every_page(docs_site.reference()):
        if one.source not in without and not one.below:
            examples = re.findall(r"```yaml\n(.*?)\n```", one.text, re.DOTALL)
            assert examples, one.source
            for example in examples:
                node = yaml.safe_load(example)
                for name in ("spec", *one.source.removesuffix(".md").split("/")[1:]):
                    node = node[name]
