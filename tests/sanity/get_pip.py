"""Stands in for the get-pip.py that ansible-test downloads from its own site: Python has pip."""

import ensurepip

ensurepip.bootstrap()
