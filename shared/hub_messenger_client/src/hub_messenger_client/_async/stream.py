"""The event stream: connecting, reading, and connecting again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from .. import _pools, _wire
from .._stream import StreamCore
from ..errors import MessengerError
from ..models import Event


class AsyncConnection:
    """One connection, with a client of its own."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.response: httpx.Response | None = None
        self.chunks: AsyncIterator[bytes]

    async def open(self, url: str, headers: dict[str, str]) -> httpx.Response:
        """Sends the request. The body of an answer that is no stream is read."""
        request = self._client.build_request("GET", url, headers=headers)
        self.response = await self._client.send(request, stream=True)
        if not self.response.is_success:
            await self.response.aread()
        self.chunks = self.response.aiter_bytes()
        return self.response

    async def aclose(self) -> None:
        """Ends it, wherever it stands."""
        if self.response is not None:
            await self.response.aclose()
        await self._client.aclose()


class AsyncReader(StreamCore):
    """Iterates over events, over any number of connections."""

    _async_connection: AsyncConnection | None = None

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while (event := self._next_ready()) is None:
            if self._closed.is_set():
                await self._async_drop()
                raise StopAsyncIteration
            await self._async_step()
        return event

    async def _async_step(self) -> None:
        """Reads some bytes, or connects to do so."""
        headers: dict[str, str] = {}
        if self._async_connection is None:
            await self._async_sleep(self._pause)
            headers = self._request_headers(await self._async_token())
        problem: MessengerError | None = None
        try:
            if await (self._async_connect(headers) if headers else self._async_receive()):
                return
        except (httpx.HTTPError, httpx.InvalidURL) as lost:
            problem = _wire.unreachable(lost, self._settings.base_url)
        except MessengerError as error:
            problem = error
        except BaseException:
            # Cancelled while waiting: the bytes that were on their way come again over the next connection.
            self._pause = 0.0
            await self._async_drop()
            raise
        await self._async_drop()
        self._lost(problem)

    async def _async_connect(self, headers: dict[str, str]) -> bool:
        self._async_connection = AsyncConnection(_pools.made(httpx.AsyncClient, self._settings))
        self._opened(await self._async_connection.open(self._url, headers))
        return True

    async def _async_receive(self) -> bool:
        chunk = await anext(self._async_connection.chunks, None) if self._async_connection else None
        if chunk is not None:
            self._received(chunk)
        return chunk is not None

    async def _async_drop(self) -> None:
        connection, self._async_connection = self._async_connection, None
        if connection is not None:
            await connection.aclose()
