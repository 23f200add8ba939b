# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documentation of every filter says alike."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment vllm.semantic_router.router."""

    DOCUMENTATION = r"""
options:
  _input:
    description:
      - The SemanticRouter, as the API server or a file gives it.
      - Fields left out count as the CRD's defaults.
    type: dict
    required: true
  facts:
    description:
      - What is known of the cluster, as the C(discover) action returns it in C(facts).
      - Without a cluster, V({'platform':'kubernetes'}) or V({'platform':'openshift'}) will do.
    type: dict
    required: true
notes:
  - The same input gives the same output. No cluster is read and none is written to.
  - Text of the SemanticRouter is never evaluated as a template.
"""
