# Generated from `_async` by scripts/unasync.py: edit it there.
"""One call to the service, with its retries."""

from __future__ import annotations

import logging
import time

import httpx

from .. import _wire
from .._pools import SyncPool
from .._settings import Settings
from ..errors import ConflictError, MessengerError

log = logging.getLogger("hub_messenger_client")


class SyncExchange:
    """Makes calls over a pool of connections."""

    def __init__(self, settings: Settings, pool: SyncPool) -> None:
        self._settings = settings
        self._pool = pool

    def send(self, call: _wire.Call) -> httpx.Response:
        """Returns the answer. Retries temporary failures, and raises the last one as a `MessengerError`.

        All attempts and pauses together take no longer than the call's limit.
        """
        begin = time.monotonic()
        total = self._limits(call).total
        end = None if total is None else begin + total
        attempt = 0
        while True:
            try:
                return self.once(call, end)
            except MessengerError as error:
                in_flight = isinstance(error, ConflictError)
                pause = self._settings.retries.pause(attempt, error)
                if pause is None:
                    raise
                resumes = time.monotonic() + pause
                if (in_flight and resumes > begin + _wire.IN_FLIGHT_SECONDS) or (end is not None and resumes >= end):
                    raise
                log.debug("%s %s failed, retrying in %.2f s: %s", call.method, call.path, pause, error)
            attempt += not in_flight
            time.sleep(pause)

    def once(self, call: _wire.Call, end: float | None = None) -> httpx.Response:
        """Returns the answer to one attempt that ends by `end` (monotonic clock). Raises `MessengerError`."""
        client = self._pool.acquire()
        left = None if end is None else max(0.001, end - time.monotonic())
        try:
            response = client.request(
                call.method,
                f"{self._settings.base_url}{call.path}",
                params=call.query,
                headers={**self._settings.headers, **call.headers},
                content=call.content,
                timeout=self._limits(call).within(left),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise _wire.unreachable(problem, self._settings.base_url) from problem
        except Exception as problem:
            raise _wire.unusable(problem) from problem
        error = _wire.failure(response)
        if error is not None:
            raise error
        return response

    def _limits(self, call: _wire.Call) -> _wire.Limits:
        return call.limits or self._settings.limits
