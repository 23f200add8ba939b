"""Where no node can run, what is missing is said together with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_node import prerequisites

ALL = "CapEff:\t000001ffffffffff\n"


def test_programs_are_asked_for_by_their_packages_each_once() -> None:
    found: dict[str, str | None] = dict.fromkeys(prerequisites.PACKAGES, "/usr/bin/there")
    assert not list(prerequisites._lacks_programs(found))
    found |= {"runc": None, "nft": None, "unshare": None, "nsenter": None}
    (said,) = prerequisites._lacks_programs(found)
    assert "no runc" in said
    assert said.endswith("apt-get install --no-install-recommends runc nftables util-linux")


def test_a_new_machine_gets_every_program_that_debian_does_not_always_have() -> None:
    always = {"mount", "util-linux"}
    lines = (Path(prerequisites.__file__).parents[2] / "requirements" / "debian.list").read_text()
    installed = {line.split()[0] for line in lines.splitlines() if not line.startswith("#")}
    needed = {*prerequisites.PACKAGES.values(), prerequisites.POLICY_PROGRAM} - always
    assert installed == needed | {"chromium"}


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("CapEff:\t00000000a80425fb\n", "CAP_SYS_ADMIN"),
        ("CapEff:\t0000000000200000\n", "NET_ADMIN"),
    ],
)
def test_a_container_that_is_not_privileged_is_told_apart(status: str, name: str) -> None:
    assert not list(prerequisites._lacks_capabilities(ALL))
    (said,) = prerequisites._lacks_capabilities(status)
    assert name in said


def test_overlay_file_systems_are_needed_and_none_to_be_on() -> None:
    known = "nodev\toverlay\n\text4\n"
    assert not list(prerequisites._lacks_file_systems(known, "ext2/ext3"))
    assert "modprobe" in next(iter(prerequisites._lacks_file_systems("\text4\n", "ext2/ext3")))
    assert "on a disk" in next(iter(prerequisites._lacks_file_systems(known, "overlay")))


def test_who_is_not_root_is_told_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (said,) = prerequisites.missing(tmp_path)
    assert "root" in said


def test_a_full_disk_is_told_with_its_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not list(prerequisites._lacks_space(tmp_path))
    monkeypatch.setattr(prerequisites, "FREE_BYTES", 2**60)
    (said,) = prerequisites._lacks_space(tmp_path / "not there yet")
    assert str(tmp_path) in said


def test_what_a_rehearsal_could_not_do_is_named_and_nothing_of_it_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Namespaces are not given to everybody; what is run in them here is."""
    made: list[str] = []
    monkeypatch.setattr(prerequisites, "_NAMESPACES", ("env", "--"))
    monkeypatch.setattr(prerequisites, "_IN_NAMESPACES", ())
    monkeypatch.setattr(
        prerequisites, "_REHEARSAL", 'exec 2>&1; echo "a bridge"; echo "not permitted"; exit 1'
    )
    monkeypatch.setattr("real_node.cgroups.create", made.append)
    monkeypatch.setattr("real_node.cgroups.remove", made.remove)
    (said,) = prerequisites._fails_rehearsal(tmp_path)
    assert said.endswith("failed here: a bridge: not permitted")
    assert not made
    assert not list(tmp_path.iterdir())
