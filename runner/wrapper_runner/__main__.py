"""`python -m wrapper_runner run`, for where the console script is not on PATH."""

from __future__ import annotations

from wrapper_runner.cli import program

program()
