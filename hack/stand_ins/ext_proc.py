"""The router as Envoy sees it: an ext_proc service.

It reads the config.yaml that the operator renders, and behaves like the real one of that contract
in what Envoy can notice: takes messages up to its own limit, answers paths, methods and bodies that
it does not want itself, continues with `accept-encoding: identity`, picks the model from the
buffered body, sets x-selected-model as raw bytes and clears the route cache, asks models itself for
some algorithms, and lets server-sent events through with a mode override.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit

import grpc
from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as ext_proc_grpc

# What the router has when its configuration says nothing.
DEFAULT_MESSAGE_MIB = 4
DEFAULT_LOOPER_ENDPOINT = "http://localhost:8899/v1/chat/completions"
DEFAULT_LOOPER_SECONDS = 1200

# The name by which a client leaves the choice to the router.
AUTO = "auto"

_ALLOWED_METHODS = {
    "/v1/chat/completions": "POST",
    "/v1/messages": "POST",
    "/v1/models": "GET",
}
_LOOPER_ALGORITHMS = {
    "0.3": {"confidence", "ratings", "remom"},
    "0.4": {"confidence", "fusion", "ratings", "remom"},
    # It asks models' backends past Envoy, so there is nothing to show.
    "0.5": set(),
}
Answered = Callable[[str, float, dict[str, int]], None]
_LOOPER_HEADERS = ("x-vsr-internal-auth", "x-vsr-looper-request", "x-vsr-looper-decision")


def _has(rule: dict[str, Any], prompt: str) -> bool:
    if str(rule.get("method", "")).lower() != "regex":
        return any(word in prompt for word in rule["keywords"])
    flags = 0 if rule.get("case_sensitive") else re.IGNORECASE
    return any(re.search(pattern, prompt, flags) for pattern in rule["keywords"])


class StubRouter(ext_proc_grpc.ExternalProcessorServicer):
    """`auto` is the first decision one of whose keywords stands in the prompt, or the default."""

    def __init__(
        self,
        config: dict[str, Any],
        contract: str,
        port: int,
        address: str = "127.0.0.1",
        tell: Callable[[str, int], None] = lambda _model, _status: None,
        answered: Answered = lambda _model, _seconds, _usage: None,
        evaluated: Callable[[list[str]], None] = lambda _decisions: None,
    ) -> None:
        """`tell` is told each choice: a model and 200, or "" and what was answered instead.

        `answered` is told of each answer of a model: its seconds, and its tokens. `evaluated` is
        told, for each prompt, of all decisions that match it, of which one is taken.
        """
        self.seen: list[dict[str, str]] = []
        self._contract = contract
        self._token = secrets.token_hex(16)
        self.tell = tell
        self.answered = answered
        self.evaluated = evaluated
        self.read(config)
        options = [
            ("grpc.max_receive_message_length", self._message_limit),
            ("grpc.max_send_message_length", self._message_limit),
        ]
        self._server = grpc.server(futures.ThreadPoolExecutor(64), options=options)
        ext_proc_grpc.add_ExternalProcessorServicer_to_server(self, self._server)
        self._address = f"{address}:{port}"

    def read(self, config: dict[str, Any]) -> None:
        """From now on this configuration holds; the message limit stays that of the start."""
        self._routing = config["routing"]
        settings = config.get("global") or {}
        looper = (settings.get("integrations") or {}).get("looper") or {}
        self._looper_endpoint = looper.get("endpoint", DEFAULT_LOOPER_ENDPOINT)
        self._looper_seconds = looper.get("timeout_seconds", DEFAULT_LOOPER_SECONDS)
        self._message_limit = looper.get("grpc_max_msg_size_mb", DEFAULT_MESSAGE_MIB) * 2**20
        skip = (settings.get("router") or {}).get("skip_processing") or {}
        self._may_be_skipped = bool(skip.get("enabled"))
        providers = config.get("providers") or {}
        defaults = providers.get("defaults") or {}
        self._default_model = defaults.get("model") or defaults.get("default_model")
        self._hosted = {
            model["name"]: model["backend_refs"][0]
            for model in providers.get("models") or []
            if "base_url" in model["backend_refs"][0]
        }
        self._models = {model["name"] for model in providers.get("models") or []} | {
            lora["name"]
            for card in self._routing.get("modelCards") or []
            for lora in card.get("loras") or []
        }

    def __enter__(self) -> Self:
        self._server.add_insecure_port(self._address)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=0).wait()

    def Process(
        self,
        requests: Iterator[ext_proc.ProcessingRequest],
        _context: grpc.ServicerContext,
    ) -> Iterator[ext_proc.ProcessingResponse]:
        """One stream per HTTP request."""
        exchange = _Exchange(self)
        for request in requests:
            phase = request.WhichOneof("request")
            response = getattr(exchange, phase)(getattr(request, phase))
            self.count(response)
            yield response

    def count(self, response: ext_proc.ProcessingResponse) -> None:
        """In the metrics."""
        kind = response.WhichOneof("response")
        if kind == "immediate_response":
            self.tell("", response.immediate_response.status.code)
        elif kind == "request_body":
            for option in response.request_body.response.header_mutation.set_headers:
                if option.header.key == "x-selected-model":
                    self.tell(option.header.raw_value.decode(), 200)

    def is_own(self, headers: dict[str, str]) -> bool:
        """A request that the router has sent itself."""
        marked = headers.get("x-vsr-looper-request") == "true"
        authentic = headers.get("x-vsr-internal-auth") == self._token
        return marked and (authentic or self._contract == "0.3")

    def is_skipped(self, headers: dict[str, str]) -> bool:
        return self._may_be_skipped and headers.get("x-vsr-skip-processing") == "true"

    def refuse_headers(self, headers: dict[str, str]) -> ext_proc.ProcessingResponse | None:
        path, method = headers[":path"].partition("?")[0], headers[":method"]
        if method == "GET" and path.startswith("/v1/models"):
            names = [{"id": "MoM", "object": "model"}]
            return _immediate(200, {"object": "list", "data": names})
        if self._contract == "0.3" and path.startswith("/v1/router_replay"):
            return _immediate(200, {"object": "router_replay.list", "data": []})
        if path not in _ALLOWED_METHODS:
            return _error(404, "endpoint not found")
        if method != _ALLOWED_METHODS[path]:
            return _error(405, "method not allowed")
        return None

    def answer_body(
        self, body: bytes, is_own: bool, chosen: dict[str, str]
    ) -> ext_proc.ProcessingResponse:
        """chosen: hears of the decision, and its model, for a prompt that leaves the choice."""
        try:
            asked = json.loads(body)
        except ValueError:
            return _error(400, "malformed JSON body")
        if not isinstance(asked.get("messages"), list):
            return _error(400, "messages field is required")
        if is_own:
            return self._own(asked)
        model = asked.get("model")
        if model != AUTO:
            if self._contract != "0.3" and model not in self._models:
                return _error(400, f'model "{model}" is not available')
            return self._to_provider(model, _selected(model))
        decision = self._decision(asked["messages"][-1]["content"])
        algorithm = (decision.get("algorithm") or {}).get("type")
        if algorithm in _LOOPER_ALGORITHMS[self._contract]:
            return self._ask_models(decision, asked)
        for plugin in decision.get("plugins") or []:
            if plugin["type"] == "fast_response":
                message = {"role": "assistant", "content": plugin["configuration"]["message"]}
                return _immediate(200, {"choices": [{"message": message}]})
            if plugin["type"] == "rag":
                return _error(503, "RAG failed: no vector store")
        refs = decision.get("modelRefs") or [{"model": self._default_model}]
        selected = refs[0].get("lora_name") or refs[0]["model"]
        chosen.update({"decision": decision.get("name", ""), "model": selected})
        return _selected(selected, {**asked, "model": selected})

    def _to_provider(
        self, model: str, response: ext_proc.ProcessingResponse
    ) -> ext_proc.ProcessingResponse:
        """A hosted model's key, and its path; only OpenAI's form."""
        reference = self._hosted.get(model)
        if reference:
            common = response.request_body.response
            path = urlsplit(reference["base_url"]).path.rstrip("/")
            _set(common, "authorization", f"Bearer {os.environ[reference['api_key_env']]}")
            _set(common, ":path", f"{path}/chat/completions")
        return response

    def classify(self, prompt: str) -> dict[str, Any]:
        """What its API says of a prompt."""
        decision = self._decision(prompt)
        refs = decision.get("modelRefs") or [{"model": self._default_model}]
        name = decision.get("name", "")
        matched = (
            [condition["name"] for condition in decision["rules"]["conditions"]] if name else []
        )
        return {
            "classification": {"category": "", "confidence": 0.0, "processing_time_ms": 1},
            "recommended_model": refs[0].get("lora_name") or refs[0]["model"],
            "routing_decision": name,
            "matched_signals": {"keywords": matched},
            "decision_result": {"decision_name": name, "confidence": 1.0},
        }

    def _decision(self, prompt: str) -> dict[str, Any]:
        signals = self._routing.get("signals") or {}
        found = {rule["name"] for rule in signals.get("keywords") or [] if _has(rule, prompt)}
        matching = [
            decision
            for decision in self._routing.get("decisions") or []
            if any(condition["name"] in found for condition in decision["rules"]["conditions"])
        ]
        self.evaluated([decision["name"] for decision in matching])
        return dict(matching[0]) if matching else {}

    def _ask_models(
        self, decision: dict[str, Any], asked: dict[str, Any]
    ) -> ext_proc.ProcessingResponse:
        """One after the other; what an algorithm makes of the answers is not Envoy's business."""
        choices = []
        for number, ref in enumerate(decision["modelRefs"], start=1):
            model = ref.get("lora_name") or ref["model"]
            # It goes on without a model that fails, and says nothing of why.
            with suppress(OSError, ValueError):
                said = self._call(model, asked, decision["name"], number)
                choices.append({**said["choices"][0], "model": model})
        if not choices:
            return _error(500, "Looper execution failed: all models failed")
        return _immediate(200, {"choices": choices})

    def _call(self, model: str, asked: dict[str, Any], decision: str, number: int) -> Any:
        url = urlsplit(self._looper_endpoint)
        headers = {
            "content-type": "application/json",
            "x-vsr-looper-request": "true",
            "x-vsr-looper-iteration": str(number),
            "x-vsr-looper-decision": decision,
        }
        if self._contract != "0.3":
            headers["x-vsr-internal-auth"] = self._token
        connection = http.client.HTTPConnection(url.netloc, timeout=self._looper_seconds)
        try:
            connection.request("POST", url.path, json.dumps({**asked, "model": model}), headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"request failed with status {response.status}: {body.decode()}")
        return json.loads(body)

    def _own(self, asked: dict[str, Any]) -> ext_proc.ProcessingResponse:
        response = ext_proc.ProcessingResponse()
        common = response.request_body.response
        if self._contract != "0.3":
            _set(common, "x-selected-model", asked["model"])
        _set(common, "x-vsr-selected-model", asked["model"])
        common.header_mutation.remove_headers.extend(["content-length", *_LOOPER_HEADERS])
        common.body_mutation.body = json.dumps(asked).encode()
        common.clear_route_cache = True
        return response


