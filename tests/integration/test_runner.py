"""The embedded engine on a real cluster, with a kind and playbooks of the tests' own."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from control_plane import ControlPlane, Kubectl
from eventually import eventually

PLAYBOOKS = Path(__file__).parent / "runner_playbooks"
JINJA = "{{ lookup('pipe', 'id') }}"


class Operator:
    """One `wrapper-runner run`, and what it has logged so far."""

    def __init__(self, directory: Path, env: dict[str, str], *arguments: str) -> None:
        self._log = directory / "log"
        self.runner_dir = directory / "runs"
        command = [sys.executable, "-m", "wrapper_runner", "run", "--engine=embedded"]
        defaults = [
            f"--watches-file={directory / 'watches.yaml'}",
            f"--runner-dir={self.runner_dir}",
            *("--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0"),
            "--max-concurrent-reconciles=2",
        ]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([*command, *defaults, *arguments], env=env, stderr=log)

    @property
    def text(self) -> str:
        return self._log.read_text()

    def lines(self, message: str, **fields: Any) -> list[dict[str, Any]]:
        """The log lines with this message and these fields."""
        parsed = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in parsed if {**line, **fields, "msg": message} == line]

    def address(self, what: str) -> str:
        found = eventually(lambda: self.lines(f"Serving {what}"), message=f"the address of {what}")
        return f"http://{found[0]['address']}"

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.ended(60)

    def end(self) -> None:
        if self.process.poll() is None:
            # Twice: a test that failed half way must not wait for the playbooks to finish.
            self.process.terminate()
            self.process.terminate()
            self.ended(60)
        print(f"--- log of {self.runner_dir.parent.name}\n{self.text}")

    def ended(self, patience: float) -> int:
        """The exit status; of one that does not end, what each of its threads was at."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            # faulthandler tells it, see PYTHONFAULTHANDLER below.
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(10)
            pytest.fail(f"It has not ended within {patience:g} s of the signal\n{self.text}")


StartOperator = Callable[..., Operator]


@pytest.fixture(scope="module", autouse=True)
def widgets(kubectl: Kubectl) -> None:
    crd = str(PLAYBOOKS / "widgets.yaml")
    kubectl("apply", "--server-side", f"--filename={crd}")
    kubectl("wait", "--for=condition=Established", "--timeout=55s", f"--filename={crd}")


@pytest.fixture
def start(tmp_path: Path, control_plane: ControlPlane, namespace: str) -> Iterator[StartOperator]:
    """Starts an operator for this test's namespace; takes flags, and keys of watches.yaml."""
    started: list[Operator] = []
    ends = ExitStack()

    def start_operator(*arguments: str, **keys: Any) -> Operator:
        directory = tmp_path / f"operator-{len(started)}"
        directory.mkdir()
        (directory / "watches.yaml").write_text(yaml.safe_dump([watch(**keys)]))
        env = {
            **os.environ,
            "KUBECONFIG": str(control_plane.kubeconfig),
            "WATCH_NAMESPACE": namespace,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONFAULTHANDLER": "1",
        }
        operator = Operator(directory, env, *arguments)
        started.append(operator)
        ends.callback(operator.end)
        return operator

    with ends:
        yield start_operator
    assert not any("Traceback" in operator.text for operator in started)
    # By a signal only where a test has sent one: not by a crash at its end.
    assert all(operator.process.returncode in (0, 1, -signal.SIGKILL) for operator in started)


def watch(playbook: str = "reconcile.yml", **keys: Any) -> dict[str, Any]:
    return {
        "group": "runner.test",
        "version": "v1",
        "kind": "Widget",
        "playbook": str(PLAYBOOKS / playbook),
        "snakeCaseParameters": False,
        "manageStatus": False,
        "markUnsafe": True,
        "maxRunnerArtifacts": 1,
        "vars": {"greeting": "hello"},
        "dependents": {
            "selector": {"matchLabels": {"made-by": "runner-test"}},
            "kinds": [
                {"version": "v1", "kind": "ConfigMap"},
                {"group": "not.served.test", "version": "v1", "kind": "Nothing"},
            ],
        },
        **keys,
    }


@pytest.fixture
def cluster(kubectl: Kubectl, namespace: str) -> Cluster:
    return Cluster(kubectl, namespace)


