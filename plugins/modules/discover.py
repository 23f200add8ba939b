#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: discover
short_description: Learn from the cluster what a SemanticRouter needs to know
version_added: 0.1.0
description:
  - Reads which platform this is, which optional APIs are served, which StorageClasses there are,
    and where the backends of C(spec.vllmEndpoints) are.
  - Checks the object against the rules across fields.
  - Reads only. It does not fail for what is wrong with the SemanticRouter or with its backends.
    That is returned in RV(problems), for M(vllm.semantic_router.status) to report.
author:
  - The Semantic Router operator authors (@vllm-project)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
options:
  router:
    description:
      - The SemanticRouter, as the API server or a file gave it.
      - Takes precedence over O(name). One of the two is needed.
    type: dict
  name:
    description: Name of the SemanticRouter to read from the cluster.
    type: str
  namespace:
    description: Namespace of O(name).
    type: str
    default: default
  src:
    description:
      - A YAML file with one SemanticRouter, instead of a cluster. Takes precedence over the rest.
      - Nothing is read from a cluster, every backend counts as not there yet, and the schema is
        checked here because no API server does. What is wrong fails the task.
      - What would be left out is returned in RV(problems), and warned of.
    type: path
  platform:
    description: Take this for the platform instead of what the API server's groups say.
    type: str
    choices: [kubernetes, openshift]
  capabilities:
    description:
      - API groups that a cluster may or may not serve. With O(src), the ones to count as served.
        Objects of the others are left out, as on a cluster without them.
      - With none or several of V(gateway.envoyproxy.io), V(networking.istio.io),
        V(gateway.kgateway.dev) and V(agentgateway.dev), nobody can say whose Gateway it is, so that
        C(spec.gateway.extProc) leads to no object.
      - Nothing but the API server says it without O(src).
    type: list
    elements: str
    choices:
      - gateway.networking.k8s.io
      - gateway.envoyproxy.io
      - networking.istio.io
      - gateway.kgateway.dev
      - agentgateway.dev
      - security.istio.io
      - monitoring.coreos.com
    default:
      - gateway.networking.k8s.io
      - gateway.envoyproxy.io
      - networking.istio.io
      - gateway.kgateway.dev
      - agentgateway.dev
      - security.istio.io
      - monitoring.coreos.com
  secret_versions:
    description:
      - Also look whether the Secrets that the pods use have changed, which then replaces the pods.
      - Asks the API server for their metadata only, which needs the permission to get Secrets.
        Without that nothing happens.
    type: bool
    default: false
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Runs on the controller.
    support: full
    platforms: posix
requirements:
  - kubernetes >= 24.2.0
  - durationpy >= 0.9
seealso:
  - module: vllm.semantic_router.apply
  - module: vllm.semantic_router.status
  - module: vllm.semantic_router.platform_info
  - module: vllm.semantic_router.backend_info
"""

EXAMPLES = r"""
- name: Discover what my-router needs
  vllm.semantic_router.discover:
    name: my-router
    namespace: default
  register: discovery

- name: Stop at what only an edit of the SemanticRouter can cure
  ansible.builtin.assert:
    that: discovery.problems | selectattr('blocking') | length == 0
"""

RETURN = r"""
router:
  description: The SemanticRouter that was looked at.
  returned: success
  type: dict
facts:
  description: What the builders of objects may know of the cluster.
  returned: success
  type: dict
  contains:
    platform:
      description: Either V(kubernetes) or V(openshift).
      type: str
      sample: kubernetes
    capabilities:
      description: Served versions of the API groups that optional features need.
      type: dict
      sample: {serving.kserve.io: [v1beta1]}
    endpoints:
      description: The entries of C(spec.vllmEndpoints), in their order, with address and readiness.
      type: list
      elements: dict
      sample:
        - name: llama3-8b-endpoint
          model: llama3-8b
          weight: 1
          service: llama-3-8b-predictor
          namespace: default
          port: 8443
          scheme: https
          ready: true
          reason: ""
          message: ""
    rollout:
      description:
        - Digests of the ConfigMaps and Secrets that the pods take something from, and annotations
          of the live pod template.
      type: dict
      sample:
        uses_config_maps: true
        uses_secrets: false
        config_maps: 1f6c0e2d9ab34c57
        secrets: ""
        template: {}
        secrets_seen: ""
problems:
  description:
    - What is wrong, with field and remedy, whether waiting may cure it, and whether it forbids
      writing.
  returned: always
  type: list
  elements: dict
  sample:
    - reason: StorageClassNotFound
      field: spec.persistence.storageClassName
      found: 'StorageClass "standard" does not exist; there are: none'
      remedy: Create the StorageClass
      retry: true
      blocking: true
messages:
  description: Lines for the operator's log.
  returned: success
  type: list
  elements: str
  sample:
    - Detected standard Kubernetes platform - will use standard security contexts
"""
