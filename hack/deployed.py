"""`python -m deployed`: waits until the operator that was applied runs, or says why it cannot.

The Deployment names the program that it starts, so that an image of something else cannot run with
the operator's rights. What the kubelet and the container then say is told here in terms of IMG.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from control_plane import Kubectl, KubectlError
from kustomize.__main__ import find

Manifest = Mapping[str, Any]

NAME = "semantic-router-operator-controller-manager"
NAMESPACE = "semantic-router-operator-system"
SECONDS_BETWEEN_LOOKS = 1.0

_NOT_PULLED = {
    "ErrImagePull", "ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName",
}  # fmt: skip
_NOT_STARTED = {
    "ContainerCannotRun", "CreateContainerError", "RunContainerError", "StartError",
}  # fmt: skip
# What Python and the runner say where one of the image's own files is missing.
_NOT_OURS = re.compile(r"No module named '?wrapper_runner|watches\.yaml.*No such file")


def is_done(deployment: Manifest) -> bool:
    """Whether all pods are of this Deployment's newest template, and available."""
    wanted = deployment["spec"]["replicas"]
    status = deployment.get("status", {})
    counts = (status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas"))
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return seen and all(count == wanted for count in counts)


def problem(deployment: Manifest, pods: Sequence[Manifest], log: Callable[[str], str]) -> str:
    """Why the pods of this image will not run; "" while nothing says so.

    log: the last words of a pod's container, asked for only where it ended.
    """
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    for pod in pods:
        if pod["spec"]["containers"][0]["image"] != image:
            continue
        for container in pod.get("status", {}).get("containerStatuses", []):
            found = _of_container(container, image, partial(log, pod["metadata"]["name"]))
            if found:
                return found
    return ""


def _of_container(container: Manifest, image: str, log: Callable[[], str]) -> str:
    state = container.get("state", {})
    waiting, ended = state.get("waiting", {}), state.get("terminated", {})
    before = container.get("lastState", {}).get("terminated", {})
    reasons = {part.get("reason", "") for part in (waiting, ended, before)}
    said = next((part["message"] for part in (waiting, ended, before) if part.get("message")), "")
    if reasons & _NOT_PULLED:
        return (
            f"No node could pull {image}: {said or waiting['reason']}\n"
            f"Build it and push it first:   make docker-build docker-push deploy IMG={image}\n"
            f"or, for a cluster of kind's:  make docker-build kind-load deploy IMG={image}"
        )
    if reasons & _NOT_STARTED and "no such file" in said:
        return _another(image, said)
    if reasons & _NOT_STARTED:
        return f"The container of {image} did not start: {said}"
    if ended or before:
        words = log()
        if _NOT_OURS.search(words):
            return _another(image, words.strip().splitlines()[-1])
        return f"The operator of {image} ended. Its last words:\n{words.rstrip()}"
    return ""


def _another(image: str, said: str) -> str:
    return (
        f"{image} is not an image of this operator, but of something else: {said}\n"
        "The Go operator's image is called semantic-router-operator. Nothing of it was started.\n"
        "Build this one, under a name of yours:\n"
        "  make docker-build docker-push deploy IMG=registry/name:tag"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="deployed", description=__doc__)
    parser.add_argument("--kubectl", required=True, help="the program, on PATH or by its path")
    parser.add_argument("--namespace", default="", help=f"where it runs; {NAMESPACE} if empty")
    parser.add_argument("--wait", type=float, default=300, help="seconds; 0 looks no further")
    given = parser.parse_args()
    try:
        said = wait(Kubectl(find(given.kubectl), {}), given.namespace or NAMESPACE, given.wait)
    except (KubectlError, ValueError) as error:
        said = str(error)
    if said:
        print(f"deploy: {said}", file=sys.stderr)
    return 1 if said else 0


def wait(kubectl: Kubectl, namespace: str, seconds: float) -> str:
    """Until the operator runs, or cannot, or the time is over; what is wrong, "" if nothing is."""

    def read(*arguments: str) -> Any:
        return json.loads(kubectl("get", *arguments, "-n", namespace, "-o", "json"))

    def log(pod: str) -> str:
        answer = kubectl.run("logs", pod, "-n", namespace, "--tail=20", "--previous")
        if answer.returncode != 0:
            answer = kubectl.run("logs", pod, "-n", namespace, "--tail=20")
        return answer.stdout or answer.stderr

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        deployment = read("deployment", NAME)
        if is_done(deployment):
            image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
            print(f"deploy: the operator runs in namespace {namespace}, from {image}")
            return ""
        labels = deployment["spec"]["selector"]["matchLabels"].items()
        selector = ",".join(f"{key}={value}" for key, value in labels)
        found = problem(deployment, read("pods", "-l", selector)["items"], log)
        if found:
            return found
        time.sleep(SECONDS_BETWEEN_LOOKS)
    if seconds:
        return (
            f"The operator does not run after {seconds:.0f} s, and no pod says why: "
            f"kubectl describe deployment,pods -n {namespace}. `make deploy WAIT=600` waits longer."
        )
    return ""


if __name__ == "__main__":
    sys.exit(main())
