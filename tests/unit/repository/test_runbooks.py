"""Every alert leads to a section of the troubleshooting chapter, and no section is for nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import alerts
from examples import router

CHECKOUT = Path(__file__).parents[3]
CHAPTER = (CHECKOUT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


def every_alert() -> dict[str, dict[str, Any]]:
    text = (CHECKOUT / "config" / "prometheus" / "rules.yaml").read_text(encoding="utf-8")
    groups = yaml.safe_load(text)["spec"]["groups"]
    of_the_operator = [rule for group in groups for rule in group["rules"]]
    return {rule["alert"]: rule for rule in [*alerts.alerts(router()), *of_the_operator]}


def sections() -> dict[str, str]:
    """The text below each heading of the alerts."""
    (chapter,) = re.findall(r"^## Every alert\n(.*?)^## ", CHAPTER, re.MULTILINE | re.DOTALL)
    parts = re.split(r"^### (.*)\n", chapter, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    assert set(sections()) == set(every_alert())
    assert all(text.strip() for text in sections().values())


@pytest.mark.parametrize("name", every_alert())
def test_an_alert_leads_to_its_section(name: str) -> None:
    page, _, anchor = every_alert()[name]["annotations"]["runbook_url"].partition("#")
    assert anchor == name.lower(), "GitHub and MkDocs make such an anchor of a heading"
    assert page == alerts.RUNBOOK


def test_the_chapter_is_in_the_repository_of_this_collection() -> None:
    galaxy = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))
    assert f"{galaxy['repository']}/blob/main/docs/troubleshooting.md" == alerts.RUNBOOK
