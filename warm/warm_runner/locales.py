"""Whether Python would start the same for two environments: its own variables, and the locale's."""

from __future__ import annotations

from collections.abc import Mapping

_C = ("C", "POSIX")
_NAMES = ("LANG", "LANGUAGE")
_PREFIXES = ("PYTHON", "LC_")
COERCED = "C.UTF-8"


def coerced(environment: Mapping[str, str]) -> dict[str, str]:
    """As Python sees it once it runs: the C locale becomes C.UTF-8 (PEP 538)."""
    result = dict(environment)
    # The first that is not empty decides, as for setlocale(3).
    effective = next((v for n in ("LC_ALL", "LC_CTYPE", "LANG") if (v := result.get(n))), "C")
    if not result.get("LC_ALL") and effective in _C and result.get("PYTHONCOERCECLOCALE") != "0":
        result["LC_CTYPE"] = COERCED
    return result


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """The first variable that Python reads at its start and that differs; "" if none does."""
    names = sorted(name for name in {*one, *other} if _matters(name))
    return next((name for name in names if one.get(name) != other.get(name)), "")


def _matters(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES)
