"""A rehearsal of the release workflow: its own scripts, in their order, as GitHub would run them.

What takes a registry or a signature is a program that writes down how it was called. So a path that
is wrong, an output that nobody wrote or a step that comes too early is found before the first tag.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kustomize
import pytest
import yaml
from release import files

CHECKOUT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((CHECKOUT / ".github/workflows/release.yml").read_text("utf-8"))
VERSION = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text("utf-8"))["version"]
TAG = f"v{VERSION}"
IMAGE = kustomize.released_image()
NAME = IMAGE.rpartition("/")[2]
BASE = "quay.io/operator-framework/ansible-operator"
DIGEST = {name: f"sha256:{letter * 64}" for name, letter in zip("obc", "123", strict=True)}
OF_IMAGE, OF_BUNDLE, OF_CHART = DIGEST.values()
OF_BASE = f"sha256:{'b' * 64}"

CALLED = """#!{python}
import json, os, pathlib, re, sys
name, words = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([name, *words]) + "\\n")
after = dict(zip(words, words[1:]))
if name == "make" and "pin-images" in words:
    pins = pathlib.Path("requirements/images.yaml")
    pins.write_text(re.sub(": null$", ": {base}", pins.read_text(), flags=re.M))
if name == "docker" and "--metadata-file" in after:
    digest = "{bundle}" if "bundle" in after["--metadata-file"] else "{image}"
    content = json.dumps({{"containerimage.digest": digest}})
    pathlib.Path(after["--metadata-file"]).write_text(content)
if name == "helm":
    print("Pushed: there\\nDigest: {chart}", file=sys.stderr)
if name == "jq":
    print(json.loads(pathlib.Path(words[-1]).read_text())["containerimage.digest"])
if name == "syft":
    for output in (word for word in words if "=dist/" in word):
        pathlib.Path(output.partition("=")[2]).write_text("{{}}")
if name == "cosign" and "sign-blob" in words:
    pathlib.Path(after["--bundle"]).write_text("{{}}")
