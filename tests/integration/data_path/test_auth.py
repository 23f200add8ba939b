"""Who is let in, and as whom: real Envoy on the rendered bootstrap, with keys and issuers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import auth, overload
from integration.data_path import data_path as around
from integration.data_path import wait
from integration.data_path.certificates import server_side
from integration.data_path.client import CHAT, Answer, prompt
from integration.data_path.data_path import endpoint
from integration.data_path.mounted_secret import MountedSecret
from integration.data_path.stub_backend import StubBackend
from integration.data_path.stub_issuer import Issuer, JwksServer
from stand_ins.ext_proc import AUTO

MODEL = "a-model"
USER, GROUPS = "x-authz-user-id", "x-authz-user-groups"
AUDIENCE = "semantic-router"

ALICE, BOB, ADMIN = "alices-key-0123456789", "bobs-key-0123456789", "sk-admin-0123456789"
CREDENTIALS = ("authorization", "x-api-key")

OUR = Issuer("https://issuer.example.com")
OTHER = Issuer("https://other.example.com/realms/staff")
STRANGER = Issuer("https://stranger.example.com")

OPEN_PATHS = ["/health", "/ready", "/startup-status"]
CLOSED_PATHS = [
    CHAT,
    "/v1/models",
    "/v1/embeddings",
    "/api/v1",
    "/api/v1/classify/intent",
    "/info/models",
    "/docs",
    "/openapi.json",
    "/nothing",
    "/",
    "/health/",
    "/health/x",
    "/healthy",
    "/health;x",
]


@dataclass
class DataPath(around.DataPath):
    """With its one backend, and what the door goes by."""

    backend: StubBackend
    team: MountedSecret
    jwks: JwksServer
    key_set: MountedSecret

    def heard(self) -> tuple[int, int, int]:
        """How often the router was asked, the backend, and the router's API."""
        asked = self.envoy.stat("http.clients.ext_proc.streams_started")
        return asked, len(self.backend.calls), len(self.api.calls)

    def asked_with(self, **headers: str) -> Answer:
        return self.chat(MODEL, **headers)

    def known_as(self, **headers: str) -> tuple[str | None, str | None]:
        """Who this is to the router: user and groups."""
        answer = self.asked_with(**headers)
        assert answer.status == 200, answer
        seen = self.router.seen[-1]
        return seen.get(USER), seen.get(GROUPS)


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start a data path with these parts of spec.auth, and spec.cors."""
    with ExitStack() as stack:

        def start_one(*ways: str, cors: dict[str, Any] | None = None, **more: Any) -> DataPath:
            directory = tmp_path_factory.mktemp("envoy")
            keys, ca, jwks = directory / "keys", directory / "ca", directory / "jwks"
            for number in range(2):
                (ca / f"{number}").mkdir(parents=True)
            backend = stack.enter_context(StubBackend("backend", "127.0.0.2", models=[MODEL]))
            servers = [
                stack.enter_context(
                    JwksServer(
                        issuer,
                        f"issuer-{number}",
                        f"127.0.0.{number + 3}",
                        tls=server_side(ca / f"{number}" / "ca.crt", f"issuer-{number}.models.svc"),
                    )
                )
                for number, issuer in enumerate((OUR, OTHER))
            ]
            servers[0].is_open = more.pop("issuer_is_up", True)
            team = MountedSecret(keys / "0", {"alice": ALICE, "bob": f"{BOB}\n", "nobody": "\n"})
            MountedSecret(keys / "1", {"admin": ADMIN})
            key_set = MountedSecret(jwks / "0", {"jwks.json": json.dumps(OUR.jwks())})
            parts = {
                "apiKeys": [
                    {"secretRef": {"name": "team"}, "groups": ["staff", "team-a"]},
                    {"secretRef": {"name": "admins"}},
                ],
                "jwt": [
                    jwt(OUR, servers[0]),
                    jwt(OTHER, servers[1], user="email", groups="realm_access.roles"),
                ],
                "key_set": [
                    {
                        "issuer": OUR.name,
                        "audiences": [AUDIENCE],
                        "jwksRef": {"name": "keys-of-the-issuer"},
                    },
                ],
            }
            names = [f"issuer-{number}" for number in range(2)]
            mine = around.start(
                stack,
                directory,
                [endpoint("backend", MODEL, backend.port)],
                {
                    "backend": [backend.address],
                    **{name: [server.address] for name, server in zip(names, servers, strict=True)},
                },
                door={
                    **({"auth": {_FIELDS[way]: parts[way] for way in ways}} if ways else {}),
                    **({"cors": cors} if cors else {}),
                },
                directories={"/etc/envoy-keys": keys, "/etc/envoy-ca": ca, "/etc/envoy-jwks": jwks},
                **more,
            )
            return DataPath(
                **vars(mine), backend=backend, team=team, jwks=servers[0], key_set=key_set
            )

        yield start_one


# Of the ways in.
_FIELDS = {"apiKeys": "apiKeys", "jwt": "jwt", "key_set": "jwt"}


def jwt(issuer: Issuer, server: JwksServer, **claims: str) -> dict[str, Any]:
    return {
        "issuer": issuer.name,
        "audiences": ["another", AUDIENCE],
        "jwksUri": f"https://{server.name}.models.svc:{server.port}/keys",
        "caRef": {"name": "ca"},
        **({"claims": claims} if claims else {}),
    }


@pytest.fixture(scope="module")
def keys(start: Any) -> DataPath:
    """API keys alone."""
    return start("apiKeys")


@pytest.fixture(scope="module")
def tokens(start: Any) -> DataPath:
    """Tokens alone."""
    return start("jwt")


@pytest.fixture(scope="module")
def both(start: Any) -> DataPath:
    """API keys and tokens."""
    return start("apiKeys", "jwt")


@pytest.fixture(params=["keys", "tokens", "both"])
def closed(request: pytest.FixtureRequest) -> DataPath:
    """Each of them."""
    return request.getfixturevalue(request.param)


def assert_refused(answer: Answer, code: str) -> str:
    """In OpenAI's shape; the message."""
    assert (answer.status, answer.json["error"]["code"]) == (401, code), answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}
    return str(answer.json["error"]["message"])


