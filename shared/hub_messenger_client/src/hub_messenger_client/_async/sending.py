"""The sending of one notification, with the spool."""

from __future__ import annotations

import logging
import time
from asyncio import to_thread

import httpx

from .. import _wire
from .._core import Core
from .._spool import Letter
from ..errors import MessengerError
from ..models import Notification

log = logging.getLogger("hub_messenger_client")


class AsyncSending(Core):
    """The way of all calls that send."""

    async def _asend(self, letter: Letter, wait: float | None, timeout: float | httpx.Timeout | None) -> Notification:
        began = time.monotonic()
        sent = await self._asend_once(letter, wait, timeout)
        if not _wire.seems_stale(letter, sent) or time.monotonic() - began > _wire.PROMPT_SECONDS:
            return sent
        return await self._asend_without_time(letter, wait, timeout)

    async def _asend_without_time(
        self, letter: Letter, wait: float | None, timeout: float | httpx.Timeout | None
    ) -> Notification:
        log.warning("an alarm is triggered without its time, since the clocks differ: the service has a later report")
        return await self._asend_once(_wire.without_time(letter), wait, timeout)

    async def _asend_once(
        self, letter: Letter, wait: float | None, timeout: float | httpx.Timeout | None
    ) -> Notification:
        call = self._send_call(letter, wait, timeout)
        if self.spool is not None:
            queued = await to_thread(self._queue_behind_others, letter)
            if queued is not None:
                return queued
        try:
            response = await self._async_exchange.send(call)
        except MessengerError as error:
            if self.spool is None or not _wire.spoolable(error):
                raise
            return await to_thread(self._spool_failed, letter, error)
        return _wire.read_notification(response, letter.key)
