"""The operator from the files of its image: the Dockerfile's COPY and RUN lines, in a directory.

There is no container engine here. What the base image brings (ansible-core, ansible-runner, the
kubernetes client) is the test's own Python environment, its `ansible` package stands in for Galaxy.
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
from pathlib import Path

import pytest
import yaml
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PREFIX = "/opt/semantic-router-operator"
# Any user that nothing on this machine belongs to, in group 0, as OpenShift starts pods.
UID = 1000720000
# The checkout is linked into this Python's site-packages, and must not be taken for the collection.
ONLY_THE_IMAGE = {
    "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    "PATH": f"{BIN}:{os.environ['PATH']}",
}


class Image:
    """What the Dockerfile makes, with PREFIX elsewhere; `read` and `run` are its lines."""

    def __init__(self, root: Path) -> None:
        self.root = root
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
        assert image == "quay.io/operator-framework/ansible-operator:v1.42.3"

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
            else:
                destination.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, destination)

    def _run(self, command: str) -> None:
        if "--requirements-file" in command:
            self._from_the_ansible_package()
            return
        done = subprocess.run(
            ["sh", "-c", self.here(command)],
            env={**os.environ, **self.environment, **ONLY_THE_IMAGE},
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
def image() -> Iterator[Image]:
    subprocess.run(["make", "--silent", "build"], cwd=CHECKOUT, check=True, capture_output=True)
    # Not in pytest's own directory, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="image-") as directory:
        image = Image(Path(directory).resolve())
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


def test_the_files_of_the_image_are_enough_for_a_router(
    image: Image, home: Path, any_user: list[str], own_operator: Operator, router: SemanticRouter
) -> None:
    tini, separator, python, *arguments = image.entrypoint
    assert (tini, separator, python) == ("/tini", "--", "python3")
    own_operator.program = [*any_user, sys.executable, *arguments]
    own_operator.runtime = home / "runtime"
    kubeconfig = home / "kubeconfig"
    shutil.copy(own_operator.environment["KUBECONFIG"], kubeconfig)
    if any_user:
        for path in (home, kubeconfig):
            os.chown(path, UID, 0)
    own_operator.start(
        **image.environment,
        **ONLY_THE_IMAGE,
        KUBECONFIG=str(kubeconfig),
        K8S_AUTH_KUBECONFIG=str(kubeconfig),
        WATCH_NAMESPACE=router.namespace,
        HOME=str(home),
        TMPDIR=str(home),
    )
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    # The operator of the other tests may have been faster.
    eventually(lambda: own_operator.said("Reconciled", router.name), 120, "a run of this operator")
    assert str(image.root) in own_operator.text
    # This Python has no vllm-sr of its own.
    assert router.get()["status"]["config"]["schema"] == "vllm-sr 0.4.0"
    assert own_operator.stop() == 0
