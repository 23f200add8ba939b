"""Runs ansible-runner and ansible-playbook by forking a process that has them loaded."""

from __future__ import annotations

__version__ = "0.1.0"
