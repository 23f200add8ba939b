# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kubernetes quantities: 512Mi, 250m, 1e3."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

_QUANTITY = re.compile(r"([+-]?[0-9.]+)([numkMGTPE]|[KMGTPE]i)?")
_BINARY = {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)}
_DECIMAL = {unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)}
_SMALL = {unit: Decimal(1000) ** -power for power, unit in enumerate("mun", start=1)}
_UNITS = {"": Decimal(1), **_BINARY, **_DECIMAL, **_SMALL}


def quantity(value: Any) -> Decimal | None:
    """A Kubernetes quantity as a number; None when there is none or it has another form."""
    match = _QUANTITY.fullmatch(str(value)) if value is not None else None
    try:
        return Decimal(match[1]) * _UNITS[match[2] or ""] if match else Decimal(str(value))
    except InvalidOperation:
        return None
