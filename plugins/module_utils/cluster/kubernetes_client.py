# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What access.py leaves to the kubernetes client: exec plugins, auth providers, merged kubeconfigs.

Imported only where it is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.access import Access
from kubernetes import config
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, kube_config

__all__ = ["ConfigException", "access"]

# The kubernetes client hands a file that it has unpacked to all threads; ours remove theirs.
_LOADING = threading.Lock()


def access(source: Any, context: str | None, persist: bool, directory: str) -> Access:
    """What a kubeconfig (content or paths) gives, or with none the pod's service account.

    persist: renewed credentials may be written back. directory: for unpacked key material.
    """
    configuration = Configuration()
    with _LOADING:
        try:
            _load(configuration, source, context, persist, directory)
        finally:
            _forget_files_in(directory)
    return Access(
        host=configuration.host,
        authorization=lambda: configuration.get_api_key_with_prefix("authorization") or "",
        verify=configuration.verify_ssl,
        ca_file=configuration.ssl_ca_cert or "",
        cert_file=configuration.cert_file or "",
        key_file=configuration.key_file or "",
        server_name=configuration.tls_server_name or "",
    )


def _load(
    configuration: Configuration, source: Any, context: str | None, persist: bool, directory: str
) -> None:
    arguments = {
        "context": context,
        "client_configuration": configuration,
        "persist_config": persist,
        "temp_file_path": directory,
    }
    if not source:
        config.load_incluster_config(client_configuration=configuration)
    elif isinstance(source, Mapping):
        config.load_kube_config_from_dict(config_dict=dict(source), **arguments)
    else:
        config.load_kube_config(config_file=str(source), **arguments)


def _forget_files_in(directory: str) -> None:
    """The kubernetes client would hand these paths out again for the same kubeconfig."""
    remembered: dict[str, str] = kube_config._temp_files
    for content, path in list(remembered.items()):
        if path.startswith(directory):
            del remembered[content]
