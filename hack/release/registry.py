"""Asks a registry which digest a tag has, by the distribution API of OCI.

Here and not by `docker buildx` or `crane`, so that it can be tried where there is neither a
registry nor those programs. https://github.com/opencontainers/distribution-spec
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

# Several architectures first: what is pinned has to start on each.
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# A registry that is asked for none of these answers in a format of 2015, under another digest.
_ACCEPT = {"Accept": ", ".join((*_INDEXES, *_MANIFESTS))}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DIGEST_HEADER = "Docker-Content-Digest"
# The name that docker.io stands for.
_HUB, _HUB_HOST = "docker.io", "registry-1.docker.io"
_HERE = ("localhost", "127.0.0.1")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
# A registry that says to come back in an hour has a person decide.
_LONGEST_PAUSE = 60
_TIMEOUT = urllib3.Timeout(connect=10, read=30)


class RegistryError(Exception):
    """A registry gave no digest; the message names the image."""


@dataclass(frozen=True)
class Image:
    """registry/repository:tag"""

    registry: str
    repository: str
    tag: str

    @classmethod
    def named(cls, name: str) -> Image:
        """A name that says all three; RegistryError else."""
        registry, slash, rest = name.partition("/")
        repository, colon, tag = rest.rpartition(":")
        is_host = "." in registry or ":" in registry or registry == "localhost"
        if not slash or not colon or not is_host or not repository or "/" in tag or "@" in name:
            raise RegistryError(f"{name}: give registry/repository:tag")
        if registry == _HUB and "/" not in repository:
            repository = f"library/{repository}"
        return cls(registry, repository, tag)

    @property
    def url(self) -> str:
        host = _HUB_HOST if self.registry == _HUB else self.registry
        # As docker has it: what never leaves the machine may do without TLS.
        is_here = host.partition(":")[0] in _HERE
        return (
            f"{'http' if is_here else 'https'}://{host}/v2/{self.repository}/manifests/{self.tag}"
        )


class Registries:
    """Any of them, asked as nobody in particular."""

    def __init__(self, pause: float = 2.0, tries: int = 5) -> None:
        """pause: seconds after the first refusal that names none; doubled with each."""
        retries = urllib3.Retry(
            total=tries,
            status_forcelist=[429, 500, 502, 503, 504],
            backoff_factor=pause,
            respect_retry_after_header=True,
            retry_after_max=_LONGEST_PAUSE,
            raise_on_status=False,
        )
        self._direct = urllib3.PoolManager(retries=retries, timeout=_TIMEOUT)
        proxy = getproxies().get("https")
        self._proxied = (
            urllib3.ProxyManager(proxy, retries=retries, timeout=_TIMEOUT)
            if proxy
            else self._direct
        )

    def digest(self, name: str) -> str:
        """Of the index where there is one, which has every architecture."""
        image = Image.named(name)
        try:
            # HEAD, which registries that limit downloads do not count.
            answer = self._ask("HEAD", image)
            said = answer.headers.get(_DIGEST_HEADER, "")
            if answer.status == 405 or (answer.status == 200 and not said):
                # It may leave the header out. The digest is that of the bytes, whoever says it.
                answer = self._ask("GET", image)
                said = f"sha256:{hashlib.sha256(answer.data).hexdigest()}"
        except urllib3.exceptions.HTTPError as error:
            raise RegistryError(f"{name}: {error}") from error
        if answer.status != 200:
            raise RegistryError(f"{name}: {_refusal(answer)}")
        if not _DIGEST.fullmatch(said):
            raise RegistryError(f"{name}: the registry's answer is no digest: {said!r}")
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if kind not in (*_INDEXES, *_MANIFESTS):
            raise RegistryError(f"{name}: the registry's answer is no image but {kind!r}")
        return said

    def _ask(self, method: str, image: Image) -> urllib3.BaseHTTPResponse:
        answer = self._request(method, image.url, _ACCEPT)
        if answer.status == 401:
            token = self._token(answer.headers.get("WWW-Authenticate", ""), image)
            headers = {**_ACCEPT, "Authorization": f"Bearer {token}"}
            answer = self._request(method, image.url, headers)
        return answer

    def _token(self, challenge: str, image: Image) -> str:
        """For whom the registry sends us to, who gives one to everybody if the image is public."""
        scheme, _, rest = challenge.partition(" ")
        told = dict(_CHALLENGE.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in told:
            raise RegistryError(f"{_name(image)}: the registry wants a login: {challenge!r}")
        query = {
            **({"service": told["service"]} if "service" in told else {}),
            "scope": told.get("scope", f"repository:{image.repository}:pull"),
        }
        answer = self._request("GET", f"{told['realm']}?{urlencode(query)}", {})
        if answer.status != 200:
            raise RegistryError(f"{_name(image)}: no token: {_refusal(answer)}")
        said: Mapping[str, str] = json.loads(answer.data)
        # Two names for it, by age.
        return said.get("token") or said["access_token"]

    def _request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        host = urlsplit(url).hostname or ""
        pool = self._direct if host in _HERE or proxy_bypass(host) else self._proxied
        return pool.request(method, url, headers=headers)


def _name(image: Image) -> str:
    return f"{image.registry}/{image.repository}:{image.tag}"


def _refusal(answer: urllib3.BaseHTTPResponse) -> str:
    """In the registry's own words, where it has any."""
    try:
        (first, *_) = json.loads(answer.data)["errors"]
        words = f"{first['code']}: {first.get('message', '')}".rstrip(": ")
    except (ValueError, KeyError, TypeError):
        words = answer.reason or ""
    return f"{answer.status} {words}".strip()
