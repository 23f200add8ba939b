"""`python -m demo up|down`: the demo of the README, started and ended."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clusters
import real_node
import yaml
from control_plane import ControlPlane, ControlPlaneError, Kubectl, KubectlError
from control_plane.process import Process
from real_node import Node, images, programs

from demo import questions
from demo.beside import Beside
from demo.visiting import Visit

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".demo"
ROUTER = Path(__file__).with_name("my-router.yaml")
CRDS = sorted([*ROOT.glob("config/crd/bases/*.yaml"), *ROOT.glob("tests/crds/*.yaml")])
NAME = "my-router"
KINDS = "deployment,service,configmap,persistentvolumeclaim,serviceaccount,poddisruptionbudget"
READY_DEADLINE = 180.0
LOG_DEADLINE = 15.0
POLL_INTERVAL = 0.1
INTERRUPTED = 130  # what shells say of a command that Ctrl-C ended


def say(text: str) -> None:
    print(f"\033[1m==>\033[0m {text}" if sys.stdout.isatty() else f"==> {text}", flush=True)


def up(state: Path, *, simulated: bool) -> None:
    """Starts what is not running, applies the router, waits until it is Ready and asks it."""
    started = time.monotonic()
    state = state.resolve()
    visit = Visit(state)
    if visit.under_way or (os.environ.get(clusters.VARIABLE) and not simulated):
        visit.begin(CRDS, say)
        kubectl, env, is_real = visit.kubectl, visit.env, True
        start_operator(state, env)
    else:
        plane, node = start_cluster(state, simulated=simulated)
        kubectl, env, is_real = Kubectl(plane.kubectl, plane.env), plane.env, node is not None
    create_backends(kubectl)
    say(f"apply {ROUTER.relative_to(ROOT)}: two models behind one name")
    kubectl("apply", "-f", str(ROUTER))
    follow(kubectl, state)
    show(kubectl, state)
    with listening(kubectl, state, is_real=is_real) as port:
        answers = questions.ask_all(port)
    print(questions.table(questions.QUESTIONS, answers))
    print()
    show_status(env)
    say(f"all of it took {time.monotonic() - started:.0f} s")
    show_way_on(state, is_real=is_real)


def start_cluster(state: Path, *, simulated: bool) -> tuple[ControlPlane, Node | None]:
    """With an operator, and a real node where the machine lets one run; else simulated ones."""
    plane, node = ControlPlane.attach(state, say), Node.attach(state, say)
    if plane.ready:
        say(f"control plane: up already at {plane.url}")
        start_operator(state, plane.env)
        return plane, node if node.alive else None
    # One that is left knows a control plane which is no more.
    stop_operator(state)
    why_not = ["It was asked for."] if simulated else why_no_node(state)
    if why_not:
        say(f"nodes are simulated. {' '.join(why_not)}")
        say("install the SemanticRouter CRD, and a stand-in for KServe's")
        plane = ControlPlane.start(state, crds=CRDS, detached=True, progress=say)
        start_operator(state, plane.env)
        return plane, None
    with tempfile.TemporaryDirectory(prefix="demo-") as directory, ThreadPoolExecutor() as pool:
        archive = pool.submit(images.for_routers, Path(directory), say)
        node = Node.start(state, crds=CRDS, detached=True, progress=say)
        # Before the images are there: it has seconds of its own to start.
        start_operator(state, node.plane.env)
        node.import_images(archive.result())
    return node.plane, node


def why_no_node(state: Path) -> list[str]:
    reasons = [*real_node.missing(state), *programs.missing_for_a_build()]
    if not reasons and os.environ.get("KUBEBUILDER_ASSETS") and not programs.are_built():
        return ["KUBEBUILDER_ASSETS spares a build, and a node takes one: make node."]
    return reasons


def operator_process(state: Path) -> Process | None:
    running = [process for process in Process.recorded(state / "operator") if process.alive]
    return running[0] if running else None


def start_operator(state: Path, env: Mapping[str, str]) -> None:
    if operator_process(state):
        say("operator: running already")
        return
    root = state / "operator"
    for folder in ("logs", "run"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    binaries = Path(sys.executable).parent
    say(f"start the operator; its log is {os.path.relpath(operator_log(state))}")
    Process.start(
        "operator",
        [
            "/usr/bin/env",
            *(f"{name}={value}" for name, value in env.items()),
            f"PATH={binaries}:/usr/local/bin:/usr/bin:/bin",
            str(binaries / "wrapper-runner"),
            "run",
            f"--watches-file={ROOT / 'watches.yaml'}",
            f"--runner-dir={root / 'runtime'}",
            "--metrics-bind-address=0",
            "--health-probe-bind-address=0",
        ],
        root,
        detached=True,
    )


def stop_operator(state: Path) -> None:
    process = operator_process(state)
    if process:
        say("stop the operator")
        process.stop()


def operator_log(state: Path) -> Path:
    return state / "operator" / "logs" / "operator.log"


def create_backends(kubectl: Kubectl) -> None:
    say("create two backends: a KServe predictor and a plain Service")
    kubectl("apply", "--server-side", "-f", str(Path(__file__).with_name("backends.yaml")))
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    patch = ("patch", "inferenceservice", "llama-3-8b", "--subresource=status", "--type=merge")
    kubectl(*patch, "-p", json.dumps(ready))


def semantic_router(kubectl: Kubectl) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", "semanticrouter", NAME, "-o", "json"))
    return found


def is_ready(router: dict[str, Any]) -> bool:
    status = router.get("status", {})
    return status.get("observedGeneration") == router["metadata"]["generation"] and any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in status.get("conditions", [])
    )


def follow(kubectl: Kubectl, state: Path) -> None:
    """Prints every change of the status until the router is Ready."""
    started, last = time.monotonic(), ""
    while time.monotonic() - started < READY_DEADLINE:
        router = semantic_router(kubectl)
        status = router.get("status", {})
        line = "{} ({} of {} ready)".format(
            status.get("phase", "not seen by the operator yet"),
            status.get("readyReplicas", 0),
            router["spec"]["replicas"],
        )
        if line != last:
            say(f"{time.monotonic() - started:5.1f} s  {line}")
            last = line
        if is_ready(router):
            return
        time.sleep(POLL_INTERVAL)
    print(kubectl("get", "semanticrouter", NAME, "-o", "yaml"), file=sys.stderr)
    process = operator_process(state)
    raise ControlPlaneError(
        f"{NAME} is not Ready after {READY_DEADLINE:.0f} s.\n"
        + (process.log_tail() if process else f"The operator has ended; see {operator_log(state)}.")
    )


def show(kubectl: Kubectl, state: Path) -> None:
    print()
    print("$ kubectl get semanticrouter my-router")
    print(kubectl("get", "semanticrouter", NAME))
    selector = f"app.kubernetes.io/instance={NAME}"
    print(f"$ kubectl get {KINDS} -l {selector}")
    print(kubectl("get", KINDS, "-l", selector))
    show_routes(kubectl)
    show_durations(state)


@contextmanager
def listening(kubectl: Kubectl, state: Path, *, is_real: bool) -> Iterator[int]:
    """A port of this machine where the router answers."""
    if not is_real:
        say("Envoy runs beside the cluster, on the files that the operator rendered")
        yield Beside(state).start(kubectl, NAME, dict(backends(kubectl)))
        return
    say(f"kubectl port-forward service/{NAME} :8080")
    command = [str(kubectl.path), "port-forward", f"service/{NAME}", ":8080"]
    environment = {**os.environ, "KUBECONFIG": str(state / "kubeconfig")}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        try:
            if "Forwarding from" not in line:
                raise ControlPlaneError(f"kubectl port-forward: {line}")
            yield int(line.split(" -> ")[0].rpartition(":")[2])
        finally:
            process.terminate()


def show_status(env: Mapping[str, str]) -> None:
    print(f"$ kubectl sr status {NAME}")
    program = Path(sys.executable).parent / "kubectl-sr"
    answer = subprocess.run(
        [str(program), "status", NAME],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(answer.stdout, flush=True)


def show_way_on(state: Path, *, is_real: bool) -> None:
    if is_real:
        print("The pods are real, and router and models are stand-ins. Look around with\n")
    else:
        print("The pods are simulated, and router and models are stand-ins. Look around with\n")
    print("  export KUBECONFIG=.demo/kubeconfig PATH=$PWD/.demo/bin:$PATH")
    print(f"  kubectl describe semanticrouter {NAME}")
    if is_real:
        print(f"  kubectl logs deployment/{NAME} -c envoy-proxy")
    else:
        log = Beside(state).log("envoy")
        print(f"  tail -f {os.path.relpath(log)}    # Envoy's access log")
    print(f"  kubectl get configmap {NAME}-config -o yaml")
    print("  kubectl explain semanticrouter.spec.vllmEndpoints")
    print("  make demo-stop    # ends everything that the demo started")


def show_routes(kubectl: Kubectl) -> None:
    config = rendered(kubectl)
    print("The router's config routes")
    for model in config["providers"]["models"]:
        for backend in model.get("backend_refs", []):
            target = backend.get("endpoint") or backend.get("base_url")
            print(f"  {model['name']} -> {target} (weight {backend.get('weight', 1)})")
    print()


def backends(kubectl: Kubectl) -> Iterator[tuple[str, tuple[str, str]]]:
    """Host -> who serves there, and which model."""
    for model in rendered(kubectl)["providers"]["models"]:
        for backend in model["backend_refs"]:
            host = backend["endpoint"].rpartition(":")[0]
            yield host, (host.partition(".")[0], model["name"])


def rendered(kubectl: Kubectl) -> dict[str, Any]:
    config_map = json.loads(kubectl("get", "configmap", f"{NAME}-config", "-o", "json"))
    config: dict[str, Any] = yaml.safe_load(config_map["data"]["config.yaml"])
    return config


def show_durations(state: Path) -> None:
    """From the operator's log: how long each of its runs for this router took."""
    deadline = time.monotonic() + LOG_DEADLINE
    # The status is written before the run that writes it has ended.
    while not (runs := durations(state)) and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL)
    if runs:
        times = f"the first took {runs[0]}, the last {runs[-1]}"
        print(f"Reconciles so far: {len(runs)}; {times}.\n")


