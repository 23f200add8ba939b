"""`guarded.py HOST CA MODEL KEY`: the status that a client with this key gets, by TLS."""

from __future__ import annotations

import http.client
import json
import ssl
import sys


def main(host: str, authority: str, model: str, key: str) -> int:
    trusting = ssl.create_default_context(cadata=authority)
    connection = http.client.HTTPSConnection(host, 8080, timeout=30, context=trusting)
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    given = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), given)
    return connection.getresponse().status


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
