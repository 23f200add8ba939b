"""Right SemanticRouters: the examples of the users' document, and forms seen in users' objects.

The examples stand in tests/unit/data/document as the document prints them, most of them a fragment
of a spec.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "unit" / "data"
DOCUMENT = sorted((DATA / "document").glob("*.yaml"))
FORMS = sorted((DATA / "forms").glob("*.yaml"))


def document(path: Path, namespace: str = "default") -> dict[str, Any]:
    """The file as a whole object."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        **found,
        "metadata": {
            "name": path.stem,
            **found.get("metadata", {}),
            "namespace": namespace,
        },
    }
