"""The one error of the control plane: its message is for the person at the terminal."""

from __future__ import annotations


class ControlPlaneError(Exception):
    """The plane cannot be built, started or stopped; the message says why and what to do."""
