"""The state that the sync and the async event stream share: cursor, received events, and backoff."""

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
"""The events that concern the connection only."""
FIRST_RETRY = 1.0
"""Seconds before the first reconnection, until the service sends another time (`retry:`)."""


class StreamCore:
    """The state of an event stream that outlives its connections."""

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
        _pools.create(httpx.Client, self._settings).close()  # raises if the configuration is wrong
        self._url = f"{self._settings.base_url}{_wire.API}/events/stream"
        self._ready: deque[tuple[Event, str | None]] = deque()
        self._cursor = None if last_event_id is None else str(last_event_id)
        self._confirmed = self._delivered = self._cursor
        self._parser = Parser()
        self._retry = FIRST_RETRY
        self._pause = 0.0
        self._failures = 0
        self._refused = False
        self._closed = threading.Event()

    @property
    def last_event_id(self) -> str | None:
        """The position of the last event that was processed, with which another process can resume.

        An event counts as processed when the caller asks for the next one. A new stream with this position as
        `last_event_id=` begins with the first event that was not processed.
        """
        return self._confirmed

    def _next_ready(self) -> Event | None:
        """Returns the next received event, or `None`. The event before it counts as processed now."""
        self._confirmed = self._delivered
        if not self._ready:
            return None
        event, self._delivered = self._ready.popleft()
        return event

    def _request_headers(self, token: str) -> dict[str, str]:
        bearer = _settings.header_value(token.strip(), "the user's token")
        # By the standard, an id without an event moves the position, too.
        self._cursor = self._parser.last_event_id or self._cursor
        headers = {**self._settings.headers, "Authorization": f"Bearer {bearer}"}
        return headers if self._cursor is None else {**headers, "Last-Event-ID": self._cursor}

    def _opened(self, response: httpx.Response) -> None:
        """Begins a connection with an answer. Raises the error if the answer is no event stream."""
        if response.status_code == 204:  # by the standard, the service wants no further connection
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
        """Parses bytes of the connection and queues the events in them."""
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
        """Queues an event for the caller. `cursor` is the position of the stream after it."""
        self._cursor = cursor or self._cursor
        if self._include_control or event.type not in CONTROL:
            self._ready.append((event, self._cursor))
        elif not self._ready:
            self._confirmed = self._delivered = self._cursor

    def _lost(self, problem: MessengerError | None) -> None:
        """Sets the pause before the next connection. Raises an error that a new connection cannot mend."""
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
        log.log(level, "the event stream broke, reconnecting in %.1f s: %s", self._pause, problem or "it ended")

    def _sync_token(self) -> str:
        token = self._token() if callable(self._token) else self._token
        if not isinstance(token, str):
            if inspect.iscoroutine(token):
                token.close()
            raise ConfigurationError("the token provider must return a str; an async one needs `async for`")
        return token

    async def _async_token(self) -> str:
        token: Any = self._token() if callable(self._token) else self._token
        if inspect.isawaitable(token):
            token = await token
        if not isinstance(token, str):
            raise ConfigurationError("the token provider must return a str")
        return token

    def _sync_sleep(self, seconds: float) -> None:
        self._closed.wait(seconds)

    async def _async_sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _cursor_of(event: Event) -> str | None:
    """Returns the position at which the stream begins, if the event is `connected`."""
    cursor = event.get("cursor") if event.type == "connected" else None
    return None if cursor is None else str(cursor)


def _event(frame: Frame) -> Event | None:
    try:
        data = json.loads(frame.data)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        log.warning("an event of the stream is no JSON object; it is skipped")
        return None
    return Event(str(data.get("type", frame.event)), data, frame.last_event_id if frame.has_id else None)
