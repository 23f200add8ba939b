# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Objects by the paths where they are read."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest


def by_path(objects: Iterable[Manifest]) -> dict[str, Manifest]:
    """Each object under the path where it is read."""
    return {resources.path(manifest): manifest for manifest in objects}
