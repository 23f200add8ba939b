"""What the operator hears of the cluster comes late, not at all, or is of the past.

Watch events are held back while users and others act, or are lost until the API server says that
the watch is too old; or the operator starts anew, and lists and watches tell it of an earlier time.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from control_plane import ControlPlane

from torture import scenarios
from torture.fault_proxy import EXPIRE, Passing
from torture.ground import JSON_PATCH, in_time, until
from torture.outcome import Outcome
from torture.proxied import ProxiedGround, differs, generation_told, proxied_ground
from torture.scenarios import NAME, Deed, Scenario

# How long what it hears is wrong, at least.
STAYS = 3.0
ROUTERS = "semanticrouters"
# Of runs, which ask the API server for what is there now; what engines ask has no such name.
RUNS = "semantic-router-operator"


@contextmanager
def _late(ground: ProxiedGround, concerns: Callable[[Passing], bool]) -> Iterator[None]:
    released = threading.Event()

    def event(passing: Passing, _: bytes) -> bool:
        if concerns(passing):
            released.wait()
        return True

    ground.proxy.event = event
    try:
        yield
    finally:
        ground.proxy.event = lambda *_: True
        released.set()


@contextmanager
def _missed(ground: ProxiedGround, concerns: Callable[[Passing], bool]) -> Iterator[None]:
    proxy = ground.proxy
    proxy.event = lambda passing, _: not concerns(passing)
    yield
    proxy.event = lambda *_: True
    # What a watch that is too old is told: list again.
    proxy.break_(lambda passing: EXPIRE if passing.verb == "watch" else "")
    proxy.cut()
    until(lambda: proxy.met > 1, in_time())
    proxy.heal()


class _Past:
    """What engines have listed first, to tell them again."""

    def __init__(self, ground: ProxiedGround) -> None:
        self.ground = ground
        self.lists: dict[str, bytes] = {}
        ground.proxy.content = self._content
        self._is_now = False

    def _content(self, passing: Passing, url: str, said: bytes) -> bytes:
        if passing.verb != "list" or passing.agent.startswith(RUNS):
            return said
        if self._is_now:
            return self.lists.get(url, said)
        self.lists[url] = said
        return said

    @contextmanager
    def lasts(self, ground: ProxiedGround, concerns: Callable[[Passing], bool]) -> Iterator[None]:
        """The operator starts anew once all has been done, and hears of it later."""
        ground.operator.kill()
        # A start that hears the truth, to be remembered.
        self.lists.clear()
        ground.operator.start()
        with _late(ground, concerns):
            self._is_now = True
            try:
                yield
                ground.operator.kill()
                ground.operator.start()
                time.sleep(STAYS)
            finally:
                self._is_now = False


def _edit(path: str, pointer: str, value: object) -> Deed:
    """By somebody else, of an object of the router."""
    patch = [{"op": "replace", "path": pointer, "value": value}]
    return lambda ground, namespace: ground.api("PATCH", path.format(namespace), patch, JSON_PATCH)


def _remove(path: str) -> Deed:
    return lambda ground, namespace: ground.api("DELETE", path.format(namespace))


def _in_turn(*deeds: Deed) -> Deed:
    def deed(ground: ProxiedGround, namespace: str) -> None:
        for each in deeds:
            each(ground, namespace)

    return deed


_DEPLOYMENT = f"/apis/apps/v1/namespaces/{{}}/deployments/{NAME}"
_SERVICE = f"/api/v1/namespaces/{{}}/services/{NAME}"
_CONFIG = f"/api/v1/namespaces/{{}}/configmaps/{NAME}-config"
_FIRST = scenarios.create(2)
_IMAGE = "/spec/template/spec/containers/0/image"
BY_USERS = (
    Scenario("a router is edited", _FIRST, scenarios.update(3), 3),
    Scenario(
        "a router is edited there and back",
        _FIRST,
        _in_turn(scenarios.update(3), scenarios.update(2)),
        2,
    ),
    Scenario("a router is deleted", _FIRST, scenarios.delete, None),
    Scenario("a router is deleted and made again", _FIRST, scenarios.again(3), 3),
)
DEEDS = (
    *BY_USERS,
    Scenario("a Deployment is deleted", _FIRST, _remove(_DEPLOYMENT), 2),
    Scenario("a Deployment is edited", _FIRST, _edit(_DEPLOYMENT, _IMAGE, "example.com/a:1"), 2),
    Scenario(
        "a router is edited, and its objects are too",
        _FIRST,
        _in_turn(scenarios.update(3), _remove(_CONFIG), _edit(_SERVICE, "/spec/selector", {})),
        3,
    ),
)
CONCERNED: dict[str, Callable[[Passing], bool]] = {
    "routers": lambda passing: passing.resource == ROUTERS,
    "objects of routers": lambda passing: passing.resource != ROUTERS,
    "all": lambda _: True,
}


class _Campaign:
    def __init__(self, ground: ProxiedGround) -> None:
        self.ground = ground
        self.outcome = Outcome()
        self.good: dict[int, str] = {}
        self.slowest = 0.0
        self.namespaces = 0
        past = _Past(ground)
        self.disturbances = {"late": _late, "lost": _missed, "of the past": past.lasts}

    def namespace(self) -> str:
        self.namespaces += 1
        return f"stale-{self.namespaces}"

    def remember(self, number: int) -> None:
        """The objects of a router that nobody disturbs."""
        if number in self.good:
            return
        made = Scenario("undisturbed", scenarios.create(number), lambda *_: None, number)
        namespace = self.namespace()
        scenarios.begin(self.ground, made, namespace)
        until(lambda: self.is_right(made, namespace), in_time())
        self.good[number] = scenarios.objects(self.ground, namespace)
        scenarios.delete(self.ground, namespace)

    def is_right(self, deed: Scenario, namespace: str) -> bool:
        if not scenarios.is_right(self.ground, deed, namespace):
            return False
        good = self.good.get(deed.number or 0)
        return good is None or scenarios.objects(self.ground, namespace) == good

    def operate(self, deed: Scenario, how: str, concerned: str) -> None:
        what = f"{deed.name}, and what the operator hears of {concerned} is {how}"
        if deed.number is not None:
            self.remember(deed.number)
        namespace = self.namespace()
        scenarios.begin(self.ground, deed, namespace)
        scenarios.settle(self.ground, deed, namespace)
        with self.disturbances[how](self.ground, CONCERNED[concerned]):
            deed.deed(self.ground, namespace)
            until(lambda: self.lies(deed, namespace, what), STAYS)
        started = time.monotonic()
        if not until(lambda: self.is_right(deed, namespace), in_time()):
            told = scenarios.seen(self.ground, deed, namespace)
            self.outcome.violated("right within 30 s of hearing it", what, told)
        seconds = time.monotonic() - started
        # What only now hears of a past router would make its objects again, or delete the new ones.
        # A Deployment that was deleted is there again before a status says that its pods are not.
        time.sleep(1)
        if not until(lambda: self.is_right(deed, namespace), in_time()):
            told = scenarios.seen(self.ground, deed, namespace)
            self.outcome.violated("right to stay", what, told)
        self.slowest = max(self.slowest, seconds)
        self.outcome.operations += 1
        print(f"staleness: {what}: right after {seconds:.1f} s", file=sys.stderr)
        scenarios.delete(self.ground, namespace)

    def lies(self, deed: Scenario, namespace: str, what: str) -> bool:
        """A status that says Ready of a generation that is not in effect.

        That somebody has edited an object of which nothing is heard, no status can know.
        """
        if deed.number is None or deed not in BY_USERS:
            return False
        claims, told = generation_told(self.ground, namespace, NAME)
        if claims and (found := differs(self.ground, namespace, NAME, deed.number)):
            self.outcome.violated("status honest", what, f"{found}, but {told}")
            return True
        return False


def run(plane: ControlPlane, seed: int, count: int, deadline: float) -> Outcome:
    deck = [
        (deed, how, concerned)
        for deed in DEEDS
        for how in ("late", "lost", "of the past")
        for concerned in CONCERNED
    ]
    random.Random(seed).shuffle(deck)  # noqa: S311
    with proxied_ground(plane) as ground:
        campaign = _Campaign(ground)
        outcome = campaign.outcome
        ground.operator.start()
        for deed, how, concerned in deck[:count]:
            if time.monotonic() > deadline:
                break
            campaign.operate(deed, how, concerned)
        ground.operator.stop()
        ground.judge(outcome, "staleness")
        outcome.numbers = {
            "of": len(deck),
            "seconds to be right at most": round(campaign.slowest, 1),
        }
        return outcome
