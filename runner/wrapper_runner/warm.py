"""Warm execution: ansible-runner and ansible-playbook found first on PATH, for both engines.

The package warm_runner knows no operator; what this operator's playbooks import is said here.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from wrapper_runner import logs
from wrapper_runner.environment import kubeconfig
from wrapper_runner.handed import Command, HandOver, Run

if TYPE_CHECKING:
    from warm_runner.server import Server

PLUGINS = "ansible_collections.vllm.semantic_router.plugins"
PRELOAD = (
    *(f"{PLUGINS}.{kind}.*" for kind in ("action", "filter", "plugin_utils")),
    # It has the connection options of every plugin.
    "ansible_collections.kubernetes.core.plugins.module_utils.args_common",
    # Where it is installed: every run whose spec.config holds something is checked with it.
    *(["jsonschema"] if find_spec("jsonschema") else []),
)
# What access.py of the collection leaves to the kubernetes client, which is large.
_CLIENT = "kubernetes"
_FOR_THE_CLIENT = ("exec:", "auth-provider:")
# It reads KUBECONFIG when it is imported, and the stock engine has one for every run.
RELOAD = ("kubernetes.config.kube_config",)
# With an arena of its own for each thread of a run, what one has freed is of no use to another.
MEMORY = {"MALLOC_ARENA_MAX": "1"}
# The embedded engine has a deadline of its own, and says more when it is missed.
EMBEDDED_GRACE = 30.0

log = logs.Log("cmd")


@contextmanager
def programs(
    options: argparse.Namespace, environment: MutableMapping[str, str]
) -> Iterator[HandOver | None]:
    """Puts them on the PATH of `environment`; without them, runs are cold and nothing else changes.

    Their server ends with this process, also when this has become ansible-operator. Until then,
    runs can be handed over to it without the programs.
    """
    if options.execution == "cold":
        yield None
        return
    try:
        from warm_runner import server
    except ImportError:
        log.info("Runs are cold: ansible-warm-runner is not installed")
        yield None
        return
    try:
        started = server.start(
            _directory(options.runner_dir),
            server.Options(
                preload=(*PRELOAD, *([_CLIENT] if _needs_client(environment) else [])),
                reload=RELOAD,
                run_timeout=options.run_timeout + EMBEDDED_GRACE,
            ),
            {**MEMORY, **environment},
        )
    except (OSError, server.ServerError) as error:
        log.error("Runs are cold: the warm server cannot be started", error=str(error))
        yield None
        return
    environment["PATH"] = started.first_on(environment.get("PATH", ""))
    try:
        yield partial(_hand_over, started)
    finally:
        started.stop()


def _hand_over(server: Server, command: Command) -> Run | None:
    from warm_runner.run import PLAYBOOK, ColdRun

    try:
        return server.hand_over(
            PLAYBOOK,
            command.arguments,
            command.directory,
            command.environment,
            stdin=command.stdin,
            stdout=command.output,
            stderr=command.output,
        )
    except ColdRun:
        # The server logs each reason once.
        return None


def _needs_client(environment: Mapping[str, str]) -> bool:
    """Only a guess: without it, runs that need the client import it themselves."""
    files = (kubeconfig(environment) or "").split(os.pathsep)
    texts = [Path(file).read_text("utf-8", "replace") for file in files if Path(file).is_file()]
    return len(texts) > 1 or any(word in text for text in texts for word in _FOR_THE_CLIENT)


def _directory(runner_dir: Path | None) -> Path:
    """One for this process alone; the server removes it."""
    if runner_dir:
        runner_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(prefix="warm-", dir=runner_dir)).resolve()
