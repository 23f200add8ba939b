"""What environment variables say to an operator, by ansible-operator's names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from wrapper_runner.watches import Kind, Watch

LARGEST_VERBOSITY = 7
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_PATH_VARIABLES = ("KUBECONFIG", "K8S_AUTH_KUBECONFIG", "ANSIBLE_INVENTORY", "ANSIBLE_CONFIG")

Environment = Mapping[str, str]


def namespaces(environment: Environment) -> list[str]:
    """WATCH_NAMESPACE, a comma separated list; [""] = all."""
    named = [name.strip() for name in environment.get("WATCH_NAMESPACE", "").split(",")]
    return [name for name in named if name] or [""]


def workers(watch: Watch, flag: int | None, environment: Environment) -> int:
    """MAX_CONCURRENT_RECONCILES_<KIND>_<GROUP>, or its older name WORKER_..., beats the flag.

    Without either, one where batches do the work, as each more takes memory; else one for each CPU.
    """
    for prefix in ("MAX_CONCURRENT_RECONCILES", "WORKER"):
        number = _number(prefix, watch.kind, environment)
        if number:
            return number
    if flag is not None:
        return max(flag, 1)
    return 1 if watch.batch > 1 else _cpus()


def verbosity(kind: Kind, default: int, environment: Environment) -> int:
    """ANSIBLE_VERBOSITY_<KIND>_<GROUP> beats the flag."""
    number = _number("ANSIBLE_VERBOSITY", kind, environment)
    return default if number is None or number > LARGEST_VERBOSITY else number


def kubeconfig(environment: Environment) -> str | None:
    """The file that says which cluster; None = the one that this pod runs in."""
    named = environment.get("KUBECONFIG") or environment.get("K8S_AUTH_KUBECONFIG")
    if named:
        return absolute(named)
    if (SERVICE_ACCOUNT / "token").exists():
        return None
    return str(Path.home() / ".kube" / "config")


def own_namespace() -> str:
    """The namespace of this pod; "" outside of one."""
    file = SERVICE_ACCOUNT / "namespace"
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""


def with_absolute_paths(environment: Environment) -> dict[str, str]:
    """For a program that works in another directory."""
    changed = {name: absolute(environment[name]) for name in _PATH_VARIABLES if name in environment}
    return {**environment, **changed}


def absolute(paths: str) -> str:
    """One path, or several with colons between them."""
    return os.pathsep.join(os.path.abspath(path) for path in paths.split(os.pathsep) if path)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2


def _number(prefix: str, kind: Kind, environment: Environment) -> int | None:
    suffix = f"{kind.kind}_{kind.group}".replace(".", "_").upper()
    text = environment.get(f"{prefix}_{suffix}", "")
    return int(text) if text.isdecimal() else None
