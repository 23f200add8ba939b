"""One cluster with real pods for all tests of this folder, with the operator of config/default.

It is the one that NODE_CLUSTER names, or a node that is made here. Where no node can run, every
test is skipped, and says why.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import clusters
import kustomize
import pytest
import real_node
import stock_engine
import yaml
from clusters import used
from clusters.own import Own
from clusters.used import OPERATOR_NAMESPACE
from conftest import crd_files
from control_plane import Kubectl
from e2e.semantic_router import SemanticRouter
from node.cluster import OPERATOR, Cluster, router_spec
from real_node import Node, images

# Both containers of the router's pod take nothing of two busy cores for granted.
READY = "--timeout=300s"
# On namespaces: they are of these tests, of an earlier run too, and of nobody else.
OURS = "vllm.ai/installed-by"


def say(text: str) -> None:
    print(f"node: {text}", flush=True)


@pytest.fixture(scope="session")
def whole(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[clusters.Cluster]:
    """The cluster, with all images in it."""
    directory = tmp_path_factory.mktemp("node")
    named = clusters.named(directory)
    reasons = [] if named else real_node.missing(directory)
    if reasons:
        pytest.skip("No node can run here. " + " ".join(reasons))
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    engine = "stock" if stock_engine.environment() else "embedded"
    # Uncaptured: the first run builds the programs, and minutes of silence look like a hang.
    with capture.global_and_fixture_disabled(), images.built(say, engine=engine) as archive:
        if named:
            fill(named, archive)
            yield named
            return
        started = Node.start(directory, crds=crd_files(), progress=say)
        try:
            fill(Own(started), archive)
        except BaseException:
            started.stop()
            raise
    with started:
        yield Own(started)


def fill(cluster: clusters.Cluster, archive: Path) -> None:
    cluster.import_images(archive)
    say("images imported")


@pytest.fixture(scope="session")
def kubectl(whole: clusters.Cluster) -> Kubectl:
    return Kubectl(whole.kubectl, whole.env)


@pytest.fixture(scope="session")
def operator(whole: clusters.Cluster, kubectl: Kubectl) -> Iterator[str]:
    """config/default as it is, Available; the namespace."""
    manifests = kustomize.build(whole.kubectl, "default")
    with installed(kubectl, manifests):
        kubectl("rollout", "status", f"deployment/{OPERATOR}", f"-n={OPERATOR_NAMESPACE}", READY,
                timeout=320)  # fmt: skip
        yield OPERATOR_NAMESPACE


@contextmanager
def installed(kubectl: Kubectl, manifests: str) -> Iterator[None]:
    """Into a cluster that nobody uses this operator in; what was not there before goes again."""
    reason = used.why_not(kubectl, OURS)
    if reason:
        pytest.fail(reason)
    known = used.is_known(kubectl)
    documents = [document for document in yaml.safe_load_all(manifests) if document]
    theirs = "CustomResourceDefinition" if known else ""
    text = yaml.safe_dump_all(item for item in documents if item["kind"] != theirs)
    try:
        # An earlier run that was killed may have changed the Deployment.
        kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=manifests)
        kubectl("label", "namespace", OPERATOR_NAMESPACE, f"{OURS}=node-tests", "--overwrite")
        yield
    finally:
        kubectl("delete", "--ignore-not-found", "--wait=false", "--filename=-", stdin=text)


@pytest.fixture(scope="session")
def cluster(whole: clusters.Cluster, kubectl: Kubectl, operator: str) -> Iterator[Cluster]:
    """Two model servers and a client in one namespace, under restricted Pod Security.

    One for all files, as the router below is: a pod takes ten seconds, and more on a busy machine.
    """
    name = f"test-{uuid.uuid4().hex[:10]}"
    kubectl("create", "namespace", name)
    labels = ("pod-security.kubernetes.io/enforce=restricted", f"{OURS}=node-tests")
    kubectl("label", "namespace", name, *labels)
    made = Cluster(whole, kubectl, name)
    made.start_others()
    yield made
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def router(cluster: Cluster) -> SemanticRouter:
    """Running, with two pods. Whoever changes it leaves one that answers the same."""
    made = SemanticRouter(cluster.kubectl, cluster.namespace)
    made.resource["spec"] = router_spec()
    made.apply()
    cluster.wait_until_running(made)
    return made


@pytest.fixture
def nodes(cluster: Cluster) -> Cluster:
    """The same, where a test may do something on a node itself."""
    if cluster.whole.nodes_are_out_of_reach:
        pytest.skip(f"needs a hand on a node: {cluster.whole.nodes_are_out_of_reach}")
    return cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "whole" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)
