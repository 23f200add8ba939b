# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables of the operator's own pod that are meant for the routers: OLM sets them.

Its proxy, which they need as much as the operator does, and its images, of which a mirror may have
others or go by digests only. The names' only home. Why: docs/adr/0038-what-olm-tells.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.crd import spec_schema

HTTPS_PROXY, HTTP_PROXY, NO_PROXY = PROXY = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
# Variable -> the field below spec whose default it replaces.
_IMAGES = {
    "RELATED_IMAGE_SEMANTIC_ROUTER": ("image",),
    "RELATED_IMAGE_ENVOY": ("envoy", "image"),
}
NAMES = (*PROXY, *_IMAGES)

# What stands where the operator was told a password, which is for its own pod.
WITHHELD = "***"


def chosen(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of them that are set, without passwords. Proxies by their lower-case names as well."""
    found = {
        name: value
        for name in NAMES
        if (value := (environ.get(name) or _lower(name, environ)).strip())
    }
    urls = {name: found[name] for name in (HTTPS_PROXY, HTTP_PROXY) if name in found}
    if not urls:
        found.pop(NO_PROXY, "")
    return {**found, **{name: _without_password(url) for name, url in urls.items()}}


@cache
def images() -> dict[str, str]:
    """Variable -> the image that is started where it is not set. Shared: do not change it."""
    found = {}
    for variable, path in _IMAGES.items():
        node = spec_schema()
        for step in path:
            node = node["properties"][step]
        image = node["properties"]
        found[variable] = f"{image['repository']['default']}:{image['tag']['default']}"
    return found


def as_text(environment: Mapping[str, str]) -> str:
    """What an annotation holds; "" for nothing."""
    return json.dumps(dict(environment), sort_keys=True) if environment else ""


def from_text(text: str) -> dict[str, str]:
    """The inverse. What somebody else wrote there counts for nothing."""
    try:
        found: Any = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return chosen({name: value for name, value in found.items() if isinstance(value, str)})


def is_withheld(url: str) -> bool:
    """It had a password."""
    return f"{WITHHELD}@" in url


def _lower(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(name.lower()) or "" if name in PROXY else ""


def _without_password(url: str) -> str:
    before, at, host = url.rpartition("@")
    if not at:
        return url
    scheme, separator, _ = before.partition("://")
    return f"{scheme}{separator}{WITHHELD}@{host}" if separator else f"{WITHHELD}@{host}"
