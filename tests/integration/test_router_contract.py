"""Every reviewed config.yaml is one that its router release accepts, and both say the same thing.

The releases' own commands are the oracle: `vllm-sr validate` (0.3.0) and `vllm-sr config validate`
and `config migrate` (0.4.0), each in a virtual environment of its own. One process per release runs
them on all files, because importing a release takes longer than all its validations.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
GOLDEN = CHECKOUT / "tests" / "unit" / "golden" / "config"
VALIDATE = {"0.3": ["validate", "--config"], "0.4": ["config", "validate", "--config"]}

# Runs inside a release's virtual environment: argument lists in, exit codes and output back.
_RUN_COMMANDS = """
import json, logging, sys
from click.testing import CliRunner
from cli.main import main
for arguments in json.load(sys.stdin):
    result = CliRunner().invoke(main, arguments)
    print("RESULT", json.dumps([result.exit_code, result.output or repr(result.exception)]))
"""

Result = tuple[int, str]


def vllm_sr(contract: str, commands: list[list[str]]) -> list[Result]:
    environment = CHECKOUT / f".venv-router-{contract}"
    python = environment / "bin" / "python"
    if not (environment / "bin" / "vllm-sr").exists():
        pytest.fail(f"{environment.name} has no vllm-sr: run `make setup`")
    run = subprocess.run(
        [python, "-c", _RUN_COMMANDS],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    assert len(lines) == len(commands), run.stdout + run.stderr
    return [tuple(json.loads(line.removeprefix("RESULT "))) for line in lines]


def documents(contract: str) -> dict[str, Path]:
    files = GOLDEN.glob(f"*.{contract}.yaml")
    return {file.name.removesuffix(f".{contract}.yaml"): file for file in sorted(files)}


@pytest.mark.parametrize("contract", sorted(VALIDATE))
def test_the_release_accepts_every_golden_file(contract: str) -> None:
    files = list(documents(contract).values())
    results = vllm_sr(contract, [[*VALIDATE[contract], str(file)] for file in files])
    refused = [
        f"{file.name}: {output}"
        for file, (code, output) in zip(files, results, strict=True)
        if code != 0
    ]
    assert len(files) >= 10
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize("contract", sorted(VALIDATE))
def test_the_release_refuses_a_wrong_file(contract: str, tmp_path: Path) -> None:
    """The oracle is awake: a decision for a model that is not there does not pass."""
    document = yaml.safe_load(documents(contract)["complexity"].read_text(encoding="utf-8"))
    document["routing"]["decisions"][0]["modelRefs"][0]["model"] = "nobody"
    wrong = tmp_path / "config.yaml"
    wrong.write_text(yaml.safe_dump(document), encoding="utf-8")
    ((code, output),) = vllm_sr(contract, [[*VALIDATE[contract], str(wrong)]])
    assert code != 0, output
