# Generated from `_async` by scripts/unasync.py: edit it there.
"""The sending of one notification, with the spool."""

from __future__ import annotations

import logging
import time

import httpx

from .. import _wire
from .._core import Core
from .._spool import Letter
from ..errors import MessengerError
from ..models import Notification

log = logging.getLogger("hub_messenger_client")


class SyncSending(Core):
    """The way of all calls that send."""

    def _send(self, letter: Letter, wait: float | None, timeout: float | httpx.Timeout | None) -> Notification:
        began = time.monotonic()
        sent = self._send_once(letter, wait, timeout)
        if not _wire.seems_stale(letter, sent) or time.monotonic() - began > _wire.PROMPT_SECONDS:
            return sent
        return self._send_without_time(letter, wait, timeout)

    def _send_without_time(
        self, letter: Letter, wait: float | None, timeout: float | httpx.Timeout | None
    ) -> Notification:
        log.warning("an alarm is triggered without its time, since the clocks differ: the service has a later report")
        return self._send_once(_wire.without_time(letter), wait, timeout)

    def _send_once(
        self, letter: Letter, wait: float | None, timeout: float | httpx.Timeout | None
    ) -> Notification:
        call = self._send_call(letter, wait, timeout)
        if self.spool is not None:
            queued = self._queue_behind_others(letter)
            if queued is not None:
                return queued
        try:
            response = self._sync_exchange.send(call)
        except MessengerError as error:
            if self.spool is None or not _wire.spoolable(error):
                raise
            return self._spool_failed(letter, error)
        return _wire.read_notification(response, letter.key)
