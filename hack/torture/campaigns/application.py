"""Edge values in everything that Envoy's and the router's files are made of, and their own opinion.

Each operation changes some values of a sample. What the API server and the operator's rules let
through has to be a file that real Envoy starts with, and one that the router's own validator
(PyPI's vllm-sr) accepts where it is installed: else it would be on its way into a pod.

Of every few, one is about a field that routes nothing: Envoy, with stand-ins for the router and the
models, is asked the same before and after, and no other model may answer.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import router_release
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import sizes
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.examine import examine
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    AUTHORITIES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import contract
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    leaves,
    replaced,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from control_plane import ControlPlane
from control_plane.certificates import Authority

from torture import routing
from torture.ground import CHECKOUT, Ground, RefusedError, router
from torture.outcome import Outcome

NAMESPACE = "torture"
SAMPLES = CHECKOUT / "config" / "samples"
ENVOY = Path(sys.executable).parent / "envoy"
BOOTSTRAP = "envoy.yaml"
IN_POD = re.compile(rf"/etc/envoy-ca/[^\s\"']+|{re.escape(AUTHORITIES)}")
# Of a sample, what the two files are made of.
PART = ("config", "vllmEndpoints", "toolsDb", "envoy", "auth", "cors", "egressProxy")
TEXTS = (
    *("", " ", "a", "Ä", "日本", "a b", "a.b", "a/b", "/", "*", "-", "true", "null", "0x10", "1e3"),
    *("{{ 7 * 7 }}", "%REQ(:path)%", "$PATH", "${HOME}", "a: b", "- a", "#", "'", '"', "\\", "\n"),
    *("a\x00b", "a\tb", "[", "(?i)a", ".*", "a" * 64, "a" * 254, "0s", "1ms", "999999h", "-1s"),
)
# One is about what routes nothing.
OF_SO_MANY = 5
NUMBERS = (-1, 0, 1, 2, 65535, 65536, 2**31 - 1, 2**31, 2**63 - 1, 0.0, 0.5, 1.0, 1e-9, 1e9)


@dataclass
class Passed:
    """Files of one router for the validators."""

    what: str
    files: dict[str, str]
    contract: str


@dataclass
class _Campaign:
    ground: Ground
    random: random.Random
    bases: list[dict[str, Any]] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    refused: int = 0
    reported: int = 0
    passed: list[Passed] = field(default_factory=list)
    served: Passed = field(default_factory=lambda: Passed("", {}, ""))
    answers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = Client.from_options({"kubeconfig": str(self.ground.plane.kubeconfig)})

    def operate(self) -> None:
        spec = self.random.choice(self.bases)
        said = []
        for _ in range(self.random.randint(1, 3)):
            scalars = [one for one in leaves(spec) if one[1] not in ({}, [], None)]
            place, old = self.random.choice(scalars)
            value = self._other(old)
            spec = replaced(spec, place, value)
            said.append(f"spec.{'.'.join(map(str, place))}={value!r:.80}")
        self.outcome.operations += 1
        self.show("; ".join(said), spec)

    def show(self, what: str, spec: dict[str, Any]) -> bool:
        """To the API server and the rules; whether both let it through."""
        path = self.ground.router_path(NAMESPACE) + "?dryRun=All"
        try:
            taken = self.ground.api("POST", path, {**router("my-router"), "spec": spec})
        except RefusedError:
            self.refused += 1
            return False
        made = Router(taken)
        try:
            found = examine(Reads(self.client).of_one_router(), made)
            problems = [problem for problem in found.problems if problem.blocking]
            built = [] if problems else registry.build(made, found.facts)
            problems += [problem for problem in sizes.check(built) if problem.blocking]
        except Exception as error:
            self.outcome.violated("a condition for every mistake", what, repr(error))
            return False
        if problems:
            self.reported += 1
            return False
        files = {
            name: text
            for item in built
            if item["kind"] == "ConfigMap"
            for name, text in item.get("data", {}).items()
        }
        self.passed.append(Passed(what, files, contract(made.spec)))
        return True

    def change_what_routes_nothing(self, directory: Path) -> bool:
        """Whether something of it went into the files."""
        if not self.answers:
            self.show("routing", routing.spec())
            self.served = self.passed.pop()
            with routing.answers(self.served.files, directory) as found:
                self.answers = found
            expected = [routing.GENERAL, routing.SPECIAL] * 2
            if list(found.values())[:4] != [expected[n] for n in (0, 1, 0, 1)]:
                self.outcome.violated("each model answers what it is for", "nothing", found)
        spec = routing.spec()
        places = [one for one in leaves(spec) if routing.routes_nothing(one[0])]
        place, old = self.random.choice(places)
        value = self._other(old)
        what = f"spec.{'.'.join(map(str, place))}={value!r:.80}"
        self.outcome.operations += 1
        if not self.show(what, replaced(spec, place, value)):
            return False
        changed = self.passed[-1]
        if changed.files == self.served.files:
            return False
        with routing.answers(changed.files, directory) as found:
            # A limit may refuse; whoever answers is who answered before.
            others = {
                name: one for name, one in found.items() if one not in ("", self.answers[name])
            }
        if others:
            self.outcome.violated("no other model answers", what, others)
        return True

    def _other(self, value: Any) -> Any:
        if isinstance(value, bool):
            return not value
        if isinstance(value, int | float):
            return self.random.choice(NUMBERS)
        if isinstance(value, str):
            return self.random.choice(TEXTS)
        return None

    def ask_envoy(self, directory: Path) -> int:
        """How many files were shown to it."""
        authority, _ = Authority.create().pair.write(directory, "authority")
        asked = 0
        for passed in self.passed:
            if BOOTSTRAP not in passed.files:
                continue
            asked += 1
            for name, text in passed.files.items():
                # A pod's own file system is elsewhere, and has authorities.
                text = IN_POD.sub(str(authority), text).replace("/etc/envoy/", f"{directory}/")
                (directory / name).write_text(text, encoding="utf-8")
            answer = subprocess.run(
                [ENVOY, "--mode", "validate", "--config-path", directory / BOOTSTRAP],
                capture_output=True,
                text=True,
                check=False,
            )
            if answer.returncode:
                self.outcome.violated("Envoy accepts it", passed.what, answer.stderr[-600:])
        return asked

    def leave_out_what_needs_a_pod(self, directory: Path) -> None:
        """A sample that is refused as it is: it names files that only a pod has, or asks for what
        the router takes and its validator does not know. Other tests hold that samples are good.
        """
        self.ask_envoy(directory)
        self.ask_routers(directory)
        refused = {violation.what for violation in self.outcome.violations}
        self.bases = [base for n, base in enumerate(self.bases) if str(n) not in refused]
        self.outcome.violations.clear()
        self.passed.clear()

    def ask_routers(self, directory: Path) -> int:
        """How many files were shown to a validator: one process for each release."""
        asked = 0
        for release in sorted({passed.contract for passed in self.passed}):
            python = CHECKOUT / f".venv-router-{release}" / "bin" / "python"
            if not python.exists():
                continue
            shown = [passed for passed in self.passed if passed.contract == release]
            files = []
            for number, passed in enumerate(shown):
                file = directory / f"{release}-{number}.yaml"
                file.write_text(passed.files["config.yaml"], encoding="utf-8")
                files.append(file)
            results = router_release.validate(python, release, files)
            for passed, (code, output) in zip(shown, results, strict=True):
                asked += 1
                if code:
                    self.outcome.violated("the router accepts it", passed.what, output[-600:])
        return asked


def _bases() -> Iterator[dict[str, Any]]:
    """What the samples say of the two files, each over a router whose backend is there."""
    least = router("my-router")["spec"]
    yield least
    for file in sorted(SAMPLES.glob("*semanticrouter*.yaml")):
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if document and document.get("kind") == "SemanticRouter":
                spec = {key: item for key, item in document["spec"].items() if key in PART}
                yield {**least, **spec}


def run(plane: ControlPlane, seed: int, count: int, deadline: float) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        ground = Ground(plane, Path(name))
        ground.namespace(NAMESPACE)
        campaign = _Campaign(ground, random.Random(seed))  # noqa: S311
        for spec in _bases():
            for endpoint in spec.get("vllmEndpoints", []):
                # Of other kinds: not what this is about.
                service = (endpoint.get("backend") or {}).get("service") or {}
                if service.get("name") and not service.get("namespace"):
                    with suppress(RefusedError):
                        ground.service(NAMESPACE, service["name"])
            if campaign.show(str(len(campaign.bases)), spec):
                campaign.bases.append(spec)
        campaign.leave_out_what_needs_a_pod(Path(name))
        campaign.refused = campaign.reported = 0
        asked_again = 0
        for model in (routing.GENERAL, routing.SPECIAL):
            ground.service(NAMESPACE, model)
        while campaign.outcome.operations < count and time.monotonic() < deadline:
            if campaign.outcome.operations % OF_SO_MANY == 0:
                asked_again += campaign.change_what_routes_nothing(Path(name) / "pair")
            else:
                campaign.operate()
        by_envoy = campaign.ask_envoy(Path(name))
        asked = campaign.ask_routers(Path(name))
        campaign.outcome.numbers = {
            "samples": len(campaign.bases),
            "refused by the API server": campaign.refused,
            "refused by the operator": campaign.reported,
            "asked again after a change that routes nothing": asked_again,
            "shown to Envoy": by_envoy,
            "shown to the router's validator": asked,
        }
        return campaign.outcome
