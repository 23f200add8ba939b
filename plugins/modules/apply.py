#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Make the cluster hold exactly the objects of a SemanticRouter
description:
  - Writes the objects with server-side apply, each with an ownerReference to the SemanticRouter,
    and only where something differs. Where nothing does, it lists each kind once and sends nothing
    else.
  - All objects that differ go through a server-side dry run first. If one is refused, none is
    written. The first objects of a new SemanticRouter are made without it, and deleted again when
    one of them is refused.
  - Then removes the objects that the SemanticRouter controls and that are not in O(objects). A
    PersistentVolumeClaim stays until its SemanticRouter is deleted.
  - Never touches an object that somebody else has made or controls, even if the name is the same.
  - Does not fail for what the cluster says against the objects. See RV(problems).
author:
  - The Semantic Router operator authors (@vllm-project)
options:
  router:
    description: The SemanticRouter object, as the API server gives it. It owns the objects.
    type: dict
    required: true
  objects:
    description:
      - Manifests, in any order, all in the namespace of O(router).
      - An empty list removes everything but the PersistentVolumeClaim.
    type: list
    elements: dict
    required: true
  prune:
    description:
      - Whether to remove objects of O(router) that are not in O(objects).
      - V(false) is for a play that applies some of them only.
    type: bool
    default: true
  facts:
    description:
      - Those of which O(objects) were built, as M(vllm.semantic_router.discover) returns them.
      - What the API server refuses in an object is then traced to the field of O(router) that it
        comes from, also where other values than the router's go in.
      - Kinds that not every cluster serves, such as C(HTTPRoute), are then looked for only where
        they are served. Left out, each is asked for.
    type: dict
  dry_run:
    description:
      - Write nothing, and return in RV(plan) what a write would do, for the status of O(router).
      - Check mode does the same for whoever runs a play, and shows values with C(--diff).
    type: bool
    default: false
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    description: Runs the server-side dry run and writes nothing.
    support: full
  diff_mode:
    description: Shows each changed object before and after, without the API server's bookkeeping.
    support: full
  idempotent:
    description: A second run with the same O(objects) writes nothing.
    support: full
  platform:
    description: Runs on the controller.
    support: full
    platforms: posix
seealso:
  - module: vllm.semantic_router.discover
  - module: vllm.semantic_router.status
  - module: kubernetes.core.k8s
    description: Applies any objects, one at a time.
"""

EXAMPLES = r"""
- name: Apply the objects of a SemanticRouter
  vllm.semantic_router.apply:
    router: "{{ router }}"
    objects: >-
      {{ router | vllm.semantic_router.objects(discovery.facts, ['config', 'workload']) }}
    facts: "{{ discovery.facts }}"
  register: applied

- name: Stop if the cluster refused one of them
  ansible.builtin.assert:
    that: applied.problems | length == 0
    fail_msg: "{{ applied.problems | map(attribute='found') | join('; ') }}"
"""

RETURN = r"""
changed:
  description: An object was created, changed or removed.
  returned: always
  type: bool
  sample: true
objects:
  description: What was done, object by object, without those that have a problem.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
    name:
      description: Name of the object.
      type: str
    namespace:
      description: Namespace of the object.
      type: str
    action:
      description: One of C(created), C(changed), C(unchanged) and C(pruned).
      type: str
  sample:
    - kind: ConfigMap
      name: my-router-config
      namespace: default
      action: created
plan:
  description: What a write would do, without any value. Empty unless O(dry_run) is set.
  returned: always
  type: dict
  sample:
    summary: 1 to change
    changes:
      - kind: Deployment
        name: my-router
        action: change
        fields: [spec.replicas]
problems:
  description:
    - What keeps the cluster from holding the objects.
    - While one of them is blocking, nothing is written.
  returned: always
  type: list
  elements: dict
  contains:
    reason:
      description: CamelCase word, fit for a condition.
      type: str
    field:
      description: Field of the SemanticRouter that is to blame, empty if none is.
      type: str
    found:
      description: What is wrong.
      type: str
    remedy:
      description: What to do about it.
      type: str
    retry:
      description: Whether waiting may cure it.
      type: bool
    blocking:
      description: Whether nothing was written because of it.
      type: bool
  sample:
    - reason: Conflict
      field: metadata.name
      found: >-
        Service my-router exists already in namespace default and belongs to nobody (written by
        kubectl-create)
      remedy: Rename or remove that object, or give the SemanticRouter another name
      retry: true
      blocking: true
diff:
  description: Each changed object before and after.
  returned: always; empty unless the task runs in diff mode
  type: list
  elements: dict
  sample: []
"""
