"""How to get at a cluster, as the kubernetes client reads it from a kubeconfig or a pod.

Read in a process of its own, `python -m wrapper_runner.access [KUBECONFIG]`: the client brings
every way to log in, and 33 MiB that an operator would keep for as long as it lives.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

# A kubeconfig may name a program that asks somebody for a token.
SECONDS = 60.0


class AccessError(Exception):
    """There is no way to a cluster; the message says why."""


@dataclass(frozen=True)
class Access:
    """host is a URL; authorization the value of that header, "" for none; the others are PEM."""

    host: str
    authorization: str = ""
    verify: bool = True
    server_name: str = ""
    authorities: str = ""
    certificate: str = ""
    key: str = ""

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authorities or None)
        # Python 3.13 refuses certificates that many clusters' own authorities still issue (no
        # Authority Key Identifier); kubectl accepts them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate:
            with tempfile.NamedTemporaryFile("w", prefix="wrapper-runner-") as file:
                file.write(f"{self.certificate}\n{self.key}\n")
                file.flush()
                context.load_cert_chain(file.name)
        return context


def find(kubeconfig: str | None) -> Access:
    """None = the pod that this runs in."""
    command = [sys.executable, "-P", "-m", __name__, *([kubeconfig] if kubeconfig else [])]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AccessError(f"the kubeconfig gave no access within {SECONDS:g} s") from None
    if answer.returncode:
        raise AccessError(answer.stderr.strip().rpartition("\n")[2])
    return Access(**json.loads(answer.stdout))


def main(arguments: Sequence[str]) -> str:
    """JSON of the Access."""
    # Only here: this is what the process is for.
    from kubernetes import client, config  # type: ignore[import-untyped, unused-ignore]

    configuration = client.Configuration()
    try:
        if arguments:
            config.load_kube_config(arguments[0], client_configuration=configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)
        authorization = configuration.get_api_key_with_prefix("authorization")
        found = Access(
            host=configuration.host.rstrip("/"),
            authorization=authorization or "",
            verify=configuration.verify_ssl,
            server_name=configuration.tls_server_name or "",
            authorities=_text(configuration.ssl_ca_cert),
            certificate=_text(configuration.cert_file),
            key=_text(configuration.key_file),
        )
    except (config.ConfigException, OSError) as error:
        raise SystemExit(" ".join(str(error).split())) from error
    except (TypeError, ValueError, yaml.YAMLError) as error:
        # Not its text: what a parser stumbled over may be a key.
        raise SystemExit(f"the kubeconfig is broken ({type(error).__name__})") from error
    return json.dumps(asdict(found))


def _text(file: str | None) -> str:
    return Path(file).read_text("utf-8") if file else ""


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]))
