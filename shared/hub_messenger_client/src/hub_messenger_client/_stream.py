"""What the sync and the async event stream share: where they stand, what they hand out, when they try again."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import random
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx

from . import _pools, _settings, _wire
from ._sse import Frame, FrameTooLargeError, Parser
from .errors import ConfigurationError, MessengerError, UnavailableError
from .models import Event

log = logging.getLogger("hub_messenger_client")

TokenProvider: TypeAlias = Callable[[], str] | Callable[[], Awaitable[str]]

CONTROL = frozenset({"connected", "keepalive", "reconnect"})
"""What concerns the connection alone."""
FIRST_RETRY = 1.0
"""Seconds before the first reconnection, until the service says otherwise (`retry:`)."""


class StreamCore:
    """The position in the log and everything else that outlives a connection."""

    def __init__(
        self,
        token: str | TokenProvider,
        *,
        base_url: str | None,
        last_event_id: str | int | None,
        include_control: bool,
        verify: bool | str | ssl.SSLContext,
        trust_env: bool,
        idle_timeout: float,
        max_backoff: float,
    ) -> None:
        self._token = token
        self._include_control = include_control
        self._max_backoff = max_backoff
        self._settings = _settings.Settings(
            base_url=_settings.service_url(base_url),
            limits=_wire.Limits(httpx.Timeout(idle_timeout, connect=_settings.CONNECT_SECONDS)),
            headers={
                "User-Agent": _settings.USER_AGENT,
                "Accept": "text/event-stream",
                "Cache-Control": "no-store",
            },
            verify=verify,
            trust_env=trust_env,
        )
        _pools.made(httpx.Client, self._settings).close()  # tells a wrong configuration now
        self._url = f"{self._settings.base_url}{_wire.API}/events/stream"
        self._ready: deque[tuple[Event, str | None]] = deque()
        self._cursor = None if last_event_id is None else str(last_event_id)
        self._confirmed = self._handed_out = self._cursor
        self._parser = Parser()
        self._retry = FIRST_RETRY
        self._pause = 0.0
        self._failures = 0
        self._refused = False
        self._closed = threading.Event()

    @property
    def last_event_id(self) -> str | None:
        """Where to go on in another process: the last event that is done with.

        An event is done with when the next one is asked for. Keep this, and hand it to a new stream as
        `last_event_id=`, and that one begins with the first event that was not.
        """
        return self._confirmed

    def _next_ready(self) -> Event | None:
        """An event that has arrived already. Asking for it says that the one before is done with."""
        self._confirmed = self._handed_out
        if not self._ready:
            return None
        event, self._handed_out = self._ready.popleft()
        return event

    def _request_headers(self, token: str) -> dict[str, str]:
        bearer = _settings.header_value(token.strip(), "the user's token")
        # The standard moves the position also where an id came without an event.
        self._cursor = self._parser.last_event_id or self._cursor
        headers = {**self._settings.headers, "Authorization": f"Bearer {bearer}"}
        return headers if self._cursor is None else {**headers, "Last-Event-ID": self._cursor}

    def _opened(self, response: httpx.Response) -> None:
        """Takes an answer as a new connection, or raises what it is instead."""
        if response.status_code == 204:  # as the standard has it: the service wants no further connection
            self._closed.set()
            return
        error = _wire.failure(response)
        if error is None and not response.headers.get("content-type", "").startswith("text/event-stream"):
            error = _wire.unexpected(response, "that is no event stream")
        if error is not None:
            raise error
        self._refused = False
        self._parser = Parser(self._cursor or "")

    def _received(self, chunk: bytes) -> None:
        """Takes bytes of the connection."""
        try:
            frames = self._parser.feed(chunk)
        except FrameTooLargeError as problem:
            raise UnavailableError(f"the event stream sent {problem}", code="event_too_large") from problem
        for frame in frames:
            event = _event(frame)
            if event is not None:
                self._failures = 0
                self._queue(event, frame.last_event_id or _cursor_of(event))
        if self._parser.retry is not None:
            self._retry = self._parser.retry / 1000

    def _queue(self, event: Event, cursor: str | None) -> None:
        """Makes an event ready to be handed out; `cursor` is where the stream stands after it."""
        self._cursor = cursor or self._cursor
        if self._include_control or event.type not in CONTROL:
            self._ready.append((event, self._cursor))
        elif not self._ready:
            self._confirmed = self._handed_out = self._cursor

    def _lost(self, problem: MessengerError | None) -> None:
        """Decides after which pause to connect again, or raises what connecting again cannot mend."""
        if self._closed.is_set():
            return
        if problem is not None and not problem.temporary:
            expired = problem.status == 401 and callable(self._token) and not self._refused
            self._refused, self._pause = expired, 0.0
            if expired:
                return  # the provider may have a newer token
            raise problem
        growth = min(self._max_backoff, self._retry * 2 ** min(self._failures, 20))
        self._pause = growth * random.uniform(0.5, 1)  # noqa: S311 - not a secret
        if problem is not None and problem.retry_after is not None:
            self._pause = max(self._pause, problem.retry_after)
        self._failures += 1
        level = logging.WARNING if self._failures == 2 else logging.DEBUG
        log.log(level, "the event stream is away, next try in %.1f s: %s", self._pause, problem or "it ended")

    def _sync_token(self) -> str:
        token = self._token() if callable(self._token) else self._token
        if not isinstance(token, str):
            if inspect.iscoroutine(token):
                token.close()
            raise ConfigurationError("the token provider must give a str; an async one needs `async for`")
        return token

    async def _async_token(self) -> str:
        token: Any = self._token() if callable(self._token) else self._token
        if inspect.isawaitable(token):
            token = await token
        if not isinstance(token, str):
            raise ConfigurationError("the token provider must give a str")
        return token

    def _sync_sleep(self, seconds: float) -> None:
        self._closed.wait(seconds)

    async def _async_sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _cursor_of(event: Event) -> str | None:
    """`connected` says where a stream that began without a position begins."""
    begin = event.get("cursor") if event.type == "connected" else None
    return None if begin is None else str(begin)


def _event(frame: Frame) -> Event | None:
    try:
        data = json.loads(frame.data)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        log.warning("the event stream sent something that is no JSON object; it is left out")
        return None
    return Event(str(data.get("type", frame.event)), data, frame.last_event_id if frame.has_id else None)
