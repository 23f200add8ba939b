# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells the operator when to reconcile again. Documented in plugins/modules/requeue_after.py.

ansible-operator looks at the events of a run for a task whose action is spelled ``requeue_after``
and takes the result's ``period``. It does not check that the field is there.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import is_duration
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.action import (
    Arguments,
    RouterAction,
)


class ActionModule(RouterAction):
    """Returns the period that it was given."""

    ARGUMENT_SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "after": {"type": "str", "required": True}
    }

    def act(self, arguments: Arguments) -> dict[str, Any]:
        after = arguments["after"]
        if not is_duration(after):
            found = f'after is "{after}", which is not a duration'
            raise RouterError(Problem("InvalidSpec", "", found, "Write it like 15s or 1h30m"))
        return {"changed": False, "period": after}