class _Exchange:
    """One request and its answer."""

    def __init__(self, router: StubRouter) -> None:
        self._router = router
        self._is_own = False
        self._is_skipped = False
        self._chosen: dict[str, str] = {}
        self._began = time.monotonic()

    def request_headers(self, message: ext_proc.HttpHeaders) -> ext_proc.ProcessingResponse:
        headers = headers_of(message)
        self._router.seen.append(headers)
        self._is_own = self._router.is_own(headers)
        self._is_skipped = self._router.is_skipped(headers)
        response = ext_proc.ProcessingResponse()
        common = response.request_headers.response
        if self._is_skipped:
            common.status = ext_proc.CommonResponse.CONTINUE
            return response
        refused = self._router.refuse_headers(headers)
        if refused:
            return refused
        _set(common, "accept-encoding", "identity")
        return response

    def request_body(self, message: ext_proc.HttpBody) -> ext_proc.ProcessingResponse:
        if self._is_skipped:
            response = ext_proc.ProcessingResponse()
            response.request_body.response.status = ext_proc.CommonResponse.CONTINUE
            return response
        return self._router.answer_body(message.body, self._is_own, self._chosen)

    def response_headers(self, message: ext_proc.HttpHeaders) -> ext_proc.ProcessingResponse:
        response = ext_proc.ProcessingResponse()
        if self._is_own:
            response.response_headers.response.status = ext_proc.CommonResponse.CONTINUE
            return response
        common = response.response_headers.response
        _set(common, "x-vsr-schema-version", "stub")
        _set(common, "x-vsr-response-path", "upstream")
        for name, value in self._chosen.items():
            # A header without a value is none.
            if value:
                _set(common, f"x-vsr-selected-{name}", value)
        if headers_of(message).get("content-type", "").startswith("text/event-stream"):
            response.mode_override.response_body_mode = processing_mode_pb2.ProcessingMode.STREAMED
        return response

    def response_body(self, message: ext_proc.HttpBody) -> ext_proc.ProcessingResponse:
        with suppress(ValueError, AttributeError):
            usage = json.loads(message.body).get("usage") or {}
            model = self._chosen.get("model", "")
            self._router.answered(model, time.monotonic() - self._began, usage)
        response = ext_proc.ProcessingResponse()
        response.response_body.response.status = ext_proc.CommonResponse.CONTINUE
        return response