class Cluster:
    """kubectl in the test's namespace."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl = kubectl
        self._namespace = f"--namespace={namespace}"

    def widget(self, name: str, annotations: dict[str, str] | None = None, **spec: Any) -> None:
        manifest = {
            "apiVersion": "runner.test/v1",
            "kind": "Widget",
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": spec,
        }
        self("apply", "--server-side", "--filename=-", stdin=json.dumps(manifest))

    def data(self, name: str) -> dict[str, str]:
        """What is in a ConfigMap; AssertionError as long as there is none."""
        answer = self._kubectl.run("get", f"configmap/{name}", self._namespace, "--output=json")
        assert answer.returncode == 0, answer.stderr
        data: dict[str, str] = json.loads(answer.stdout)["data"]
        return data

    def exists(self, what: str) -> bool:
        return self._kubectl.run("get", what, self._namespace).returncode == 0

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        return self._kubectl(*arguments, self._namespace, stdin=stdin)


def test_create_update_and_delete_each_have_their_run(
    start: StartOperator, cluster: Cluster
) -> None:
    operator = start(watchAnnotationsChanges=True)
    cluster.widget("anna", text=JINJA)
    created = {"text": JINJA, "annotation": "none", "from_watches": "hello"}
    eventually(lambda: cluster.data("anna") == created, message="the first run")
    cluster.widget("anna", text="changed")
    eventually(lambda: cluster.data("anna")["text"] == "changed", message="the run for the edit")
    cluster.widget("anna", {"mood": "fine"}, text="changed")
    eventually(
        lambda: cluster.data("anna")["annotation"] == "fine", message="the run for the annotation"
    )
    [inputs] = operator.runner_dir.glob("runner.test/v1/Widget/*/anna")
    cluster("delete", "widget/anna")
    eventually(lambda: not inputs.exists(), message="the directory of the run to be removed")
    assert operator.lines(f"anna says {JINJA}", name="anna")
    assert not operator.lines("Reconcile failed")


def test_change_of_the_status_alone_has_no_run(start: StartOperator, cluster: Cluster) -> None:
    operator = start()
    cluster.widget("stan")
    eventually(lambda: cluster.data("stan"), message="the first run")
    patch = json.dumps({"status": {"seen": True}})
    cluster("patch", "widget/stan", "--subresource=status", "--type=merge", f"--patch={patch}")
    cluster.widget("later")
    eventually(lambda: cluster.data("later"), message="the run of a widget created afterwards")
    assert len(operator.lines("Reconciled", name="stan")) == 1


def test_whole_objects_are_on_disk_for_nobody_else(start: StartOperator, cluster: Cluster) -> None:
    operator = start()
    cluster.widget("olga", text="confidential")
    eventually(lambda: operator.lines("Reconciled", name="olga"), message="the run")
    files = [operator.runner_dir, *operator.runner_dir.rglob("*")]
    assert any(file.name == "extravars" for file in files)
    assert [str(file) for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077] == []


def test_edited_or_deleted_dependent_comes_back(start: StartOperator, cluster: Cluster) -> None:
    start()
    cluster.widget("drew", text="right")
    eventually(lambda: cluster.data("drew")["text"] == "right", message="the first run")
    cluster("patch", "configmap/drew", "--type=merge", '--patch={"data": {"text": "wrong"}}')
    eventually(lambda: cluster.data("drew")["text"] == "right", message="the edit to be undone")
    cluster("delete", "configmap/drew")
    eventually(lambda: cluster.data("drew")["text"] == "right", message="it to be made again")


AUTOSCALED: dict[str, Any] = {
    "playbook": "autoscaled.yml",
    "dependents": {
        "selector": {"matchLabels": {"made-by": "runner-test"}},
        "kinds": [],
        "statusIgnored": [
            {"group": "autoscaling", "version": "v2", "kind": "HorizontalPodAutoscaler"}
        ],
    },
}


def autoscaler(cluster: Cluster, name: str) -> dict[str, Any]:
    """What it is to be, and its uid; AssertionError as long as there is none."""
    assert cluster.exists(f"hpa/{name}")
    found = json.loads(cluster("get", f"hpa/{name}", "--output=json"))
    metadata, spec = found["metadata"], found["spec"]
    owners = [owner["name"] for owner in metadata.get("ownerReferences") or []]
    bounds = (spec["minReplicas"], spec["maxReplicas"])
    return {
        "labels": metadata.get("labels"),
        "owners": owners,
        "bounds": bounds,
        "uid": metadata["uid"],
    }


def test_status_of_a_dependent_starts_no_run_where_it_is_ignored(
    start: StartOperator, cluster: Cluster
) -> None:
    operator = start(**AUTOSCALED)
    cluster.widget("heidi")
    eventually(lambda: operator.lines("Reconciled", name="heidi"), message="the first run")
    for replicas in (3, 4):
        status = {"status": {"currentReplicas": replicas, "desiredReplicas": replicas}}
        patch = f"--patch={json.dumps(status)}"
        cluster("patch", "hpa/heidi", "--subresource=status", "--type=merge", patch)
    # A run for it would begin in a tenth of a second, and so before this one has ended.
    cluster.widget("later")
    eventually(lambda: autoscaler(cluster, "later"), message="the run of a widget made afterwards")
    assert len(operator.lines("Reconciling", name="heidi")) == 1


@pytest.mark.parametrize(
    "damage",
    [
        ("patch", "--type=merge", '--patch={"spec": {"maxReplicas": 9}}'),
        ("patch", "--type=json", '--patch=[{"op": "remove", "path": "/spec/minReplicas"}]'),
        ("label", "team-"),
        ("label", "made-by-"),
        ("patch", "--type=merge", '--patch={"metadata": {"ownerReferences": null}}'),
        ("delete",),
    ],
    ids=["spec", "field", "label", "selecting label", "owner", "deletion"],
)
def test_damage_to_a_dependent_whose_status_is_ignored_is_undone(
    start: StartOperator, cluster: Cluster, damage: tuple[str, ...]
) -> None:
    operator = start(**AUTOSCALED)
    cluster.widget("hedy")
    eventually(lambda: operator.lines("Reconciled", name="hedy"), message="the first run")
    right = autoscaler(cluster, "hedy")
    verb, *arguments = damage
    cluster(verb, "hpa/hedy", *arguments)

    def is_right() -> bool:
        now = autoscaler(cluster, "hedy")
        is_new = now["uid"] != right["uid"]
        return now == {**right, "uid": now["uid"]} and is_new == (verb == "delete")

    eventually(is_right, timeout=15, message="the damage to be undone")


def test_finalizer_runs_before_the_object_goes(start: StartOperator, cluster: Cluster) -> None:
    finalizer = {
        "name": "runner.test/farewell",
        "playbook": str(PLAYBOOKS / "finalize.yml"),
        "vars": {"last_words": "so long"},
    }
    operator = start(finalizer=finalizer)
    cluster.widget("fay")
    eventually(lambda: cluster.data("fay"), message="the first run")
    assert "runner.test/farewell" in cluster("get", "widget/fay", "--output=yaml")
    cluster("delete", "widget/fay", "--wait=false")
    eventually(lambda: not cluster.exists("widget/fay"), message="the widget to go")
    assert cluster.data("farewell-fay") == {"last_words": "so long", "deleted": "yes"}
    assert len(operator.lines("Finalizing", name="fay")) == 1


def test_failed_finalizer_keeps_the_object(start: StartOperator, cluster: Cluster) -> None:
    # It lacks the variable last_words.
    finalizer = {"name": "runner.test/farewell", "playbook": str(PLAYBOOKS / "finalize.yml")}
    operator = start(finalizer=finalizer)
    cluster.widget("felix")
    eventually(lambda: cluster.data("felix"), message="the first run")
    cluster("delete", "widget/felix", "--wait=false")
    eventually(lambda: len(operator.lines("Will try again", name="felix")) > 1, message="retries")
    assert cluster.exists("widget/felix")
    cluster("patch", "widget/felix", "--type=merge", '--patch={"metadata": {"finalizers": null}}')
    eventually(lambda: not cluster.exists("widget/felix"), message="the widget to go")


def test_an_object_that_is_deleted_is_freed_of_a_former_operator_s_finalizer_alone(
    start: StartOperator, cluster: Cluster
) -> None:
    operator = start(formerFinalizers=["former.test/finalizer"])
    cluster.widget("fred")
    eventually(lambda: cluster.data("fred"), message="the first run")
    both = {"metadata": {"finalizers": ["former.test/finalizer", "other.test/finalizer"]}}
    cluster("patch", "widget/fred", "--type=merge", f"--patch={json.dumps(both)}")
    cluster("delete", "widget/fred", "--wait=false")

    def left() -> list[str]:
        found = json.loads(cluster("get", "widget/fred", "--output=json"))
        finalizers: list[str] = found["metadata"]["finalizers"]
        return finalizers

    eventually(lambda: left() == ["other.test/finalizer"], message="the one to be taken off")
    assert operator.lines("Freed of a former operator's finalizer", name="fred")
    cluster("patch", "widget/fred", "--type=merge", '--patch={"metadata": {"finalizers": null}}')
    eventually(lambda: not cluster.exists("widget/fred"), message="the widget to go")


def test_requeue_after_and_the_period_of_an_annotation_bring_the_next_run(
    start: StartOperator, cluster: Cluster
) -> None:
    operator = start(playbook="requeue.yml")
    cluster.widget("rick", after="500ms")
    cluster.widget("rare", after="10h")
    eventually(lambda: len(operator.lines("Reconciled", name="rick")) > 2, message="more runs")
    assert len(operator.lines("Reconciled", name="rare")) == 1


def test_period_of_an_annotation_brings_the_next_run(
    start: StartOperator, cluster: Cluster
) -> None:
    operator = start()
    annotation = "ansible.sdk.operatorframework.io/reconcile-period"
    cluster.widget("paula", {annotation: "500ms"})
    cluster.widget("patty", {annotation: "often"})
    eventually(lambda: len(operator.lines("Reconciled", name="paula")) > 2, message="more runs")
    assert operator.lines(f"Annotation {annotation} is ignored", name="patty")


def test_failing_playbook_is_retried_with_growing_patience_and_recovers(
    start: StartOperator, cluster: Cluster, tmp_path: Path
) -> None:
    operator = start(playbook="needs_permit.yml", vars={"secret_word": "abracadabra"})
    permit = tmp_path / "permit"
    cluster.widget("will", permit=str(permit))
    eventually(
        lambda: [line["retry_in"] for line in operator.lines("Will try again")][:2] == ["1s", "2s"],
        message="two retries",
    )
    permit.touch()
    eventually(lambda: operator.lines("Reconciled", name="will"), message="the run that works")
    [first, *_] = operator.lines("Will try again")
    assert first["error"] == "Ask for the permit: there is no permit"
    assert "abracadabra" not in operator.text


def test_edit_of_a_failing_object_does_not_wait_for_the_retry(
    start: StartOperator, cluster: Cluster, tmp_path: Path
) -> None:
    operator = start(playbook="needs_permit.yml", vars={"secret_word": ""})
    cluster.widget("edith", permit=str(tmp_path / "nowhere"))
    # From here on, the next retry is 8 s away.
    eventually(lambda: operator.lines("Will try again", retry_in="8s"), message="four failures")
    cluster.widget("edith", permit=str(tmp_path))
    eventually(lambda: operator.lines("Reconciled", name="edith"), timeout=6, message="a run")


def test_playbook_that_takes_too_long_is_ended(
    start: StartOperator, cluster: Cluster, tmp_path: Path
) -> None:
    operator = start("--run-timeout=3s", playbook="waits.yml")
    wait(cluster, tmp_path)
    failed = eventually(lambda: operator.lines("Will try again"), message="the run to be ended")
    assert "--run-timeout" in failed[0]["error"]
    operator.process.send_signal(signal.SIGTERM)
    operator.process.send_signal(signal.SIGTERM)
    operator.ended(30)
    assert playbooks_of(operator) == []


def wait(cluster: Cluster, tmp_path: Path) -> dict[str, Path]:
    """Create a widget whose playbook waits for the file go_on, and wait until it does."""
    files = {name: tmp_path / name for name in ("begun", "go_on", "ended")}
    begun, go_on, ended = (str(file) for file in files.values())
    cluster.widget("tim", begun=begun, go_on=go_on, ended=ended)
    eventually(files["begun"].exists, message="the playbook to begin")
    return files


def playbooks_of(operator: Operator) -> list[str]:
    """The processes that work in this operator's directory, as its playbooks and their tasks do."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            directory = os.readlink(process / "cwd")
        except OSError:
            continue
        if Path(directory).is_relative_to(operator.runner_dir):
            found.append(process.name)
    return found