# Everyone


@pytest.mark.parametrize("path", CLOSED_PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_nobody_comes_in_without_saying_who_it_is(closed: DataPath, path: str, method: str) -> None:
    before = closed.heard()
    answer = closed.ask(path, prompt(MODEL) if method == "POST" else None, method)
    assert "Say who you are" in assert_refused(answer, "missing_credentials")
    assert closed.heard() == before


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_health_is_everybodys(closed: DataPath, path: str) -> None:
    assert closed.ask(path).json["path"] == path
    assert closed.ask(path, headers={"x-api-key": "wrong"}).status == 200


def test_the_routers_own_way_in_asks_nobody(both: DataPath) -> None:
    looper = {"x-vsr-looper-request": "true", "x-vsr-internal-auth": both.router._token}
    assert both.looper.ask(body=prompt(MODEL), headers=looper).status == 200


def test_strangers_learn_no_more_than_that_while_the_router_is_down(start: Any) -> None:
    answer = start("apiKeys", router_is_up=False).asked_with()
    assert (answer.status, answer.json["error"]["code"]) == (401, "missing_credentials")


def test_a_script_that_fails_lets_nobody_in(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = 'function envoy_on_request(handle) error("broken") end'
    monkeypatch.setattr(auth, "_script", lambda: broken)
    data_path: DataPath = start("apiKeys", cors={"allowOrigins": [PAGE]})
    answer = data_path.asked_with(origin=PAGE, **bearer(ALICE))
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (403, PAGE)
    assert data_path.backend.calls == []
    assert data_path.ask("/health").status == 200
    assert "broken" in data_path.envoy.log.read_text()


# API keys


@pytest.mark.parametrize("headers", [{"x-api-key": ALICE}, bearer(ALICE), bearer(f" {ALICE}")])
@pytest.mark.parametrize("name", ["keys", "both"])
def test_a_client_with_a_key_is_known_by_the_name_of_its_key(
    request: pytest.FixtureRequest, name: str, headers: dict[str, str]
) -> None:
    data_path: DataPath = request.getfixturevalue(name)
    assert data_path.known_as(**headers) == ("alice", "staff,team-a")


def test_a_line_break_at_the_end_of_a_key_does_not_count(keys: DataPath) -> None:
    assert keys.known_as(**bearer(BOB)) == ("bob", "staff,team-a")


def test_clients_of_a_secret_without_groups_have_none(keys: DataPath) -> None:
    assert keys.known_as(**bearer(ADMIN)) == ("admin", None)


@pytest.mark.parametrize(
    "wrong",
    [
        "wrong",
        ALICE[:-1],
        f"{ALICE}x",
        ALICE[1:],
        ALICE.upper(),
        ALICE * 2,
        f"{ALICE},{BOB}",
        "alice",
        "..data",
        "%",
    ],
)
@pytest.mark.parametrize("name", ["keys", "both"])
def test_a_wrong_key_is_refused(request: pytest.FixtureRequest, name: str, wrong: str) -> None:
    data_path: DataPath = request.getfixturevalue(name)
    for headers in ({"x-api-key": wrong}, bearer(wrong)):
        answer = data_path.asked_with(**headers)
        assert "No client has this API key" in assert_refused(answer, "invalid_api_key")


def test_a_refusal_is_no_matter_of_the_routers(both: DataPath) -> None:
    before = both.heard()
    expired = OUR.token(AUDIENCE, -90, sub="ann")
    for headers in ({}, {"x-api-key": "wrong"}, bearer("wrong"), bearer(expired), bearer("a.b.c")):
        assert both.asked_with(**headers).status == 401
    assert both.heard() == before
    both.known_as(**bearer(ALICE))
    assert both.heard() == (before[0] + 1, before[1] + 1, before[2])


def test_a_client_cannot_choose_the_route_of_the_refused(both: DataPath) -> None:
    assert both.known_as(**bearer(ALICE), **{"x-authz-refused": "true"})[0] == "alice"


@pytest.mark.parametrize(
    "headers", [bearer(""), {"x-api-key": ""}, {"authorization": "Basic eA=="}]
)
def test_an_empty_key_is_none(keys: DataPath, headers: dict[str, str]) -> None:
    assert_refused(keys.asked_with(**headers), "missing_credentials")


def test_either_key_will_do(keys: DataPath) -> None:
    assert keys.known_as(**bearer("wrong"), **{"x-api-key": ALICE})[0] == "alice"
    assert keys.known_as(**bearer(ALICE), **{"x-api-key": "wrong"})[0] == "alice"


def test_a_replaced_key_counts_without_a_restart(start: Any) -> None:
    data_path: DataPath = start("apiKeys")
    assert data_path.known_as(**bearer(ALICE))[0] == "alice"
    data_path.team.replace({"alice": "a-new-key", "carol": "carols-key"})

    def is_replaced() -> bool:
        """To each of Envoy's workers, of which any may have the next connection."""
        asked = [(key, data_path.asked_with(**bearer(key)).status) for key in known * 15]
        return asked == [(key, 401 if key in (ALICE, BOB) else 200) for key in known * 15]

    known = ["carols-key", "a-new-key", ALICE, BOB]
    wait.until(is_replaced, "all have read the new keys")
    assert data_path.known_as(**bearer("a-new-key"))[0] == "alice"
    assert data_path.known_as(**bearer(ADMIN))[0] == "admin"


# Tokens


@pytest.mark.parametrize("name", ["tokens", "both"])
def test_a_user_with_a_token_is_known_by_its_claims(
    request: pytest.FixtureRequest, name: str
) -> None:
    data_path: DataPath = request.getfixturevalue(name)
    token = OUR.token(AUDIENCE, sub="ann", groups=["staff", "dev ops"])
    assert data_path.known_as(**bearer(token)) == ("ann", "staff,dev ops")


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("staff,admins", "staff,admins"),
        (["staff", "a,b", "x\ny", 7, ""], "staff"),
        ([], None),
        ({}, None),
        (None, None),
    ],
)
def test_groups_are_a_list_or_a_text_and_no_group_can_be_two(
    tokens: DataPath, groups: object, expected: str | None
) -> None:
    token = OUR.token(AUDIENCE, sub="ann", groups=groups)
    assert tokens.known_as(**bearer(token)) == ("ann", expected)


