"""The operator from the files of its image: the Dockerfile's COPY and RUN lines, in a directory.

There is no container engine here. What the base image brings (ansible-core, ansible-runner, the
kubernetes client) is the test's own Python environment, its `ansible` package stands in for Galaxy.
What else is said of the base image is in images/ansible-operator/Dockerfile of
operator-framework/ansible-operator-plugins v1.42.3.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stock_engine
import yaml
from control_plane import ControlPlane, audit
from e2e.operator_process import STOCK_RUNTIME, Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PREFIX = "/opt/semantic-router-operator"
BASE = "quay.io/operator-framework/ansible-operator:v1.42.3"
# Its HOME, which ansible-core and ansible-runner write to.
HOME = "/opt/ansible"
# What RUN finds on PATH there, as far as it is used: ubi-minimal's, Python and Ansible. No pip.
PROGRAMS = ("ansible-galaxy", "chmod", "python3", "rm", "sh")
# Any user that nothing on this machine belongs to, in group 0, as OpenShift starts pods.
UID = 1000720000
# The checkout is linked into this Python's site-packages, and must not be taken for the collection.
ONLY_THE_IMAGE = {
    "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    "PATH": f"{BIN}:{os.environ['PATH']}",
}


class Image:
    """What the Dockerfile makes, with PREFIX elsewhere; `read` and `run` are its lines."""

    def __init__(self, root: Path, programs: Path) -> None:
        self.root = root
        self.programs = programs
        self.environment: dict[str, str] = {}
        self.entrypoint: list[str] = []
        self.user = ""

    def build(self, dockerfile: Path) -> None:
        text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for line in text.replace("\\\n", " ").splitlines():
            instruction, _, rest = line.strip().partition(" ")
            if instruction:
                getattr(self, f"_{instruction.lower()}")(rest.strip())

    def here(self, text: str) -> str:
        return text.replace(PREFIX, str(self.root))

    def _from(self, image: str) -> None:
        assert image == BASE

    def _label(self, _: str) -> None:
        pass

    def _env(self, pairs: str) -> None:
        for pair in shlex.split(pairs):
            name, _, value = pair.partition("=")
            self.environment[name] = self.here(value)

    def _user(self, user: str) -> None:
        self.user = user

    def _workdir(self, directory: str) -> None:
        assert Path(self.here(directory)).is_dir()

    def _copy(self, arguments: str) -> None:
        *sources, target = shlex.split(arguments)
        destination = Path(self.here(target))
        for source in (CHECKOUT / name for name in sources):
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, destination, dirs_exist_ok=True, ignore=ignore)
                copied = [destination, *destination.rglob("*")]
            else:
                destination.mkdir(parents=True, exist_ok=True)
                copied = [Path(shutil.copy(source, destination))]
            # As from the checkout of somebody with an umask of 077.
            for path in copied:
                path.chmod(path.stat().st_mode & ~0o077)

    def _run(self, command: str) -> None:
        if "--requirements-file" in command:
            self._from_the_ansible_package()
            return
        assert "-m pip" not in command
        done = subprocess.run(
            ["sh", "-c", self.here(command)],
            env={
                **os.environ,
                **self.environment,
                **ONLY_THE_IMAGE,
                "PATH": str(self.programs),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _from_the_ansible_package(self) -> None:
        wanted = yaml.safe_load((self.root / "requirements.yml").read_text())["collections"]
        for name in (collection["name"] for collection in wanted):
            part = Path("ansible_collections", *name.split("."))
            there = Path(sysconfig.get_path("purelib")) / part
            shutil.copytree(there, Path(self.environment["ANSIBLE_COLLECTIONS_PATH"]) / part)

    def _entrypoint(self, arguments: str) -> None:
        self.entrypoint = json.loads(self.here(arguments))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory for PATH with what the base image has."""
    directory = tmp_path_factory.mktemp("programs")
    for name in PROGRAMS:
        found = shutil.which(name, path=ONLY_THE_IMAGE["PATH"])
        assert found
        # No link: a Python that is started by one has other packages.
        (directory / name).write_text(f'#!/bin/sh\nexec {shlex.quote(found)} "$@"\n')
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def image(programs: Path) -> Iterator[Image]:
    subprocess.run(["make", "--silent", "build"], cwd=CHECKOUT, check=True, capture_output=True)
    # Not in pytest's own directory, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="image-") as directory:
        image = Image(Path(directory).resolve(), programs)
        image.build(CHECKOUT / "Dockerfile")
        image.root.chmod(0o755)
        yield image


@pytest.fixture
def home() -> Iterator[Path]:
    """The volumes of config/manager: all that the pod may write to."""
    with tempfile.TemporaryDirectory(prefix="home-") as directory:
        yield Path(directory).resolve()


@pytest.fixture
def any_user(home: Path) -> list[str]:
    """Starts a program as a user without a name; as this one where that is not possible."""
    # It may read what it likes, for Python and the checkout may be in a directory of somebody's
    # own; the image's files are looked at by the test above. It may write to nothing of root's.
    reads = "-all,+dac_read_search"
    command = [
        *("setpriv", f"--reuid={UID}", "--regid=0", "--clear-groups", "--no-new-privs"),
        *(f"--inh-caps={reads}", f"--ambient-caps={reads}"),
    ]
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        print("as the user of the test: to become another one takes root, and setpriv")
        return []
    return command


