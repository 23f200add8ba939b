"""`python -m stand_ins.router FLAGS`: the router's program, as a container starts it.

Its flags and their defaults, what it says at /health, /ready and /startup-status while it loads,
its metrics, the directory that it must be able to write models to, and the configuration that it
reads anew when the file changes are those of the real program. Its models are not there: `ext_proc`
says how it decides instead, and STAND_IN_LOAD_SECONDS how long it takes to start.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from stand_ins import standalone
from stand_ins.ext_proc import StubRouter

# Of the image: its contract, and the working directory's folder for models.
CONTRACT = os.environ.get("STAND_IN_CONTRACT", "0.5")
MODELS = Path("models")
LOAD_SECONDS = float(os.environ.get("STAND_IN_LOAD_SECONDS", "1"))
EVERYWHERE = "0.0.0.0"  # noqa: S104 as the real one
CONSENT = "VLLM_SR_MANAGEMENT_INTERNAL_LISTENER"
RELOAD_INTERVAL = 0.5
# Of rules that look for keywords.
_OPERATORS, _METHODS = ("AND", "OR", "NOR"), ("", "regex", "bm25", "ngram")
# What Python's regular expressions have and Go's have not.
_NOT_IN_GO = re.compile(r"(?<!\\)(\(\?(<?[=!]|>|\(|#|P=)|[*+?}]\+|\\[1-9Z])")
# What Go's flag package ends a program with.
USAGE = 2

_TEXTS = {
    "config": "config/config.yaml",
    "api-bind": "",
    "cert-path": "",
    "kubeconfig": "",
    "namespace": "default",
    "management-auth-mode": "",
    "gateway": "extproc",
    "listener-address": "127.0.0.1",
}
_NUMBERS = {"port": 50051, "api-port": 8080, "metrics-port": 9190}
_SWITCHES = {
    "enable-api": True,
    "secure": False,
    "download-only": False,
    "management-remote-exposure": False,
}
_LATER = {
    "0.3": (
        *("api-bind", "management-auth-mode", "management-remote-exposure"),
        *("gateway", "listener-address"),
    ),
    "0.4": ("gateway", "listener-address"),
}


class FlagError(Exception):
    """What Go's flag package says of a command line."""


def flags(arguments: Sequence[str], contract: str) -> dict[str, Any]:
    """As Go reads them: one dash or two, the last of a name wins, an unknown one ends the start."""
    found: dict[str, Any] = {**_TEXTS, **_NUMBERS, **_SWITCHES}
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if not argument.startswith("-") or argument in ("-", "--"):
            break
        name, equals, value = argument.lstrip("-").partition("=")
        if name not in found or name in _LATER.get(contract, ()):
            raise FlagError(f"flag provided but not defined: -{name}")
        if name in _SWITCHES:
            found[name] = value in ("1", "t", "T", "true", "TRUE", "True") if equals else True
            continue
        if not equals:
            if not left:
                raise FlagError(f"flag needs an argument: -{name}")
            value = left.pop(0)
        if name in _NUMBERS and not value.isdecimal():
            raise FlagError(f'invalid value "{value}" for flag -{name}: parse error')
        found[name] = int(value) if name in _NUMBERS else value
    return found


def api_address(options: dict[str, Any], contract: str, environment: dict[str, str]) -> str:
    """Where its HTTP API listens: 0.3 everywhere, later ones on loopback unless they may more."""
    if contract == "0.3":
        return EVERYWHERE
    asked = str(options["api-bind"] or "127.0.0.1")
    if asked not in ("127.0.0.1", "localhost", "::1") and environment.get(CONSENT) != "true":
        raise SystemExit(f"Failed to resolve management API: {asked} is remote, and demands tokens")
    return asked


@dataclass
class State:
    """What /startup-status shows, and the digest of the configuration it goes by."""

    phase: str = "starting"
    ready: bool = False
    message: str = ""
    active: str = ""

    def enter(self, phase: str, message: str = "", *, ready: bool = False) -> None:
        self.phase, self.message, self.ready = phase, message, ready
        log("startup_phase", phase=phase, message=message)

    def json(self) -> bytes:
        shown = {"phase": self.phase, "ready": self.ready, "message": self.message}
        return json.dumps({name: value for name, value in shown.items() if value != ""}).encode()


