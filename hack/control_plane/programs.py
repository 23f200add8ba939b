"""Finds the programs of the control plane, and builds those that are missing.

Looks in KUBEBUILDER_ASSETS first (envtest's directory, where a user already has one), then in a
cache outside the source tree that is keyed by everything that decides what a build yields.
Starts nothing: that is `plane`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import re
import selectors
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.modules import module_directory

Progress = Callable[[str], None]

MODULE = Path(__file__).resolve().parent.parent

# From the module's root, in the order in which the plane starts them.
PACKAGES = {
    "etcd": "./etcd",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}

# The shares of the six minutes that all take, on two cores with an empty Go cache. Estimates.
SECONDS = {
    "etcd": 70,
    "kube-apiserver": 170,
    "kube-controller-manager": 60,
    "kube-scheduler": 15,
    "kubectl": 35,
    "kwok": 15,
}

# What kwok does to nodes and pods. Heartbeats are left out: no node lifecycle controller listens.
KWOK_STAGES = (
    "node/fast/node-initialize.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)

_OTHER_MINORS = "kubernetes-*/go.mod"

BUILD_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
SECONDS_BETWEEN_PROGRESS_LINES = 10.0


@dataclass(frozen=True)
class Programs:
    """Where each program is, and the directory with kwok's Stage files."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kubectl: Path
    kwok: Path
    stages: Path


def ensure(progress: Progress) -> Programs:
    """All programs, built where missing; quick when nothing is."""
    paths, cache = _ensure(list(PACKAGES), progress)
    return Programs(
        **{name.replace("-", "_"): path for name, path in paths.items()}, stages=cache / "stages"
    )


def ensure_kubectl(progress: Progress) -> Path:
    """Only kubectl, for who has a cluster: with an empty Go cache two minutes' build."""
    paths, _ = _ensure(["kubectl"], progress)
    return paths["kubectl"]


def other_minors() -> list[str]:
    """Other minors of Kubernetes whose API server can be built: hack/kubernetes-<minor>."""
    return sorted(path.parent.name.partition("-")[2] for path in MODULE.glob(_OTHER_MINORS))


def ensure_apiserver(minor: str, progress: Progress) -> Path:
    """kube-apiserver of another minor, in a directory that KUBEBUILDER_ASSETS can name."""
    pins = MODULE / f"kubernetes-{minor}"

    def make(program: Path) -> None:
        progress(f"building kube-apiserver {minor} into {program.parent} (once; about two minutes)")
        flags = version_flags(pins)
        build(PACKAGES["kube-apiserver"], program, progress, pins, linker_flags=flags)

    parts = [(pins / name).read_bytes() for name in ("go.mod", "go.sum")]
    return cached("kube-apiserver", parts, make, progress)


def _ensure(names: list[str], progress: Progress) -> tuple[dict[str, Path], Path]:
    cache = _cache_directory(go_version())
    found = _from_assets()
    wanted = [name for name in names if name not in found]
    if not _complete(cache, wanted):
        cache.mkdir(parents=True, exist_ok=True)
        with file_lock(cache / ".lock", lambda: progress("another build is under way: waiting")):
            _build(cache, names, wanted, progress)
            _copy_stages(cache)
    return {name: found.get(name, cache / name) for name in names}, cache