def test_another_issuer_may_have_other_claims(tokens: DataPath) -> None:
    claims = {"email": "bea@example.com", "realm_access": {"roles": ["r1", "r2"]}, "sub": "x"}
    token = OTHER.token(AUDIENCE, **claims)
    assert tokens.known_as(**bearer(token)) == ("bea@example.com", "r1,r2")


def test_a_claim_may_have_a_dot_in_its_name(tokens: DataPath) -> None:
    token = OTHER.token(AUDIENCE, email="bea", **{"realm_access.roles": "r3"})
    assert tokens.known_as(**bearer(token)) == ("bea", "r3")


@pytest.mark.parametrize("name", ["tokens", "both"])
def test_an_expired_token_is_refused_and_told_so(request: pytest.FixtureRequest, name: str) -> None:
    data_path: DataPath = request.getfixturevalue(name)
    # Clocks may differ by a minute.
    answer = data_path.asked_with(**bearer(OUR.token(AUDIENCE, -90, sub="ann")))
    assert "The token is expired" in assert_refused(answer, "token_expired")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def forged() -> str:
    """The payload of another user, the signature of this one."""
    head, _, signature = OUR.token(AUDIENCE, sub="ann").split(".")
    return f"{head}.{OUR.token(AUDIENCE, sub='root').split('.')[1]}.{signature}"


