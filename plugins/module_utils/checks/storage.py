# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does spec.persistence make sense?"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    DNS_NAME,
    Problems,
    Spec,
    invalid,
    no_object_name,
    quantity,
)


def _persistence(spec: Spec) -> Problems:
    persistence = spec["persistence"]
    claim = persistence.get("existingClaim")
    if claim and not DNS_NAME.fullmatch(claim):
        yield no_object_name("spec.persistence.existingClaim", claim, "a PersistentVolumeClaim")
    size = quantity(persistence["size"])
    if size is not None and size <= 0:
        yield invalid(
            "spec.persistence.size",
            f"{persistence['size']} leaves no room",
            "Give a size, e.g. 10Gi",
        )


RULES: tuple[Callable[[Spec], Problems], ...] = (_persistence,)
