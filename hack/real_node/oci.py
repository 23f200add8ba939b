"""Container images without a container engine: layers and configs, in one OCI archive.

`ctr images import` reads it, and so do skopeo, podman and kind.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Layer:
    """A tar archive of files as they are to be in the container."""

    file: Path
    digest: str
    size: int


def layer(directory: Path, file: Path) -> Layer:
    """Of all below a directory; in the image everything belongs to root."""
    command = ["tar", "--sort=name", "--numeric-owner", "--owner=0", "--group=0", "--mtime=@0"]
    command += ["--directory", str(directory), "--create", "--file", str(file), "."]
    subprocess.run(command, check=True)
    return read_layer(file)


def read_layer(file: Path) -> Layer:
    """One that `layer` has made."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Layer(file, f"sha256:{digest}", file.stat().st_size)


@dataclass(frozen=True)
class Image:
    """config: Entrypoint, Cmd, Env, User, WorkingDir, as `docker inspect` shows them."""

    names: Sequence[str]
    layers: Sequence[Layer]
    config: Mapping[str, Any]


def write(archive: Path, images: Sequence[Image]) -> None:
    """All of them; a layer that several have is in there once."""
    blobs: dict[str, bytes] = {}
    index = {
        "schemaVersion": 2,
        "manifests": [entry for image in images for entry in _entries(blobs, image)],
    }
    layers = {each.digest: each for image in images for each in image.layers}
    with tarfile.open(archive, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", json.dumps(index).encode())
        for digest, content in blobs.items():
            _add(tar, _path(digest), content)
        for each in layers.values():
            tar.add(each.file, _path(each.digest))


def _entries(blobs: dict[str, bytes], image: Image) -> Iterator[dict[str, Any]]:
    """What the index says of it: once for each of its names."""
    described = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": image.config,
        "rootfs": {"type": "layers", "diff_ids": [each.digest for each in image.layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _blob(blobs, _CONFIG, described),
        "layers": [
            {"mediaType": _LAYER, "digest": each.digest, "size": each.size} for each in image.layers
        ],
    }
    entry = _blob(blobs, _MANIFEST, manifest)
    for name in image.names:
        yield {**entry, "annotations": {"io.containerd.image.name": name}}


def _blob(blobs: dict[str, bytes], media_type: str, content: Mapping[str, Any]) -> dict[str, Any]:
    data = json.dumps(content).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    blobs[digest] = data
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add(tar: tarfile.TarFile, path: str, data: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