def test_sigterm_lets_a_running_playbook_finish(
    start: StartOperator, cluster: Cluster, tmp_path: Path
) -> None:
    operator = start(playbook="waits.yml")
    files = wait(cluster, tmp_path)
    operator.process.terminate()
    eventually(lambda: "letting running reconciles finish" in operator.text, message="the stop")
    files["go_on"].touch()
    assert operator.ended(30) == 0
    assert files["ended"].exists()
    assert operator.lines("Reconciled", name="tim")


def test_sigterm_ends_a_playbook_that_does_not_finish_in_time(
    start: StartOperator, cluster: Cluster, tmp_path: Path
) -> None:
    operator = start("--graceful-shutdown-timeout=1s", playbook="waits.yml")
    files = wait(cluster, tmp_path)
    assert playbooks_of(operator)
    assert operator.stop() == 0
    assert not files["ended"].exists()
    assert playbooks_of(operator) == []


def test_restart_catches_up_with_what_happened_meanwhile(
    start: StartOperator, cluster: Cluster
) -> None:
    operator = start()
    cluster.widget("changed", text="before")
    cluster.widget("drifted", text="right")
    eventually(lambda: cluster.data("changed") and cluster.data("drifted"), message="first runs")
    assert operator.stop() == 0
    cluster.widget("changed", text="after")
    cluster("delete", "configmap/drifted")
    start()
    eventually(lambda: cluster.data("changed")["text"] == "after", message="the edit")
    eventually(lambda: cluster.data("drifted")["text"] == "right", message="the repair")


