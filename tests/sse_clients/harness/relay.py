"""A TCP relay before the service that cuts connections, or holds back what streams say."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from .service import free_port


class Relay:
    """Passes everything on, until it is told otherwise."""

    def __init__(self, upstream: int) -> None:
        """Starts it in a thread of its own."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.holds_streams = False
        """Whether the answers to requests for streams are held back, as a buffering proxy does."""
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
        """Ends it."""
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
            self._pass_on(reader, to_upstream, is_stream, watches=True),
            self._pass_on(upstream, writer, is_stream, watches=False),
        )
        self._writers -= {writer, to_upstream}

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_stream: asyncio.Event, *, watches: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if watches and data.startswith(b"GET /api/v1/events/stream"):
                    is_stream.set()
                # A preflight passes: a proxy holds back bodies.
                if not watches and self.holds_streams and is_stream.is_set() and b"204 " not in data[:20]:
                    continue
                writer.write(data)
                await writer.drain()
        writer.close()
