# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Labels as Kubernetes takes and selects them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import (
    is_subdomain,
)

_NAME = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")


def is_label_key(text: str) -> bool:
    """A name, or a name below a domain: example.com/name."""
    prefix, slash, name = text.rpartition("/")
    return bool(_NAME.fullmatch(name)) and (not slash or is_subdomain(prefix))


def is_annotation_key(text: str) -> bool:
    """As for labels, in capitals too."""
    return is_label_key(text.lower())


def is_label_value(text: str) -> bool:
    """A name, or nothing."""
    return not text or bool(_NAME.fullmatch(text))


def as_selector(labels: Mapping[str, str]) -> str:
    """Labels as ``kubectl get -l`` spells them."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels))


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """What {matchLabels, matchExpressions} says of these labels; an empty selector takes all."""
    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
