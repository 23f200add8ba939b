"""The one kind of error that ends the program before it has begun."""

from __future__ import annotations


class StartError(Exception):
    """The operator cannot start; the message says what was found where and what to do."""
