# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an earlier router of the name has left and Kubernetes does not collect: this one's now.

Which objects those are is ``ownership.is_left_behind``; here the API server is also asked whether
the router has the name still. Why it is done: docs/adr/0006-models-are-kept.md.
"""

from __future__ import annotations

from functools import cached_property

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import ownership
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    router_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


class Inheritance:
    """Of one router in one run. now: as of ``ownership.is_left_behind``."""

    def __init__(self, client: Client, router: Router, now: str) -> None:
        self._client = client
        self._router = router
        self._now = now

    def owns(self, live: Manifest) -> bool:
        """The router controls the object, or has inherited it."""
        return ownership.is_controlled_by(live, self._router) or self._includes(live)

    def awaits(self, live: Manifest) -> bool:
        """Kubernetes may collect it yet."""
        is_earlier = ownership.is_of_an_earlier_router(live, self._router)
        return is_earlier and not self._includes(live)

    def objection(self, live: Manifest) -> Problem | None:
        """As ``ownership.objection``, of which there is none to what is inherited."""
        return None if self._includes(live) else ownership.objection(live, self._router)

    def is_withheld(self, live: Manifest, error: ApiError) -> bool:
        """A claim whose former owner may not be taken off it."""
        # The word of OwnerReferencesPermissionEnforcement, which has no other mark.
        is_about_owners = error.status == 403 and "ownerRef" in error.message
        is_claim = ownership.takes_no_owner(live, self._router)
        return is_about_owners and is_claim and self._includes(live)

    def _includes(self, live: Manifest) -> bool:
        return ownership.is_left_behind(live, self._router, self._now) and self._has_the_name

    @cached_property
    def _has_the_name(self) -> bool:
        """The run may be of a router that is gone by now: then what looks like an earlier one's
        belongs to the next one."""
        try:
            found = self._client.get(router_path(self._router.name, self._router.namespace))
        except ApiError:
            return False
        return found is not None and found["metadata"]["uid"] == self._router.uid
