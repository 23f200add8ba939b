# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes sense across the fields of one SemanticRouter, and what this version cannot build.

The CRD has what CEL can say (``spec/rule.py``); the rest stands beside this file, one file per
concern. What the cluster lacks is ``facts/discovery.py``'s, what the router does not understand
``router_config``'s, and single fields are the schema's (``spec/crd.py``).
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import (
    additions,
    alone,
    auth,
    config,
    endpoints,
    gateway,
    monitoring,
    networking,
    openshift,
    scaling,
    sizes,
    storage,
    switches,
    workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd, rule
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def check(router: Router, facts: Facts) -> list[Problem]:
    """Everything that is wrong with the object, the structure of a hand-carried one included."""
    if deep := list(sizes.deep(router.resource.get("spec") or {})):
        return deep
    if not crd.has_defaults(router.resource.get("spec") or {}):
        # A file, or a cluster whose CRD is not ours: nobody has looked at the structure, and the
        # rules take it for granted.
        mistakes = crd.validate(router.resource)
        if mistakes:
            return mistakes
    resource = {**router.resource, "spec": router.spec}
    broken = [problem for one in rule.rules() for problem in one.problems(resource)]
    if oversized := list(sizes.hopeless(router.spec)):
        return [*broken, *oversized]
    known = {problem.field for problem in broken}
    found = (problem for check_spec in RULES for problem in check_spec(router.spec))
    problems = [*broken, *(problem for problem in found if problem.field not in known)]
    # What is wrong in a field says more than that nobody reads it.
    wrong = [problem.field for problem in problems]
    problems += [
        problem
        for problem in switches.check(router.spec)
        if not any(field.startswith(problem.field) for field in wrong)
    ]
    known = {problem.field for problem in problems}
    others = router_config.problems(router, facts)
    return problems + [problem for problem in others if problem.field not in known]


RULES: tuple[Callable[[Spec], Problems], ...] = (
    *endpoints.RULES,
    *networking.RULES,
    *auth.RULES,
    *gateway.RULES,
    *alone.RULES,
    *openshift.RULES,
    *monitoring.RULES,
    *storage.RULES,
    *workload.RULES,
    *additions.RULES,
    *scaling.RULES,
    *config.RULES,
)
