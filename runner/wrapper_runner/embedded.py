"""Puts the embedded engine together from the command line, and lets it run."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import threading
from dataclasses import replace
from pathlib import Path

from wrapper_runner import environment, inputdir, logs, watches
from wrapper_runner.cluster import Cluster, ClusterError, connect
from wrapper_runner.endpoints import OFF
from wrapper_runner.engine import Addresses, Controller, Engine
from wrapper_runner.handed import HandOver
from wrapper_runner.leader import LeaderElection
from wrapper_runner.metrics import Metrics
from wrapper_runner.playing import Player, PlayError
from wrapper_runner.problems import StartError
from wrapper_runner.readers import Readers
from wrapper_runner.reconciler import Limits, Reconciler
from wrapper_runner.watches import Watch

log = logs.Log("cmd")


def run(options: argparse.Namespace, hand_over: HandOver | None = None) -> bool:
    """Until a signal (True) or until leadership is lost (False)."""
    _refuse_tokens_in_clear(options)
    watched = watches_of(options)
    cluster = _connect()
    election = _election(cluster, options)
    player = Player(environment.with_absolute_paths(os.environ), hand_over)
    metrics = Metrics()
    stop, hurry = threading.Event(), threading.Event()
    _stop_on_signals(stop, hurry)
    with inputdir.base(options.runner_dir) as directory:
        controllers = [
            Controller(
                cluster,
                watch,
                environment.workers(watch, options.max_concurrent_reconciles, os.environ),
                _reconciler(cluster, watch, player, directory, options),
                metrics,
                stop,
            )
            for watch in watched
        ]
        _say_hello(options, player)
        engine = Engine(cluster, controllers, player, metrics, election, stop, hurry)
        finished = engine.run(
            environment.namespaces(os.environ),
            _addresses(cluster, options),
            options.graceful_shutdown_timeout,
        )
    log.info("Stopped")
    return finished


def _refuse_tokens_in_clear(options: argparse.Namespace) -> None:
    if options.metrics_require_rbac and not options.metrics_secure:
        # The stock engine's own words.
        raise StartError("--metrics-secure flag is required when --metrics-require-rbac is present")


def _addresses(cluster: Cluster, options: argparse.Namespace) -> Addresses:
    metrics, probes = options.metrics_bind_address, options.health_probe_bind_address
    if not options.metrics_secure or metrics in OFF:
        return Addresses(metrics, probes)
    # Only here: nobody else in the engine needs a certificate.
    from wrapper_runner import self_signed

    tls = self_signed.server_side(socket.gethostname())
    judge = Readers(cluster).judge if options.metrics_require_rbac else None
    return Addresses(metrics, probes, tls, judge)


def watches_of(options: argparse.Namespace) -> list[Watch]:
    """What watches.yaml has, without what the environment leaves no room for."""
    found = watches.load(options.watches_file.resolve())
    if os.environ.get("ANSIBLE_INVENTORY") and any(watch.batch > 1 for watch in found):
        log.info("Each object has a run by itself, as ANSIBLE_INVENTORY says which hosts there are")
        return [replace(watch, batch=1) for watch in found]
    return found


def _connect() -> Cluster:
    try:
        return connect(environment.kubeconfig(os.environ))
    except ClusterError as error:
        raise StartError(str(error)) from error


def _reconciler(
    cluster: Cluster, watch: Watch, player: Player, directory: Path, options: argparse.Namespace
) -> Reconciler:
    limits = Limits(
        period=options.reconcile_period,
        verbosity=environment.verbosity(watch.kind, options.ansible_verbosity, os.environ),
        timeout=options.run_timeout,
        ansible_args=options.ansible_args,
    )
    return Reconciler(cluster, watch, limits, player, _kubeconfig(), directory)


def _kubeconfig() -> dict[str, str]:
    """For the playbooks: the same cluster as ours, by both names that they may look for."""
    file = environment.kubeconfig(os.environ)
    return {"K8S_AUTH_KUBECONFIG": file, "KUBECONFIG": file} if file else {}


def _election(cluster: Cluster, options: argparse.Namespace) -> LeaderElection | None:
    if not options.leader_elect:
        return None
    namespace = options.leader_election_namespace or environment.own_namespace()
    if not options.leader_election_id or not namespace:
        raise StartError(
            "--leader-elect needs --leader-election-id and, outside of a pod, "
            "--leader-election-namespace"
        )
    return LeaderElection(
        cluster,
        namespace,
        options.leader_election_id,
        options.leader_elect_lease_duration,
        options.leader_elect_renew_deadline,
    )


def _say_hello(options: argparse.Namespace, player: Player) -> None:
    try:
        program = player.program()
    except PlayError as error:
        raise StartError(str(error)) from error
    log.info(
        "Starting the embedded engine",
        watches_file=str(options.watches_file),
        namespaces=",".join(environment.namespaces(os.environ)) or "all",
        ansible_runner=program,
    )


def _stop_on_signals(stop: threading.Event, hurry: threading.Event) -> None:
    """The first signal lets runs finish, the second ends them."""
    # Python has handlers run by the main thread, when that goes on: it waits, and the kernel may
    # have interrupted another one. And a handler must not set an Event, whose lock its own thread
    # may hold. Into this pipe goes the number of a signal at once, whoever is interrupted.
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def listen() -> None:
        while numbers := os.read(heard, 64):
            for _ in numbers:
                (hurry if stop.is_set() else stop).set()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
