"""Patches of golden files are exact, tell the place, and leave out what both texts share."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from examples import facts, sample
from patches import Misfit, patch, patched

SERVICE = """\
---
kind: Service
metadata:
  name: a
spec:
  ports:
  - name: api
    port: 80
    protocol: TCP
  - name: grpc
    port: 81
    protocol: TCP
"""
ROUTE = """\
---
kind: Route
metadata:
  name: a
"""


def manifests(name: str) -> str:
    router = sample(f"vllm.ai_v1alpha1_semanticrouter_{name}")
    built = registry.build(router, facts(router, "kubernetes"))
    return "".join(f"---\n{yaml_text(manifest)}" for manifest in built)


@pytest.mark.parametrize(
    ("old", "new"), [*permutations(("simple", "gateway", "complexity", "production"), 2)]
)
def test_a_patch_makes_one_text_of_another(old: str, new: str):
    before, after = manifests(old), manifests(new)

    assert patched(before, patch(before, after)) == after


@pytest.mark.parametrize("seed", range(40))
def test_lines_that_come_go_and_move_are_found_where_they_were(seed: int):
    numbers = random.Random(seed)  # noqa: S311
    lines = manifests("air_gapped").splitlines(keepends=True)
    before = "".join(lines)
    for _ in range(numbers.randint(1, 5)):
        moved = lines.pop(numbers.randrange(1, len(lines)))
        if numbers.random() < 0.7:
            lines.insert(numbers.randrange(1, len(lines)), moved)
        if numbers.random() < 0.3:
            lines.insert(numbers.randrange(1, len(lines)), moved)
    after = "".join(lines)

    assert patched(before, patch(before, after)) == after


def test_the_same_text_has_an_empty_patch():
    assert patch(SERVICE, SERVICE) == ""
    assert patched(SERVICE, "") == SERVICE


def test_a_hunk_names_the_object_and_the_keys_and_items_around_it():
    assert patch(SERVICE, SERVICE.replace("81", "82")) == (
        "@@ Service a: spec.ports[grpc]\n-    port: 81\n+    port: 82\n"
    )


def test_an_item_that_comes_is_shown_from_its_first_line():
    item = "  - name: metrics\n    port: 82\n    protocol: TCP\n"

    assert patch(SERVICE, SERVICE.replace("  - name: grpc\n", f"{item}  - name: grpc\n")) == (
        "@@ Service a: spec.ports[api]\n     protocol: TCP\n"
        "+  - name: metrics\n+    port: 82\n+    protocol: TCP\n"
    )


def test_an_object_that_comes_or_goes_is_shown_with_the_one_before_it():
    added = "".join(f"+{line}\n" for line in ROUTE.splitlines())

    assert patch(SERVICE, SERVICE + ROUTE) == f"@@ after Service a\n{added}"
    assert patch(SERVICE + ROUTE, SERVICE) == f"@@ after Service a\n{added.replace('+', '-')}"
    assert patched(SERVICE + ROUTE, patch(SERVICE + ROUTE, ROUTE)) == ROUTE


def test_a_patch_stays_as_it_is_when_both_texts_change_alike():
    grpc = SERVICE.replace("81", "82")
    external = ("spec:\n", "spec:\n  type: LoadBalancer\n")

    assert patch(SERVICE.replace(*external), grpc.replace(*external)) == patch(SERVICE, grpc)


def test_a_patch_of_another_text_is_refused_with_the_hunk_that_has_no_place():
    difference = patch(SERVICE, SERVICE.replace("81", "82"))

    with pytest.raises(Misfit, match="port: 81"):
        patched(SERVICE.replace("81", "83"), difference)
    with pytest.raises(Misfit, match="grpc"):
        patched(SERVICE.replace("grpc", "other"), difference)