def unsigned() -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{head}.{OUR.token(AUDIENCE, sub='root').split('.')[1]}."


@pytest.mark.parametrize(
    "token",
    [
        OUR.token("elsewhere", sub="ann"),
        STRANGER.token(AUDIENCE, sub="ann"),
        OUR.token(AUDIENCE, None, sub="ann"),
        OUR.token(AUDIENCE),
        OUR.token(AUDIENCE, sub=""),
        OUR.token(AUDIENCE, sub="a\r\nx-authz-user-groups: admins"),
        OUR.token(AUDIENCE, sub={"a": "b"}),
        OUR.token(AUDIENCE, sub="ann", nbf=4102444800),
        forged(),
        unsigned(),
        "a.b.c",
    ],
    ids=[
        "audience",
        "issuer",
        "endless",
        "no user",
        "empty user",
        "two lines",
        "no text",
        "not yet",
        "forged",
        "unsigned",
        "nonsense",
    ],
)
@pytest.mark.parametrize("name", ["tokens", "both"])
def test_a_token_that_is_not_for_us_is_refused(
    request: pytest.FixtureRequest, name: str, token: str
) -> None:
    data_path: DataPath = request.getfixturevalue(name)
    answer = data_path.asked_with(**bearer(token))
    assert assert_refused(answer, "invalid_token").startswith("The token ")


def test_an_issuer_cannot_speak_for_another(tokens: DataPath) -> None:
    impostor = Issuer(OUR.name)
    impostor._key = OTHER._key
    answer = tokens.asked_with(**bearer(impostor.token(AUDIENCE, sub="ann")))
    assert_refused(answer, "invalid_token")


def test_a_token_in_the_path_does_not_count(tokens: DataPath) -> None:
    token = OUR.token(AUDIENCE, sub="ann")
    answer = tokens.ask(f"{CHAT}?access_token={token}", prompt(MODEL))
    assert_refused(answer, "missing_credentials")


