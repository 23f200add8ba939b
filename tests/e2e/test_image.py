"""The operator from the files of its image: the Dockerfile's COPY and RUN lines, in a directory.

There is no container engine here. What the base image brings (ansible-core, ansible-runner, the
kubernetes client) is the test's own Python environment, its `ansible` package stands in for Galaxy.
What else is said of the base image is in images/ansible-operator/Dockerfile of
operator-framework/ansible-operator-plugins v1.42.3.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import operator_image
import pytest
import stock_engine
import yaml
from control_plane import ControlPlane, audit
from e2e.operator_process import STOCK_RUNTIME, Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from operator_image import ONLY_THE_IMAGE, Image

CHECKOUT = Path(__file__).parents[2]
# Its HOME, which ansible-core and ansible-runner write to.
HOME = "/opt/ansible"
# Any user that nothing on this machine belongs to, in group 0, as OpenShift starts pods.
UID = 1000720000


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    # Not in pytest's own directory, which nobody else may enter.
    with tempfile.TemporaryDirectory(prefix="image-") as directory:
        yield operator_image.build(Path(directory).resolve())


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
    assert router.get()["status"]["config"]["schema"].startswith("vllm-sr 0.4.")
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
