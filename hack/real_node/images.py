"""The images of the tests on a real node, in an OCI archive under the names that pods ask for.

None is pulled. The operator's is made by the Dockerfile's own lines, and Envoy's has the program
that PyPI publishes; both are over a stand-in for their base, see `base`. The router and the model
servers are `stand_ins`.
"""

from __future__ import annotations

import importlib.resources
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kustomize
import operator_image
import stock_engine
import yaml
from control_plane.programs import Progress

from real_node import base, oci

CHECKOUT = Path(__file__).resolve().parents[2]
# What the ansible-operator image brings, and what its environment is.
OPERATOR_PACKAGES = (
    *("ansible-core", "ansible-runner", "kubernetes", "PyYAML"),
    # For the embedded engine; the stock one's image lacks the first.
    *("prometheus-client", "cryptography"),
)
OPERATOR_ENVIRONMENT = {"HOME": "/opt/ansible", "USER_NAME": "ansible", "USER_UID": "1001"}
# Of applications in the cluster: what they are is given to them as they are started.
CLIENT_PACKAGES = ("openai",)
STAND_IN_PACKAGES = ("grpcio", "xds-protos", "prometheus-client", "PyYAML")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ROUTER = "ghcr.io/vllm-project/semantic-router/extproc"
MODEL = "localhost/model:stand-in"
CLIENT = "localhost/client:stand-in"
# The tag of the operator's image that stands for a release after the one of config/manager.
NEXT = "next"
# Tag of the router's image -> its contract.
ROUTERS = {"v0.3.0": "0.3", "v0.4.0": "0.4", "latest": "0.5"}

# Up to 0.3: CONFIG_FILE says which configuration.
_OLD_ENTRYPOINT = """\
#!/usr/bin/env bash
set -euo pipefail
CONFIG_FILE_PATH=${CONFIG_FILE:-/app/config/config.yaml}
if [[ ! -f "$CONFIG_FILE_PATH" ]]; then
  echo "[entrypoint] Config file not found at $CONFIG_FILE_PATH" >&2
  exit 1
fi
echo "[entrypoint] Additional args: $*"
exec /usr/local/bin/router --config "$CONFIG_FILE_PATH" "$@"
"""
# Later ones do not read it: without -config in the arguments, the image's own example is served.
_NEW_ENTRYPOINT = """\
#!/usr/bin/env bash
set -e
exec /usr/local/bin/router --config=/app/config/config.yaml "$@"
"""
_ROUTER_PROGRAM = """\
#!/bin/sh
exec /usr/bin/python3 -m stand_ins.router "$@"
"""
_EXAMPLE: dict[str, Any] = {
    "version": "v0.3",
    "routing": {"decisions": []},
    "providers": {"defaults": {"model": "example-of-the-image", "default_model": "example"}},
}
# That of Envoy's image: as root it becomes another user, and starts what has no program as Envoy.
_ENVOY_ENTRYPOINT = """\
#!/usr/bin/env sh
set -e
if [ "${1#-}" != "$1" ] || [ $# -eq 0 ]; then set -- envoy "$@"; fi
exec "$@"
"""


@contextmanager
def built(progress: Progress, *, engine: str = "embedded") -> Iterator[Path]:
    """The archive, in a directory that goes at the end. engine: that of the operator's image."""
    with tempfile.TemporaryDirectory(prefix="images-") as directory:
        yield _Build(Path(directory).resolve(), progress).archive(engine)


def for_routers(directory: Path, progress: Progress) -> Path:
    """An archive of what routers' pods and models start, and of no operator and no client."""
    return _Build(directory.resolve(), progress).archive("")


