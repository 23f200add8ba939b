# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Headers that tell the router who a user is."""

from __future__ import annotations

# Whoever sets one is believed, so Envoy takes them from what clients send.
IDENTITY_HEADER_PREFIX = "x-authz-"

# Where the router looks unless it is told otherwise.
USER_ID_HEADER = f"{IDENTITY_HEADER_PREFIX}user-id"
USER_GROUPS_HEADER = f"{IDENTITY_HEADER_PREFIX}user-groups"
