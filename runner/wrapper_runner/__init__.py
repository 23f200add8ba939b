"""Drives a watches.yaml: hands over to the stock ansible-operator, or does its work itself.

It knows Kubernetes objects and ansible-runner, not the collection: nothing of the collection's
Python is imported here, and only platform.py has heard of SemanticRouters.
"""

from __future__ import annotations
