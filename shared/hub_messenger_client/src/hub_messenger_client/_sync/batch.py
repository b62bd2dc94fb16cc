# Generated from `_async` by scripts/unasync.py: edit it there.
"""The call of a client that sends several notifications at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import httpx

from .. import _rules, _wire
from .._spool import Letter
from ..errors import MessengerError
from ..models import BatchResult
from .sending import SyncSending


class SyncBatch(SyncSending):
    """The async call for a batch."""

    def batch(
        self,
        notifications: Sequence[_rules.NewNotification],
        *,
        timeout: float | httpx.Timeout | None = None,
    ) -> tuple[BatchResult, ...]:
        """Sends 1 to 100 notifications with one call, in their order. It does not wait for the homeserver.

        Args:
            notifications: Dictionaries with the arguments of the calls that send one, such as `title`, and
                `event_action` for an act on an alarm. The target is `entity_type` and `entity_id`, or
                `target_user`, or `target_type="service_room"`, or none of them for everybody of the tenant.
            timeout: Seconds for this call instead of the client's timeout.

        Returns:
            One result for each notification, in their order: a wrong one does not fail the others. With a
            spool, those that may succeed later are spooled.

        Raises:
            ArgumentError: An argument is wrong; nothing was sent or spooled.
            MessengerError: Any other error of the whole call, see `hub_messenger_client.errors`.
        """
        letters = self._batch_letters(notifications)
        call = self._batch_call(letters, timeout)
        if self.spool is not None:
            queued = self._queue_batch_behind_others(letters)
            if queued is not None:
                return queued
        began = time.monotonic()
        try:
            response = self._sync_exchange.send(call)
        except MessengerError as error:
            if self.spool is None or not _wire.spoolable(error):
                raise
            return self._spool_batch(letters, error)
        is_prompt = time.monotonic() - began <= _wire.PROMPT_SECONDS
        results = zip(letters, _wire.read_batch(response, letters), strict=True)
        return tuple([self._finish(letter, result, is_prompt) for letter, result in results])

    def _finish(self, letter: Letter, result: BatchResult, is_prompt: bool) -> BatchResult:
        """Spools a notification that may succeed later, and sends one again that only seems to be stale."""
        if result.error is not None and self.spool is not None and _wire.spoolable(result.error):
            (spooled,) = self._spool_batch([letter], result.error)
            return spooled
        if result.notification is None or not (is_prompt and _wire.seems_stale(letter, result.notification)):
            return result
        try:
            return replace(result, notification=self._send_without_time(letter, None, None))
        except MessengerError as error:
            return replace(result, notification=None, error=error)
