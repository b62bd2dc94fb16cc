"""One call to the service, with its retries."""

from __future__ import annotations

import asyncio
import logging
import time

import httpx

from .. import _wire
from .._pools import AsyncPool
from .._settings import Settings
from ..errors import ConflictError, MessengerError

log = logging.getLogger("hub_messenger_client")


class AsyncExchange:
    """Makes calls over a pool of connections."""

    def __init__(self, settings: Settings, pool: AsyncPool) -> None:
        self._settings = settings
        self._pool = pool

    async def send(self, call: _wire.Call) -> httpx.Response:
        """The answer. Failures that may pass are tried again; the last one is raised as `MessengerError`."""
        patience = time.monotonic() + _wire.IN_FLIGHT_PATIENCE
        attempt = 0
        while True:
            try:
                return await self.once(call)
            except MessengerError as error:
                in_flight = isinstance(error, ConflictError)
                pause = self._settings.retries.pause(attempt, error)
                if pause is None or (in_flight and time.monotonic() + pause > patience):
                    raise
                log.debug("%s %s in %.2f s again: %s", call.method, call.path, pause, error)
            attempt += not in_flight
            await asyncio.sleep(pause)

    async def once(self, call: _wire.Call) -> httpx.Response:
        """The answer to a single attempt. Raises `MessengerError`."""
        client = await self._pool.acquire()
        try:
            response = await client.request(
                call.method,
                f"{self._settings.base_url}{call.path}",
                params=call.query,
                headers={**self._settings.headers, **call.headers},
                content=call.content,
                timeout=call.timeout or self._settings.timeout,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise _wire.unreachable(problem, self._settings.base_url) from problem
        error = _wire.failure(response)
        if error is not None:
            raise error
        return response
