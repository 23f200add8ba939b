"""`python -m release.pins`: asks the registries for the digests of requirements/images.yaml.

A digest is what a registry says, never what somebody remembers: what was not asked is null there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from release.registry import Registries, RegistryError

FILE = Path(__file__).resolve().parents[2] / "requirements" / "images.yaml"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class NotPinned(Exception):
    """An image has no digest, or a registry gave none."""


def read() -> dict[str, str | None]:
    """Name with tag -> digest, None while nobody has asked."""
    found: dict[str, str | None] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def require_digests() -> None:
    missing = [image for image, digest in read().items() if digest is None]
    if missing:
        raise NotPinned(
            f"{', '.join(missing)}: no digest in requirements/images.yaml, for which "
            "`make pin-images` asks the registries"
        )


def by_digest(image: str, pins: Mapping[str, str | None]) -> str:
    """name:tag@digest where the digest is known, the image as it is otherwise."""
    digest = pins.get(image)
    return f"{image}@{digest}" if digest else image


def filled(text: str, ask: Callable[[str], str]) -> str:
    """The file with the digest of every image, comments and order kept."""
    lines = []
    for line in text.splitlines():
        image, colon, _ = line.rpartition(": ")
        if colon and not line.startswith("#"):
            digest = ask(image)
            if not _DIGEST.fullmatch(digest):
                raise NotPinned(f"{image}: the registry's answer is no digest: {digest!r}")
            line = f"{image}: {digest}"
        lines.append(line)
    return "\n".join([*lines, ""])


def main(ask: Callable[[str], str] | None = None) -> int:
    try:
        asked = filled(FILE.read_text(encoding="utf-8"), ask or Registries().digest)
        FILE.write_text(asked, encoding="utf-8")
    except (NotPinned, RegistryError, OSError) as error:
        print(f"pins: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
