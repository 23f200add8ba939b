#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds the backends of a SemanticRouter, for people who write their own playbooks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backend_info
short_description: Find the model servers that a SemanticRouter would send requests to
version_added: 0.1.0
description:
  - Resolves entries of C(spec.vllmEndpoints) exactly as the operator does, either those of an
    existing SemanticRouter or ones given by hand.
  - A backend that is not there does not fail the task. Its RV(endpoints[].message) says why.
author:
  - The Semantic Router operator authors (@vllm-project)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
options:
  name:
    description: SemanticRouter whose backends are looked for.
    type: str
  namespace:
    description:
      - Namespace of O(name).
      - With O(endpoints), the namespace in which the router would be.
    type: str
    default: default
  endpoints:
    description: Entries as in C(spec.vllmEndpoints), without a SemanticRouter.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the endpoint.
        type: str
        required: true
      model:
        description: Model that it serves.
        type: str
        required: true
      weight:
        description: Its share of the model's traffic.
        type: int
        default: 1
      backend:
        description: Where it is.
        type: dict
        required: true
        suboptions:
          type:
            description: How it is found.
            type: str
            required: true
            choices:
              - kserve
              - llminferenceservice
              - inferencepool
              - vllmrouter
              - vllmruntime
              - llamastack
              - selector
              - service
          inferenceServiceName:
            description: InferenceService in O(namespace). Needed by C(kserve).
            type: str
          discoveryLabels:
            description: Labels of a Service in O(namespace). Needed by C(llamastack).
            type: dict
          name:
            description:
              - Object in O(namespace). Needed by C(llminferenceservice), C(inferencepool),
                C(vllmrouter) and C(vllmruntime).
            type: str
          pickerScheme:
            description: How the endpoint picker of C(inferencepool) is spoken to.
            type: str
            choices: [http, https]
          selector:
            description: What the Service carries. Needed by C(selector).
            type: dict
            suboptions:
              labels:
                description: Labels, all of them.
                type: dict
                required: true
              namespace:
                description: Namespace of the Service. Unset, O(namespace).
                type: str
              port:
                description:
                  - Number or name of its port. Unset, the one named C(http) or C(api), else the
                    first.
                type: raw
              scheme:
                description: Unset, ports 443 and 8443 speak C(https) and others C(http).
                type: str
                choices: [http, https]
          service:
            description: The Service itself. Needed by C(service).
            type: dict
            suboptions:
              name:
                description: Its name.
                type: str
                required: true
              namespace:
                description: Its namespace. Unset, O(namespace).
                type: str
              port:
                description: Port of the Service.
                type: int
                required: true
              scheme:
                description: Unset, ports 443 and 8443 speak C(https) and others C(http).
                type: str
                choices: [http, https]
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Runs wherever the kubernetes client is installed.
    support: full
    platforms: posix
requirements:
  - kubernetes >= 24.2.0
seealso:
  - module: vllm.semantic_router.platform_info
  - module: vllm.semantic_router.discover
"""

EXAMPLES = r"""
- name: Look for the backends of my-router
  vllm.semantic_router.backend_info:
    name: my-router
    namespace: default
  register: backends

- name: Show what is missing
  ansible.builtin.debug:
    msg: "{{ backends.endpoints | rejectattr('ready') | map(attribute='message') }}"

- name: See what a label selector would find before it goes into a SemanticRouter
  vllm.semantic_router.backend_info:
    namespace: models
    endpoints:
      - name: llama-405b-endpoint
        model: llama-3.3-70b-instruct
        backend:
          type: llamastack
          discoveryLabels:
            app: llama-stack
