"""What the playbook prints is what the builders made, byte for byte, on every ansible-core.

Expected is what this Python builds, which is the same in every environment (tests/unit/golden). So
what one ansible-core prints, all do.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import discovery
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import SAMPLES
from playbook import Playbook

PLATFORM = "openshift"


def test_every_sample_is_rendered_as_it_was_built(tmp_path: Path) -> None:
    for name, resource in SAMPLES.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(resource))
    plays = [
        {
            "import_playbook": "vllm.semantic_router.render",
            "vars": {
                "cr_file": str(tmp_path / f"{name}.yaml"),
                "render_output": str(tmp_path / f"{name}.out"),
                "platform": PLATFORM,
            },
        }
        for name in SAMPLES
    ]
    (tmp_path / "all.yml").write_text(yaml.safe_dump(plays))
    done = Playbook(tmp_path, None)("all.yml")

    assert "DEPRECATION" not in done.stdout + done.stderr
    rendered = {name: (tmp_path / f"{name}.out").read_text() for name in SAMPLES}
    assert rendered == {name: built(name) for name in SAMPLES}


def built(name: str) -> str:
    router = Router(yaml.safe_load(yaml.safe_dump(SAMPLES[name])))
    manifests = registry.build(router, discovery.offline_facts(router, PLATFORM))
    return "".join(f"---\n{yaml_text(manifest)}" for manifest in manifests)
