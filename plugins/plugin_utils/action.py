# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every action plugin of this collection has in common; knows no Kubernetes object.

An action is one file in plugins/action/, its documentation the file of the same name in
plugins/modules/ (DOCUMENTATION, EXAMPLES, RETURN and nothing else)::

    class ActionModule(RouterAction):
        ARGUMENT_SPEC: ClassVar[ArgumentSpec] = {
            "router": {"type": "dict", "required": True},
            **CONNECTION_OPTIONS,
        }

        def act(self, arguments: Arguments) -> dict[str, Any]:
            client = self.client(arguments)
            ...
            return {"changed": False, "problems": []}

``act`` returns the task's result. It raises RouterError to fail the task with a message for the
user; any other exception is a bug and fails the task with its place, never with its data. A test
holds that the argument spec and the documentation name the same options.
"""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    RouterError,
    explained,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.plain import plain

ArgumentSpec = dict[str, dict[str, Any]]

# Environment variables by which kubernetes.core's options may be given.
_SAYS_WHERE = ("K8S_AUTH_", "KUBE", "HOME")

# kubernetes.core's, whose documentation fragment is k8s_auth_options.
CONNECTION_OPTIONS: ArgumentSpec = AUTH_ARG_SPEC


@dataclass(frozen=True)
class Arguments:
    """A task's validated arguments, as plain containers, and the mode it runs in."""

    values: dict[str, Any]
    check_mode: bool
    diff: bool

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class RouterAction(ActionBase):  # type: ignore[misc]
    """Validates, calls ``act``, and turns what it raises into a failed task."""

    ARGUMENT_SPEC: ClassVar[ArgumentSpec]

    # Read by the warm runner: a fork for each task costs more than the task. What it asks of an
    # action in return is said in warm/README.md.
    RUNS_IN_PROCESS = True

    _supports_check_mode = True
    _requires_connection = False

    @abstractmethod
    def act(self, arguments: Arguments) -> dict[str, Any]:
        """Do the work and return the task's result."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Called by Ansible."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.variables = task_vars or {}
        try:
            result.update(self.act(self._arguments()))
        except _Misused as error:
            result.update(failed=True, msg=str(error))
        except RouterError as error:
            result.update(failed=True, msg=str(error), problems=[error.problem.as_dict()])
        except Exception as error:
            result.update(failed=True, msg=explained(error))
        return result

    def client(self, arguments: Arguments) -> Client:
        """One by the connection options; the same for the same options, and so its connections."""
        return _client(
            os.getpid(),
            json.dumps({name: arguments[name] for name in CONNECTION_OPTIONS}, sort_keys=True),
            tuple(item for item in sorted(os.environ.items()) if item[0].startswith(_SAYS_WHERE)),
        )

    def _arguments(self) -> Arguments:
        given = plain(self._task.args)
        validation = ArgumentSpecValidator(dict(self.ARGUMENT_SPEC)).validate(given)
        if validation.error_messages:
            raise _Misused("; ".join(validation.error_messages))
        return Arguments(
            values=validation.validated_parameters,
            check_mode=bool(self._task.check_mode),
            diff=bool(self._task.diff),
        )


class _Misused(Exception):
    """The task's arguments are not what the documentation asks for."""


@lru_cache(maxsize=1)
def _client(process: int, options: str, environment: tuple[tuple[str, str], ...]) -> Client:  # noqa: ARG001 they are the cache's key
    """process: a fork must not go on in its parent's connections."""
    return Client.from_options(json.loads(options))


def now() -> str:
    """RFC 3339 with microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
