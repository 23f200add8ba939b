# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How big, how many and how long: what Envoy and the router have to agree on."""

from __future__ import annotations

MIB = 1024 * 1024

# ext_proc wants the whole body, so this is also the largest request or answer (streams are not
# buffered). A prompt with a few images is some MiB.
BODY_LIMIT_BYTES = 32 * MIB

# What Envoy reads of a connection before anything has looked at it, also of one that is refused.
CONNECTION_BUFFER_BYTES = MIB // 16

# Of a request whose body says which model it is for: nothing counts how many there are at once.
NAMED_MODEL_BODY_LIMIT_BYTES = 4 * MIB

# The router's limit for a gRPC message, 4 MiB unless it is told otherwise, in each direction. It
# hands a request back with what it adds to it (a system prompt, tools, memories), and in contract
# 0.3 with < > & written as six characters.
ROUTER_MESSAGE_LIMIT_BYTES = 2 * BODY_LIMIT_BYTES

# Envoy's own default for one cluster is 1,024, which streaming chats reach: each holds a request at
# its backend and one at the router until its last token.
MAX_CONNECTIONS = 50_000

# A model may think for minutes before its first token: what ends a request is silence, not length.
IDLE_TIMEOUT = "1200s"

# Some of the router's algorithms ask several models before they answer, and it waits as long for
# each of them.
ROUTER_TIMEOUT = IDLE_TIMEOUT

CONNECT_TIMEOUT = "5s"

# vLLM's server hangs up on a connection that was idle for 5 s. A request that Envoy sends on it in
# the same moment would be lost.
BACKEND_IDLE_TIMEOUT = "4s"