"""

RETURN = r"""
endpoints:
  description: One entry per endpoint, in the order of the input.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the endpoint.
      type: str
      sample: llama3-8b-endpoint
    model:
      description: Model that it serves.
      type: str
      sample: llama3-8b
    weight:
      description: Its share of the model's traffic.
      type: int
      sample: 1
    address:
      description: Host and port. Empty when nothing was ever found.
      type: str
      sample: llama-3-8b-predictor.default.svc:8443
    host:
      description: DNS name.
      type: str
      sample: llama-3-8b-predictor.default.svc
    service:
      description: Name of the Service. Empty when nothing was ever found.
      type: str
      sample: llama-3-8b-predictor
    namespace:
      description: Namespace of the Service. Empty when nothing was ever found.
      type: str
      sample: default
    port:
      description: Port. 0 when nothing was ever found.
      type: int
      sample: 8443
    scheme:
      description: C(http) or C(https).
      type: str
      sample: https
    ready:
      description: An address stands behind the Service, or the object is Ready.
      type: bool
      sample: true
    reason:
      description: Why not, in one word.
      type: str
      sample: ""
    message:
      description: Why not, or who says that it is.
      type: str
      sample: InferenceService default/llama-3-8b is Ready
    remark:
      description: What is worth knowing all the same, such as that several Services match.
      type: str
      sample: ""
    server_name:
      description: What it wants to be called in Host and SNI, when that is not its host.
      type: str
      sample: ""
    path:
      description: What stands in front of C(/v1) there.
      type: str
      sample: ""
    pool:
      description: The InferencePool whose endpoint picker is there.
      type: str
      sample: ""
"""

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import backend_kinds
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.hosted import TYPE_EXTERNAL
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError

MISSING = None
try:
    from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
    from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
        read_router,
        resolve,
    )
    from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
except ImportError as error:
    MISSING = error

SERVICE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "port": {"type": "int", "required": True},
    "scheme": {"type": "str", "choices": ["http", "https"]},
}
SELECTOR_OPTIONS = {
    "labels": {"type": "dict", "required": True},
    "namespace": {"type": "str"},
    "port": {"type": "raw"},
    "scheme": {"type": "str", "choices": ["http", "https"]},
}
# Whether a hosted model answers, nobody could find out here.
KINDS = [kind for kind in backend_kinds.KINDS if kind.type != TYPE_EXTERNAL]
BACKEND_OPTIONS = {
    "type": {
        "type": "str",
        "required": True,
        "choices": [kind.type for kind in KINDS],
    },
    "inferenceServiceName": {"type": "str"},
    "name": {"type": "str"},
    "pickerScheme": {"type": "str", "choices": ["http", "https"]},
    "discoveryLabels": {"type": "dict"},
    "selector": {"type": "dict", "options": SELECTOR_OPTIONS},
    "service": {"type": "dict", "options": SERVICE_OPTIONS},
}
ENDPOINT_OPTIONS = {
    "name": {"type": "str", "required": True},
    "model": {"type": "str", "required": True},
    "weight": {"type": "int", "default": 1},
    "backend": {
        "type": "dict",
        "required": True,
        "options": BACKEND_OPTIONS,
        "required_if": [("type", kind.type, (kind.field,)) for kind in KINDS],
    },
}


def main() -> None:
    """Resolve the endpoints of a SemanticRouter, or those given."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "namespace": {"type": "str", "default": "default"},
            "endpoints": {"type": "list", "elements": "dict", "options": ENDPOINT_OPTIONS},
            **AUTH_ARG_SPEC,
        },
        mutually_exclusive=[("name", "endpoints")],
        required_one_of=[("name", "endpoints")],
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib(MISSING.name))
    try:
        endpoints = _endpoints(Client.from_options(module.params), module.params)
    except RouterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        endpoints=[
            {**asdict(item), "host": item.host, "address": item.address} for item in endpoints
        ],
    )


def _endpoints(client: Client, given: dict[str, Any]) -> list[Endpoint]:
    entries: list[dict[str, Any]] = given["endpoints"]
    known: list[dict[str, Any]] = []
    if given["name"]:
        # Not router.spec: its defaults come from a file that a module's archive does not hold.
        resource = read_router(client, given["name"], given["namespace"]).resource
        listed = resource["spec"].get("vllmEndpoints") or []
        entries = [{"weight": ENDPOINT_OPTIONS["weight"]["default"], **entry} for entry in listed]
        known = (resource.get("status") or {}).get("endpoints") or []
    return resolve(Reads(client), given["namespace"], entries, known)


if __name__ == "__main__":
    main()
