"""`python -m demo up|down`: the demo of the README, started and ended."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from control_plane import ControlPlane, ControlPlaneError, Kubectl, KubectlError
from control_plane.process import Process

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".demo"
SAMPLE = ROOT / "config" / "samples" / "vllm.ai_v1alpha1_semanticrouter_my-router.yaml"
CRDS = sorted([*ROOT.glob("config/crd/bases/*.yaml"), *ROOT.glob("tests/crds/*.yaml")])
NAME = "my-router"
KINDS = "deployment,service,configmap,persistentvolumeclaim,serviceaccount,poddisruptionbudget"
READY_DEADLINE = 180.0
LOG_DEADLINE = 15.0
POLL_INTERVAL = 0.1
INTERRUPTED = 130  # what shells say of a command that Ctrl-C ended


def say(text: str) -> None:
    print(f"\033[1m==>\033[0m {text}" if sys.stdout.isatty() else f"==> {text}", flush=True)


def up(state: Path) -> None:
    """Starts what is not running, applies the document's example and waits until it is Ready."""
    plane = ControlPlane.attach(state, say)
    if plane.ready:
        say(f"control plane: up already at {plane.url}")
    else:
        # One that is left knows a control plane which is no more.
        stop_operator(state)
        say("install the SemanticRouter CRD, and a stand-in for KServe's")
        plane = ControlPlane.start_detached(state, crds=CRDS, progress=say)
    kubectl = Kubectl(plane.kubectl, plane.env)
    start_operator(plane)
    create_backends(kubectl)
    say(f"apply {SAMPLE.relative_to(ROOT)}, the example of the user's document")
    kubectl("apply", "-f", str(SAMPLE))
    follow(kubectl, state)
    show(kubectl, state)


def operator_process(state: Path) -> Process | None:
    running = [process for process in Process.recorded(state / "operator") if process.alive]
    return running[0] if running else None


def start_operator(plane: ControlPlane) -> None:
    if operator_process(plane.state_dir):
        say("operator: running already")
        return
    root = plane.state_dir / "operator"
    for folder in ("logs", "run"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    binaries = Path(sys.executable).parent
    say(f"start the operator; its log is {os.path.relpath(operator_log(plane.state_dir))}")
    Process.start(
        "operator",
        [
            "/usr/bin/env",
            *(f"{name}={value}" for name, value in plane.env.items()),
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
    print("Pods are simulated by kwok: nothing answers requests here. Look around with\n")
    print("  export KUBECONFIG=.demo/kubeconfig PATH=$PWD/.demo/bin:$PATH")
    print(f"  kubectl describe semanticrouter {NAME}")
    print(f"  kubectl get configmap {NAME}-config -o yaml")
    print("  kubectl explain semanticrouter.spec.vllmEndpoints")
    print("  make demo-stop    # ends everything that the demo started")


def show_routes(kubectl: Kubectl) -> None:
    config_map = json.loads(kubectl("get", "configmap", f"{NAME}-config", "-o", "json"))
    config = yaml.safe_load(config_map["data"]["config.yaml"])
    print("The router's config routes")
    for model in config["providers"]["models"]:
        for backend in model.get("backend_refs", []):
            target = backend.get("endpoint") or backend.get("base_url")
            print(f"  {model['name']} -> {target} (weight {backend.get('weight', 1)})")
    print()


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
    """Ends the operator and the control plane of the demo, and removes its directory."""
    stop_operator(state)
    plane = ControlPlane.attach(state, say)
    running = ", ".join(plane.processes)
    plane.stop()
    say(f"ended {running}" if running else "the demo is not running")
    shutil.rmtree(state, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--state", type=Path, default=STATE, help="where all of it is kept")
    arguments = parser.parse_args()
    try:
        {"up": up, "down": down}[arguments.command](arguments.state)
    except KeyboardInterrupt:
        say("stopped half-way; `make demo` goes on, `make demo-stop` ends what is running")
        return INTERRUPTED
    except (ControlPlaneError, KubectlError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
