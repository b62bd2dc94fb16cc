"""`EventStream`, the live events of a user for `for` and `async for`."""

from __future__ import annotations

import contextlib
import socket
import ssl
from types import TracebackType
from typing import TypeVar

from ._async.stream import AsyncReader
from ._stream import TokenProvider
from ._sync.stream import SyncReader

__all__ = ["EventStream", "TokenProvider"]

_Stream = TypeVar("_Stream", bound="EventStream")


class EventStream(SyncReader, AsyncReader):
    """An endless iterator over the events of a user. If the connection breaks, it reconnects and resumes.

    It returns all events of the log, such as `notification` and `new_message`, and three that are not in the
    log: `reset` (a gap: reload what you show), `token_expired` (the next connection gets a new token) and
    `typing` (`users` are all who type in the room). A `typing` event is never replayed, and is valid for
    `timeout_ms`. Only one thread or task may iterate over a stream.

    Args:
        token: The user's Hub JWT, or a function that returns it and that is called before each connection.
            The function may be `async` if the stream is used with `async for`. A string cannot be renewed:
            the stream raises `AuthenticationError` when it has expired.
        base_url: The service's address; by default `MESSENGER_SERVICE_URL`.
        last_event_id: The stream begins after this event; by default, with the next new event.
        include_control: Return `connected`, `keepalive` and `reconnect` (the service shuts down), too.
        verify: TLS verification, as for `MessengerClient`.
        trust_env: Use the proxies of the environment, as for `MessengerClient`.
        idle_timeout: Seconds without a byte after which the connection counts as broken. The service sends a
            `keepalive` at least every 20 seconds.
        max_backoff: The longest pause between two connections, in seconds.

    Raises:
        AuthenticationError: The token was refused.
        MessengerError: Another error that a new connection cannot mend.
    """

    def __init__(
        self,
        token: str | TokenProvider,
        *,
        base_url: str | None = None,
        last_event_id: str | int | None = None,
        include_control: bool = False,
        verify: bool | str | ssl.SSLContext = True,
        trust_env: bool = False,
        idle_timeout: float = 45.0,
        max_backoff: float = 30.0,
    ) -> None:
        super().__init__(
            token,
            base_url=base_url,
            last_event_id=last_event_id,
            include_control=include_control,
            verify=verify,
            trust_env=trust_env,
            idle_timeout=idle_timeout,
            max_backoff=max_backoff,
        )

    def close(self) -> None:
        """Ends the iteration, also that of another thread that waits for an event."""
        self._closed.set()
        connection = self._sync_connection
        if connection is not None and connection.response is not None:
            stream = connection.response.extensions.get("network_stream")
            raw = stream.get_extra_info("socket") if stream is not None else None
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.shutdown(socket.SHUT_RDWR)

    async def aclose(self) -> None:
        """Ends the iteration and closes the connection of an `async for`."""
        self._closed.set()
        await self._async_drop()

    def __enter__(self: _Stream) -> _Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._sync_drop()

    async def __aenter__(self: _Stream) -> _Stream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
