"""Fault injection: a TCP relay before the service that resets connections, or holds streams back."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from .service import free_port


class Relay:
    """A relay that forwards all bytes by default."""

    def __init__(self, upstream: int) -> None:
        """Starts the relay in a thread of its own."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.holds_streams = False
        """`True` to hold back the answers to requests for streams, as a buffering proxy does."""
        self._upstream = upstream
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._listening.wait()

    def cut(self) -> None:
        """Resets all connections."""
        self._loop.call_soon_threadsafe(self._abort)

    def close(self) -> None:
        """Ends the relay."""
        self.cut()
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(10)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()  # type: ignore[attr-defined]

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._listening.set()
        await self._closing.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream, to_upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()  # type: ignore[attr-defined]
            return
        self._writers |= {writer, to_upstream}
        is_stream = asyncio.Event()
        await asyncio.gather(
            self._forward(reader, to_upstream, is_stream, is_request=True),
            self._forward(upstream, writer, is_stream, is_request=False),
        )
        self._writers -= {writer, to_upstream}

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_stream: asyncio.Event, *, is_request: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if is_request and data.startswith(b"GET /api/v1/events/stream"):
                    is_stream.set()
                # The answer to a preflight has no body, which a proxy could hold back.
                if not is_request and self.holds_streams and is_stream.is_set() and b"204 " not in data[:20]:
                    continue
                writer.write(data)
                await writer.drain()
        writer.close()
