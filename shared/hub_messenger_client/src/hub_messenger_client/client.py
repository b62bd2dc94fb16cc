"""`MessengerClient`, the client of a satellite."""

from __future__ import annotations

import asyncio
import os
import ssl
from types import TracebackType
from typing import Literal, TypeVar

import httpx

from . import _settings, _wire
from ._async.alarms import AsyncAlarms
from ._async.batch import AsyncBatch
from ._async.calls import AsyncCalls
from ._spool import Spool
from ._sync.alarms import SyncAlarms
from ._sync.batch import SyncBatch
from ._sync.calls import SyncCalls
from .events import EventStream, TokenProvider

__all__ = ["MessengerClient"]

_Client = TypeVar("_Client", bound="MessengerClient")


class MessengerClient(SyncCalls, SyncAlarms, SyncBatch, AsyncCalls, AsyncAlarms, AsyncBatch):
    """A client of the messenger service. Each sync call has an async twin whose name begins with `a`.

    Make one client and keep it: it reuses its connections. Threads, tasks, event loops and forked processes
    may share it. Closing it, or using it with `with` or `async with`, is optional.

    Args:
        base_url: The service's address; by default `MESSENGER_SERVICE_URL`.
        token: The service token; by default `MESSENGER_SERVICE_TOKEN`.
        source_app: The sending application of calls that do not name one; by default `MESSENGER_SOURCE_APP`.
        timeout: Seconds for a whole call, its retries and pauses included: by default 10, with a spool 2. The
            `wait` of a call is added. An `httpx.Timeout` limits the phases of each attempt instead.
        retries: The number of further attempts after a failure, with jittered, growing pauses.
        verify: TLS verification: a path to CA certificates, an `ssl.SSLContext`, or `False` for none. The
            default respects `SSL_CERT_FILE` and `SSL_CERT_DIR`, as OpenSSL does.
        trust_env: Use the environment's proxies (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`). The
            default is not to use them: the service is in the hub's own network.
        spool_dir: A directory of this satellite on a local disk; by default `MESSENGER_SPOOL_DIR`. It is
            created if it is missing. The client keeps undelivered notifications there, and sends them in
            order when the service answers again. All processes of the satellite may share it. Without it, or
            with `False`, there is no spool.
        spool_max_entries: The most notifications in the spool. A full spool drops the oldest of the lowest
            priority.
        spool_max_bytes: The most bytes in the spool.
        spool_ttl: Seconds after which a spooled notification is dropped; at most seven days.
        http_client: An `httpx.Client` of yours, for example with client certificates. You close it.
        async_http_client: An `httpx.AsyncClient` of yours. It is used in each event loop that you call from.

    Raises:
        ConfigurationError: The address or the token is missing or malformed, or the HTTP client cannot be
            made. With a spool, the latter is logged, and notifications are spooled until it is mended.
        SpoolError: `spool_dir` cannot be used.
    """

    def __init__(
        self,
        base_url: str | None = None,
        token: str | None = None,
        *,
        source_app: str | None = None,
        timeout: float | httpx.Timeout | None = None,
        retries: int = 2,
        verify: bool | str | ssl.SSLContext = True,
        trust_env: bool = False,
        spool_dir: str | os.PathLike[str] | Literal[False] | None = None,
        spool_max_entries: int = 10_000,
        spool_max_bytes: int = 64 * 1024 * 1024,
        spool_ttl: float = 6 * 24 * 3600.0,
        http_client: httpx.Client | None = None,
        async_http_client: httpx.AsyncClient | None = None,
    ) -> None:
        directory = (spool_dir or os.environ.get(_settings.SPOOL_VARIABLE)) if spool_dir is not False else None
        spool = Spool(directory, max_entries=spool_max_entries, max_bytes=spool_max_bytes) if directory else None
        super().__init__(
            _settings.Settings(
                base_url=_settings.service_url(base_url),
                limits=_settings.limits(timeout, _settings.SPOOLED_CALL_SECONDS if spool else _settings.CALL_SECONDS),
                headers={
                    "X-Service-Token": _settings.service_token(token),
                    "User-Agent": _settings.USER_AGENT,
                    "Accept": "application/json",
                },
                # With a spool, the drainer waits for the end of a long pause, and not the caller.
                retries=_wire.Retries(retries, longest_retry_after=1.0 if spool else 10.0),
                verify=verify,
                trust_env=trust_env,
            ),
            source_app=source_app,
            http_client=http_client,
            async_http_client=async_http_client,
            spool=spool,
            spool_ttl=spool_ttl,
        )

    def events(
        self,
        token: str | TokenProvider,
        *,
        last_event_id: str | int | None = None,
        include_control: bool = False,
    ) -> EventStream:
        """Returns the event stream of a user. `token` is a Hub JWT or a function that returns one."""
        return EventStream(
            token,
            base_url=self._settings.base_url,
            last_event_id=last_event_id,
            include_control=include_control,
            verify=self._settings.verify,
            trust_env=self._settings.trust_env,
        )

    def close(self) -> None:
        """Sends the spooled notifications if the service answers, and closes the connections."""
        self._end()

    async def aclose(self) -> None:
        """Does the same as `close`, and closes the connections of the running event loop, too."""
        await asyncio.to_thread(self._end)
        await self._async_pool.aclose()

    def __enter__(self: _Client) -> _Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self: _Client) -> _Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
