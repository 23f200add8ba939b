"""What goes wrong here and is somebody's to mend, told in one sentence or a few."""

from __future__ import annotations

from control_plane import ControlPlaneError


class NodeError(ControlPlaneError):
    """The node cannot start, or does not do what it should."""
