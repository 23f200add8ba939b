"""Only NODE_CLUSTER names a cluster, and what it cannot mean is refused with what it may say."""

from __future__ import annotations

from pathlib import Path

import pytest
from clusters import ClusterError, naming


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which driver was asked, for what."""
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(naming, "Kind", lambda name, _: asked.append(("kind", name)))
    monkeypatch.setattr(naming, "Existing", lambda file, _: asked.append(("existing", str(file))))
    monkeypatch.delenv(naming.VARIABLE, raising=False)
    return asked


def test_a_kubeconfig_that_is_just_there_is_not_used(
    made: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").touch()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    assert naming.named(tmp_path) is None
    assert made == []


@pytest.mark.parametrize(("text", "name"), [("kind", "kind"), ("kind:trial", "trial")])
def test_kind_is_named_with_or_without_the_clusters_name(
    made: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    name: str,
) -> None:
    monkeypatch.setenv(naming.VARIABLE, text)
    naming.named(tmp_path)
    assert made == [("kind", name)]


def test_a_file_is_a_kubeconfig(made: list[tuple[str, str]], tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.touch()
    naming.named(tmp_path, str(file))
    assert made == [("existing", str(file))]


def test_a_directory_without_a_node_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no node is up in there: make node"):
        naming.named(tmp_path, str(tmp_path))


def test_anything_else_is_refused_with_what_it_may_be(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="kind:NAME, the file of a kubeconfig"):
        naming.named(tmp_path, "kubeconfig")
