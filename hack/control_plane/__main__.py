"""`python -m control_plane build|kubectl|up|down|...`: the plane from a terminal."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from control_plane import crds, envoy_gateway, programs
from control_plane.errors import ControlPlaneError
from control_plane.plane import ControlPlane, progress_to_stderr

PUBLISHED_CRDS: Mapping[str, Callable[[], list[Path]]] = {
    "gateway-api": envoy_gateway.gateway_api_crd_files,
    "openshift-routes": lambda: [crds.module_file(*crds.OPENSHIFT_ROUTES)],
}


def say(text: str) -> None:
    print(text, flush=True)


def build(_: argparse.Namespace) -> None:
    started = time.monotonic()
    found = programs.ensure(say)
    say(f"{found.kube_apiserver.parent}: complete ({time.monotonic() - started:.1f} s)")


def kubectl(_: argparse.Namespace) -> None:
    say(str(programs.ensure_kubectl(progress_to_stderr)))


def apiserver(arguments: argparse.Namespace) -> None:
    program = programs.ensure_apiserver(arguments.minor, progress_to_stderr)
    say(str(program.parent))


def up(arguments: argparse.Namespace) -> None:
    plane = ControlPlane.attach(arguments.state, say)
    if plane.ready:
        say(f"up already at {plane.url}")
    else:
        plane = ControlPlane.start(arguments.state, crds=arguments.crd, detached=True, progress=say)
    say(f"{plane.kubectl} --kubeconfig {plane.kubeconfig} get nodes")


def down(arguments: argparse.Namespace) -> None:
    plane = ControlPlane.attach(arguments.state, say)
    running = ", ".join(plane.processes)
    plane.stop()
    say(f"ended {running}" if running else f"nothing is running in {arguments.state}")


def status(arguments: argparse.Namespace) -> None:
    plane = ControlPlane.attach(arguments.state, say)
    for name, pid in plane.processes.items():
        say(f"{name:<24} pid {pid}")
    if not plane.ready:
        raise ControlPlaneError(f"The control plane in {arguments.state} is not up.")
    say(f"ready at {plane.url}")


def crd_files(arguments: argparse.Namespace) -> None:
    for file in PUBLISHED_CRDS[arguments.project]():
        say(str(file))


def main() -> int:
    parser = argparse.ArgumentParser(prog="control_plane", description=__doc__)
    commands = parser.add_subparsers(required=True)
    text = "say where the CRDs are that another project publishes"
    command = commands.add_parser("crds", help=text, description=text)
    command.add_argument("project", choices=PUBLISHED_CRDS)
    command.set_defaults(function=crd_files)
    text = "say in which directory kube-apiserver of another Kubernetes is, built if missing"
    command = commands.add_parser("apiserver", help=text, description=text)
    command.add_argument("minor", choices=programs.other_minors())
    command.set_defaults(function=apiserver)
    for function, text in (
        (build, "find the programs, build the missing ones"),
        (kubectl, "show where kubectl is, built if missing"),
        (up, "start a plane and leave it running; nothing happens if it is up"),
        (down, "end what `up` started in this directory, and nothing else"),
        (status, "show what is running; fails unless the plane is up"),
    ):
        command = commands.add_parser(function.__name__, help=text, description=text)
        command.set_defaults(function=function)
        if function not in (build, kubectl):
            command.add_argument("--state", type=Path, required=True, metavar="DIR")
        if function is up:
            command.add_argument(
                "--crd",
                type=Path,
                action="append",
                default=[],
                metavar="FILE",
                help="a CRD to install before the controllers start (may be repeated)",
            )
    arguments = parser.parse_args()
    try:
        arguments.function(arguments)
    except ControlPlaneError as error:
        print(f"control plane: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
