# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When pods are replaced although their containers stay as they are: annotations of their template.

A hash of what the pods read at their start stands in the template; new content, new hash, new
pods. Nobody tells us of Secrets unless the administrator has allowed it, and allowing it or taking
it back must not replace pods: so the first look only remembers (on the Deployment), and a later
look that differs goes into the template. Why: docs/adr/0012-secret-rotation.md.
"""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, Rollout
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import (
    started_with,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_CONFIG_HASH,
    ANNOTATION_CONFIG_MAPS_HASH,
    ANNOTATION_ENVOY_CONFIG_HASH,
    ANNOTATION_SECRETS_HASH,
    ANNOTATION_SECRETS_SEEN,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def template_annotations(router: Router, facts: Facts) -> dict[str, str]:
    """Those of the pod template; a change of one replaces the pods."""
    rollout = facts.rollout
    config, envoy = started_with(router, facts)
    wanted = {
        ANNOTATION_CONFIG_HASH: config,
        ANNOTATION_ENVOY_CONFIG_HASH: envoy,
        ANNOTATION_CONFIG_MAPS_HASH: _config_maps(rollout),
        ANNOTATION_SECRETS_HASH: _secrets(rollout),
    }
    return {name: value for name, value in wanted.items() if value}


def seen_annotations(facts: Facts) -> dict[str, str]:
    """Those of the Deployment itself: the Secrets as they were at the last look."""
    rollout = facts.rollout
    seen = (rollout.secrets or rollout.secrets_seen) if rollout.uses_secrets else ""
    return {ANNOTATION_SECRETS_SEEN: seen} if seen else {}


def _config_maps(rollout: Rollout) -> str:
    if not rollout.uses_config_maps:
        return ""
    return rollout.config_maps or rollout.template.get(ANNOTATION_CONFIG_MAPS_HASH, "")


def _secrets(rollout: Rollout) -> str:
    if not rollout.uses_secrets:
        return ""
    changed = rollout.secrets and rollout.secrets_seen not in ("", rollout.secrets)
    return rollout.secrets if changed else rollout.template.get(ANNOTATION_SECRETS_HASH, "")
