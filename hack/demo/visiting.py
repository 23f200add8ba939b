"""The demo on a cluster that somebody else has made: in a namespace, and gone afterwards."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import clusters
import yaml
from clusters import used
from control_plane import ControlPlaneError, Kubectl
from control_plane.programs import Progress
from real_node import images

NAMESPACE = "semantic-router-demo"
OURS = "vllm.ai/installed-by"
REMOVAL_SECONDS = 120
SERVED_SECONDS = 60.0
INTERVAL = 0.2


class Visit:
    """Of one state directory, which has a kubeconfig for it, and what is to be removed."""

    def __init__(self, state: Path) -> None:
        self._state = state.resolve()
        self._kubeconfig = self._state / "kubeconfig"
        self._record = self._state / "visit.json"

    @property
    def under_way(self) -> bool:
        return self._record.exists()

    @property
    def env(self) -> Mapping[str, str]:
        """With the operator's: it is to see this namespace, and no router of somebody else."""
        return {**clusters.environment(self._kubeconfig), "WATCH_NAMESPACE": NAMESPACE}

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self._state / "bin" / "kubectl", self.env)

    def begin(self, crds: Sequence[Path], progress: Progress) -> None:
        """Nothing happens if it has begun."""
        if self.under_way:
            progress(f"namespace {NAMESPACE}: there already")
            return
        self._state.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="demo-") as directory:
            cluster = clusters.named(Path(directory) / "cluster")
            if cluster is None:
                raise ControlPlaneError(f"No cluster is named: {clusters.VARIABLE}")
            self._keep(cluster)
            reason = used.why_not(self.kubectl, OURS)
            if reason:
                raise ControlPlaneError(reason)
            archive = images.for_routers(Path(directory), progress)
            progress("bring the images into the cluster")
            cluster.import_images(archive)
        missing = list(self._missing(crds))
        names = [yaml.safe_load(crd.read_text())["metadata"]["name"] for crd in missing]
        self._record.write_text(json.dumps(names))
        progress(f"install {', '.join(names) or 'no CRD: all are there'}")
        for crd in missing:
            self.kubectl("apply", "--server-side", "-f", str(crd))
        self._wait_until_served(names)
        self.kubectl("create", "namespace", NAMESPACE)
        self.kubectl("label", "namespace", NAMESPACE, f"{OURS}=demo")

    def end(self, progress: Progress) -> None:
        """Removes what `begin` made, and all that the demo made in there."""
        if not self.under_way:
            return
        progress(f"remove namespace {NAMESPACE}, with all that is in it")
        gone = ("--ignore-not-found", f"--timeout={REMOVAL_SECONDS}s")
        self.kubectl("delete", "namespace", NAMESPACE, *gone, timeout=REMOVAL_SECONDS + 10)
        for name in json.loads(self._record.read_text()):
            self.kubectl("delete", "crd", name, *gone, timeout=REMOVAL_SECONDS + 10)
        self._record.unlink()

    def _keep(self, cluster: clusters.Cluster) -> None:
        """A kubeconfig that leads to the demo's namespace, and the kubectl that goes with it."""
        program = self._state / "bin" / "kubectl"
        program.parent.mkdir(exist_ok=True)
        program.unlink(missing_ok=True)
        program.symlink_to(shutil.which(cluster.kubectl) or cluster.kubectl)
        given = Kubectl(cluster.kubectl, cluster.env)
        clusters.write_kubeconfig(self._state, given("config", "view", "--minify", "--flatten"))
        self.kubectl("config", "set-context", "--current", f"--namespace={NAMESPACE}")

    def _wait_until_served(self, names: Sequence[str]) -> None:
        """Not by `kubectl wait`, which fails on a CRD that has no conditions yet."""
        deadline = time.monotonic() + SERVED_SECONDS
        for name in names:
            while (answer := self.kubectl.run("get", name, "--all-namespaces")).returncode != 0:
                if time.monotonic() > deadline:
                    raise ControlPlaneError(f"{name} is not served: {answer.stderr}")
                time.sleep(INTERVAL)

    def _missing(self, crds: Sequence[Path]) -> Iterator[Path]:
        there = self.kubectl("get", "crds", "-o", "name").split()
        for crd in crds:
            name = yaml.safe_load(crd.read_text())["metadata"]["name"]
            if not any(found.endswith(f"/{name}") for found in there):
                yield crd