def test_a_key_helps_beside_a_token_that_does_not(both: DataPath) -> None:
    expired = OUR.token(AUDIENCE, -90, sub="ann")
    assert both.known_as(**bearer(expired), **{"x-api-key": ALICE})[0] == "alice"


def test_while_an_issuer_does_not_answer_tokens_wait_and_keys_do_not(start: Any) -> None:
    data_path: DataPath = start("apiKeys", "jwt", issuer_is_up=False)
    token = OUR.token(AUDIENCE, sub="ann")
    answer = data_path.asked_with(**bearer(token))
    assert (answer.status, answer.json["error"]["code"]) == (503, "auth_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert data_path.known_as(**bearer(ALICE))[0] == "alice"
    data_path.jwks.is_open = True
    wait.until(
        lambda: data_path.asked_with(**bearer(token)).status == 200, "the issuer's keys are there"
    )


# Tokens of an issuer whose keys are in a ConfigMap


@pytest.fixture(scope="module")
def key_set(start: Any) -> DataPath:
    """The issuer's server, which nothing leads to, is not there."""
    data_path: DataPath = start("apiKeys", "key_set", issuer_is_up=False)
    token = OUR.token(AUDIENCE, sub="ann")
    wait.until(
        lambda: data_path.asked_with(**bearer(token)).status == 200, "the keys of the file count"
    )
    return data_path


def test_a_user_with_a_token_that_a_key_of_the_config_map_signed_is_let_in(
    key_set: DataPath,
) -> None:
    assert key_set.known_as(**bearer(OUR.token(AUDIENCE, sub="ann"))) == ("ann", None)
    assert key_set.known_as(**bearer(ALICE))[0] == "alice"
    assert key_set.jwks.calls == []


@pytest.mark.parametrize(
    "token",
    [
        OTHER.token(AUDIENCE, sub="ann"),
        OUR.token("elsewhere", sub="ann"),
        OUR.token(AUDIENCE, None, sub="ann"),
        forged(),
        unsigned(),
    ],
    ids=["issuer", "audience", "endless", "forged", "unsigned"],
)
def test_any_other_token_is_not(key_set: DataPath, token: str) -> None:
    assert_refused(key_set.asked_with(**bearer(token)), "invalid_token")


def test_keys_that_are_replaced_in_the_config_map_count_without_a_restart(
    key_set: DataPath,
) -> None:
    new = Issuer(OUR.name)
    old_token, new_token = (each.token(AUDIENCE, sub="ann") for each in (OUR, new))
    assert_refused(key_set.asked_with(**bearer(new_token)), "invalid_token")
    key_set.key_set.replace({"jwks.json": json.dumps(new.jwks())})

    def is_replaced() -> bool:
        """To each of Envoy's workers, of which any may have the next connection."""
        asked = [key_set.asked_with(**bearer(t)).status for t in (new_token, old_token) * 15]
        return asked == [200, 401] * 15

    wait.until(is_replaced, "all have read the new keys")
    key_set.key_set.replace({"jwks.json": json.dumps(OUR.jwks())})
    wait.until(lambda: key_set.asked_with(**bearer(old_token)).status == 200, "the old are back")


def test_no_client_reaches_the_key_sets_and_no_fetch_is_logged(key_set: DataPath) -> None:
    stranger = {"host": auth.KEY_SETS, **bearer(ALICE), "x-request-id": "of-a-stranger"}
    assert key_set.ask("/0", headers=stranger).status == 404
    wait.until(lambda: "of-a-stranger" in key_set.envoy.log.read_text(), "it is logged")
    logged = key_set.envoy.log.read_text().splitlines()
    assert len([line for line in logged if '"path":"/0"' in line]) == 1


# What passes on


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": ALICE},
        bearer(ALICE),
        bearer(OUR.token(AUDIENCE, sub="alice", groups="staff,team-a")),
        {**bearer(OUR.token(AUDIENCE, sub="alice", groups="staff,team-a")), "x-api-key": "wrong"},
    ],
)
def test_a_credential_goes_no_further(both: DataPath, headers: dict[str, str]) -> None:
    assert both.known_as(**headers) == ("alice", "staff,team-a")
    for seen in (both.router.seen[-1], both.backend.calls[-1].headers):
        assert not [name for name in CREDENTIALS if name in seen]
        assert not [value for value in headers.values() if value in json.dumps(seen)]
    assert both.chat(AUTO, **headers).status == 200