def durations(state: Path) -> list[str]:
    log = operator_log(state).read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in log if line.startswith("{") and line.endswith("}")]
    return [entry["duration"] for entry in entries if "duration" in entry]


def down(state: Path) -> None:
    """Ends all that the demo started, and removes its directory."""
    stop_operator(state)
    visit = Visit(state)
    visited = visit.under_way
    visit.end(say)
    beside = Beside(state).stop()
    node, plane = Node.attach(state, say), ControlPlane.attach(state, say)
    running = [*(["the node"] if node.alive else []), *plane.processes]
    running += ["Envoy and the stand-ins"] if beside else []
    running += ["the visit"] if visited else []
    # The node's plane is the same one.
    node.stop()
    say(f"ended {', '.join(running)}" if running else "the demo is not running")
    shutil.rmtree(state, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--state", type=Path, default=STATE, help="where all of it is kept")
    parser.add_argument("--simulated", action="store_true", help="no real node, even if one can be")
    arguments = parser.parse_args()
    try:
        if arguments.command == "up":
            up(arguments.state, simulated=arguments.simulated)
        else:
            down(arguments.state)
    except KeyboardInterrupt:
        say("stopped half-way; `make demo` goes on, `make demo-stop` ends what is running")
        return INTERRUPTED
    except (ControlPlaneError, KubectlError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
