"""Image archives hold what their digests say, under the names that pods ask for."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

from real_node import oci


def test_everything_is_found_by_its_digest_from_the_index_on(tmp_path: Path) -> None:
    (tmp_path / "files" / "etc").mkdir(parents=True)
    (tmp_path / "files" / "etc" / "name").write_text("content")
    layer = oci.layer(tmp_path / "files", tmp_path / "layer.tar")
    archive = tmp_path / "image.tar"
    image = oci.Image(["registry.example/a:1"], [layer, layer], {"User": "1000"})
    oci.write(archive, [image])
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> bytes:
            file = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
            assert file is not None
            content = file.read()
            assert hashlib.sha256(content).hexdigest() == digest.removeprefix("sha256:")
            return content

        index_file = tar.extractfile("index.json")
        assert index_file is not None
        (entry,) = json.loads(index_file.read())["manifests"]
        assert entry["annotations"] == {"io.containerd.image.name": "registry.example/a:1"}
        manifest = json.loads(blob(entry["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        assert config["config"] == {"User": "1000"}
        assert config["rootfs"]["diff_ids"] == [layer.digest, layer.digest]
        assert [each["digest"] for each in manifest["layers"]] == [layer.digest, layer.digest]
        blob(layer.digest)


def test_several_images_with_several_names_have_what_they_share_once(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    layer = oci.layer(tmp_path / "files", tmp_path / "layer.tar")
    archive = tmp_path / "images.tar"
    first = oci.Image(["one:1", "one:2"], [layer], {"User": "1"})
    oci.write(archive, [first, oci.Image(["two:1"], [layer], {"User": "2"})])
    with tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        entries = json.loads(index.read())["manifests"]
        names = tar.getnames()
    named = {entry["annotations"]["io.containerd.image.name"]: entry["digest"] for entry in entries}
    assert named["one:1"] == named["one:2"] != named["two:1"]
    assert names.count(f"blobs/sha256/{layer.digest.removeprefix('sha256:')}") == 1
    assert len(names) == len(set(names))


def test_a_layer_belongs_to_root_and_is_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "one").write_text("1")
    first = oci.layer(tmp_path / "files", tmp_path / "first.tar")
    (tmp_path / "files" / "one").touch()
    assert oci.layer(tmp_path / "files", tmp_path / "second.tar").digest == first.digest
    with tarfile.open(first.file) as tar:
        assert {(member.uid, member.gid) for member in tar} == {(0, 0)}
