"""Archives and sums: the same bytes for the same contents, whoever makes them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SUMS = "SHA256SUMS"


def archive(files: Mapping[str, str], top: str) -> bytes:
    """A tar.gz with one directory at the top. No time, no user: whoever builds it gets the same."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(files):
            data = files[path].encode()
            member = tarfile.TarInfo(f"{top}/{path}")
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def sums(files: Sequence[Path]) -> str:
    """What `sha256sum --check` reads, and `kubectl sr verify`."""
    return "".join(
        f"{digest(file)}  {file.name}\n" for file in sorted(files, key=lambda file: file.name)
    )


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
