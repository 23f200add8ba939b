# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a pod ends without losing a request: what its containers do before they are told to stop.

Three things would lose one. New requests keep coming until every node has heard that the pod is
going. A client's kept-alive connection keeps leading here for as long as nobody closes it. And both
programs end at once when told to, whatever they have in hand, and a model may answer for minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import PodPorts

# Until every node has heard, on a large cluster.
_SETTLE_SECONDS = 15
# The kubelet counts the time of these commands in, and kills what is left when it is over.
_STOP_SECONDS = 5
# Told to stop, a router that serves alone closes what is idle, and takes this long for what it has
# in hand. Nothing else closes a connection whose client would keep it for ever.
_ROUTERS_OWN_SECONDS = 30

# From now on every answer asks its client to come back on another connection, which leads to
# another pod; new ones are still taken. Done when nothing is in hand, or time is up.
# The images have bash, but no program that speaks HTTP.
_ENVOY = r"""
ask() {
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || exit 0
  printf '%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n' "$2" >&3
  mapfile -t answer <&3
  exec 3>&-
}
ask "$1" 'POST /drain_listeners?graceful&skip_exit'
sleep "$2"
while ((SECONDS < $3)); do
  ask "$1" 'GET /stats?filter=http.clients.downstream_rq_active'
  [[ ${answer[*]} == *'downstream_rq_active: 0'* ]] && exit 0
  sleep 1
done
"""

# The answers that Envoy still has in hand pass through the router: it goes after Envoy.
_ROUTER = r"""
sleep "$2"
while ((SECONDS < $3)) && { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; do
  exec 3>&-
  sleep 1
done
"""


# Nobody can make it tell its clients to come back elsewhere, nor ask how many answers it has in
# hand. What can be seen from here is whether somebody is connected, in the kernel's table of the
# pod's connections: local address, port in hexadecimal, and 01 for one that is established.
_ROUTER_ALONE = r"""
sleep "$2"
printf -v port '%04X' "$1"
while ((SECONDS < $3)); do
  busy=
  while read -r _ here _ state _; do
    [[ $here == *:"$port" && $state == 01 ]] && busy=yes
  done < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  [[ $busy ]] || exit 0
  sleep 1
done
"""


def envoy_drain(spec: Mapping[str, Any], ports: PodPorts) -> dict[str, Any]:
    """``lifecycle`` of Envoy's container."""
    return _before_stop(_ENVOY, ports.admin, spec)


def router_drain(spec: Mapping[str, Any], ports: PodPorts) -> dict[str, Any]:
    """``lifecycle`` of the router's container."""
    if is_gateway_mode(spec):
        # What the Gateway still has in hand cannot be seen from here.
        settle, _ = _times(spec)
        return {"preStop": {"exec": {"command": ["sleep", str(settle)]}}}
    if serves_alone(spec):
        return _before_stop(_ROUTER_ALONE, ports.listener, spec, _ROUTERS_OWN_SECONDS)
    return _before_stop(_ROUTER, ports.listener, spec)


def _before_stop(
    script: str, port: int, spec: Mapping[str, Any], afterwards: int = 0
) -> dict[str, Any]:
    settle, deadline = _times(spec)
    arguments = [str(number) for number in (port, settle, max(deadline - afterwards, settle))]
    # Not the `sleep` action, which clusters before 1.30 refuse.
    return {"preStop": {"exec": {"command": ["bash", "-c", script.strip(), "drain", *arguments]}}}


def _times(spec: Mapping[str, Any]) -> tuple[int, int]:
    """Seconds until no new request comes, and until the last answer has to be out."""
    deadline = max(int(spec["terminationGracePeriodSeconds"]) - _STOP_SECONDS, 1)
    return min(_SETTLE_SECONDS, deadline), deadline
