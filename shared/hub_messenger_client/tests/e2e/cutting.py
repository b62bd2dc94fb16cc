"""Fault injection: a TCP proxy that loses answers. The service may have processed what the caller retries."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress


class Cutter:
    """A TCP proxy that refuses some connections, and cuts others before their answer."""

    def __init__(self, port: int, *, seed: int, loses: float, refuses: float) -> None:
        self._target = ("127.0.0.1", port)
        self._random = random.Random(seed)
        self._loses = loses
        self._refuses = refuses
        self.lost = 0
        """The number of answers that the service sent and the proxy dropped."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError):
            if self._random.random() < self._refuses:
                return
            with socket.create_connection(self._target) as far:
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._requests, args=[near, far], daemon=True).start()
                while data := far.recv(65536):
                    if self._random.random() < self._loses:
                        self.lost += 1
                        break
                    near.sendall(data)
                for end in (near, far):
                    end.shutdown(socket.SHUT_RDWR)

    def _requests(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)
