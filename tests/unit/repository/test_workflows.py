"""The workflows: what is built on main is built to its end, with what is slow to build kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOWS = Path(__file__).parents[3] / ".github" / "workflows"
PROGRAMS = "~/.cache/semantic-router-operator"
# An action at a commit, with its release for people and for dependabot.
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return found


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", ["ci.yml", "nightly.yml"])
def test_programs_that_take_minutes_to_build_are_kept_by_their_pins(name: str) -> None:
    (cache,) = (
        step["with"] for step in steps(name) if step.get("uses", "").startswith("actions/cache@")
    )
    assert cache["path"] == PROGRAMS
    assert "hashFiles('hack/**/go.sum')" in cache["key"]
    assert "programs-${{ runner.os }}-" in cache["restore-keys"].splitlines()


def test_a_release_is_built_of_nothing_that_another_run_left() -> None:
    assert not [step for step in steps("release.yml") if "actions/cache" in step.get("uses", "")]
    go = [step for step in steps("release.yml") if "actions/setup-go" in step.get("uses", "")]
    # Its own default is to bring back modules and compiled packages.
    assert [step["with"]["cache"] for step in go] == [False, False]


def test_only_the_build_of_a_pull_request_is_cancelled_by_a_newer_one() -> None:
    for file in WORKFLOWS.glob("*.yml"):
        cancels = workflow(file.name).get("concurrency", {}).get("cancel-in-progress", False)
        assert cancels in (False, "${{ github.event_name == 'pull_request' }}"), file.name


def test_no_build_of_main_waits_where_a_newer_one_would_take_its_place() -> None:
    group = workflow("ci.yml")["concurrency"]["group"]
    assert group.endswith("github.event_name == 'pull_request' && github.ref || github.run_id }}")


def test_a_release_ends_at_the_first_program_of_a_pipe_that_fails() -> None:
    assert "| tee" in "".join(step.get("run", "") for step in steps("release.yml"))
    # GitHub's own words for bash with pipefail; without them it is bash without.
    assert workflow("release.yml")["defaults"] == {"run": {"shell": "bash"}}


def test_the_tag_that_the_guide_deploys_is_moved_once_all_is_verified() -> None:
    names = [step.get("name") for step in steps("release.yml")]
    (publish,) = (step for step in steps("release.yml") if step.get("name") == "Publish")
    assert '--tag "$IMAGE:latest" "$IMAGE@$IMAGE_DIGEST"' in publish["run"]
    assert names.index("Publish") > names.index(
        "Hold the files against what was signed, as people will"
    )


@pytest.mark.parametrize(
    ("ecosystem", "files", "pin"),
    [
        ("pip", "requirements/router-*.txt", "vllm-sr"),
        ("pip", "requirements/ansible-*.txt", "ansible-core"),
        ("gomod", "hack/kubernetes-*/go.mod", "k8s.io/*"),
    ],
)
def test_dependabot_takes_no_file_from_one_line_of_releases_to_another(
    ecosystem: str, files: str, pin: str
) -> None:
    root = WORKFLOWS.parents[1]
    assert len(list(root.glob(files))) > 1
    (update,) = (
        update
        for update in yaml.safe_load((root / ".github" / "dependabot.yml").read_text())["updates"]
        if update["package-ecosystem"] == ecosystem
    )
    ignored = {item["dependency-name"]: item.get("update-types") for item in update["ignore"]}
    assert pin in ignored
    assert ignored[pin] is None or "version-update:semver-minor" in ignored[pin]


def test_every_action_is_one_commit_and_no_workflow_may_write_as_a_whole() -> None:
    for file in WORKFLOWS.glob("*.yml"):
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "uses: " in line]
        assert [line for line in lines if not PINNED.search(line)] == [], file.name
        assert workflow(file.name)["permissions"] in ({}, {"contents": "read"}), file.name