def test_models_do_not_learn_who_asks(both: DataPath) -> None:
    both.known_as(**bearer(ALICE))
    assert not [name for name in both.backend.calls[-1].headers if name.startswith("x-authz-")]


def test_a_client_cannot_say_who_it_is(both: DataPath) -> None:
    claimed = {USER: "root", GROUPS: "admins", "x-authz-user-roles": "admin"}
    assert both.known_as(**bearer(ADMIN), **claimed) == ("admin", None)
    token = OUR.token(AUDIENCE, sub="ann")
    assert both.known_as(**bearer(token), **claimed) == ("ann", None)
    assert "x-authz-user-roles" not in both.router.seen[-1]
    assert_refused(both.asked_with(**claimed), "missing_credentials")


def test_the_router_finds_the_user_in_the_headers_of_its_own_configuration(start: Any) -> None:
    names = {"user_id_header": "X-Remote-User", "user_groups_header": "x-remote-groups"}
    config = {"global": {"services": {"authz": {"identity": names}}}}
    data_path: DataPath = start("apiKeys", config=config)
    claimed = {"x-remote-user": "root", "x-remote-groups": "admins"}
    assert data_path.asked_with(**bearer(ADMIN), **claimed).status == 200
    seen = data_path.router.seen[-1]
    assert (seen.get("x-remote-user"), seen.get("x-remote-groups")) == ("admin", None)


def test_the_access_log_says_who_and_not_by_what(both: DataPath) -> None:
    token = OUR.token(AUDIENCE, sub="user-of-the-log")
    both.known_as(**bearer(token))
    both.asked_with(**bearer("key-not-for-the-log"))
    wait.until(lambda: "user-of-the-log" in both.envoy.log.read_text(), "it is logged")
    log = both.envoy.log.read_text()
    assert '"user":"user-of-the-log"' in log
    for secret in (token, "key-not-for-the-log", ALICE):
        assert secret not in log


# Pages of other origins

PAGE = "https://chat.example.com"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}


@pytest.fixture(scope="module")
def pages(start: Any) -> DataPath:
    """With CORS and API keys."""
    return start("apiKeys", cors={"allowOrigins": [PAGE, "https://*.example.org"]})


@pytest.mark.parametrize("origin", [PAGE, "https://a.example.org", "https://a.b.example.org"])
def test_a_page_may_ask_whether_it_may_without_a_key(pages: DataPath, origin: str) -> None:
    answer = pages.ask(CHAT, method="OPTIONS", headers={"origin": origin, **PREFLIGHT})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "*, authorization"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.net",
        "http://chat.example.com",
        "https://chat.example.com.evil.net",
        "https://chatxexample.com",
        "https://example.org",
        "https://evil.net/.example.org",
        "null",
    ],
)
def test_other_pages_may_not(pages: DataPath, origin: str) -> None:
    answer = pages.ask(CHAT, method="OPTIONS", headers={"origin": origin, **PREFLIGHT})
    assert answer.status == 401
    assert "access-control-allow-origin" not in answer.headers
    answer = pages.asked_with(origin=origin, **bearer(ALICE))
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_can_read_answers_and_refusals(pages: DataPath) -> None:
    for headers, status in ((bearer(ALICE), 200), (bearer("wrong"), 401)):
        answer = pages.asked_with(origin=PAGE, **headers)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, PAGE)
        assert answer.headers["access-control-expose-headers"] == "*"


@dataclass(frozen=True)
class Asked:
    """A request that Envoy answers by itself, and with what status."""

    status: int
    path: str = CHAT
    body: dict[str, object] | None = None
    method: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: bearer(ALICE))


