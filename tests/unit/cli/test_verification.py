"""A directory is the release, or one hears which file is not, and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from semantic_router_cli import commands, verification
from semantic_router_cli.verification import ISSUER, PROVENANCE, SUMS, NotSigned
from stand_in_sigstore import StandInSigstore
from typer.testing import CliRunner

FILES = {"install.yaml": b"kind: Namespace\n", "chart.tgz": b"packed"}


class Signed:
    """A bundle that holds for the bytes whose digest it is, in place of Sigstore's."""

    def hold(self, data: bytes, bundle: str) -> None:
        if bundle != digest(data):
            raise NotSigned("another one's")

    def statement(self, bundle: str) -> bytes:
        if not bundle.startswith("{"):
            raise NotSigned("no envelope")
        return bundle.encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def statement(**other: object) -> str:
    subjects = [{"name": name, "digest": {"sha256": digest(data)}} for name, data in FILES.items()]
    return json.dumps(
        {"predicateType": "https://slsa.dev/provenance/v1", "subject": subjects} | other
    )


@pytest.fixture
def release(tmp_path: Path) -> Path:
    sums = "".join(f"{digest(data)}  {name}\n" for name, data in FILES.items()).encode()
    for name, data in {**FILES, SUMS: sums}.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / f"{name}.sigstore.json").write_text(digest(data))
    (tmp_path / PROVENANCE).write_text(statement() + "\n")
    return tmp_path


def wrong(directory: Path) -> list[tuple[str, str]]:
    found = verification.problems(directory, Signed())
    return [(problem.file, problem.why) for problem in found]


def test_what_was_released_is_the_release(release: Path) -> None:
    assert wrong(release) == []


def forge(directory: Path) -> None:
    """All of it that takes no signature: file, sums."""
    (directory / "chart.tgz").write_bytes(b"forged")
    text = (directory / SUMS).read_text()
    (directory / SUMS).write_text(text.replace(digest(b"packed"), digest(b"forged")))


WRONG: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a changed file": (lambda d: (d / "chart.tgz").write_bytes(b"x"), "chart.tgz", "SHA-256"),
    "a forged file with its sum": (forge, SUMS, "not signed"),
    "a missing file": (lambda d: (d / "chart.tgz").unlink(), "chart.tgz", "is missing"),
    "a file too many": (lambda d: (d / "x").touch(), "x", "not of the release"),
    "no signature": (lambda d: (d / "chart.tgz.sigstore.json").unlink(), "chart.tgz", "signature"),
    "a signature of another file": (
        lambda d: (d / "chart.tgz.sigstore.json").write_text("0"), "chart.tgz", "not signed",
    ),
    "no sums": (lambda d: (d / SUMS).unlink(), SUMS, "is missing"),
    "sums that are none": (lambda d: (d / SUMS).write_text("x"), SUMS, "no sum"),
    "a sum of a file elsewhere": (
        lambda d: (d / SUMS).write_text(f"{'a' * 64}  ../x\n"), SUMS, "no sum",
    ),
    "no provenance": (lambda d: (d / PROVENANCE).unlink(), PROVENANCE, "is missing"),
    "provenance that nobody signed": (
        lambda d: (d / PROVENANCE).write_text("x"), PROVENANCE, "not signed",
    ),
    "a statement of something else": (
        lambda d: (d / PROVENANCE).write_text(statement(predicateType="x")), PROVENANCE, "no SLSA",
    ),
    "provenance of another release": (
        lambda d: (d / PROVENANCE).write_text(statement(subject=[])), "chart.tgz", "no provenance",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_was_not_is_named_with_its_reason(release: Path, case: str) -> None:
    change, file, why = WRONG[case]
    change(release)
    assert any(name == file and why in said for name, said in wrong(release)), wrong(release)


TAG = "v0.1.0"
OURS = verification.identity(TAG)
SIGNERS = {
    "another workflow of ours": (OURS.replace("release.yml", "ci.yml"), ISSUER),
    "the workflow of a fork": (OURS.replace("vllm-project", "somebody"), ISSUER),
    "our workflow at another tag": (verification.identity("v0.2.0"), ISSUER),
    "somebody whom another issuer knows under our name": (OURS, "https://issuer.test"),
}


@pytest.fixture(scope="module")
def sigstore() -> StandInSigstore:
    pytest.importorskip("sigstore", reason="only .venv has it")
    return StandInSigstore()


def verified(release: Path, sigstore: StandInSigstore) -> tuple[int, str]:
    """Exit code and text of the command, with the stand-in's roots."""
    root = release.parent / "root.json"
    root.write_text(sigstore.trusted_root)
    command = ["verify", str(release), "--tag", TAG, "--trusted-root", str(root)]
    done = CliRunner().invoke(commands.app, command)
    return done.exit_code, done.output


@pytest.fixture
def signed(release: Path, sigstore: StandInSigstore, tmp_path: Path) -> Path:
    """The release in a directory of its own, signed by the release's workflow."""
    place = tmp_path / "signed"
    place.mkdir()
    for name in (*FILES, SUMS):
        data = (release / name).read_bytes()
        (place / name).write_bytes(data)
        (place / f"{name}.sigstore.json").write_text(sigstore.sign(data, OURS, ISSUER))
    (place / PROVENANCE).write_text(sigstore.attest(statement(), OURS, ISSUER) + "\n")
    return place


def test_a_release_that_its_workflow_signed_is_taken(
    signed: Path, sigstore: StandInSigstore
) -> None:
    assert verified(signed, sigstore) == (0, f"{signed} is release {TAG}, as {OURS} signed it.\n")


@pytest.mark.parametrize("signer", SIGNERS)
def test_a_real_signature_of_anybody_else_is_refused(
    signed: Path, sigstore: StandInSigstore, signer: str
) -> None:
    data = (signed / "chart.tgz").read_bytes()
    (signed / "chart.tgz.sigstore.json").write_text(sigstore.sign(data, *SIGNERS[signer]))
    (signed / PROVENANCE).write_text(sigstore.attest(statement(), *SIGNERS[signer]))
    code, text = verified(signed, sigstore)
    assert code == 1
    for file in ("chart.tgz", PROVENANCE):
        assert f"{file}: is not signed by the release's workflow: Certificate" in text
    assert "install.yaml: " not in text


def test_a_signature_under_other_roots_is_refused(signed: Path) -> None:
    code, text = verified(signed, StandInSigstore())
    assert code == 1
    assert text.count("is not signed by the release's workflow") == len(FILES) + 2


def test_a_byte_that_changed_since_it_was_signed_is_found(
    signed: Path, sigstore: StandInSigstore
) -> None:
    forge(signed)
    code, text = verified(signed, sigstore)
    assert code == 1
    assert "chart.tgz: is not signed" in text
    assert f"{SUMS}: is not signed" in text


def test_sigstores_library_takes_no_bundle_of_nobody() -> None:
    pytest.importorskip("sigstore", reason="only .venv has it")
    signatures = verification.Sigstore("v0.1.0")
    with pytest.raises(NotSigned):
        signatures.hold(b"packed", "{}")
    with pytest.raises(NotSigned):
        signatures.statement("{}")


def test_the_signer_is_the_release_workflow_of_the_repository() -> None:
    checkout = Path(__file__).parents[3]
    assert f"repository: {verification.REPOSITORY}\n" in (checkout / "galaxy.yml").read_text()
    assert (checkout / ".github" / "workflows" / "release.yml").is_file()
    assert verification.identity("v1").endswith("/.github/workflows/release.yml@refs/tags/v1")
