# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""JSON requests to the API server: retried, bounded in time, with errors that say what to do.

Not a copy of the kubernetes client: the models and discovery of that one cost more than the
requests themselves. Paths come from resources.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.connection import (
    Connection,
    connect,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import nesting
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    FIELD_MANAGER,
    KIND,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)

# Inside Client, `list` is a method.
Manifests = list[Manifest]
Params = Mapping[str, Any]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
# Without a second, plainer form to fall back to.
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
APPLY_PATCH = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
# As kubectl asks since 1.25: a field that the API server does not know is refused. Without, it is
# dropped from objects of a CRD, and nobody hears of it.
STRICT = {"fieldValidation": "Strict"}

_VERSION = re.compile(r'^\s*"?version"?:\s*"?([\w.+-]+)', re.MULTILINE)

# What server-side apply says, with HTTP 500, to a manifest that does not fit the kind's schema:
# the request's fault, and no more to be tried again than any other refusal.
_NOT_OF_THE_SCHEMA = ("failed to create typed patch object", "failed to convert new object")
# Whatever HTTP status and reason a policy gives its no: they are its author's choice.
_POLICY = re.compile(
    r"admission webhook \"[^\"]*\" denied the request|ValidatingAdmissionPolicy '[^']*'"
)
_SCHEMA_CAUSE = re.compile(r"(?:\): |^\s*)\.(?P<field>[^\s:]+): (?P<message>.+)$", re.MULTILINE)

# POST is not here: creating twice is not creating once. A PATCH of ours is (apply, merge).
_RETRY = urllib3.Retry(
    total=3,
    # Not three times READ_SECONDS for a server that took the request and says nothing.
    read=1,
    backoff_factor=0.2,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=("GET", "PATCH", "DELETE"),
    raise_on_status=False,
)


@dataclass(frozen=True)
class Cause:
    """One entry of a Status's details: ``field`` is a path in the object that was sent."""

    reason: str
    message: str
    field: str


class ApiError(RouterError):
    """The API server refused a request, or could not be asked.

    status: HTTP status, 0 when there was no answer.
    reason: the Status's own (``Invalid``, ``Conflict``, ``Forbidden``...), "" when it has none.
    """

    def __init__(
        self, status: int, reason: str, message: str, causes: tuple[Cause, ...] = ()
    ) -> None:
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        super().__init__(self._problem())

    @property
    def is_a_policys(self) -> bool:
        """The no of an admission policy or webhook, and not of the API server itself."""
        return 400 <= self.status < 500 and bool(_POLICY.search(self.message))

    def _problem(self) -> Problem:
        reason, remedy, retry = _OF_A_POLICY if self.is_a_policys else _advice(self.status)
        return Problem(
            reason=reason,
            field="",
            found=self.message.strip().rstrip("."),
            remedy=remedy,
            retry=retry,
        )


# Somebody may lift it; whether the SemanticRouter or the policy is wrong is not for us to say.
_OF_A_POLICY = ("Forbidden", "Do as the policy in the message says, or have it changed", True)


def _advice(status: int) -> tuple[str, str, bool]:
    """(reason, remedy, retry) by HTTP status."""
    if status in (0, 429) or status >= 500:
        return "ApiUnavailable", "Wait: the operator tries again by itself", True
    if status in (401, 403):
        # Not a matter of the SemanticRouter alone: somebody grants a permission or raises a quota.
        return "Forbidden", "Grant the permission, or lift the limit, that the message names", True
    if status in (404, 409):
        return "Conflict", "Wait: the operator tries again with the current state", True
    return "ApplyRefused", "Correct the SemanticRouter as the message says", False


