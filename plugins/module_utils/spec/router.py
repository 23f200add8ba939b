# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A read-only view of one SemanticRouter object, with the CRD's defaults applied.

Builders read ``router.spec`` and nothing else of the object; the status of a previous run
reaches discovery and conditions only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd

# The CRD's default.
_NO_RUN_YET = {"observedGeneration": -1}


@dataclass(frozen=True)
class Router:
    """One SemanticRouter: ``resource`` is the object as the API server (or a file) gave it."""

    resource: dict[str, Any]

    @property
    def name(self) -> str:
        """metadata.name"""
        return str(self.resource["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """metadata.namespace; "default" for a file that names none, as kubectl does."""
        return str(self.resource["metadata"].get("namespace") or "default")

    @property
    def uid(self) -> str:
        """metadata.uid; "" for an object that no API server has seen."""
        return str(self.resource["metadata"].get("uid") or "")

    @property
    def generation(self) -> int:
        """metadata.generation as this run saw it; 0 for a file."""
        return int(self.resource["metadata"].get("generation") or 0)

    @property
    def annotations(self) -> dict[str, str]:
        """metadata.annotations"""
        return dict(self.resource["metadata"].get("annotations") or {})

    @property
    def status(self) -> dict[str, Any]:
        """Status as the previous run left it; {} before the first."""
        found = dict(self.resource.get("status") or {})
        return {} if found == _NO_RUN_YET else found

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The spec with every default of the CRD filled in.

        Most come from the API server. It knows only those of the CRD that the cluster carries,
        which may be older than the operator or another operator's; a file has none.
        """
        return crd.with_defaults(self.resource.get("spec") or {})

    def asking_for(self, spec: dict[str, Any]) -> Router:
        """The same router with another spec that has its defaults already."""
        other = Router({**self.resource, "spec": spec})
        # To fill them in once more takes longer than most builders do.
        vars(other)["spec"] = spec
        return other

    @property
    def owner_reference(self) -> dict[str, Any]:
        """The ownerReference that makes deletion the garbage collector's work."""
        return {
            "apiVersion": str(self.resource["apiVersion"]),
            "kind": str(self.resource["kind"]),
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
