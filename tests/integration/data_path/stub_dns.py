"""A name server that knows the cluster's Services, for Envoy to ask instead of the machine's."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Self

TYPE_A = 1
NO_ERROR, NO_SUCH_NAME = 0, 3
FLAGS_AUTHORITATIVE_ANSWER = 0x8400


class StubDns:
    """Answers A queries over UDP from `records`; change it at any time."""

    def __init__(self, records: dict[str, list[str]]) -> None:
        self.records = records
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # An empty datagram is no query: it ends the loop.
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                return
            self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        question = query[12 : at + 5]
        (query_type,) = struct.unpack("!H", query[at + 1 : at + 3])
        known = self.records.get(".".join(labels))
        addresses = known if known and query_type == TYPE_A else []
        code = NO_SUCH_NAME if known is None else NO_ERROR
        flags = FLAGS_AUTHORITATIVE_ANSWER | code
        header = query[:2] + struct.pack("!5H", flags, 1, len(addresses), 0, 0)
        # 0xC00C points to the name in the question; every answer may be kept for one second.
        records = (
            struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, 1, 4) + socket.inet_aton(address)
            for address in addresses
        )
        return header + question + b"".join(records)
