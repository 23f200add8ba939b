"""`python -m newest_router`: what breaks with the router's newest package, before a release has it.

Every document of the newest contract (golden files, samples) is shown to the validator of the
newest vllm-sr on PyPI, and the keys of its schema are held against the table of who reads what.
For a job that runs every night: it exits 1 when a document is refused.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import router_release
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    NEWEST,
    effects,
    schema,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

CHECKOUT = Path(__file__).resolve().parents[1]
ENVIRONMENT = CHECKOUT / "build" / "newest-router"
GOLDEN = CHECKOUT / "tests" / "unit" / "golden" / "config"
SAMPLES = CHECKOUT / "config" / "samples"
SCHEMA_FILE = "lib/python3.*/site-packages/cli/config_schema/router-config-*.schema.json"


def main() -> int:
    """Says what broke, and what is new."""
    version = install()
    print(f"{schema.PACKAGE} {version}, held against contract {NEWEST}")
    with tempfile.TemporaryDirectory() as directory:
        written = [*golden_files(), *sample_files(Path(directory))]
        refused = list(refusals(written))
        documents = {file.name: yaml.safe_load(file.read_text("utf-8")) for file in written}
    for name, said in refused:
        print(f"refused  {name}: {said}")
    pinned = schema.load(NEWEST).schema
    for line in differences(pinned, newest_schema(), documents):
        print(line)
    print(f"{len(written) - len(refused)} of {len(written)} documents are accepted")
    return 1 if refused else 0


def install() -> str:
    """Puts the newest package, of whatever stage, into an environment of its own."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    quietly = ["--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [python, "-m", "pip", "install", *quietly, "--pre", "--upgrade", schema.PACKAGE],
        check=True,
    )
    code = f"from importlib.metadata import version; print(version({schema.PACKAGE!r}))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def golden_files() -> list[Path]:
    """The reviewed documents of the newest contract, each of them a whole file."""
    return sorted(GOLDEN.glob(f"*.{NEWEST}.yaml"))


def sample_files(directory: Path) -> Iterator[Path]:
    """What routers of the samples would get, as files; not of a sample for older routers alone."""
    for source in sorted(SAMPLES.glob("*.yaml")):
        for number, resource in enumerate(yaml.safe_load_all(source.read_text(encoding="utf-8"))):
            if (resource or {}).get("kind") != "SemanticRouter":
                continue
            resource["spec"] = {**(resource.get("spec") or {})}
            resource["spec"]["config"] = {**(resource["spec"].get("config") or {})}
            resource["spec"]["config"]["contract"] = NEWEST
            router = Router(resource)
            facts = discovery.offline_facts(router, PLATFORM_KUBERNETES)
            if any(problem.blocking for problem in router_config.problems(router, facts)):
                continue
            file = directory / f"{source.stem}.{number}.yaml"
            file.write_text(yaml.safe_dump(router_config.render(router, facts)), encoding="utf-8")
            yield file


def refusals(files: list[Path]) -> Iterator[tuple[str, str]]:
    """Names of documents that the package refuses, and why."""
    results = router_release.validate(ENVIRONMENT / "bin" / "python", NEWEST, files)
    for file, (code, said) in zip(files, results, strict=True):
        if code:
            yield file.name, " ".join(said.split())


def newest_schema() -> dict[str, Any]:
    """The schema of the package in its environment."""
    (file,) = ENVIRONMENT.glob(SCHEMA_FILE)
    return dict(json.loads(file.read_text(encoding="utf-8")))


def differences(
    pinned: dict[str, Any], newest: dict[str, Any], documents: dict[str, Any]
) -> Iterator[str]:
    """Keys that have gone, with what they did and for whom, and new ones, in the table's words."""
    before, now = set(leaves(pinned)), set(leaves(newest))
    contract = CONTRACTS[NEWEST]
    for place in sorted(before - now):
        row = effects.of(place, contract)
        said = f"{row.reader} read it, {row.acts}" if row else "nobody is known to have read it"
        used = ", ".join(name for name, document in documents.items() if has(document, place))
        yield f"gone     {'.'.join(place)}: {said}{f'; in {used}' if used else ''}"
    for place in sorted(now - before):
        row = effects.of(place, contract)
        said = f"{row.reader} reads it, {row.acts}" if row else "nobody has looked who reads it"
        yield f"new      {'.'.join(place)}: {said}"


def has(document: Any, place: tuple[str, ...]) -> bool:
    """The document gives a value there; "*" is any index or name."""
    if not place:
        return True
    step, *rest = place
    if isinstance(document, dict):
        below = document.values() if step == "*" else [document[k] for k in document if k == step]
    else:
        below = document if step == "*" and isinstance(document, list) else []
    return any(has(item, tuple(rest)) for item in below)


def leaves(schema_: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Every key of a JSON schema with a value of its own; "*" for any index or name."""
    definitions = schema_["$defs"]

    def walk(
        node: dict[str, Any], place: tuple[str, ...], seen: frozenset[str]
    ) -> Iterator[tuple[str, ...]]:
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            if name not in seen:
                yield from walk(definitions[name], place, seen | {name})
            return
        inner = [
            *((child, (*place, key)) for key, child in node.get("properties", {}).items()),
            *((node[key], (*place, "*")) for key in ("items",) if isinstance(node.get(key), dict)),
        ]
        if isinstance(node.get("additionalProperties"), dict):
            inner.append((node["additionalProperties"], (*place, "*")))
        choices = [*node.get("allOf", []), *node.get("anyOf", []), *node.get("oneOf", [])]
        inner += [(choice.get("then", choice), place) for choice in choices]
        for child, where in inner:
            yield from walk(child, where, seen)
        if not inner:
            yield place

    found = dict.fromkeys(walk(schema_, (), frozenset()))
    # What may also be null is a leaf as well as what its parts are.
    above = {place[:end] for place in found for end in range(len(place))}
    yield from (place for place in found if place not in above)


if __name__ == "__main__":
    sys.exit(main())
