"""`EventStream`: the live events of a user, for `for` and `async for`."""

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
    """Iterates over the events of a user without an end: when the connection breaks it goes on where it stood.

    It gives `notification`, `new_message` and all else that the log holds, and of the stream's own events `reset`
    (there is a gap: read again what you show) and `token_expired` (the next connection asks for a new token). `typing`
    (everybody who types in a room now, in `users`) is told at once or never: it has no `id` and counts for
    `timeout_ms`.
    One thread or one task may iterate over it.

    Args:
        token: The user's Hub JWT, or a function that gives it, which is asked before each connection. It may be
            `async` where the stream is used with `async for`. One that was given as a string cannot be renewed:
            the stream raises `AuthenticationError` when it has expired.
        base_url: The service's address; by default `MESSENGER_SERVICE_URL`.
        last_event_id: Where to begin: the events after this one. By default with what comes from now on.
        include_control: Give `connected`, `keepalive` and `reconnect` (the service shuts down) too.
        verify: TLS verification, as for `MessengerClient`.
        trust_env: Use the proxies of the environment, as for `MessengerClient`.
        idle_timeout: Seconds of silence after which the connection counts as broken. The service says something
            every 20 seconds.
        max_backoff: The longest pause between two connections, in seconds.

    Raises:
        AuthenticationError: The token was refused.
        MessengerError: Anything else that connecting again cannot mend.
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
        """Ends the iteration, also that of another thread, which waits for an event."""
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
