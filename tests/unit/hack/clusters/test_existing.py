"""A cluster by its kubeconfig: the context of the start, and images by a command of its owner's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from clusters.cluster import ClusterError
from clusters.existing import IMPORT, Existing

pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl on PATH")


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two contexts, the second one current."""
    monkeypatch.setenv("KUBECONFIG", "/somebodys/production")
    monkeypatch.delenv(IMPORT, raising=False)
    names = ("first", "second")
    file = tmp_path / "given"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": n, "cluster": {"server": f"https://{n}.example"}} for n in names],
        "users": [{"name": n, "user": {"token": f"of-{n}"}} for n in names],
        "contexts": [{"name": n, "context": {"cluster": n, "user": n}} for n in names],
        "current-context": "second",
    }
    file.write_text(yaml.safe_dump(document))
    return file


def test_the_context_of_the_start_stays_whatever_becomes_of_the_file(
    kubeconfig: Path, tmp_path: Path
) -> None:
    cluster = Existing(kubeconfig, tmp_path / "state")
    kubeconfig.write_text(kubeconfig.read_text().replace("second.example", "third.example"))
    copy = Path(cluster.env["KUBECONFIG"])
    (server,) = yaml.safe_load(copy.read_text())["clusters"]
    assert server["cluster"]["server"] == "https://second.example"
    assert "of-first" not in copy.read_text()
    assert copy.stat().st_mode & 0o077 == 0


def test_an_archive_is_read_by_the_command_that_its_owner_gives(
    kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "image.tar"
    archive.write_text("an image")
    monkeypatch.setenv(IMPORT, f"cat > {tmp_path}/imported; test ! -e {tmp_path}/full")
    cluster = Existing(kubeconfig, tmp_path / "state")
    cluster.import_images(archive)
    assert (tmp_path / "imported").read_text() == "an image"
    (tmp_path / "full").touch()
    with pytest.raises(ClusterError, match="cat > "):
        cluster.import_images(archive)


def test_without_such_a_command_nothing_is_imported_and_examples_are_given(
    kubeconfig: Path, tmp_path: Path
) -> None:
    cluster = Existing(kubeconfig, tmp_path / "state")
    with pytest.raises(ClusterError, match=f"{IMPORT} says how images get into this cluster"):
        cluster.import_images(tmp_path / "image.tar")


def test_what_needs_a_node_is_told_that_none_is_within_reach(
    kubeconfig: Path, tmp_path: Path
) -> None:
    cluster = Existing(kubeconfig, tmp_path / "state")
    assert cluster.nodes_are_out_of_reach
    for deed in (cluster.on_node, cluster.stop_kubelet, cluster.start_kubelet):
        with pytest.raises(ClusterError, match="nothing is known of this cluster's nodes"):
            deed("node")