@contextlib.contextmanager
def file_lock(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds an exclusive lock that the operating system drops if this process dies."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _from_assets() -> dict[str, Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return {}
    directory = Path(assets).resolve()
    found = {name: directory / name for name in PACKAGES if (directory / name).is_file()}
    if not found:
        raise ControlPlaneError(
            f"KUBEBUILDER_ASSETS is {assets}, where none of {', '.join(PACKAGES)} is. "
            "Point it to a directory with envtest's programs, or unset it to have them built."
        )
    return found


def _complete(cache: Path, wanted: list[str]) -> bool:
    stages = [cache / "stages" / Path(stage).name for stage in KWOK_STAGES]
    return all(path.is_file() for path in [*(cache / name for name in wanted), *stages])


def go_version() -> str:
    """What `go` is; ControlPlaneError when there is none, or it is too old."""
    needed = _required_go()
    install = (
        f"Install Go {needed} or newer (https://go.dev/dl/) and put it on PATH: the control plane "
        "is built from Go modules."
    )
    if shutil.which("go") is None:
        raise ControlPlaneError(f"There is no `go` on PATH. {install}")
    answer = _go("env", "GOVERSION", "GOOS", "GOARCH", hint=install)
    match = re.match(r"go(\d+)\.(\d+)", answer)
    if match and (int(match[1]), int(match[2])) < tuple(map(int, needed.split(".")[:2])):
        raise ControlPlaneError(f"{shutil.which('go')} is {answer.splitlines()[0]}. {install}")
    return answer


def _required_go() -> str:
    match = re.search(r"^go (\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise ControlPlaneError(f"{MODULE / 'go.mod'} names no Go version.")
    return match[1]


def _go(*arguments: str, hint: str = "", directory: Path = MODULE) -> str:
    answer = subprocess.run(
        ["go", *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        said = answer.stderr.strip()
        raise ControlPlaneError(f"`go {' '.join(arguments)}` failed: {said} {hint}".strip())
    return answer.stdout.strip()


def _cache_directory(version: str) -> Path:
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "etcd/main.go"):
        digest.update((MODULE / name).read_bytes())
    for text in (*PACKAGES.values(), *BUILD_FLAGS, *KWOK_STAGES, version):
        digest.update(text.encode())
    key = digest.hexdigest()[:16]
    return cache_root() / "control-plane" / key


def cache_root() -> Path:
    """Outside the source tree: what takes minutes to build outlives a checkout."""
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "semantic-router-operator"


def _build(cache: Path, names: list[str], wanted: list[str], progress: Progress) -> None:
    missing = [name for name in wanted if not (cache / name).is_file()]
    if missing:
        progress(
            f"building {len(missing)} of {len(names)} programs into {cache} "
            "(once; with an empty Go cache all six take about six minutes on two cores)"
        )
    stamps = version_flags() if missing else ""
    for number, name in enumerate(names, start=1):
        label = f"[{number}/{len(names)}] {name}"
        if name not in wanted:
            progress(f"{label}: taken from KUBEBUILDER_ASSETS")
        elif name not in missing:
            progress(f"{label}: in the cache")
        else:
            progress(f"{label}: building {PACKAGES[name]}")
            started = time.monotonic()
            later = [each for each in names[number:] if each in missing]
            said = estimating(progress, label, SECONDS[name], sum(SECONDS[each] for each in later))
            build(PACKAGES[name], cache / name, said, linker_flags=stamps)
            progress(f"{label}: built in {time.monotonic() - started:.1f} s")


def estimating(progress: Progress, label: str, own: float, later: float) -> Progress:
    """Says after each line how long it may take yet. own: seconds of what is built just now."""
    started = time.monotonic()

    def say(text: str) -> None:
        left = max(0.0, own - (time.monotonic() - started)) + later
        progress(f"{label}: {text}; {time_left(left)}")

    return say


def time_left(seconds: float) -> str:
    """No more exact than an estimate is."""
    if seconds < 45:
        return "less than a minute left"
    return f"about {round(seconds / 60)} min left"


def version_flags(directory: Path = MODULE) -> str:
    """Without these the programs call themselves v0.0.0, and kubectl warns about the skew."""
    asked = ("list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
    version = _go(*asked, directory=directory)
    major, minor = version.removeprefix("v").split(".")[:2]
    stamps = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])


def cached(
    name: str, parts: Iterable[bytes], make: Callable[[Path], None], progress: Progress
) -> Path:
    """A program in a cache directory of its own; `make` puts it there when it is missing.

    parts: what it is made from. Another one, other flags or another Go make it anew.
    """
    digest = hashlib.sha256()
    for part in (*parts, *(text.encode() for text in (*BUILD_FLAGS, go_version()))):
        digest.update(part)
    cache = cache_root() / name / digest.hexdigest()[:16]
    program = cache / name
    if program.is_file():
        return program
    cache.mkdir(parents=True, exist_ok=True)
    with file_lock(cache / ".lock", lambda: progress("another build is under way: waiting")):
        if not program.is_file():
            make(program)
    return program


def build(
    package: str,
    program: Path,
    progress: Progress,
    directory: Path = MODULE,
    linker_flags: str = "-s -w",
    tags: str = "",
) -> None:
    """Build a package of the Go module in `directory`."""
    # Built beside its final name and renamed, so that an interrupted build leaves no half program.
    unfinished = program.with_name(f".{program.name}.{os.getpid()}")
    command = ["go", "build", "-v", *BUILD_FLAGS, "-tags", tags, "-ldflags", linker_flags]
    try:
        _run_build([*command, "-o", str(unfinished), package], progress, directory)
        unfinished.rename(program)
    finally:
        unfinished.unlink(missing_ok=True)


def _run_build(command: list[str], progress: Progress, directory: Path) -> None:
    """`go build`, with a line of progress every few seconds."""
    # A published module may hold a go.work, whose other modules are not published with it.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    reading, writing = os.pipe()
    with (
        open(reading, "rb", buffering=0) as output,
        subprocess.Popen(
            command, cwd=directory, env=environment, stdout=writing, stderr=writing
        ) as go,
    ):
        os.close(writing)
        try:
            tail = _report_packages(output, progress)
        except BaseException:
            go.terminate()
            raise
    if go.returncode != 0:
        end = f"exit status {go.returncode}" if go.returncode > 0 else f"signal {-go.returncode}"
        raise ControlPlaneError(f"`go build` failed ({end}):\n" + "\n".join(tail))


def _report_packages(output: io.FileIO, progress: Progress) -> deque[str]:
    """Turns `go build -v`, one line per package, into a line every few seconds."""
    tail: deque[str] = deque(maxlen=20)
    packages, pending, started = 0, b"", time.monotonic()
    reported = started
    # A selector, because go says nothing while it links, and the user should hear from us.
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if selector.select(timeout=1.0):
                chunk = output.read(65536)
                *lines, pending = (pending + chunk).split(b"\n")
                tail.extend(line.decode(errors="replace") for line in lines)
                packages += sum(1 for line in lines if not line.startswith((b"go: ", b"#")))
                if not chunk:
                    return tail
            if time.monotonic() - reported >= SECONDS_BETWEEN_PROGRESS_LINES:
                reported = time.monotonic()
                last = f", last {tail[-1]}" if tail else ""
                progress(f"{packages} packages compiled in {reported - started:.0f} s{last}")


def _copy_stages(cache: Path) -> None:
    source = module_directory("sigs.k8s.io/kwok", MODULE) / "kustomize" / "stage"
    target = cache / "stages"
    target.mkdir(exist_ok=True)
    for stage in KWOK_STAGES:
        unfinished = target / f".{Path(stage).name}.{os.getpid()}"
        unfinished.write_bytes((source / stage).read_bytes())
        unfinished.rename(target / Path(stage).name)
