"""The kubectl plugin's wheel, in an environment that has nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import krew_manifest
import pytest
import yaml
from control_plane.errors import ControlPlaneError
from control_plane.plane import progress_to_stderr

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "config" / "samples" / "vllm.ai_v1alpha1_semanticrouter_my-router.yaml"
MOST_BYTES = 1_000_000
MOST_BYTES_INSTALLED = 30_000_000
Plugin = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(directory)]
    subprocess.run([*pip, str(ROOT / "cli")], check=True, timeout=300)
    (found,) = directory.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it asks for; no pip either."""
    root = tmp_path_factory.mktemp("environment")
    venv.create(root)
    pip = [sys.executable, "-m", "pip", f"--python={root}", "install", "--quiet", str(wheel)]
    subprocess.run(pip, check=True, timeout=300)
    return root


@pytest.fixture(scope="module")
def plugin(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    """`plugin("render", ...)`, for somebody without a cluster, kubectl or collection."""
    home = tmp_path_factory.mktemp("home")
    env = {"PATH": str(site / "bin"), "HOME": str(home), "LANG": "C.UTF-8"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(site / "bin" / "kubectl-sr"), *arguments]
        return subprocess.run(
            command, env=env, cwd=home, capture_output=True, text=True, check=False, timeout=60
        )

    return run


def test_the_wheel_is_small_and_has_the_page_and_every_module_of_the_collection_as_they_stand(
    wheel: Path,
) -> None:
    assert wheel.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (root,) = {name.partition("plugins/")[0] for name in names if "plugins/" in name}
        for source in (ROOT / "plugins" / "module_utils").rglob("*"):
            if source.suffix in (".py", ".lua"):
                bundled = archive.read(root + source.relative_to(ROOT).as_posix())
                assert bundled == source.read_bytes(), source
        web = ROOT / "cli" / "semantic_router_cli" / "web"
        assert {file.name for file in web.iterdir()} == {"index.html", "style.css", "page.js"}
        for file in web.iterdir():
            assert archive.read(f"semantic_router_cli/web/{file.name}") == file.read_bytes()
    assert not [name for name in names if name.endswith(".pyc")]


def test_no_copy_of_the_collection_is_left_in_the_tree(wheel: Path) -> None:
    assert wheel.exists()
    assert not [path for path in (ROOT / "cli").rglob("bundled") if path.is_dir()]


def test_neither_ansible_nor_the_kubernetes_client_comes_with_it(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.is_file() and not path.is_symlink()]
    installed = {path.parent.name for path in files}
    assert not installed & {"ansible", "kubernetes", "core.kubernetes"}
    assert sum(path.stat().st_size for path in files) < MOST_BYTES_INSTALLED


def test_it_renders_what_the_collection_renders(plugin: Plugin) -> None:
    own = plugin("render", str(SAMPLE))
    here = subprocess.run(
        [str(Path(sys.executable).parent / "kubectl-sr"), "render", str(SAMPLE)],
        env={**os.environ, "PYTHONNOUSERSITE": "1"},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert own.returncode == 0, own.stderr
    assert own.stdout == here.stdout
    assert {"Deployment", "Service"} <= {item["kind"] for item in yaml.safe_load_all(own.stdout)}


def test_it_judges_a_file(plugin: Plugin, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(SAMPLE.read_text().replace("replicas:", "replcas:", 1))
    assert plugin("validate", str(SAMPLE)).returncode == 0
    done = plugin("validate", str(wrong))
    assert done.returncode == 1
    assert "Did you mean replicas?" in done.stdout


def test_every_command_starts_and_says_what_it_lacks(plugin: Plugin) -> None:
    listed = plugin("--help")
    assert listed.returncode == 0, listed.stderr
    commands = re.findall(r"^│ ([a-z]+) ", listed.stdout, re.MULTILINE)
    assert {"status", "doctor", "render", "logs", "report"} <= set(commands)
    for command in commands:
        assert plugin(command, "--help").returncode == 0
    for command in ("status", "doctor"):
        done = plugin(command)
        assert (done.returncode, done.stdout) == (3, ""), done
        assert "there is no kubeconfig" in done.stderr
        assert "Traceback" not in done.stderr


def test_it_says_which_collection_it_has(plugin: Plugin) -> None:
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    assert f"vllm.semantic_router {version}" in plugin("--version").stdout


def test_krew_takes_the_manifest_and_what_it_installs_starts(tmp_path: Path) -> None:
    out = tmp_path / "dist"
    made = [sys.executable, "-m", "krew_manifest", "--output", str(out)]
    subprocess.run(made, env={**os.environ, "PYTHONPATH": str(ROOT / "hack")}, check=True)
    file = out / krew_manifest.MANIFEST
    krew_manifest.validate(file, progress_to_stderr)
    (platform,) = yaml.safe_load(file.read_text())["spec"]["platforms"]
    (archive,) = out.glob("*.tar.gz")
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert platform["uri"].endswith(f"/{archive.name}")

    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "store", filter="data")
    # As krew has it on PATH.
    link = tmp_path / "kubectl-semantic_router"
    link.symlink_to(tmp_path / "store" / platform["bin"])
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run([link, "render", SAMPLE], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "kind: Deployment" in done.stdout


def test_krew_refuses_a_manifest_without_a_digest(tmp_path: Path) -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    file = tmp_path / krew_manifest.MANIFEST
    file.write_text(yaml.safe_dump(krew_manifest.manifest(galaxy, "https://example.com/a", "")))
    with pytest.raises(ControlPlaneError, match="sha256"):
        krew_manifest.validate(file, progress_to_stderr)