def headers_of(message: ext_proc.HttpHeaders) -> dict[str, str]:
    return {
        header.key: header.value or header.raw_value.decode() for header in message.headers.headers
    }


def _selected(model: str, body: dict[str, Any] | None = None) -> ext_proc.ProcessingResponse:
    response = ext_proc.ProcessingResponse()
    common = response.request_body.response
    _set(common, "x-selected-model", model)
    if body is not None:
        content = json.dumps(body).encode()
        common.header_mutation.remove_headers.append("content-length")
        _set(common, "content-length", str(len(content)))
        common.body_mutation.body = content
    common.clear_route_cache = True
    return response


def _set(common: ext_proc.CommonResponse, key: str, value: str) -> None:
    option = common.header_mutation.set_headers.add()
    option.header.key = key
    option.header.raw_value = value.encode()


def _error(status: int, message: str) -> ext_proc.ProcessingResponse:
    error = {"message": message, "type": "invalid_request_error", "code": status}
    return _immediate(status, {"error": error})


def _immediate(status: int, body: dict[str, object]) -> ext_proc.ProcessingResponse:
    response = ext_proc.ProcessingResponse()
    response.immediate_response.status.code = status
    option = response.immediate_response.headers.set_headers.add()
    option.header.key = "content-type"
    option.header.raw_value = b"application/json"
    response.immediate_response.body = json.dumps(body).encode()
    return response
