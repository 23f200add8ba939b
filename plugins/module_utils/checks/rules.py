# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes sense across the fields of one SemanticRouter, and what this version cannot build.

The rules themselves stand beside this file, one file per concern. Every validation rule (CEL) of
the CRD is repeated there, because API servers before 1.25 ignore them; the rest is what CEL cannot
say. What the cluster lacks is ``facts/discovery.py``'s, what the router does not understand
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
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import (
    is_service_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    invalid,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def check(router: Router, facts: Facts) -> list[Problem]:
    """Everything that is wrong with the object, the structure of a hand-carried one included."""
    if not crd.has_defaults(router.resource.get("spec") or {}):
        # A file, or a cluster whose CRD is not ours: nobody has looked at the structure, and the
        # rules take it for granted.
        mistakes = crd.validate(router.resource)
        if mistakes:
            return mistakes
    if oversized := list(sizes.hopeless(router.spec)):
        return [*_name(router), *oversized]
    problems = [*_name(router), *(found for rule in RULES for found in rule(router.spec))]
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


def _name(router: Router) -> Problems:
    if not is_service_name(router.name):
        yield invalid(
            "metadata.name",
            f'"{router.name}" cannot name a Service',
            "Choose a name of at most 63 lower-case letters, digits and hyphens that starts with "
            "a letter",
        )


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
