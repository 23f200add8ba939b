#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reconcile
short_description: Make the cluster hold what a SemanticRouter asks for, and report it
version_added: 0.1.0
description:
  - Does in one task what M(vllm.semantic_router.discover), the filter
    P(vllm.semantic_router.objects#filter), M(vllm.semantic_router.apply) and
    M(vllm.semantic_router.status) do in four, in a tenth of the time.
  - Whatever is wrong with the SemanticRouter or with the cluster becomes a condition of its status.
    The task fails only where no status can be written.
  - Ends early where all is as the last run has left it. See RV(settled).
  - The hosts of a play may be SemanticRouters, each with the object in the variable that O(router)
    names. Those named C(<namespace>.<name>) are looked up together.
author:
  - The Semantic Router operator authors (@vllm-project)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
options:
  router:
    description:
      - Name of the variable that holds the SemanticRouter, as the operator gives it to its
        playbooks. Where there is no such variable, O(name) is read from the cluster.
    type: str
    default: _vllm_ai_semanticrouter
  name:
    description: Name of the SemanticRouter to read from the cluster.
    type: str
  namespace:
    description: Namespace of O(name).
    type: str
    default: default
  concerns:
    description:
      - The concerns whose objects are built. Each has the name of a role of this collection.
      - What the SemanticRouter owns of others is removed, except its PersistentVolumeClaim.
    type: list
    elements: str
    choices: [config, storage, workload, networking, openshift, monitoring]
    default: [config, storage, workload, networking, openshift, monitoring]
  secret_versions:
    description:
      - Also look whether the Secrets that the pods use have changed, which then replaces the pods.
      - Asks the API server for their metadata only, which needs the permission to get Secrets.
        Without that nothing happens.
      - Left out, the environment variable E(ROLLOUT_ON_SECRET_CHANGE) says it.
    type: bool
    default: false
  wait:
    description:
      - Go on until the SemanticRouter is Running, Ready and not Degraded, looking again every two
        seconds as an operator would.
      - The task fails when it is not after O(wait_timeout), and at once when its spec is wrong.
    type: bool
    default: false
  wait_timeout:
    description: For how many seconds to wait. Models may have to be downloaded.
    type: int
    default: 600
attributes:
  check_mode:
    description: Runs the server-side dry run and writes nothing.
    support: full
  diff_mode:
    description: Shows each changed object before and after, without the API server's bookkeeping.
    support: full
  platform:
    description: Runs on the controller.
    support: full
    platforms: posix
requirements:
  - kubernetes >= 24.2.0
  - durationpy >= 0.9
seealso:
  - module: vllm.semantic_router.requeue_after
  - module: vllm.semantic_router.apply
"""

EXAMPLES = r"""
- name: Reconcile my-router
  vllm.semantic_router.reconcile:
    name: my-router
    namespace: default
  register: reconciled

- name: Go on only when it answers requests
  vllm.semantic_router.reconcile:
    name: my-router
    wait: true
"""

RETURN = r"""
changed:
  description: An object or the status was changed.
  returned: success
  type: bool
  sample: true
settled:
  description:
    - Nothing has changed since a run that left the SemanticRouter settled, so nothing was built,
      written or reported.
    - That run left a hash of everything that objects and status are made of in the status; this run
      came to the same one.
  returned: success
  type: bool
  sample: false
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
    conditions:
      - type: Ready
        status: "True"
        reason: RouterReady
        message: 2 of 2 pods updated, 2 of 2 pods available.
        observedGeneration: 1
        lastTransitionTime: "2026-01-01T00:00:00Z"
objects:
  description: RV(vllm.semantic_router.apply#module:objects).
  returned: success
  type: list
  elements: dict
  sample:
    - kind: ConfigMap
      name: my-router-config
      namespace: default
      action: created
problems:
  description:
    - What is wrong, as in RV(vllm.semantic_router.discover#module:problems) and
      RV(vllm.semantic_router.apply#module:problems).
  returned: always
  type: list
  elements: dict
  sample: []
reads:
  description:
    - What was read of other people's objects, for the engine to watch. Names and versions, no
      contents.
    - Without C(selector), those that C(seen) names; an empty version is that of an object that is
      not there.
  returned: success
  type: list
  elements: dict
  sample:
    - collection: /api/v1/namespaces/default/services
      seen:
        vllm-qwen: "1234"
    - collection: /apis/policy/v1/namespaces/default/poddisruptionbudgets
      selector: ""
      part: spec
      seen: {}
reads_suffice:
  description: Only news of these and of the SemanticRouter's own objects are worth another look.
  returned: success
  type: bool
  sample: true
doorbell:
  description:
    - For who watches RV(reads) for the stock engine. Another value of this annotation of this
      object makes it run.
    - Empty without that engine.
  returned: success
  type: dict
  sample: {}
requeue_after:
  description:
    - When to look again, as a Go duration. Soon while waiting may cure something.
    - Empty where RV(settled).
  returned: success
  type: str
  sample: 10m
messages:
  description: Lines for the operator's log.
  returned: success
  type: list
  elements: str
  sample:
    - Detected standard Kubernetes platform - will use standard security contexts
    - Deployment my-router changed
    - Running (RouterReady), 2 of 2 replicas ready, 1 of 1 backends resolved
summary:
  description: One line without any text of the SemanticRouter's author. Empty where RV(settled).
  returned: success
  type: str
  sample: Running (RouterReady), 2 of 2 replicas ready, 1 of 1 backends resolved
diff:
  description: Each changed object before and after.
  returned: always; empty unless the task runs in diff mode
  type: list
  elements: dict
  sample: []
"""
