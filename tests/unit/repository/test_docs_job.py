"""The published site is made with what the tests build it with, by a script for anybody."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[3]


def pins(file: str) -> dict[str, str]:
    text = (CHECKOUT / "requirements" / f"{file}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def test_the_job_has_the_versions_that_the_tests_have() -> None:
    tested = {**pins("dev"), **pins("runtime")}
    published = pins("docs")
    assert {name: pin for name, pin in published.items() if tested.get(name) != pin} == {
        "mike": published["mike"]
    }


def test_the_job_runs_the_script_for_main_and_for_releases_alone() -> None:
    text = (CHECKOUT / ".github/workflows/docs.yml").read_text(encoding="utf-8")
    job = yaml.safe_load(text)
    assert job["on"] == {
        "push": {"branches": ["main"], "tags": ["v[0-9]+.[0-9]+.[0-9]+"]},
    }
    assert "hack/publish_docs" in [step.get("run") for step in job["jobs"]["publish"]["steps"]]


def test_the_script_publishes_no_other_branch() -> None:
    done = subprocess.run(
        [CHECKOUT / "hack" / "publish_docs"],
        env={"PATH": os.environ["PATH"], "REF": "refs/heads/mine", "PUSH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert "only main and the tags of releases" in done.stderr
