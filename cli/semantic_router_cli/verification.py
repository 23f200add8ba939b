"""`kubectl sr verify`: the files of a release held against their sums, signatures and provenance.

Without a network: trust is in the roots of Sigstore that its library ships, and in the one workflow
whose name the certificate of every signature has to bear. See docs/adr/0030-verify.md.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SUMS = "SHA256SUMS"
PROVENANCE = "provenance.sigstore.json"
_BUNDLE = ".sigstore.json"
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\n]+)")
_SLSA = "https://slsa.dev/provenance/"
REPOSITORY = "https://github.com/vllm-project/semantic-router-operator"
ISSUER = "https://token.actions.githubusercontent.com"


def identity(tag: str) -> str:
    """Who signs a release: its workflow, started by its tag."""
    return f"{REPOSITORY}/.github/workflows/release.yml@refs/tags/{tag}"


class NotSigned(Exception):
    """A signature is none of this file, or of somebody else."""


class Signatures(Protocol):
    """Raises NotSigned for what the release's workflow has not signed."""

    def hold(self, data: bytes, bundle: str) -> None: ...

    def statement(self, bundle: str) -> bytes: ...


@dataclass(frozen=True)
class Wrong:
    """What is wrong with one file of a directory."""

    file: str
    why: str


def problems(directory: Path, signatures: Signatures) -> Iterator[Wrong]:
    """Everything that keeps the directory from being the release, and nothing if it is."""
    sums_file = directory / SUMS
    if not sums_file.is_file():
        yield Wrong(SUMS, f"is missing: {directory} holds no release")
        return
    sums = {}
    for line in sums_file.read_text(encoding="utf-8").splitlines():
        found = _LINE.fullmatch(line)
        if not found:
            yield Wrong(SUMS, f"has a line that is no sum: {line!r}")
            return
        sums[found[2]] = found[1]
    present = {path.name for path in directory.iterdir() if path.is_file()}
    for name in sorted(present - set(sums) - {SUMS}):
        if not name.endswith(_BUNDLE):
            yield Wrong(name, f"is not of the release: {SUMS} does not name it")
    for name in sorted(sums):
        if name not in present:
            yield Wrong(name, "is missing")
        elif _digest(directory / name) != sums[name]:
            yield Wrong(name, f"is not the file that {SUMS} means: its SHA-256 is another")
    for name in sorted({SUMS, *sums} & present):
        yield from _unsigned(directory, name, signatures)
    yield from _without_provenance(directory, sums, signatures)


def _unsigned(directory: Path, name: str, signatures: Signatures) -> Iterator[Wrong]:
    bundle = directory / f"{name}{_BUNDLE}"
    if not bundle.is_file():
        yield Wrong(name, f"has no signature beside it: {bundle.name} is missing")
        return
    try:
        signatures.hold((directory / name).read_bytes(), bundle.read_text(encoding="utf-8"))
    except NotSigned as error:
        yield Wrong(name, f"is not signed by the release's workflow: {error}")


def _without_provenance(
    directory: Path, sums: dict[str, str], signatures: Signatures
) -> Iterator[Wrong]:
    file = directory / PROVENANCE
    if not file.is_file():
        yield Wrong(PROVENANCE, "is missing")
        return
    try:
        # One statement, in one line as GitHub writes them.
        statement = json.loads(signatures.statement(file.read_text(encoding="utf-8").strip()))
    except NotSigned as error:
        yield Wrong(PROVENANCE, f"is not signed by the release's workflow: {error}")
        return
    if not str(statement.get("predicateType", "")).startswith(_SLSA):
        yield Wrong(PROVENANCE, f"is no SLSA provenance: {statement.get('predicateType')}")
        return
    told = {one["name"]: one["digest"].get("sha256") for one in statement["subject"]}
    for name in sorted(sums):
        if told.get(name) != sums[name]:
            yield Wrong(name, f"has no provenance: {PROVENANCE} does not speak of this file")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


class Sigstore:
    """The signatures of one tag, by Sigstore's own library; ImportError where it is missing."""

    def __init__(self, tag: str, trusted_root: Path | None = None) -> None:
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier, policy

        self._policy = policy.Identity(identity=identity(tag), issuer=ISSUER)
        self._verifier = (
            Verifier(trusted_root=TrustedRoot.from_file(str(trusted_root)))
            if trusted_root
            else Verifier.production(offline=True)
        )

    def hold(self, data: bytes, bundle: str) -> None:
        from sigstore.errors import Error
        from sigstore.models import Bundle

        try:
            self._verifier.verify_artifact(data, Bundle.from_json(bundle), self._policy)
        except (Error, ValueError) as error:
            raise NotSigned(_first_line(error)) from error

    def statement(self, bundle: str) -> bytes:
        from sigstore.errors import Error
        from sigstore.models import Bundle

        try:
            return self._verifier.verify_dsse(Bundle.from_json(bundle), self._policy)[1]
        except (Error, ValueError) as error:
            raise NotSigned(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
