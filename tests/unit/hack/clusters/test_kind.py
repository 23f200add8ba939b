"""kind is asked for its kubeconfig, and its own commands load images and reach its nodes."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from clusters.cluster import ClusterError
from clusters.kind import PROVIDER, Kind

# As kind 0.30 and docker have it: what they do not know they refuse, in their words.
KIND = """\
import argparse, os, sys
parser = argparse.ArgumentParser(prog="kind", allow_abbrev=False)
commands = parser.add_subparsers(dest="verb", required=True)
kubeconfig = commands.add_parser("get").add_subparsers(required=True).add_parser("kubeconfig")
load = commands.add_parser("load").add_subparsers(required=True).add_parser("image-archive")
load.add_argument("archive")
for command in (kubeconfig, load):
    command.add_argument("--name", default="kind")
given = parser.parse_args()
if given.verb == "load" and not os.path.exists(given.archive):
    sys.exit(f"ERROR: stat {given.archive}: no such file or directory")
if given.name != "trial":
    sys.exit("ERROR: could not locate any control plane nodes for cluster named "
             f"'{given.name}'. Use the --name option to select a different cluster")
if given.verb == "get":
    print("current-context: kind-trial")
"""
CONTAINERS = """\
import sys
if sys.argv[1:3] != ["exec", "trial-control-plane"]:
    sys.exit(f"Error response from daemon: No such container: {sys.argv[2]}")
print("done")
"""
RECORDING = """\
#!{python}
import sys
with open({record!r}, "a") as record:
    print({name!r}, *sys.argv[1:], file=record)
{rest}
"""


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A line for each command of kind, docker, podman and kubectl."""
    programs = tmp_path / "bin"
    programs.mkdir()
    commands = {"kind": KIND, "docker": CONTAINERS, "podman": CONTAINERS, "kubectl": ""}
    for name, rest in commands.items():
        program = programs / name
        record = str(tmp_path / "record")
        program.write_text(
            RECORDING.format(python=sys.executable, record=record, name=name, rest=rest)
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("KUBECONFIG", "/somebodys/production")
    monkeypatch.delenv(PROVIDER, raising=False)
    return tmp_path / "record"


def test_the_kubeconfig_is_kinds_and_nobody_elses_to_read(record: Path, tmp_path: Path) -> None:
    cluster = Kind("trial", tmp_path / "state")
    kubeconfig = Path(cluster.env["KUBECONFIG"])
    assert kubeconfig.read_text() == "current-context: kind-trial\n"
    assert kubeconfig.stat().st_mode & 0o077 == 0
    assert cluster.env["K8S_AUTH_KUBECONFIG"] == str(kubeconfig)
    assert cluster.kubectl == tmp_path / "bin" / "kubectl"


def test_an_image_is_loaded_into_every_node_of_that_cluster(record: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.touch()
    Kind("trial", tmp_path / "state").import_images(archive)
    assert record.read_text().splitlines() == [
        "kind get kubeconfig --name trial",
        f"kind load image-archive {archive} --name trial",
    ]


def test_an_archive_that_cannot_be_loaded_is_told_in_kinds_words(
    record: Path, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError, match="no such file or directory"):
        Kind("trial", tmp_path / "state").import_images(tmp_path / "none.tar")


@pytest.mark.parametrize(("provider", "program"), [("", "docker"), ("podman", "podman")])
def test_nodes_are_reached_by_the_program_that_kind_makes_them_with(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, program: str
) -> None:
    monkeypatch.setenv(PROVIDER, provider)
    cluster = Kind("trial", tmp_path / "state")
    assert cluster.on_node("trial-control-plane", "ls", "/run") == "done\n"
    cluster.stop_kubelet("trial-control-plane")
    cluster.start_kubelet("trial-control-plane")
    assert record.read_text().splitlines()[1:] == [
        f"{program} exec trial-control-plane ls /run",
        f"{program} exec trial-control-plane systemctl stop kubelet",
        f"{program} exec trial-control-plane systemctl start kubelet",
    ]
    with pytest.raises(ClusterError, match="No such container: other"):
        cluster.on_node("other", "ls")


def test_a_cluster_that_is_not_there_is_told_with_how_to_make_it(
    record: Path, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError, match="could not locate any") as raised:
        Kind("other", tmp_path / "state")
    assert str(raised.value).endswith("kind create cluster --name other")


def test_a_machine_without_kind_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="no program kind on PATH"):
        Kind("trial", tmp_path / "state")
