#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: render
short_description: Print the manifests of a SemanticRouter
description:
  - Writes the objects that the roles built as one multi-document YAML, to the terminal or a file.
  - Needs no cluster.
author:
  - The Semantic Router operator authors (@vllm-project)
options:
  objects:
    description: Manifests, in the order they are to be printed.
    type: list
    elements: dict
    required: true
  path:
    description: File to write. Without it the YAML goes to the terminal.
    type: path
attributes:
  check_mode:
    description: Says whether the file would change and writes nothing.
    support: full
  diff_mode:
    description: The output is the whole file.
    support: none
  platform:
    description: Runs on the controller.
    support: full
    platforms: posix
seealso:
  - module: vllm.semantic_router.discover
  - module: vllm.semantic_router.apply
"""

EXAMPLES = r"""
- name: Write the manifests of a SemanticRouter
  vllm.semantic_router.render:
    objects: "{{ router | vllm.semantic_router.objects(discovery.facts, ['workload']) }}"
    path: build/my-router.yaml
"""

RETURN = r"""
changed:
  description: The file was written because its content differs.
  returned: always
  type: bool
  sample: true
"""
