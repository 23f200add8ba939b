"""A proxy that leads out: CONNECT, and nothing else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer

from integration.data_path.stub_backend import Threaded


class StubProxy(Threaded):
    """It knows hosts by itself, as Envoy's name server does not.

    asked: what CONNECT named. refuses: it answers 403.
    """

    def __init__(self, hosts: Mapping[str, str], address: str) -> None:
        self.asked: list[str] = []
        self.refuses = False
        self.hosts = hosts
        self.address = address
        self._server = _Server((address, 0), self)
        self.port: int = self._server.server_address[1]


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], proxy: StubProxy) -> None:
        self.proxy = proxy
        super().__init__(address, _Handler)


class _Handler(StreamRequestHandler):
    server: _Server
    # What comes behind the headers belongs to the tunnel.
    rbufsize = 0

    def handle(self) -> None:
        proxy = self.server.proxy
        method, target, _ = self.rfile.readline().decode().split(" ", 2)
        while self.rfile.readline().strip():
            pass
        if method != "CONNECT":
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
            return
        proxy.asked.append(target)
        host, _, port = target.rpartition(":")
        if proxy.refuses or host not in proxy.hosts:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        with socket.create_connection((proxy.hosts[host], int(port))) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(there, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, there)
            back.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)
