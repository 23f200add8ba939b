"""One real node for all tests of this folder, with the operator of config/default as a pod.

Where no node can run, every test is skipped, and says why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import kustomize
import pytest
import real_node
import stock_engine
from conftest import crd_files
from control_plane import ControlPlane, Kubectl
from e2e.semantic_router import SemanticRouter
from node.cluster import OPERATOR, OPERATOR_NAMESPACE, Cluster, router_spec
from real_node import Node, images

# Names the state directory of a node that is up already.
STATE = "REAL_NODE"
# Both containers of the router's pod take nothing of two busy cores for granted.
READY = "--timeout=150s"


def say(text: str) -> None:
    print(f"node: {text}", flush=True)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Node]:
    if os.environ.get(STATE):
        # Somebody else's, who has put the images into it; it stays.
        yield Node.attach(Path(os.environ[STATE]), say)
        return
    directory = tmp_path_factory.mktemp("node")
    reasons = real_node.missing(directory)
    if reasons:
        pytest.skip("No node can run here. " + " ".join(reasons))
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    engine = "stock" if os.environ.get(stock_engine.BINARY) else "embedded"
    # Uncaptured: the first run builds the programs, and minutes of silence look like a hang.
    with capture.global_and_fixture_disabled(), images.built(say, engine=engine) as archives:
        started = Node.start(directory, crds=crd_files(), progress=say)
        try:
            for archive in archives:
                started.import_image(archive)
            say("images imported")
        except BaseException:
            started.stop()
            raise
    with started:
        yield started


@pytest.fixture(scope="session")
def control_plane(node: Node) -> ControlPlane:
    """The node's own."""
    return node.plane


@pytest.fixture(scope="session")
def operator(node: Node, kubectl: Kubectl) -> str:
    """config/default as it is, Available; the namespace."""
    manifests = kustomize.build(node.plane.kubectl, "default")
    # On a node of somebody else's an earlier run may have changed the Deployment.
    kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=manifests)
    kubectl("rollout", "status", f"deployment/{OPERATOR}", f"-n={OPERATOR_NAMESPACE}", READY,
            timeout=200)  # fmt: skip
    return OPERATOR_NAMESPACE


@pytest.fixture(scope="module")
def cluster(node: Node, kubectl: Kubectl, operator: str, shared_namespace: str) -> Cluster:
    """Two model servers in a namespace of this file, under restricted Pod Security."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", shared_namespace, label)
    made = Cluster(node, kubectl, shared_namespace)
    made.start_models()
    return made


@pytest.fixture(scope="module")
def router(cluster: Cluster) -> SemanticRouter:
    """Running, with two pods."""
    made = SemanticRouter(cluster.kubectl, cluster.namespace)
    made.resource["spec"] = router_spec()
    made.apply()
    cluster.wait_until_running(made)
    return made


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where a client of the test writes to."""
    return tmp_path / "client.json"