class _Build:
    """One set of images; layers are directories first."""

    def __init__(self, root: Path, progress: Progress) -> None:
        self._root = root
        self._progress = progress

    def archive(self, engine: str) -> Path:
        self._progress("images: stand-in base from this machine's own files")
        parts = {"stand-ins": self._stand_ins(), "envoy": self._envoy()}
        if engine:
            parts["packages"] = self._packages(engine)
            self._progress("images: the operator's, by the lines of the Dockerfile")
            parts["operator"], config = self._operator()
            parts["client"] = self._root / "client"
            base.add_packages(parts["client"], CLIENT_PACKAGES)
        bottom = self._root / "base"
        base.lay_out(bottom)
        base.add_libraries(bottom, [*parts.values()])
        layers = {
            name: self._layer(directory) for name, directory in {**parts, "base": bottom}.items()
        }
        made = [*(self._router(tag, layers) for tag in ROUTERS)]
        started: dict[str, Any] = {
            "Entrypoint": ["/docker-entrypoint.sh"],
            "Cmd": ["envoy", "-c", "/etc/envoy/envoy.yaml"],
        }
        made.append(_image([envoy_name()], [layers["base"], layers["envoy"]], started))
        started = {"Entrypoint": ["/usr/bin/python3", "-m", "stand_ins.model"], "User": "1000"}
        made.append(_image([MODEL], [layers["base"], layers["stand-ins"]], started))
        if engine:
            above = [layers["base"], layers["packages"], layers["operator"]]
            made.append(_image([operator_name(), next_operator_name()], above, config))
            started = {"Entrypoint": ["sleep", "infinity"], "User": "1000"}
            made.append(_image([CLIENT], [layers["base"], layers["client"]], started))
        archive = self._root / "images.oci.tar"
        oci.write(archive, made)
        self._progress("images: done")
        return archive

    def _stand_ins(self) -> Path:
        directory = self._root / "stand-ins"
        base.add_packages(directory, STAND_IN_PACKAGES)
        program = directory / "usr" / "local" / "bin" / "router"
        _write_program(program, _ROUTER_PROGRAM)
        package = directory / "opt" / "stand-ins" / "stand_ins"
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / "hack" / "stand_ins", package, ignore=ignore)
        # As root's: the pod's user owns nothing in the image.
        example = directory / "app" / "config" / "config.yaml"
        example.parent.mkdir(parents=True)
        example.write_text(yaml.safe_dump(_EXAMPLE))
        (directory / "app" / "models").mkdir()
        return directory

    def _envoy(self) -> Path:
        directory = self._root / "envoy"
        program = directory / "usr" / "local" / "bin" / "envoy"
        program.parent.mkdir(parents=True)
        # On PATH is a script of Python's that becomes this.
        shutil.copyfile(str(importlib.resources.files("envoy") / "_bin" / "envoy"), program)
        program.chmod(0o755)
        _write_program(directory / "docker-entrypoint.sh", _ENVOY_ENTRYPOINT)
        return directory

    def _packages(self, engine: str) -> Path:
        directory = self._root / "packages"
        base.add_packages(directory, OPERATOR_PACKAGES)
        home = directory / "opt" / "ansible"
        home.mkdir(parents=True)
        home.chmod(0o770)
        if engine == "stock":
            program = directory / "usr" / "local" / "bin" / "ansible-operator"
            shutil.copyfile(os.environ[stock_engine.BINARY], program)
            program.chmod(0o755)
            plugin = directory / "opt" / "event-plugin"
            shutil.copytree(stock_engine.event_plugin(), plugin)
        return directory

    def _operator(self) -> tuple[Path, dict[str, Any]]:
        directory = self._root / "operator"
        root = directory.joinpath(*Path(operator_image.PREFIX).parts[1:])
        root.mkdir(parents=True)
        image = operator_image.build(root)
        config = image.config
        given = dict(item.split("=", 1) for item in config["Env"])
        environment = {**OPERATOR_ENVIRONMENT, **given}
        environment["PYTHONPATH"] += ":/opt/event-plugin"
        return directory, {**config, "Env": [f"{name}={v}" for name, v in environment.items()]}

    def _router(self, tag: str, layers: dict[str, oci.Layer]) -> oci.Image:
        contract = ROUTERS[tag]
        directory = self._root / f"router-{contract}"
        script = _OLD_ENTRYPOINT if contract == "0.3" else _NEW_ENTRYPOINT
        _write_program(directory / "app" / "entrypoint.sh", script)
        return _image(
            [f"{ROUTER}:{tag}"],
            [layers["base"], layers["stand-ins"], self._layer(directory)],
            {
                "Entrypoint": ["/app/entrypoint.sh"],
                "WorkingDir": "/app",
                "Env": [f"STAND_IN_CONTRACT={contract}"],
            },
        )

    def _layer(self, directory: Path) -> oci.Layer:
        base.make_readable(directory)
        made = oci.layer(directory, directory.with_name(f"{directory.name}.tar"))
        shutil.rmtree(directory)
        return made


def _image(names: Sequence[str], layers: Sequence[oci.Layer], config: dict[str, Any]) -> oci.Image:
    given = config.get("Env", [])
    python = (
        []
        if any(item.startswith("PYTHONPATH=") for item in given)
        else ["PYTHONPATH=/opt/stand-ins"]
    )
    return oci.Image(names, layers, {**config, "Env": [PATH, *given, *python]})


def operator_name() -> str:
    """The image of config/manager, with its tag."""
    file = CHECKOUT / "config" / "manager" / "kustomization.yaml"
    (image,) = yaml.safe_load(file.read_text(encoding="utf-8"))["images"]
    return f"{kustomize.released_image()}:{image['newTag']}"


def next_operator_name() -> str:
    """The same image as a later release of it."""
    return f"{operator_name().rpartition(':')[0]}:{NEXT}"


def envoy_name() -> str:
    """The image that the operator renders when nobody names another."""
    file = CHECKOUT / "config" / "crd" / "bases" / "vllm.ai_semanticrouters.yaml"
    crd = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    (version,) = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    image = spec["envoy"]["properties"]["image"]["properties"]
    return f"{image['repository']['default']}:{image['tag']['default']}"


def _write_program(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
