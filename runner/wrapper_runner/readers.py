"""Who may read /metrics: the API server is asked, as the stock ansible-operator does."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from wrapper_runner import logs
from wrapper_runner.cluster import Cluster, ClusterError, Json

# Prometheus comes every few seconds with the same token, and each answer takes two requests. What
# was refused is remembered too: who has no right to read shall not keep the API server busy.
ALLOWED_SECONDS = 60.0
REFUSED_SECONDS = 10.0
REMEMBERED = 1000

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 a path
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

log = logs.Log("metrics")


class Readers:
    """Asks who a bearer token belongs to, and whether that account may get a path."""

    def __init__(self, cluster: Cluster, now: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._now = now
        self._remembered: dict[tuple[str, str], tuple[float, HTTPStatus]] = {}
        self._remembering = threading.Lock()

    def judge(self, authorization: str, path: str) -> HTTPStatus:
        """OK, or what to answer instead, for the value of an Authorization header."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return HTTPStatus.UNAUTHORIZED
        # Not the token: what is kept for a minute may be in a core dump.
        key = (hashlib.sha256(token.encode()).hexdigest(), path)
        with self._remembering:
            until, verdict = self._remembered.get(key, (0.0, HTTPStatus.UNAUTHORIZED))
        if self._now() < until:
            return verdict
        try:
            verdict = self._ask(token, path)
        except ClusterError as error:
            log.error("Cannot ask who reads the metrics", error=str(error))
            return HTTPStatus.INTERNAL_SERVER_ERROR
        self._remember(key, verdict)
        return verdict

    def _ask(self, token: str, path: str) -> HTTPStatus:
        status = self._create(TOKEN_REVIEWS, "TokenReview", {"token": token})
        if not status.get("authenticated"):
            return HTTPStatus.UNAUTHORIZED
        user = status.get("user") or {}
        spec = {
            "user": user.get("username", ""),
            **{name: user[name] for name in ("uid", "groups", "extra") if user.get(name)},
            "nonResourceAttributes": {"path": path, "verb": "get"},
        }
        allowed = self._create(ACCESS_REVIEWS, "SubjectAccessReview", spec).get("allowed")
        return HTTPStatus.OK if allowed else HTTPStatus.FORBIDDEN

    def _create(self, path: str, kind: str, spec: Json) -> Json:
        api_version = path.removeprefix("/apis/").rpartition("/")[0]
        body = {"apiVersion": api_version, "kind": kind, "spec": spec}
        return self._cluster.create(path, body).get("status") or {}

    def _remember(self, key: tuple[str, str], verdict: HTTPStatus) -> None:
        seconds = ALLOWED_SECONDS if verdict is HTTPStatus.OK else REFUSED_SECONDS
        with self._remembering:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = (self._now() + seconds, verdict)