def test_whoever_runs_the_image_can_read_it_and_not_change_it(image: Image) -> None:
    assert image.user not in ("", "0", "root")
    modes = {path: path.lstat().st_mode for path in image.root.rglob("*")}
    assert modes
    assert not [path for path, mode in modes.items() if mode & 0o022 or mode & 0o044 != 0o044]


@pytest.mark.parametrize("module", ["wrapper_runner", "warm_runner", "jsonschema", "cli"])
def test_its_own_python_is_in_the_image(image: Image, module: str) -> None:
    """The environment of the test has it too, so that no other test would miss it."""
    code = f"import importlib.util as u; print(u.find_spec({module!r}).origin)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **image.environment, **ONLY_THE_IMAGE},
        cwd=image.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(image.root)), done.stdout


def test_what_the_pod_may_write_to_is_what_the_base_image_writes_to() -> None:
    manifests = list(yaml.safe_load_all((CHECKOUT / "config/manager/manager.yaml").read_text()))
    pod = manifests[1]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert set(mounts) == {"/tmp", HOME}  # noqa: S108 the pod's, not this machine's
    assert {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume} == {
        *mounts.values()
    }


def in_place_of(directory: Path, home: Path) -> list[str]:
    """Starts a program that finds a directory of its own there. Takes root."""
    own = home / directory.name
    own.mkdir(exist_ok=True)
    os.chown(own, UID, 0)
    directory.mkdir(parents=True, exist_ok=True)
    bind = f'mount --bind {shlex.quote(str(own))} {directory} && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", bind, "sh"]


def start(
    image: Image, home: Path, any_user: list[str], operator: Operator, namespace: str
) -> None:
    """As a container of the image: its files, its user, its environment."""
    tini, separator, python, *arguments = image.entrypoint
    assert (tini, separator, python) == ("/tini", "--", "python3")
    operator.program = [*any_user, sys.executable, *arguments]
    environment = {**image.environment, **ONLY_THE_IMAGE}
    if operator.engine == "stock":
        environment["PYTHONPATH"] += f":{stock_engine.event_plugin()}"
        if any_user:
            operator.program = [*in_place_of(STOCK_RUNTIME, home), *operator.program]
    else:
        operator.runtime = home / "runtime"
    kubeconfig = home / "kubeconfig"
    shutil.copy(operator.environment["KUBECONFIG"], kubeconfig)
    if any_user:
        for path in (home, kubeconfig):
            os.chown(path, UID, 0)
    operator.start_until_it_watches(
        **environment,
        KUBECONFIG=str(kubeconfig),
        K8S_AUTH_KUBECONFIG=str(kubeconfig),
        WATCH_NAMESPACE=namespace,
        HOME=str(home),
        TMPDIR=str(home),
    )


def test_the_files_of_the_image_are_enough_for_a_router(
    image: Image, home: Path, any_user: list[str], own_operator: Operator, router: SemanticRouter
) -> None:
    start(image, home, any_user, own_operator, router.namespace)
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    # The operator of the other tests may have been faster.
    eventually(
        lambda: own_operator.jobs(router.namespace, ended=True), 120, "a run of this operator"
    )
    assert str(image.root) in own_operator.text
    # The image's own: it is before this Python's on the path.
    assert list(image.root.glob("python/vllm_sr-0.5.*.dist-info"))
    assert list(image.root.glob("python/router_schemas/0.4/vllm_sr-0.4.*.dist-info"))
    assert router.get()["status"]["config"]["schema"].startswith("vllm-sr 0.5.")
    assert own_operator.stop() == 0


def test_another_version_of_the_operator_writes_nothing_to_the_objects_of_this_one(
    image: Image,
    home: Path,
    any_user: list[str],
    own_operator: Operator,
    router: SemanticRouter,
    control_plane: ControlPlane,
) -> None:
    """The version is in no object, so that an upgrade alone replaces no pods."""
    router.spec["persistence"] = {"enabled": True, "size": "1Gi"}
    router.create_service()
    router.apply()
    start(image, home, any_user, own_operator, router.namespace)
    router.wait_for_phase("Running")
    assert own_operator.stop() == 0
    pods = router.pods()
    assert pods

    offset = control_plane.audit_log.stat().st_size
    runs = own_operator.jobs(router.namespace)
    with version(image, "99.0.0"):
        start(image, home, any_user, own_operator, router.namespace)
        eventually(lambda: own_operator.jobs(router.namespace, ended=True) - runs, 120, "a run")
        assert own_operator.stop() == 0
    newer = [
        request
        for request in audit.requests(control_plane.audit_log, offset)
        if request.agent == "semantic-router-operator/99.0.0"
    ]
    assert newer
    assert not [request for request in newer if request.is_write]
    assert router.pods() == pods


@contextmanager
def version(image: Image, number: str) -> Iterator[None]:
    """The collection in the image says that it is this version."""
    parts = Path("ansible_collections", "vllm", "semantic_router", "MANIFEST.json")
    file = Path(image.environment["ANSIBLE_COLLECTIONS_PATH"]) / parts
    text = file.read_text()
    manifest = json.loads(text)
    manifest["collection_info"]["version"] = number
    file.write_text(json.dumps(manifest, indent=1))
    yield
    file.write_text(text)
