"""The event stream: connects, reads, and reconnects."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from .. import _pools, _wire
from .._stream import StreamCore
from ..errors import MessengerError
from ..models import Event


class AsyncConnection:
    """One connection with an HTTP client of its own."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.response: httpx.Response | None = None
        self.chunks: AsyncIterator[bytes]

    async def open(self, url: str, headers: dict[str, str]) -> httpx.Response:
        """Sends the request and returns the answer. Reads the body of an error."""
        request = self._client.build_request("GET", url, headers=headers)
        self.response = await self._client.send(request, stream=True)
        if not self.response.is_success:
            await self.response.aread()
        self.chunks = self.response.aiter_bytes()
        return self.response

    async def aclose(self) -> None:
        """Closes the response and its HTTP client."""
        if self.response is not None:
            await self.response.aclose()
        await self._client.aclose()


class AsyncReader(StreamCore):
    """An async iterator over events that reconnects as often as needed."""

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
        """Receives one chunk of bytes, or connects if there is no connection."""
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
            # Cancelled while waiting: the next connection resumes from the cursor, so no event is lost.
            self._pause = 0.0
            await self._async_drop()
            raise
        await self._async_drop()
        self._lost(problem)

    async def _async_connect(self, headers: dict[str, str]) -> bool:
        self._async_connection = AsyncConnection(_pools.create(httpx.AsyncClient, self._settings))
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
