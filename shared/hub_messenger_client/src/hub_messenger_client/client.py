"""`MessengerClient`: what satellites use."""

from __future__ import annotations

import asyncio
import os
import ssl
from types import TracebackType
from typing import Literal, TypeVar

import httpx

from . import _settings, _wire
from ._async.calls import AsyncCalls
from ._spool import Spool
from ._sync.calls import SyncCalls
from .events import EventStream, TokenProvider

__all__ = ["MessengerClient"]

_Client = TypeVar("_Client", bound="MessengerClient")


class MessengerClient(SyncCalls, AsyncCalls):
    """Sends notifications through the messenger service. Each call has a twin with `a` in front for `await`.

    Make one and keep it: it reuses its connections, and threads, tasks, event loops and forked processes may share it.
    It can be closed, or used with `with` and `async with`, but need not be.

    Args:
        base_url: The service's address; by default `MESSENGER_SERVICE_URL`.
        token: The service token; by default `MESSENGER_SERVICE_TOKEN`.
        source_app: The sending application, for calls that do not name one; by default `MESSENGER_SOURCE_APP`.
        timeout: Seconds for a whole call, its retries and pauses included: by default 10, with a spool 2. A `wait`
            that the call names is added. An `httpx.Timeout` limits the phases of each attempt instead.
        retries: How often a failed attempt is tried again, with jittered, growing pauses.
        verify: TLS verification: a path to CA certificates, an `ssl.SSLContext`, or `False` for none. By default
            `SSL_CERT_FILE` and `SSL_CERT_DIR` count, as in OpenSSL.
        trust_env: Use the environment's proxies (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`). By default they
            are not used: the service is in the hub's own network.
        spool_dir: A directory of this satellite, on a local disk; by default `MESSENGER_SPOOL_DIR`. What cannot be
            delivered is kept there, and sent in order when the service is back. All processes of the satellite may
            share it. It is created now. Without one, or with `False`, there is no spool.
        spool_max_entries: How many notifications it holds. When full, the oldest least important ones make room.
        spool_max_bytes: How many bytes of notifications it holds.
        spool_ttl: Seconds after which a spooled notification is dropped; at most seven days.
        http_client: An `httpx.Client` of yours, for proxies and the like. You close it.
        async_http_client: The same for `await`. It is then used in whatever event loop you call from.

    Raises:
        ConfigurationError: The address or the token is missing or cannot be right, or the HTTP client cannot be made
            (with a spool, this one is logged, and notifications are spooled until it is mended).
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
                # A caller does not wait out a long pause when the spool can do so.
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
        """The live events of a user, whose Hub JWT `token` is, or gives. See `EventStream`."""
        return EventStream(
            token,
            base_url=self._settings.base_url,
            last_event_id=last_event_id,
            include_control=include_control,
            verify=self._settings.verify,
            trust_env=self._settings.trust_env,
        )

    def close(self) -> None:
        """Empties the spool if the service is there, and closes the connections."""
        self._end()

    async def aclose(self) -> None:
        """The same as `close`, and for the connections of the running event loop too."""
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
