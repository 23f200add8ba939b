# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The reasoning families that a model may name without the SemanticRouter defining them.

type and parameter are what contract 0.3 needs to be told; from contract 0.4 on the router's own
catalog has each of these names, with more detail. A test compares the two.
"""

from __future__ import annotations

_THINKING = ("chat_template_kwargs", "thinking")
_ENABLE_THINKING = ("chat_template_kwargs", "enable_thinking")
_EFFORT = ("reasoning_effort", "reasoning_effort")

KNOWN: dict[str, tuple[str, str]] = {
    "deepseek": _THINKING,
    "deepseek-v3.1": _THINKING,
    "deepseek-v3.2": _THINKING,
    "gemma4": _ENABLE_THINKING,
    "glm": _ENABLE_THINKING,
    "gpt": _EFFORT,
    "gpt-oss": _EFFORT,
    "hunyuan": _ENABLE_THINKING,
    "kimi-k2": _THINKING,
    "mimo": _ENABLE_THINKING,
    "qwen3": _ENABLE_THINKING,
}

# Families whose models always think: contract 0.4 refuses a decision that switches it off for them.
ALWAYS_ON = frozenset({"gpt-oss"})