def test_operator_that_dies_in_the_middle_leaves_nothing_that_hinders_the_next(
    start: StartOperator, cluster: Cluster, tmp_path: Path
) -> None:
    operator = start(playbook="waits.yml")
    files = wait(cluster, tmp_path)
    operator.process.kill()
    operator.process.wait()
    files["begun"].unlink()
    start(playbook="waits.yml")
    eventually(files["begun"].exists, message="the next operator's run to begin")
    files["go_on"].touch()
    eventually(files["ended"].exists, message="it to end")


def leader_and_standby(
    start: StartOperator, namespace: str, lease: str
) -> tuple[Operator, Operator]:
    flags = (
        "--leader-elect",
        f"--leader-election-id={lease}",
        f"--leader-election-namespace={namespace}",
    )
    first = start(*flags)
    eventually(lambda: first.lines("Became the leader"), message="a leader")
    second = start(*flags)
    eventually(lambda: second.lines("Waiting to become the leader"), message="a standby")
    return first, second


def test_only_one_of_two_operators_works_and_the_other_takes_over(
    start: StartOperator, cluster: Cluster, namespace: str
) -> None:
    first, second = leader_and_standby(start, namespace, "widgets")
    assert urllib3.request("GET", f"{second.address('probes')}/readyz").status == 200
    cluster.widget("lea", text="by the first")
    eventually(lambda: cluster.data("lea"), message="the leader's run")
    assert not second.lines("Reconciling")
    assert first.stop() == 0
    cluster.widget("lea", text="by the second")
    eventually(lambda: cluster.data("lea")["text"] == "by the second", message="the other's run")
    assert second.lines("Became the leader")


