"""Faults between operator and API server, in the API server, its store, its rules and the disk.

Each operation edits routers while something is wrong, looks whether their status stays honest, ends
the fault, and waits until all is as asked.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass

import operator_account
import urllib3
from control_plane import ControlPlane

from torture.fault_proxy import EXPIRE, FAULTS, HANG, Passing
from torture.ground import HEALED, MERGE, RefusedError, in_time, until
from torture.outcome import Outcome
from torture.proxied import (
    ProxiedGround,
    differs,
    generation_told,
    proxied_ground,
    small_disk,
    wanted,
)
from torture.webhooks import CHANGES, HANGS, IS_AWAY, REFUSES, webhook

NAME = "router"
# A router in each; of faults of the proxy each has another one.
NAMESPACES = tuple(f"torture-{number}" for number in range(1, 7))
# How long a fault stays: until it was met, and some more.
MET = 8.0
STAYS = 2.0
OUTAGE = 30.0
YEAR = 365 * 86400.0
# How long nothing may be written by an operator that has all as it is to be.
QUIET = 5.0
# For what did not heal in time.
PATIENCE = 300.0
# How many edits are a deletion, and another one of the same name.
AGAIN = 0.2
VERBS = ("get", "list", "watch", "create", "patch", "delete")
KINDS = ("semanticrouters", "semanticrouters/status", "deployments", "configmaps", "services")
FULL_DISK = "a full disk"
POLICY = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"


@dataclass(frozen=True)
class Fault:
    """As a person would call it, and how to have it for a while."""

    name: str
    lasts: Callable[[ProxiedGround], AbstractContextManager[None]]
    seconds: float = 0.0
    # Nobody can edit meanwhile.
    stops_api: bool = False
    # All is to be right while it lasts, and then nothing is to be written any more.
    is_lived_with: bool = False


@dataclass(frozen=True)
class ProxyFault:
    """Befalls single requests: those of some verbs to one resource, "" for all."""

    kind: str
    target: str
    verbs: tuple[str, ...]
    resource: str

    @property
    def name(self) -> str:
        return f"{self.kind} for {self.target}"

    def befalls(self, passing: Passing) -> bool:
        return passing.verb in self.verbs and self.resource in ("", passing.resource)


@contextmanager
def _proxied(
    ground: ProxiedGround, faults: Mapping[str, ProxyFault], met: set[str]
) -> Iterator[None]:
    """Each in its namespace, and any of them for a request that is for no namespace in particular.

    met: gets the names of those that befell a request.
    """

    def wrong(passing: Passing) -> str:
        own = faults.get(passing.namespace)
        for fault in [own] if own else faults.values():
            if fault.befalls(passing):
                met.add(fault.name)
                return fault.kind
        return ""

    ground.proxy.break_(wrong)
    if any(fault.kind in (EXPIRE, HANG) for fault in faults.values()):
        # A watch that is on its way is none of those that meet it.
        ground.proxy.cut()
    try:
        yield
    finally:
        ground.proxy.heal()


@contextmanager
def _no_watch(ground: ProxiedGround) -> Iterator[None]:
    """Every connection ends, again and again: whatever happens between is missed."""
    ground.proxy.cut()
    yield
    ground.proxy.cut()


@contextmanager
def _restarted(ground: ProxiedGround) -> Iterator[None]:
    yield
    ground.plane.restart("kube-apiserver")


@contextmanager
def _store_stopped(ground: ProxiedGround) -> Iterator[None]:
    store = ground.plane.processes["etcd"]
    os.kill(store, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store, signal.SIGCONT)


@contextmanager
def _without_rights(ground: ProxiedGround) -> Iterator[None]:
    taken = ground.take_rights()
    try:
        yield
    finally:
        ground.give_rights(taken)


@contextmanager
def _policy(ground: ProxiedGround) -> Iterator[None]:
    """Refuses to change what routers consist of."""
    rule = {
        "apiGroups": ["", "apps", "networking.k8s.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps", "deployments", "ingresses"],
    }
    by = f"request.userInfo.username != '{operator_account.USER}'"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": by, "message": "no changes on Fridays"}],
    }
    ground.api("POST", POLICY + "ies", {"metadata": {"name": "friday"}, "spec": spec})
    binding = {"policyName": "friday", "validationActions": ["Deny"]}
    path = POLICY + "ybindings"
    ground.api("POST", path, {"metadata": {"name": "friday"}, "spec": binding})
    try:
        yield
    finally:
        ground.api("DELETE", path + "/friday")
        ground.api("DELETE", POLICY + "ies/friday")


@contextmanager
def _quota(ground: ProxiedGround) -> Iterator[None]:
    paths = [f"/api/v1/namespaces/{each}/resourcequotas" for each in NAMESPACES]
    hard = {"count/ingresses.networking.k8s.io": "0", "count/configmaps": "0"}
    for path in paths:
        ground.api("POST", path, {"metadata": {"name": "none-left"}, "spec": {"hard": hard}})
    try:
        yield
    finally:
        for path in paths:
            ground.api("DELETE", path + "/none-left")


def _webhook(deed: str) -> Fault:
    def lasts(ground: ProxiedGround) -> AbstractContextManager[None]:
        return webhook(ground.api, ground.directory / "webhook", deed, operator_account.USER)

    return Fault(f"a webhook that {deed}", lasts, 4.0, is_lived_with=deed == CHANGES)


def _clock(name: str, seconds: float) -> Fault:
    @contextmanager
    def lasts(ground: ProxiedGround) -> Iterator[None]:
        ground.set_clock(seconds)
        try:
            yield
        finally:
            ground.set_clock(0)

    return Fault(f"a clock that jumps {name}", lasts, 4.0)


@contextmanager
def _full_disk(ground: ProxiedGround) -> Iterator[None]:
    filler = ground.runs / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink(missing_ok=True)


def of_proxy() -> list[ProxyFault]:
    targets: list[tuple[str, tuple[str, ...], str]] = [
        ("every request", VERBS, ""),
        *((verb, (verb,), "") for verb in VERBS),
        *((kind, VERBS, kind) for kind in KINDS),
    ]
    return [
        ProxyFault(kind, *target)
        for kind in FAULTS
        for target in targets
        if kind != EXPIRE or target[0] == "watch"
    ]


def of_surroundings() -> list[Fault]:
    return [
        Fault("ended connections", _no_watch),
        Fault("a restart of the API server", _restarted, stops_api=True),
        Fault("an etcd that stands still", _store_stopped, OUTAGE, stops_api=True),
        Fault("no rights", _without_rights, 4.0),
        Fault("a policy that refuses", _policy, 4.0),
        Fault("a quota of nothing", _quota, 4.0),
        *map(_webhook, (REFUSES, HANGS, IS_AWAY, CHANGES)),
        _clock("a year ahead", YEAR),
        _clock("a year back", -YEAR),
    ]


class _Campaign:
    def __init__(self, ground: ProxiedGround, seed: int) -> None:
        self.ground = ground
        self.random = random.Random(seed)  # noqa: S311
        self.outcome = Outcome()
        self.number = 0
        self.asked: dict[str, int] = {}
        self.slowest = 0.0
        self.unmet: list[str] = []

    def edit(self) -> None:
        """Every router is made, edited, or deleted and made again."""
        for namespace in NAMESPACES:
            self.number += 1
            asked = wanted(NAME, self.number)
            path = self.ground.router_path(namespace, NAME)
            is_there = namespace in self.asked
            if is_there and self.random.random() < AGAIN:
                self.ground.api("DELETE", path)
                is_there = False
            if is_there:
                self.ground.api("PATCH", path, {"spec": asked["spec"]}, MERGE)
            else:
                self.ground.api("POST", self.ground.router_path(namespace), asked)
            self.asked[namespace] = self.number

    def look(self, what: str) -> bool:
        """Whether all is right; a status that says so of what is not so is no honest one."""
        right = True
        for namespace, number in self.asked.items():
            claims, told = generation_told(self.ground, namespace, NAME)
            found = differs(self.ground, namespace, NAME, number)
            if claims and found:
                self.outcome.violated("status honest", what, f"{namespace}: {found}, but {told}")
            right = right and claims and not found
        return right

    def operate(self, fault: Fault) -> None:
        if fault.stops_api:
            self.edit()
        with fault.lasts(self.ground):
            if fault.stops_api:
                time.sleep(fault.seconds)
            else:
                self.edit()
                self.edit()
                ends = time.monotonic() + max(fault.seconds, STAYS)
                until(lambda: (self.look(fault.name), time.monotonic() > ends)[1], STAYS + OUTAGE)
            if fault.is_lived_with:
                self.live_with(fault)
        if not until(self._answers, in_time()):
            raise RuntimeError(f"{fault.name}: the API server does not answer any more")
        if fault.stops_api:
            self.edit()
        self.heal(fault.name, 1)

    def live_with(self, fault: Fault) -> None:
        if not until(lambda: self.look(fault.name), in_time()):
            self.outcome.violated("right all the same", fault.name, self.told())
            return
        writes: list[str] = []

        def before(passing: Passing) -> bool:
            # What has become of a pod is told in the status, a while after.
            if passing.changes and not passing.resource.startswith(("semanticrouters", "events")):
                writes.append(f"{passing.called} {passing.namespace}/{passing.name}")
            return False

        self.ground.proxy.before = before
        time.sleep(QUIET)
        self.ground.proxy.before = lambda _: False
        if writes:
            self.outcome.violated("quiet when all is right", fault.name, writes)

    def operate_together(self, faults: list[ProxyFault]) -> None:
        """One for each router; all are met, and heal, at once."""
        met: set[str] = set()
        what = " + ".join(fault.name for fault in faults)
        with _proxied(self.ground, dict(zip(NAMESPACES, faults, strict=False)), met):
            self.edit()
            self.edit()
            ends = time.monotonic() + STAYS
            until(lambda: len(met) == len(faults), MET)
            until(lambda: (self.look(what), time.monotonic() > ends)[1], STAYS + OUTAGE)
        self.unmet += [fault.name for fault in faults if fault.name not in met]
        self.heal(what, len(faults))

    def heal(self, what: str, operations: int) -> None:
        healed = time.monotonic()
        if not until(lambda: self.look(what), in_time()):
            seen = self.told()
            # The next fault is not to be blamed for this one.
            until(lambda: self.look(what), PATIENCE)
            seconds = f"right after {time.monotonic() - healed:.0f} s"
            self.outcome.violated("healed within 30 s", what, f"{seconds}; {seen}")
        seconds_to_heal = time.monotonic() - healed
        self.slowest = max(self.slowest, seconds_to_heal)
        text = self.ground.operator.text
        if "Traceback" in text[self.read :]:
            begins = text.rindex("Traceback")
            self.outcome.violated("no traceback", what, text[begins : begins + 3000])
        self.read = len(text)
        self.outcome.operations += operations
        print(f"faults: {what}: right again after {seconds_to_heal:.1f} s", file=sys.stderr)

    # How much of the operator's log has been looked at.
    read = 0

    def told(self) -> str:
        lines = []
        for namespace, number in self.asked.items():
            found = differs(self.ground, namespace, NAME, number)
            lines.append(
                f"{namespace}: {found}, {generation_told(self.ground, namespace, NAME)[1]}"
            )
        return "; ".join(lines)

    def _answers(self) -> bool:
        try:
            return bool(self.ground.api("GET", "/api/v1/namespaces/default"))
        except (RefusedError, urllib3.exceptions.HTTPError, ValueError):
            return False


def run(plane: ControlPlane, seed: int, count: int, deadline: float) -> Outcome:
    """Every fault once, in an order of the seed; then begins anew."""
    with ExitStack() as stack:
        ground = stack.enter_context(proxied_ground(plane))
        has_disk = stack.enter_context(small_disk(ground.runs))
        ground.operator.start("--max-concurrent-reconciles=2")
        stack.callback(ground.operator.stop)
        for namespace in NAMESPACES:
            ground.namespace(namespace)
        campaign = _Campaign(ground, seed)
        campaign.edit()
        until(lambda: campaign.look("nothing"), in_time(2 * HEALED))
        outcome = campaign.outcome
        surroundings = of_surroundings()
        surroundings += [Fault(FULL_DISK, _full_disk, 4.0)] if has_disk else []
        kinds = len(surroundings) + len(of_proxy())
        while outcome.operations < count and time.monotonic() < deadline:
            for turn in _turns(campaign.random, surroundings):
                if outcome.operations >= count or time.monotonic() > deadline:
                    break
                if isinstance(turn, Fault):
                    campaign.operate(turn)
                else:
                    campaign.operate_together(turn[: count - outcome.operations])
        outcome.numbers = {
            "kinds of fault": min(kinds, outcome.operations),
            "that no request met": len(campaign.unmet),
            "seconds to heal at most": round(campaign.slowest, 1),
        }
        return outcome


def _turns(chance: random.Random, surroundings: list[Fault]) -> list[Fault | list[ProxyFault]]:
    """Those of the proxy several together, the others each by itself."""
    deck = of_proxy()
    chance.shuffle(deck)
    size = len(NAMESPACES)
    together = [deck[start : start + size] for start in range(0, len(deck), size)]
    turns: list[Fault | list[ProxyFault]] = [*together, *surroundings]
    chance.shuffle(turns)
    return turns
