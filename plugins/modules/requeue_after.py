#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: requeue_after
short_description: Tell the operator when to reconcile again
version_added: 0.1.0
description:
  - C(ansible-operator) reads it from the run's events. Outside an operator it does nothing.
  - It must be the last task of a run and must not be skipped. The operator stops
    listening when it sees it.
  - C(ansible-operator) compares the spelling of the action, so that the task has to say
    C(requeue_after) and the play C(collections) with C(vllm.semantic_router).
author:
  - The Semantic Router operator authors (@vllm-project)
options:
  after:
    description: A duration as Go writes it, for example C(15s) or C(1h30m).
    type: str
    required: true
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
seealso:
  - module: vllm.semantic_router.status
"""

EXAMPLES = r"""
# In a play that says `collections: [vllm.semantic_router]`: the operator looks for this very
# spelling of the action, without the collection's name.
- name: Look again in a quarter of a minute
  requeue_after:
    after: 15s
"""

RETURN = r"""
period:
  description: The duration, where the operator looks for it.
  returned: always
  type: str
  sample: 15s
"""