def test_a_standby_takes_over_from_a_leader_that_was_killed(
    start: StartOperator, cluster: Cluster, namespace: str
) -> None:
    """With the Lease's own times: how long nobody works is printed, not judged."""
    first, second = leader_and_standby(start, namespace, "killed")
    first.process.kill()
    first.process.wait()
    killed = time.monotonic()
    cluster.widget("lou", text="by the second")
    eventually(lambda: cluster.data("lou"), timeout=90, message="the other's run")
    print(f"taken over and reconciled {time.monotonic() - killed:.1f} s after the kill")
    assert second.lines("Became the leader")


def test_leader_that_lost_its_lease_stops_working(
    start: StartOperator, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    operator = start(
        "--leader-elect",
        "--leader-election-id=stolen",
        f"--leader-election-namespace={namespace}",
        playbook="waits.yml",
    )
    files = wait(cluster, tmp_path)
    patch = '--patch={"spec": {"holderIdentity": "somebody else"}}'
    cluster("patch", "lease/stolen", "--type=merge", patch)
    assert operator.ended(30) == 1
    assert not files["ended"].exists()
    assert playbooks_of(operator) == []


def test_selector_decides_which_objects_are_ours(start: StartOperator, cluster: Cluster) -> None:
    operator = start(selector={"matchExpressions": [{"key": "team", "operator": "Exists"}]})
    cluster.widget("theirs")
    cluster.widget("ours")
    cluster("label", "widget/ours", "team=us")
    eventually(lambda: cluster.data("ours"), message="the run of the labelled one")
    cluster("label", "widget/ours", "team-")
    cluster.widget("ours", text="not any more")
    cluster.widget("next")
    cluster("label", "widget/next", "team=us")
    eventually(lambda: cluster.data("next"), message="the run of the one labelled later")
    assert cluster.data("ours")["text"] == "nothing"
    assert not operator.lines("Reconciling", name="theirs")


def test_kind_that_is_not_served_is_named_and_holds_nothing_up(
    start: StartOperator, cluster: Cluster
) -> None:
    operator = start()
    cluster.widget("nora")
    eventually(lambda: cluster.data("nora"), message="the run")
    kind = "not.served.test/v1, Kind=Nothing"
    [line] = operator.lines(
        "The cluster does not serve this kind yet; looking again regularly", kind=kind
    )
    assert line["level"] == "info"


def test_platform_is_logged_once(start: StartOperator, cluster: Cluster) -> None:
    operator = start()
    cluster.widget("pia")
    eventually(lambda: cluster.data("pia"), message="the run")
    assert operator.text.count("platform - will use") == 1
    assert operator.lines(
        "Detected standard Kubernetes platform - will use standard security contexts"
    )


def test_probes_and_metrics_answer(start: StartOperator, cluster: Cluster) -> None:
    operator = start()
    cluster.widget("mia")
    eventually(lambda: operator.lines("Reconciled", name="mia"), message="the run")
    for path in ("healthz", "readyz"):
        assert urllib3.request("GET", f"{operator.address('probes')}/{path}").status == 200
    text = urllib3.request("GET", f"{operator.address('metrics')}/metrics").data.decode()
    gvk = 'GVK="runner.test/v1, Kind=Widget"'
    controller = 'controller="widget-v1-controller"'
    succeeded = f'ansible_operator_reconcile_result{{{gvk},result="succeeded"}}'
    assert float(text.partition(succeeded)[2].split()[0]) >= 1
    assert f"controller_runtime_reconcile_time_seconds_count{{{controller}}}" in text
    assert 'workqueue_depth{name="widget-v1-controller"} 0.0' in text


def test_metrics_in_https_are_for_those_with_the_right(
    start: StartOperator, kubectl: Kubectl, namespace: str
) -> None:
    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return pool.request("GET", url, headers=headers).status

    role = f"metrics-reader-{namespace}"
    kubectl("create", "clusterrole", role, "--verb=get", "--non-resource-url=/metrics")
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    token = kubectl("create", "token", "reader", "-n", namespace).strip()
    operator = start("--metrics-secure", "--metrics-require-rbac")
    url = operator.address("metrics").replace("http:", "https:") + "/metrics"
    pool = urllib3.PoolManager(cert_reqs="NONE", retries=False)
    assert [status(""), status("nonsense"), status(token)] == [401, 401, 403]
    account = f"--serviceaccount={namespace}:reader"
    kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", account)
    # What was refused is remembered for ten seconds.
    eventually(lambda: status(token) == 200, 30, "the reader to read")
    kubectl("delete", "clusterrole,clusterrolebinding", role)


EXECUTIONS = ("--execution=cold", "--execution=warm")


def start_together(start: StartOperator, *arguments: str, **keys: Any) -> Operator:
    """An operator with one worker for widgets that share runs."""
    more = ("--max-concurrent-reconciles=1", *arguments)
    return start(*more, **{"playbook": "together.yml", "batch": 16, **keys})


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_objects_that_wait_share_a_run_and_each_has_a_result_of_its_own(
    start: StartOperator, cluster: Cluster, execution: str
) -> None:
    cluster.widget("ben", text=JINJA, objects=2)
    cluster.widget("bill", behaviour="fail")
    cluster.widget("bob.with-dots", {"note": JINJA}, after="1s")
    cluster.widget("buck", text="{% raw %}", behaviour="{{ 1 }}")
    operator = start_together(start, execution)
    eventually(lambda: len(operator.lines("Reconciled", name="bob.with-dots")) > 1, message="runs")
    jobs = {
        name: operator.lines("Reconciling", name=name)[0]["job"]
        for name in ("ben", "bill", "bob.with-dots", "buck")
    }
    assert len(set(jobs.values())) == 1
    [done] = operator.lines("Reconciled", name="ben")
    assert (done["result"], done["objects_changed"]) == ("changed", 2)
    assert operator.lines(f"ben says {JINJA}, as {JINJA}", name="ben")
    assert operator.lines("buck says {% raw %}, as {% raw %}", name="buck")
    [refused, *_] = operator.lines("Will try again")
    assert (refused["name"], refused["error"]) == ("bill", "Behave: bill fails")
    assert not operator.lines("Reconciled", name="bill")
    assert operator.lines("Reconciled", name="buck", result="ok", objects_changed=0)
    text = urllib3.request("GET", f"{operator.address('metrics')}/metrics").data.decode()
    kind = 'GVK="runner.test/v1, Kind=Widget"'
    assert f'ansible_operator_reconcile_result{{{kind},result="failed"}}' in text
    assert 'reason="Ben"' in text
    assert 'reason="Bill"' not in text


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_object_that_a_shared_run_dies_of_holds_up_no_other(
    start: StartOperator, cluster: Cluster, execution: str
) -> None:
    for name in ("carl", "cecil", "chris"):
        cluster.widget(name)
    cluster.widget("cain", behaviour="die")
    operator = start_together(start, execution)
    for name in ("carl", "cecil", "chris"):
        eventually(lambda name=name: operator.lines("Reconciled", name=name), message=name)
    # By itself from now on, again and again.
    eventually(lambda: len(operator.lines("Will try again", name="cain")) > 1, message="retries")
    cluster.widget("claude")
    cluster.widget("conrad")
    eventually(lambda: operator.lines("Reconciled", name="conrad"), message="a run afterwards")
    [ended] = operator.lines("A run of several did not come to its end; now each has one by itself")
    assert "ended before its play" in ended["error"]
    assert {line["name"] for line in operator.lines("Will try again")} == {"cain"}
    cluster.widget("cain", behaviour="well")
    eventually(lambda: operator.lines("Reconciled", name="cain"), message="the run that works")


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_object_that_a_shared_run_hangs_at_holds_up_no_other(
    start: StartOperator, cluster: Cluster, tmp_path: Path, execution: str
) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    cluster.widget("dan")
    cluster.widget("dave", behaviour="hang", mark=str(begun), until=str(go_on))
    cluster.widget("dirk")
    operator = start_together(start, execution, "--run-timeout=15s")
    eventually(begun.exists, message="the shared run to hang")
    for name in ("dan", "dirk"):
        eventually(lambda name=name: operator.lines("Reconciled", name=name), message=name)
    begun.unlink()
    eventually(begun.exists, message="the one that hangs to hang by itself")
    cluster.widget("doug")
    eventually(lambda: operator.lines("Reconciled", name="doug"), message="another meanwhile")
    go_on.touch()
    eventually(lambda: operator.lines("Reconciled", name="dave"), message="its own run")
    assert {line["name"] for line in operator.lines("Will try again")} <= {"dave"}


def test_object_with_a_verbosity_of_its_own_has_runs_of_its_own(
    start: StartOperator, cluster: Cluster
) -> None:
    cluster.widget("eric")
    cluster.widget("emil", {"ansible.sdk.operatorframework.io/verbosity": "4"})
    cluster.widget("ernie")
    operator = start_together(start)
    names = ("eric", "emil", "ernie")
    for name in names:
        eventually(lambda name=name: operator.lines("Reconciled", name=name), message=name)
    jobs = [operator.lines("Reconciling", name=name)[-1]["job"] for name in names]
    assert jobs[0] == jobs[2] != jobs[1]
    [artifacts] = operator.runner_dir.glob("runner.test/v1/Widget/*/emil/artifacts/*")
    assert artifacts.name == jobs[1]


def test_finalizer_is_kept_by_runs_of_its_own(start: StartOperator, cluster: Cluster) -> None:
    finalizer = {"name": "runner.test/farewell", "vars": {"text": "farewell"}}
    for name in ("finn", "fred"):
        cluster.widget(name)
    operator = start_together(start, finalizer=finalizer)
    for name in ("finn", "fred"):
        eventually(lambda name=name: operator.lines("Reconciled", name=name), message=name)
    cluster("delete", "widget/finn", "--wait=false")
    eventually(lambda: not cluster.exists("widget/finn"), message="the widget to go")
    assert operator.lines("finn says farewell, as nothing")
    assert cluster.exists("widget/fred")


def test_play_that_leaves_an_object_out_is_run_for_it_alone(
    start: StartOperator, cluster: Cluster
) -> None:
    # It is for localhost, whoever else may wait.
    operator = start_together(start, playbook="requeue.yml")
    for name in ("gary", "gene"):
        cluster.widget(name, after="10h")
    for name in ("gary", "gene"):
        eventually(lambda name=name: operator.lines("Reconciled", name=name), message=name)
    assert not operator.lines("Will try again")


def test_many_objects_are_read_by_one_list_and_the_ones_that_are_gone_are_forgotten(
    start: StartOperator, cluster: Cluster, control_plane: ControlPlane, namespace: str
) -> None:
    operator = start_together(start)
    names = [f"hal-{number}" for number in range(6)]
    manifests = [
        {
            "apiVersion": "runner.test/v1",
            "kind": "Widget",
            "metadata": {"name": name, "labels": {"team": "hal"}},
            "spec": {"text": "one"},
        }
        for name in names
    ]
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    cluster("apply", "--server-side", "--filename=-", stdin=stdin)
    for name in names:
        eventually(lambda name=name: operator.lines("Reconciled", name=name), message=name)
    cluster("delete", "widget", "--selector=team=hal", "--wait=false")
    eventually(lambda: not cluster.exists("widget/hal-5"), message="them to go")
    cluster.widget("harry")
    eventually(lambda: operator.lines("Reconciled", name="harry"), message="a run afterwards")
    assert not operator.lines("Will try again")


def test_what_shared_runs_leave_on_disk_is_bounded_and_holds_no_object(
    start: StartOperator, cluster: Cluster
) -> None:
    for name in ("ian", "igor"):
        cluster.widget(name, after="300ms", text="confidential")
    operator = start_together(start, maxRunnerArtifacts=2)
    eventually(lambda: len(operator.lines("Reconciled", name="ian")) > 4, message="runs")
    assert operator.stop() == 0
    kept = list(operator.runner_dir.glob("runner.test/v1/Widget/_batches/*/artifacts/*"))
    assert 1 <= len(kept) <= 2
    assert all((run / "stdout").read_text() for run in kept)
    assert not list(operator.runner_dir.rglob("env/objects"))


def services(namespace: str, **seen: str) -> list[dict[str, Any]]:
    return [{"collection": f"/api/v1/namespaces/{namespace}/services", "seen": seen}]


def create_service(cluster: Cluster, name: str) -> None:
    cluster("create", "service", "clusterip", name, "--tcp=80")


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_object_runs_when_something_changes_that_its_last_run_has_read(
    start: StartOperator, cluster: Cluster, namespace: str, execution: str
) -> None:
    cluster.widget("rita", reads=services(namespace, vllm=""))
    cluster.widget("rosa", reads=services(namespace, other=""))
    operator = start_together(start, execution)
    for name in ("rita", "rosa"):
        eventually(lambda name=name: operator.lines("Reconciled", name=name), message=name)
    before = len(operator.lines("Reconciled", name="rosa"))
    create_service(cluster, "vllm")
    eventually(
        lambda: len(operator.lines("Reconciled", name="rita")) > 1, timeout=10, message="a run"
    )
    assert len(operator.lines("Reconciled", name="rosa")) == before


def test_object_all_of_whose_reads_are_watched_is_not_looked_at_soon(
    start: StartOperator, cluster: Cluster, namespace: str
) -> None:
    unwatched = [{**services(namespace, vllm="")[0], "watch": False}]
    cluster.widget("told", after="300ms", reads=services(namespace, vllm=""))
    cluster.widget("untold", after="300ms", reads=unwatched)
    cluster.widget("asked", {"ansible.sdk.operatorframework.io/reconcile-period": "1s"}, reads=[])
    operator = start_together(start, watchedPeriod="10h")
    for name in ("untold", "asked"):
        eventually(lambda name=name: len(operator.lines("Reconciled", name=name)) > 3, message=name)
    assert len(operator.lines("Reconciled", name="told")) == 1