class Client:
    """Talks to one API server; may be shared by threads, not by processes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Client:
        """``options`` are kubernetes.core's: kubeconfig, context, host, api_key, ...

        What is unset comes from K8S_AUTH_*, KUBECONFIG, ~/.kube/config and the pod's service
        account, in this order.
        """
        return cls(connect(options))

    @property
    def is_ansible_operators(self) -> bool:
        """The address is that of the stock engine's proxy, which has the owner's name in it."""
        url = self._connection.url
        return url.startswith("http://") and "@localhost:" in url

    def get(self, path: str, params: Params | None = None) -> Manifest | None:
        """One object, None when there is none of that name (or kind)."""
        try:
            return self._request("GET", path, params)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def get_metadata(self, path: str) -> Manifest | None:
        """The metadata of one object: the rest of it never leaves the API server."""
        try:
            answer = self._request("GET", path, accept=METADATA_ONLY)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        # A server that does not know this form would send the whole object.
        return {"metadata": answer["metadata"]}

    def list(self, path: str, label_selector: str = "", params: Params | None = None) -> Manifests:
        """All objects of a collection, each with the apiVersion and kind that lists leave out.

        ApiError with status 404: the API server does not serve the kind.
        """
        query = dict(params or {})
        if label_selector:
            query["labelSelector"] = label_selector
        answer = self._request("GET", path, query)
        kind = str(answer.get("kind", "")).removesuffix("List")
        head = {"apiVersion": answer.get("apiVersion", ""), "kind": kind}
        return [{**head, **item} for item in answer.get("items") or []]

    def patch(
        self,
        path: str,
        body: Manifest | Manifests,
        content_type: str = APPLY_PATCH,
        params: Params | None = None,
    ) -> Manifest:
        """Server-side apply, or a merge or JSON patch; returns the object as it is now."""
        return self._request("PATCH", path, params, body, content_type)

    def post(self, path: str, body: Manifest, params: Params | None = None) -> Manifest:
        """Create; never sent twice."""
        return self._request("POST", path, params, body)

    def delete(self, path: str, uid: str = "", params: Params | None = None) -> bool:
        """Delete in the background; with ``uid`` only the very object that was seen.

        False when it is gone already, or another object has taken its name.
        """
        body: Manifest = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            self._request("DELETE", path, params, body)
        except ApiError as error:
            if error.status == 404 or (error.status == 409 and uid):
                return False
            raise
        return True

    def _request(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        body: Manifest | Manifests | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Manifest:
        connection = self._connection
        headers = {**connection.headers(), "Accept": accept, "User-Agent": user_agent()}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            answer = connection.pool.request(
                method,
                connection.url + path + _query(params),
                body=None if body is None else json.dumps(body, separators=(",", ":")).encode(),
                headers=headers,
                retries=_RETRY,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(connection.url, error) from error
        if answer.status >= 300:
            raise _refused(answer.status, answer.data)
        return _decoded(answer.status, answer.data)


def _query(params: Params | None) -> str:
    return f"?{urlencode(params)}" if params else ""


def _unreachable(url: str, error: Exception) -> ApiError:
    cause = getattr(error, "reason", None) or error
    text = str(cause).split(": ", 1)[-1]
    return ApiError(0, "Unreachable", f"the API server at {url} does not answer ({text})")


def _decoded(status: int, data: bytes) -> Manifest:
    try:
        answer = nesting.decoded(data)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ApiError(502, "", f"the API server's answer (HTTP {status}) is not a JSON object")
    # All other kinds have a structure.
    is_open = answer.get("kind") in (KIND, f"{KIND}List")
    found: Manifest = nesting.within(answer) if is_open else answer
    return found


def _refused(status: int, data: bytes) -> ApiError:
    try:
        answer = json.loads(data)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict) or answer.get("kind") != "Status":
        # A proxy on the way; its page says nothing that helps.
        return ApiError(status, "", f"the API server answered HTTP {status}")
    message = str(answer.get("message") or f"the API server answered HTTP {status}")
    if status == 500 and message.startswith(_NOT_OF_THE_SCHEMA):
        return ApiError(422, "Invalid", message, _schema_causes(message))
    causes = tuple(
        Cause(
            reason=str(cause.get("reason") or ""),
            message=str(cause.get("message") or ""),
            field=str(cause.get("field") or ""),
        )
        for cause in (answer.get("details") or {}).get("causes") or []
    )
    return ApiError(status, str(answer.get("reason") or ""), message, causes)


def _schema_causes(message: str) -> tuple[Cause, ...]:
    return tuple(
        Cause(reason="FieldValueInvalid", message=match["message"], field=match["field"])
        for match in _SCHEMA_CAUSE.finditer(message)
    )


@lru_cache(maxsize=1)
def user_agent() -> str:
    """Names the operator in audit logs; the version is galaxy.yml's."""
    root = Path(__file__).resolve().parents[3]
    # An installed collection has no galaxy.yml.
    for source in (root / "MANIFEST.json", root / "galaxy.yml"):
        if source.is_file() and (version := _VERSION.search(source.read_text())):
            return f"{FIELD_MANAGER}/{version.group(1)}"
    return FIELD_MANAGER
