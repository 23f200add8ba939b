"""The node of `real_node`, which this project starts, as one cluster among others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from real_node import Node, prerequisites


class Own:
    """`node` is up."""

    nodes_are_out_of_reach = ""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def env(self) -> Mapping[str, str]:
        return self._node.plane.env

    @property
    def kubectl(self) -> Path:
        return self._node.plane.kubectl

    @property
    def enforces_policies(self) -> bool:
        return prerequisites.enforces_policies()

    def import_images(self, archive: Path) -> None:
        self._node.import_images(archive)

    def on_node(self, _: str, /, *command: str) -> str:
        return self._node.run(*command)

    def stop_kubelet(self, _: str, /) -> None:
        self._node.send("STOP", "kubelet")

    def start_kubelet(self, _: str, /) -> None:
        self._node.send("CONT", "kubelet")