class Metrics:
    """Some of the real router's, by its names."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "llm_model_requests",
            "The total number of requests made to each LLM model",
            ["model"],
            registry=self.registry,
        )
        self._errors = Counter(
            "llm_request_errors",
            "The total number of request errors categorized by reason",
            ["model", "reason"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "llm_model_completion_latency_seconds",
            "The latency of completions by model in seconds",
            ["model"],
            registry=self.registry,
        )
        self._tokens = {
            kind: Counter(
                f"llm_model_{kind}_tokens",
                f"The total number of {kind} tokens used by each LLM model",
                ["model"],
                registry=self.registry,
            )
            for kind in ("prompt", "completion")
        }
        self._evaluations = Counter(
            "llm_decision_evaluation",
            "Total number of decision evaluations",
            registry=self.registry,
        )
        self._matches = Counter(
            "llm_decision_match",
            "Total number of decision matches by decision name",
            ["decision_name"],
            registry=self.registry,
        )

    def tell(self, model: str, status: int) -> None:
        if model:
            self._requests.labels(model).inc()
        elif status >= 400:
            self._errors.labels("unknown", f"http_{status}").inc()

    def answered(self, model: str, seconds: float, usage: dict[str, int]) -> None:
        if not model:
            return
        self._latency.labels(model).observe(seconds)
        for kind, counter in self._tokens.items():
            counter.labels(model).inc(usage.get(f"{kind}_tokens", 0))

    def evaluated(self, decisions: Sequence[str]) -> None:
        """One that is not taken because another one is counts as well."""
        self._evaluations.inc()
        for name in decisions:
            self._matches.labels(name).inc()

    def text(self) -> bytes:
        return generate_latest(self.registry)


def log(event: str, **fields: object) -> None:
    """A line of JSON to stdout, as the real one's."""
    print(json.dumps({"component": "router", "event": event, **fields}), flush=True)


def load(file: Path) -> dict[str, Any]:
    """The configuration; SystemExit says what of it no router starts with."""
    try:
        config = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise SystemExit(f"Failed to load config: {error}") from error
    if not isinstance(config, dict) or "routing" not in config:
        raise SystemExit(f"Failed to load config: {file} has no routing")
    return config


def judge(config: dict[str, Any]) -> None:
    """SystemExit for a rule that every schema takes and the real router ends with.

    Not before its models are there: that may be minutes after the start.
    """
    signals = config["routing"].get("signals") or {}
    for rule in signals.get("keywords") or []:
        for what in _not_known(rule):
            raise SystemExit(f"Failed to create ExtProc server: {rule['name']}: no {what}")


def _not_known(rule: dict[str, Any]) -> Iterator[str]:
    operator, method = rule.get("operator"), str(rule.get("method", "")).lower()
    if operator not in _OPERATORS:
        yield f"operator {operator}"
    if method not in _METHODS:
        yield f"method {method}"
    for pattern in rule.get("keywords") or []:
        if method == "regex" and not _is_read_by_go(pattern):
            yield f"regular expression {pattern}"


