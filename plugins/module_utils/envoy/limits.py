# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How big, how many and how long: what listener, routes and clusters have to agree on."""

from __future__ import annotations

# ext_proc wants the whole body, so this is also the largest request or answer (streams are not
# buffered). A prompt with a few images is some MiB. The router refuses gRPC messages above its own
# limit, which must therefore not be lower.
BODY_LIMIT_BYTES = 32 * 1024 * 1024

# Envoy's own default for one cluster is 1,024, which streaming chats reach: each holds a request at
# its backend and one at the router until its last token.
MAX_CONNECTIONS = 50_000

# A model may think for minutes before its first token: what ends a request is silence, not length.
IDLE_TIMEOUT = "1200s"

# The router classifies on CPUs, and some of its algorithms ask several models before they answer.
ROUTER_TIMEOUT = "300s"

CONNECT_TIMEOUT = "5s"