"""


@dataclass
class Run:
    """One run of the job: where, what it was told so far, and which programs it called."""

    place: Path
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.place / "calls").read_text().splitlines()]

    def of(self, *words: str) -> list[list[str]]:
        return [call for call in self.calls if call[: len(words)] == list(words)]

    def step(self, step: dict[str, Any]) -> None:
        told = {key: self.value(str(text)) for key, text in step.get("env", {}).items()}
        for name in ("output", "env"):
            (self.place / name).write_text("")
        environment = {
            "PATH": f"{self.place}/programs:{os.environ['PATH']}", "HOME": str(self.place),
            "CALLS": str(self.place / "calls"), "GITHUB_REF_NAME": TAG, "GITHUB_SHA": "c0ffee",
            "GITHUB_OUTPUT": str(self.place / "output"), "GITHUB_ENV": str(self.place / "env"),
            "LANG": "C.UTF-8", **self.environment, **told,
        }  # fmt: skip
        # As GitHub does, and -u: a variable that nobody has set is a mistake in a script.
        shell = ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            shell, cwd=self.place / "checkout", env=environment, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{step['run']}\n{done.stdout}{done.stderr}"
        self.environment |= lines(self.place / "env")
        if "id" in step:
            self.outputs[step["id"]] = lines(self.place / "output")

    def value(self, text: str) -> str:
        """Of an expression. What no earlier step has said is a KeyError."""

        def known(found: re.Match[str]) -> str:
            first, *rest = found[1].split(".")
            if first == "steps":
                return self.outputs[rest[0]][rest[2]]
            if first == "env":
                return {**WORKFLOW["jobs"]["release"]["env"], **self.environment}[rest[0]]
            return {"github.token": "t", "secrets.GALAXY_TOKEN": "g"}[found[1]]

        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", known, text)


def lines(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("run")
    programs, checkout = place / "programs", place / "checkout"
    programs.mkdir()
    text = CALLED.format(
        python=sys.executable, image=OF_IMAGE, bundle=OF_BUNDLE, chart=OF_CHART, base=OF_BASE
    )
    for program in ("make", "docker", "helm", "cosign", "gh", "jq"):
        (programs / program).write_text(text)
        (programs / program).chmod(0o755)
    (checkout / ".venv" / "bin").mkdir(parents=True)
    for program in ("syft", "kubectl-sr", "ansible-galaxy", "antsibull-changelog"):
        (checkout / ".venv" / "bin" / program).symlink_to(programs / "docker")
    for name in ("Makefile", "Dockerfile", "galaxy.yml"):
        shutil.copy(CHECKOUT / name, checkout)
    for name in ("config/manager", "requirements"):
        shutil.copytree(CHECKOUT / name, checkout / name)
    lay_out(checkout / "dist")
    started = Run(place)
    (place / "calls").write_text("")
    for step in WORKFLOW["jobs"]["release"]["steps"]:
        if step.get("id") == "names":
            # Before there is a `make` that does nothing.
            (programs / "make").rename(place / "make")
            started.step(step)
            (place / "make").rename(programs / "make")
        elif "run" in step:
            started.step(step)
        elif "attest" in step["uses"]:
            for asked in step["with"].values():
                started.value(str(asked))
            (place / "attestation").write_text("{}")
            started.outputs |= {step.get("id", ""): {"bundle-path": str(place / "attestation")}}
    return started


def lay_out(dist: Path) -> None:
    """What `make build` and `make release` leave; test_release.py makes it in earnest."""
    dist.mkdir()
    bundle = {
        str(path.relative_to(CHECKOUT)): path.read_text("utf-8")
        for path in (*(CHECKOUT / "bundle").rglob("*.yaml"), CHECKOUT / "bundle.Dockerfile")
    }
    packed = files.archive(bundle, f"{NAME}-bundle-{VERSION}")
    (dist / f"{NAME}-bundle-{VERSION}.tar.gz").write_bytes(packed)
    for name in (
        *("install.yaml", f"{NAME}-{VERSION}.tgz", "vllm-semantic_router.tar.gz", "SHA256SUMS"),
        f"vllm-semantic_router-{VERSION}.tar.gz",
    ):
        (dist / name).write_text(name)


def test_the_image_is_built_for_two_architectures_from_the_bases_digest(run: Run) -> None:
    (built,) = (call for call in run.of("docker", "buildx", "build") if f"{IMAGE}:{TAG}" in call)
    assert "linux/amd64,linux/arm64" in built
    (context,) = (word for word in built if word.startswith(BASE))
    tag = context.partition("=")[0]
    assert context == f"{tag}=docker-image://{tag}@{OF_BASE}"
    assert f"FROM {tag} AS build" in (CHECKOUT / "Dockerfile").read_text("utf-8")


def test_every_file_is_made_with_the_image_by_its_digest_and_a_tag_that_is_checked(
    run: Run,
) -> None:
    (made,) = run.of("make", "release")
    assert {"PINNED=1", f"TAG={TAG}", f"IMG={IMAGE}:{TAG}@{OF_IMAGE}"} <= set(made)


def test_the_bundles_image_is_of_files_that_are_there(run: Run) -> None:
    (built,) = (call for call in run.of("docker", "buildx", "build") if "bundle.json" in call)
    directory = run.place / "checkout" / built[-1]
    dockerfile = run.place / "checkout" / built[built.index("--file") + 1]
    copied = re.findall(r"^COPY (\S+)", dockerfile.read_text(), re.MULTILINE)
    assert [path for path in copied if not (directory / path).is_dir()] == []
    assert len(copied) == 3


def test_sums_signatures_and_page_are_of_the_same_files(run: Run) -> None:
    dist = run.place / "checkout" / "dist"
    summed = dict(
        reversed(line.split("  ")) for line in (dist / files.SUMS).read_text().split("\n") if line
    )
    assert summed == {
        file.name: files.digest(file)
        for file in dist.iterdir()
        if file.name != files.SUMS and not file.name.endswith(".sigstore.json")
    }
    assert {f"{NAME}-image.spdx.json", f"{NAME}-image.cdx.json", "install.yaml"} <= set(summed)
    assert "vllm-semantic_router.tar.gz" not in summed
    signed = {call[-1] for call in run.of("cosign", "sign-blob")}
    assert signed == {*summed, files.SUMS}
    (page,) = run.of("gh", "release", "create", TAG)
    beside = {f"{name}.sigstore.json" for name in (*signed, "provenance")}
    assert {word.removeprefix("dist/") for word in page if word.startswith("dist/")} == {
        *signed,
        *beside,
    }


def test_images_and_chart_are_signed_by_the_digests_that_were_pushed(run: Run) -> None:
    assert {call[-1] for call in run.of("cosign", "sign")} == {
        f"{IMAGE}@{OF_IMAGE}",
        f"{IMAGE}-bundle@{OF_BUNDLE}",
        f"{IMAGE.rpartition('/')[0]}/charts/{NAME}@{OF_CHART}",
    }


def test_people_see_a_release_after_it_was_verified(run: Run) -> None:
    told = [shlex.join(call) for call in run.calls]
    (verified,) = (at for at, call in enumerate(told) if "verify dist" in call)
    seen = ("gh release create", "imagetools create", "collection publish")
    published = [next(at for at, call in enumerate(told) if words in call) for words in seen]
    assert verified < min(published)
    assert run.of("docker", "buildx", "imagetools")[0][-3:] == [
        "--tag", f"{IMAGE}:latest", f"{IMAGE}@{OF_IMAGE}",
    ]  # fmt: skip
