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
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass

import urllib3

from torture.fault_proxy import EXPIRE, FAULTS, HANG, Passing
from torture.ground import MERGE, RefusedError, until
from torture.outcome import Outcome
from torture.proxied import (
    HEALED,
    USER,
    ProxiedGround,
    differs,
    generation_told,
    proxied_ground,
    small_disk,
    wanted,
)

NAMESPACE = "torture"
ROUTERS = ("alpha", "beta", "gamma")
# How long a fault stays: until it was met, and some more.
MET = 8.0
STAYS = 2.0
OUTAGE = 30.0
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
    is_of_proxy: bool = False
    # Nobody can edit meanwhile.
    stops_api: bool = False


def _proxy_fault(kind: str, target: str, verbs: tuple[str, ...], resource: str) -> Fault:
    def concerns(passing: Passing) -> str:
        is_meant = passing.verb in verbs and resource in ("", passing.resource)
        return kind if is_meant else ""

    @contextmanager
    def lasts(ground: ProxiedGround) -> Iterator[None]:
        ground.proxy.break_(concerns)
        if kind in (EXPIRE, HANG):
            # A watch that is on its way is none of those that meet it.
            ground.proxy.cut()
        try:
            yield
        finally:
            ground.proxy.heal()

    return Fault(f"{kind} for {target}", lasts, is_of_proxy=True)


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
    ground.take_rights()
    try:
        yield
    finally:
        ground.give_rights()


@contextmanager
def _policy(ground: ProxiedGround) -> Iterator[None]:
    """Refuses to change what routers consist of."""
    rule = {
        "apiGroups": ["", "apps", "networking.k8s.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps", "deployments", "ingresses"],
    }
    by = f"request.userInfo.username != '{USER}'"
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
    path = f"/api/v1/namespaces/{NAMESPACE}/resourcequotas"
    hard = {"count/ingresses.networking.k8s.io": "0", "count/configmaps": "0"}
    ground.api("POST", path, {"metadata": {"name": "none-left"}, "spec": {"hard": hard}})
    try:
        yield
    finally:
        ground.api("DELETE", path + "/none-left")


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


def faults() -> list[Fault]:
    """All of them."""
    targets: list[tuple[str, tuple[str, ...], str]] = [
        ("every request", VERBS, ""),
        *((verb, (verb,), "") for verb in VERBS),
        *((kind, VERBS, kind) for kind in KINDS),
    ]
    of_proxy = [
        _proxy_fault(kind, *target)
        for kind in FAULTS
        for target in targets
        if kind != EXPIRE or target[0] == "watch"
    ]
    return [
        *of_proxy,
        Fault("ended connections", _no_watch),
        Fault("a restart of the API server", _restarted, stops_api=True),
        Fault("an etcd that stands still", _store_stopped, OUTAGE, stops_api=True),
        Fault("no rights", _without_rights, 4.0),
        Fault("a policy that refuses", _policy, 4.0),
        Fault("a quota of nothing", _quota, 4.0),
        Fault(FULL_DISK, _full_disk, 4.0),
    ]


class _Campaign:
    def __init__(self, ground: ProxiedGround, seed: int) -> None:
        self.ground = ground
        self.random = random.Random(seed)  # noqa: S311
        self.outcome = Outcome()
        self.number = 0
        self.asked: dict[str, int] = {}
        self.slowest = 0.0
        self.met: set[str] = set()

    def edit(self) -> None:
        """One router is made, edited, or deleted and made again."""
        name = self.random.choice(ROUTERS)
        self.number += 1
        asked = wanted(name, self.number)
        path = self.ground.router_path(NAMESPACE, name)
        is_there = name in self.asked
        if is_there and self.random.random() < AGAIN:
            self.ground.api("DELETE", path)
            is_there = False
        if is_there:
            self.ground.api("PATCH", path, {"spec": asked["spec"]}, MERGE)
        else:
            self.ground.api("POST", self.ground.router_path(NAMESPACE), asked)
        self.asked[name] = self.number

    def look(self, what: str) -> bool:
        """Whether all is right; a status that says so of what is not so is no honest one."""
        right = True
        for name, number in self.asked.items():
            claims, told = generation_told(self.ground, NAMESPACE, name)
            found = differs(self.ground, NAMESPACE, name, number)
            if claims and found:
                self.outcome.violated("status honest", what, f"{name}: {found}, but {told}")
            right = right and claims and not found
        return right

    def operate(self, fault: Fault) -> None:
        before = self.ground.operator.tracebacks
        if fault.stops_api:
            self.edit()
        with fault.lasts(self.ground):
            if fault.stops_api:
                time.sleep(fault.seconds)
            else:
                self.edit()
                self.edit()
                ends = time.monotonic() + max(fault.seconds, STAYS)
                until(lambda: not fault.is_of_proxy or self.ground.proxy.met, MET)
                until(lambda: (self.look(fault.name), time.monotonic() > ends)[1], STAYS + OUTAGE)
        if not until(self._answers, HEALED):
            raise RuntimeError(f"{fault.name}: the API server does not answer any more")
        healed = time.monotonic()
        if fault.stops_api:
            self.edit()
        if not until(lambda: self.look(fault.name), HEALED):
            seen = self.told()
            # The next fault is not to be blamed for this one.
            until(lambda: self.look(fault.name), PATIENCE)
            seconds = f"right after {time.monotonic() - healed:.0f} s"
            self.outcome.violated("healed within 30 s", fault.name, f"{seconds}; {seen}")
        seconds_to_heal = time.monotonic() - healed
        self.slowest = max(self.slowest, seconds_to_heal)
        if self.ground.operator.tracebacks > before:
            text = self.ground.operator.text
            words = text[text.rindex("Traceback") :][:3000]
            self.outcome.violated("no traceback", fault.name, words)
        self.outcome.operations += 1
        self.met.add(fault.name)
        print(f"faults: {fault.name}: right again after {seconds_to_heal:.1f} s", file=sys.stderr)

    def told(self) -> str:
        lines = []
        for name, number in self.asked.items():
            found = differs(self.ground, NAMESPACE, name, number)
            lines.append(f"{name}: {found}, {generation_told(self.ground, NAMESPACE, name)[1]}")
        return "; ".join(lines)

    def _answers(self) -> bool:
        try:
            return bool(self.ground.api("GET", "/api/v1/namespaces/default"))
        except (RefusedError, urllib3.exceptions.HTTPError, ValueError):
            return False


def run(seed: int, count: int, deadline: float) -> Outcome:
    with ExitStack() as stack:
        ground = stack.enter_context(proxied_ground())
        has_disk = stack.enter_context(small_disk(ground.runs))
        ground.operator.start("--max-concurrent-reconciles=2")
        stack.callback(ground.operator.stop)
        ground.namespace(NAMESPACE)
        campaign = _Campaign(ground, seed)
        for _ in ROUTERS:
            campaign.edit()
        until(lambda: campaign.look("nothing"), 2 * HEALED)
        deck = [fault for fault in faults() if has_disk or fault.name != FULL_DISK]
        while campaign.outcome.operations < count and time.monotonic() < deadline:
            if campaign.outcome.operations % len(deck) == 0:
                campaign.random.shuffle(deck)
            campaign.operate(deck[campaign.outcome.operations % len(deck)])
        campaign.outcome.numbers = {
            "kinds of fault": len(campaign.met),
            "seconds to heal at most": round(campaign.slowest, 1),
        }
        return campaign.outcome
