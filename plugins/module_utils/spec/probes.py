# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The probes of the router's container that a spec can set, and how each of them may ask."""

from __future__ import annotations

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# The fields of a Probe that exclude each other.
HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")
