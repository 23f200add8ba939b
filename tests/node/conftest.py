"""One cluster with real pods for all tests of this folder, with the operator of config/default.

It is the one that NODE_CLUSTER names, or a node that is made here. Where no node can run, every
test is skipped, and says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import clusters
import kustomize
import pytest
import real_node
import stock_engine
import yaml
from clusters.own import Own
from conftest import crd_files
from control_plane import Kubectl
from e2e.semantic_router import SemanticRouter
from node.cluster import OPERATOR, OPERATOR_NAMESPACE, Cluster, router_spec
from real_node import Node, images

# Both containers of the router's pod take nothing of two busy cores for granted.
READY = "--timeout=150s"
# On the operator's namespace: it is of an earlier run of these tests, and of nobody else.
OURS = "vllm.ai/installed-by=node-tests"


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
                timeout=200)  # fmt: skip
        yield OPERATOR_NAMESPACE


@contextmanager
def installed(kubectl: Kubectl, manifests: str) -> Iterator[None]:
    """Into a cluster that nobody uses this operator in; what was not there before goes again."""
    documents = [document for document in yaml.safe_load_all(manifests) if document]
    (crd,) = (item for item in documents if item["kind"] == "CustomResourceDefinition")
    known = kubectl.run("get", "crd", crd["metadata"]["name"]).returncode == 0
    refuse_what_is_used(kubectl, known=known)
    # An earlier run that was killed may have changed the Deployment.
    kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=manifests)
    kubectl("label", "namespace", OPERATOR_NAMESPACE, OURS, "--overwrite")
    yield
    mine = [item for item in documents if not (known and item is crd)]
    text = yaml.safe_dump_all(mine)
    kubectl("delete", "--ignore-not-found", "--wait=false", "--filename=-", stdin=text)


def refuse_what_is_used(kubectl: Kubectl, *, known: bool) -> None:
    of_ours = ("get", "namespaces", f"--selector={OURS}", "--output=name")
    there = kubectl("get", "namespaces", "--output=name").split()
    name = f"namespace/{OPERATOR_NAMESPACE}"
    if name in there and name not in kubectl(*of_ours).split():
        pytest.fail(f"Somebody's operator is in {OPERATOR_NAMESPACE}: name another cluster.")
    if known:
        found = json.loads(kubectl("get", "semanticrouters", "-A", "-o", "json"))["items"]
        used = sorted({item["metadata"]["namespace"] for item in found})
        if used:
            pytest.fail(f"SemanticRouters are in {', '.join(used)}: name another cluster.")


@pytest.fixture(scope="module")
def cluster(
    whole: clusters.Cluster, kubectl: Kubectl, operator: str, shared_namespace: str
) -> Cluster:
    """Two model servers in a namespace of this file, under restricted Pod Security."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", shared_namespace, label)
    made = Cluster(whole, kubectl, shared_namespace)
    made.start_others()
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
def nodes(cluster: Cluster) -> Cluster:
    """The same, where a test may do something on a node itself."""
    if cluster.whole.nodes_are_out_of_reach:
        pytest.skip(f"needs a hand on a node: {cluster.whole.nodes_are_out_of_reach}")
    return cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "whole" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)
