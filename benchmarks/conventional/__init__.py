"""The conventional playbook and what it needs: templates of the objects that ours makes."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.routers import ROOT, BenchmarkError, router

PLAYBOOK = Path(__file__).with_name("playbook.yml")
# What stands in our objects, and what the templates have instead. The longer name first.
_VARIABLES = {
    "bench-namespace": "{{ namespace }}",
    "bench-name": "{{ name }}",
    "bench-uid": "{{ _vllm_ai_semanticrouter.metadata.uid }}",
    "bench-revision": '"{{ _vllm_ai_semanticrouter.spec.podAnnotations.revision }}"',
}
_OWNER = {
    "apiVersion": "vllm.ai/v1alpha1",
    "kind": "SemanticRouter",
    "name": "bench-name",
    "uid": "bench-uid",
    "controller": True,
}


def write_templates(directory: Path) -> None:
    """One file for each object, evaluated but for the names in it."""
    for manifest in _our_objects(directory):
        name = manifest["metadata"]["name"].removeprefix("bench-name")
        (directory / f"{manifest['kind']}{name}.yaml").write_text(_template(manifest))


def _our_objects(directory: Path) -> list[dict[str, Any]]:
    directory.mkdir(parents=True)
    source, rendered = directory / "router.yaml", directory / "rendered.yaml"
    example = router("bench-name", "bench-namespace")
    example["spec"]["podAnnotations"]["revision"] = "bench-revision"
    source.write_text(json.dumps(example))
    subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            str(ROOT / "playbooks" / "render.yml"),
            *("-e", f"cr_file={source}"),
            *("-e", f"render_output={rendered}"),
        ],
        check=True,
        capture_output=True,
    )
    return list(yaml.safe_load_all(rendered.read_text()))


def _template(manifest: dict[str, Any]) -> str:
    owned = copy.deepcopy(manifest)
    owned["metadata"]["ownerReferences"] = [_OWNER]
    text = yaml.safe_dump(owned, sort_keys=False, width=10_000)
    for marker in ("{{", "{%", "{#"):
        if marker in text:
            raise BenchmarkError(f"{manifest['kind']}: {marker} would be evaluated")
    for placeholder, expression in _VARIABLES.items():
        text = text.replace(placeholder, expression)
    return text