# By local reply, by a route, and before any filter has seen it.
ANSWERED_BY_ENVOY = {
    "no key": Asked(401, headers={}),
    "no body": Asked(400, method="POST"),
    "unknown model": Asked(404, "/v1/embeddings", prompt("nobody")),
    "unknown path": Asked(404, "/nothing"),
    "unchecked prompt": Asked(403, "/v1/completions", prompt(MODEL)),
    "options": Asked(204, "/v1/models", method="OPTIONS"),
    "escaped slash": Asked(400, "/v1%2fmodels"),
}


def assert_marked_for_pages_that_may(data_path: DataPath, asked: Asked) -> None:
    for origin, expected in ((PAGE, (PAGE, "*")), ("https://evil.example.net", (None, None))):
        headers = {"origin": origin, **asked.headers}
        answer = data_path.ask(asked.path, asked.body, asked.method, headers)
        said = [
            answer.headers.get(f"access-control-{name}")
            for name in ("allow-origin", "expose-headers")
        ]
        assert (answer.status, *said) == (asked.status, *expected), origin


@pytest.fixture(scope="module")
def checked_pages(start: Any) -> DataPath:
    """With CORS, API keys and a guard."""
    cors = {"allowOrigins": [PAGE, "https://*.example.org"]}
    return start("apiKeys", cors=cors, config={"prompt_guard": {"enabled": True}})


@pytest.mark.parametrize("case", ANSWERED_BY_ENVOY)
def test_a_page_can_read_what_envoy_answers_by_itself(checked_pages: DataPath, case: str) -> None:
    assert_marked_for_pages_that_may(checked_pages, ANSWERED_BY_ENVOY[case])


def test_a_page_can_read_that_the_router_is_down(start: Any) -> None:
    data_path = start("apiKeys", cors={"allowOrigins": [PAGE]}, router_is_up=False)
    assert_marked_for_pages_that_may(data_path, Asked(503, body=prompt(MODEL)))


def test_a_page_can_read_that_there_is_too_much_to_do(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "_REFUSE", 0.001)
    data_path = start("apiKeys", cors={"allowOrigins": [PAGE]})
    wait.until(lambda: data_path.asked_with().status == 503, "it is too much")
    assert_marked_for_pages_that_may(data_path, Asked(503, body=prompt(MODEL)))
    answer = data_path.asked_with(origin=PAGE, **bearer(ALICE))
    assert answer.json["error"]["code"] == "overloaded"
    assert answer.headers["retry-after"] == "5"


def test_what_a_backend_says_of_pages_does_not_count(pages: DataPath, keys: DataPath) -> None:
    # vLLM does, unless it is told otherwise.
    welcome = {"access-control-allow-origin": "*", "access-control-allow-credentials": "true"}
    for data_path, origin, expected in (
        (pages, "https://evil.example.net", {}),
        (pages, PAGE, {"access-control-allow-origin": PAGE, "access-control-expose-headers": "*"}),
        (keys, "https://evil.example.net", welcome),
    ):
        data_path.backend.headers = welcome
        answer = data_path.asked_with(origin=origin, **bearer(ALICE))
        data_path.backend.headers = {}
        said = {
            name: value
            for name, value in answer.headers.items()
            if name.startswith("access-control-")
        }
        assert (answer.status, said) == (200, expected)


def test_every_page_may_where_that_is_asked_for(start: Any) -> None:
    data_path: DataPath = start(cors={"allowOrigins": ["*"], "allowHeaders": ["x-one", "x-two"]})
    answer = data_path.ask(CHAT, method="OPTIONS", headers={"origin": PAGE, **PREFLIGHT})
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-headers"] == "x-one, x-two"
    assert data_path.asked_with(origin=PAGE).status == 200


def test_without_the_field_nothing_is_said_to_pages(keys: DataPath) -> None:
    answer = keys.asked_with(origin=PAGE, **bearer(ALICE))
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]
