#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Says which platform a cluster is, for people who write their own playbooks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: platform_info
short_description: Tell OpenShift from other Kubernetes clusters
version_added: 0.1.0
description:
  - A cluster is OpenShift if and only if its API server serves C(route.openshift.io).
  - Also says which of the optional APIs are served that a SemanticRouter can make use of.
  - An API server that does not answer fails the task. Silence is not taken for either platform.
author:
  - The Semantic Router operator authors (@vllm-project)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
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
  - module: vllm.semantic_router.backend_info
  - module: vllm.semantic_router.discover
"""

EXAMPLES = r"""
- name: Find out which platform this is
  vllm.semantic_router.platform_info:
  register: cluster

- name: Say it
  ansible.builtin.debug:
    msg: "{{ cluster.message }}"

- name: Refuse a cluster without the Gateway API
  ansible.builtin.assert:
    that: "'gateway.networking.k8s.io' in cluster.capabilities"
"""

RETURN = r"""
platform:
  description: Either V(kubernetes) or V(openshift).
  returned: success
  type: str
  sample: kubernetes
capabilities:
  description:
    - Served versions of C(route.openshift.io), C(gateway.networking.k8s.io),
      C(gateway.envoyproxy.io), C(networking.istio.io), C(gateway.kgateway.dev),
      C(agentgateway.dev), C(security.istio.io), C(monitoring.coreos.com) and C(serving.kserve.io).
      A group that is not served is not listed.
  returned: success
  type: dict
  sample:
    gateway.networking.k8s.io: [v1, v1beta1]
message:
  description: The line that the operator logs about the platform.
  returned: success
  type: str
  sample: Detected standard Kubernetes platform - will use standard security contexts
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import discovery
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError

MISSING = None
try:
    from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
    from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
        read_groups,
    )
    from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
except ImportError as error:
    MISSING = error


def main() -> None:
    """Read the API groups and say what they mean."""
    module = AnsibleModule(argument_spec=dict(AUTH_ARG_SPEC), supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib(MISSING.name))
    try:
        groups = read_groups(Reads(Client.from_options(module.params)))
    except RouterError as error:
        module.fail_json(msg=str(error))
    platform = discovery.platform_of(groups)
    module.exit_json(
        changed=False,
        platform=platform,
        capabilities=discovery.capabilities(groups),
        message=discovery.PLATFORM_MESSAGES[platform],
    )


if __name__ == "__main__":
    main()
