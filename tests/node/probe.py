"""`probe.py HOST PORT [PATH]`: what a pod gets from there: "closed", "open", or an HTTP status.

With a path it asks a model; without one it only connects.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys

SECONDS = 3


def main(host: str, port: str, path: str = "") -> str:
    try:
        with socket.create_connection((host, int(port)), SECONDS):
            pass
    except OSError:
        return "closed"
    if not path:
        return "open"
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    if path.startswith("/v1"):
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    else:
        connection.request("GET", path)
    return str(connection.getresponse().status)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
