#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status
short_description: Write the status of a SemanticRouter
version_added: 0.1.0
description:
  - Reads the Deployment, the volume claim and, while they are not ready, pods.
  - Writes phase, replicas, endpoints and conditions to the SemanticRouter's status in one
    patch, and only when something differs.
  - Creates a Kubernetes Event for each condition that flipped, new warning and new plan. A cluster
    that refuses Events gets none.
  - Leaves an object alone that was deleted or replaced meanwhile, or that a later run has
    reported about.
author:
  - The Semantic Router operator authors (@vllm-project)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
options:
  router:
    description:
      - The SemanticRouter as the run saw it at its start.
      - Its generation becomes the observed one.
    type: dict
    required: true
  facts:
    description: RV(vllm.semantic_router.discover#module:facts). Empty when the discovery failed.
    type: dict
    default: {}
  problems:
    description:
      - The problems that M(vllm.semantic_router.discover) and M(vllm.semantic_router.apply)
        returned.
    type: list
    elements: dict
    default: []
  objects:
    description: What M(vllm.semantic_router.apply) did to each object, for the log.
    type: list
    elements: dict
    default: []
  plan:
    description:
      - RV(vllm.semantic_router.apply#module:plan), for a SemanticRouter with the annotation
        C(vllm.ai/dry-run).
    type: dict
    default: {}
  failure:
    description: Message of a task that failed.
    type: str
attributes:
  check_mode:
    description: Computes the status and writes nothing.
    support: full
  diff_mode:
    description: The result holds the whole status.
    support: none
  platform:
    description: Runs on the controller.
    support: full
    platforms: posix
requirements:
  - kubernetes >= 24.2.0
seealso:
  - module: vllm.semantic_router.discover
  - module: vllm.semantic_router.apply
  - module: vllm.semantic_router.requeue_after
"""

EXAMPLES = r"""
- name: Discover what my-router needs
  vllm.semantic_router.discover:
    name: my-router
  register: discovery

- name: Report the status
  vllm.semantic_router.status:
    router: "{{ discovery.router }}"
    facts: "{{ discovery.facts }}"
    problems: "{{ discovery.problems }}"
"""

RETURN = r"""
changed:
  description: The status in the cluster was another one.
  returned: success
  type: bool
  sample: true
status:
  description: The whole status.
  returned: success
  type: dict
  sample:
    phase: Running
    replicas: 2
    readyReplicas: 2
    observedGeneration: 1
    gatewayMode: standalone
    endpoints:
      - name: llama3-8b-endpoint
        model: llama3-8b
        address: llama-3-8b-predictor.default.svc:8443
        ready: true
        message: ""
    conditions:
      - type: Ready
        status: "True"
        reason: RouterReady
        message: 2 of 2 pods updated, 2 of 2 pods available.
        observedGeneration: 1
        lastTransitionTime: "2026-01-01T00:00:00Z"
requeue_after:
  description: When to look again, as a Go duration. Soon while waiting may cure something.
  returned: success
  type: str
  sample: 10m
messages:
  description: Lines for the operator's log.
  returned: success
  type: list
  elements: str
  sample:
    - Deployment my-router changed
    - Running (RouterReady), 2 of 2 replicas ready, 1 of 1 backends resolved
summary:
  description: One line without any text of the SemanticRouter's author.
  returned: success
  type: str
  sample: Running (RouterReady), 2 of 2 replicas ready, 1 of 1 backends resolved
"""
