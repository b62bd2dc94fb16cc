"""A way to the service on which answers get lost: what the caller does not know, the service may have done."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress


class Cutter:
    """Hands bytes on in both directions, and cuts connections at the worst moments."""

    def __init__(self, port: int, *, seed: int, loses: float, refuses: float) -> None:
        self._target = ("127.0.0.1", port)
        self._random = random.Random(seed)
        self._loses = loses
        self._refuses = refuses
        self.lost = 0
        """Answers that the service gave and nobody got."""
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
