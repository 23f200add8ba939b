"""What Ansible Galaxy refuses at an upload, by the rules of its importer (galaxy-importer)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[3]
GALAXY: dict[str, Any] = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))
NAME = re.compile(r"(?!.*__)[a-z][0-9a-z_]*")
# One of these at least: what its search is divided into.
TOPICS = {
    "ai", "application", "cloud", "database", "eda", "infrastructure", "linux", "monitoring",
    "networking", "security", "storage", "tools", "windows",
}  # fmt: skip


def test_no_author_is_longer_than_galaxy_takes() -> None:
    assert [author for author in GALAXY["authors"] if len(author) > 64] == []


def test_tags_are_words_that_galaxy_takes_with_a_topic_among_them() -> None:
    assert len(GALAXY["tags"]) <= 20
    assert [tag for tag in GALAXY["tags"] if not NAME.fullmatch(tag)] == []
    assert TOPICS & set(GALAXY["tags"])


def test_what_galaxy_asks_for_is_there() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?", GALAXY["version"])
    for name in ("repository", "documentation", "homepage", "issues"):
        assert GALAXY[name].startswith("https://")
    for name in (GALAXY["readme"], GALAXY["license_file"], "changelogs/changelog.yaml"):
        assert (CHECKOUT / name).is_file()
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"]


def test_the_changelog_has_no_markup_of_ansibles_documentation() -> None:
    """Which antsibull-changelog prints as it stands."""
    for file in CHECKOUT.glob("changelogs/fragments/*.yml"):
        assert re.findall(r"\b[A-Z]\([^)]+\)", file.read_text("utf-8")) == [], file.name


def test_no_changelog_fragment_is_taken_for_a_playbook() -> None:
    """By its name, as the linter of the importer does."""
    fragments = CHECKOUT.glob("changelogs/fragments/*.yml")
    assert [file.name for file in fragments if "playbook" in file.name] == []