def _is_read_by_go(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return not _NOT_IN_GO.search(pattern)


def digest(file: Path) -> str:
    """SHA-256 of its bytes, by which the real one's API names a configuration."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main(arguments: Sequence[str]) -> int:
    print("stand-in for the router: it has no models", flush=True)
    try:
        options = flags(arguments, CONTRACT)
    except FlagError as error:
        print(error, file=sys.stderr)
        return USAGE
    file = Path(options["config"])
    config = load(file)
    state, metrics = State(), Metrics()
    state.active = digest(file)
    told = (metrics.tell, metrics.answered, metrics.evaluated)
    router = StubRouter(config, CONTRACT, options["port"], "[::]", *told)
    if options["enable-api"]:
        address = api_address(options, CONTRACT, dict(os.environ))
        serve(address, options["api-port"], lambda path, body: api(path, body, state, file, router))
    _load_models(state)
    if options["download-only"]:
        return 0
    judge(config)
    serve("", options["metrics-port"], lambda path, _body: _metrics(path, metrics))
    if options["gateway"] == standalone.MODE:
        address = options["listener-address"]
        return _serve_alone(standalone.Listener(config, router, address, file.parent), file, state)
    with router:
        state.enter("ready", ready=True)
        log("startup_complete", extproc_port=options["port"], config=str(file))
        _reload_for_ever(file, router, state)
    return 0


class Told(Exception):
    """To end."""


def _serve_alone(listener: standalone.Listener, file: Path, state: State) -> int:
    """Until a signal comes; no gateway can ask such a router."""

    def end(*_: object) -> None:
        raise Told

    threading.Thread(target=listener.serve_forever, daemon=True).start()
    signal.signal(signal.SIGTERM, end)
    state.enter("ready", ready=True)
    log("startup_complete", gateway=standalone.MODE, config=str(file))
    try:
        _reload_for_ever(file, listener.router, state)
    except Told:
        log("server_shutdown_requested")
        listener.drain(standalone.DRAIN_SECONDS)
    return 0


def _load_models(state: State) -> None:
    """Into a directory that has to be writable: what is downloaded is kept there."""
    state.enter("checking_models")
    started = time.monotonic()
    try:
        MODELS.mkdir(exist_ok=True)
        (MODELS / ".downloading").write_text("of gigabytes, a little")
        (MODELS / ".downloading").unlink()
    except OSError as error:
        state.enter("error", str(error))
        raise SystemExit(f"Failed to download models: {error}") from error
    state.enter("downloading_models", "Downloading models")
    time.sleep(LOAD_SECONDS / 2)
    state.enter("initializing_models")
    time.sleep(max(0.0, LOAD_SECONDS - (time.monotonic() - started)))


def _reload_for_ever(file: Path, router: StubRouter, state: State) -> None:
    """A file that cannot be read leaves the last good configuration in force."""
    known = file.read_bytes()
    while True:
        time.sleep(RELOAD_INTERVAL)
        try:
            now = file.read_bytes()
        except OSError:
            continue
        if now == known:
            continue
        known = now
        try:
            config = load(file)
            judge(config)
            router.read(config)
        except (SystemExit, KeyError, TypeError) as error:
            log("config_reload_failed", error=str(error))
        else:
            state.active = digest(file)
            log("config_reloaded", config=str(file))


def api(
    path: str, body: bytes, state: State, file: Path, router: StubRouter
) -> tuple[int, bytes, str]:
    """(status, body, content type). body: of a POST, b"" for a GET."""
    if body:
        return _classified(path, body, router)
    if path == "/health":
        return 200, b'{"status":"healthy","service":"classification-api"}', "application/json"
    status = 200 if state.ready else 503
    if path == "/ready":
        word = "ready" if state.ready else "starting"
        return status, json.dumps({"status": word}).encode(), "application/json"
    if path == "/startup-status":
        return status, state.json(), "application/json"
    if path == "/config/hash" and CONTRACT != "0.3":
        said = {"hash": digest(file), "active_hash": state.active}
        return 200, json.dumps(said).encode(), "application/json"
    if path == "/v1/models":
        names = [{"id": "MoM", "object": "model"}]
        return 200, json.dumps({"object": "list", "data": names}).encode(), "application/json"
    return 404, b"404 page not found\n", "text/plain"


def _classified(path: str, body: bytes, router: StubRouter) -> tuple[int, bytes, str]:
    """It has no model that looks for attacks."""
    try:
        text = json.loads(body)["text"]
    except (ValueError, KeyError, TypeError):
        return (
            400,
            b'{"error":{"code":"INVALID_INPUT","message":"text is empty"}}',
            "application/json",
        )
    if path != "/api/v1/classify/intent":
        message = {"code": "CLASSIFICATION_ERROR", "message": "the classifier is not there"}
        return 503, json.dumps({"error": message}).encode(), "application/json"
    return 200, json.dumps(router.classify(text)).encode(), "application/json"


def _metrics(path: str, metrics: Metrics) -> tuple[int, bytes, str]:
    if path == "/metrics":
        return 200, metrics.text(), CONTENT_TYPE_LATEST
    return 404, b"404 page not found\n", "text/plain"


def serve(address: str, port: int, answer: Any) -> None:
    """As long as the program runs. answer: of a path and a body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = self.rfile.read(length)
            status, body, content_type = answer(self.path.partition("?")[0], asked)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not worth a line."""

    server = ThreadingHTTPServer((address, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    # As the real one behind Envoy, it ends at once, whatever it has in hand. But the first process
    # of a container gets no signal that it does not ask for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    sys.exit(main(sys.argv[1:]))
