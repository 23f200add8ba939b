# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what a reconcile wants to know. Documented in plugins/modules/discover.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    read_router,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.examine import examine
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    crd,
    yaml_file,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    API_VERSION,
    KIND,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.action import (
    CONNECTION_OPTIONS,
    Arguments,
    RouterAction,
)

_NAME_ONE = "Name the SemanticRouter: -e router_name=my-router, or name here, or give it as router"


class ActionModule(RouterAction):
    """A SemanticRouter, what the cluster has for it, and what stands in its way."""

    ARGUMENT_SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "router": {"type": "dict"},
        "name": {"type": "str"},
        "namespace": {"type": "str", "default": "default"},
        "src": {"type": "path"},
        "platform": {"type": "str", "choices": ["kubernetes", "openshift"]},
        "capabilities": {
            "type": "list",
            "elements": "str",
            "choices": list(discovery.OPTIONAL_APIS),
            "default": list(discovery.OPTIONAL_APIS),
        },
        "secret_versions": {"type": "bool", "default": False},
        **CONNECTION_OPTIONS,
    }

    def act(self, arguments: Arguments) -> dict[str, Any]:
        if arguments["src"]:
            platform = arguments["platform"] or PLATFORM_KUBERNETES
            return _offline(arguments["src"], platform, arguments["capabilities"])
        if not arguments["router"] and not arguments["name"]:
            missing = Problem("InvalidSpec", "", "neither router nor name is given", _NAME_ONE)
            raise RouterError(missing)
        client = self.client(arguments)
        router = _router(client, arguments)
        platform, secret_versions = arguments["platform"] or "", arguments["secret_versions"]
        found = examine(Reads(client), router, platform, secret_versions)
        return {
            "changed": False,
            "router": _without_managed_fields(router.resource),
            "facts": found.facts.as_dict(),
            "problems": [problem.as_dict() for problem in found.problems],
            "messages": found.messages,
        }


def _router(client: Client, arguments: Arguments) -> Router:
    if arguments["router"]:
        return Router(arguments["router"])
    return read_router(client, arguments["name"], arguments["namespace"])


def _offline(src: str, platform: str, served: list[str]) -> dict[str, Any]:
    """A file instead of a cluster: no status can carry a blocking problem, so it fails the task."""
    resource = _read_file(src)
    problems = crd.validate(resource)
    if not problems:
        router = Router(resource)
        facts = discovery.offline_facts(router, platform, served)
        problems = rules.check(router, facts)
        problems += discovery.offline_problems(router, platform, served)
    blocking = [problem for problem in problems if problem.blocking]
    if blocking:
        return {
            "failed": True,
            "msg": "\n".join(map(str, blocking)),
            "problems": [problem.as_dict() for problem in blocking],
        }
    return {
        "changed": False,
        "router": resource,
        "facts": facts.as_dict(),
        "problems": [problem.as_dict() for problem in problems],
        "messages": [],
        "warnings": [str(problem) for problem in problems],
    }


def _read_file(src: str) -> dict[str, Any]:
    try:
        found = yaml_file.documents(Path(src).read_text("utf-8"))
    except yaml_file.DocumentError as error:
        raise RouterError(
            Problem("InvalidSpec", "", f"{src}: {error.found}", error.remedy)
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        remedy = "Name a readable YAML file: -e cr_file=my-router.yaml, or src here"
        raise RouterError(Problem("InvalidSpec", "", f"{src}: {why}", remedy)) from error
    routers = [
        item
        for item in found
        if isinstance(item, dict)
        and (item.get("apiVersion"), item.get("kind")) == (API_VERSION, KIND)
    ]
    if len(routers) != 1:
        counted = f"{src} has {len(routers)} objects of {API_VERSION} {KIND}"
        raise RouterError(Problem("InvalidSpec", "", counted, "Name a file with exactly one"))
    return routers[0]


def _without_managed_fields(resource: dict[str, Any]) -> dict[str, Any]:
    """Half of the object's bytes, of use to nobody here, and every event of a run is posted."""
    metadata = {key: value for key, value in resource["metadata"].items() if key != "managedFields"}
    return {**resource, "metadata": metadata}
