# Generated from `_async` by scripts/unasync.py: edit it there.
"""The event stream: connects, reads, and reconnects."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from .. import _pools, _wire
from .._stream import StreamCore
from ..errors import MessengerError
from ..models import Event


class SyncConnection:
    """One connection with an HTTP client of its own."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.response: httpx.Response | None = None
        self.chunks: Iterator[bytes]

    def open(self, url: str, headers: dict[str, str]) -> httpx.Response:
        """Sends the request and returns the answer. Reads the body of an error."""
        request = self._client.build_request("GET", url, headers=headers)
        self.response = self._client.send(request, stream=True)
        if not self.response.is_success:
            self.response.read()
        self.chunks = self.response.iter_bytes()
        return self.response

    def close(self) -> None:
        """Closes the response and its HTTP client."""
        if self.response is not None:
            self.response.close()
        self._client.close()


class SyncReader(StreamCore):
    """An async iterator over events that reconnects as often as needed."""

    _sync_connection: SyncConnection | None = None

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        while (event := self._next_ready()) is None:
            if self._closed.is_set():
                self._sync_drop()
                raise StopIteration
            self._sync_step()
        return event

    def _sync_step(self) -> None:
        """Receives one chunk of bytes, or connects if there is no connection."""
        headers: dict[str, str] = {}
        if self._sync_connection is None:
            self._sync_sleep(self._pause)
            headers = self._request_headers(self._sync_token())
        problem: MessengerError | None = None
        try:
            if (self._sync_connect(headers) if headers else self._sync_receive()):
                return
        except (httpx.HTTPError, httpx.InvalidURL) as lost:
            problem = _wire.unreachable(lost, self._settings.base_url)
        except MessengerError as error:
            problem = error
        except BaseException:
            # Cancelled while waiting: the next connection resumes from the cursor, so no event is lost.
            self._pause = 0.0
            self._sync_drop()
            raise
        self._sync_drop()
        self._lost(problem)

    def _sync_connect(self, headers: dict[str, str]) -> bool:
        self._sync_connection = SyncConnection(_pools.create(httpx.Client, self._settings))
        self._opened(self._sync_connection.open(self._url, headers))
        return True

    def _sync_receive(self) -> bool:
        chunk = next(self._sync_connection.chunks, None) if self._sync_connection else None
        if chunk is not None:
            self._received(chunk)
        return chunk is not None

    def _sync_drop(self) -> None:
        connection, self._sync_connection = self._sync_connection, None
        if connection is not None:
            connection.close()
