# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads all schemas and rules when it is imported: for a process that runs are forked from.

No other module imports this one. The runner names it among what a warm process has imported before
the first run, and so no run reads them again.
"""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    schema,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import rule

for one in rule.rules():
    # Read once, it stays.
    _ = one.holds
for contract in CONTRACTS:
    schema.load(contract)
