"""The state that the sync and the async calls of a client share: settings, connections, and the spool."""

from __future__ import annotations

import atexit
import logging
import os
import weakref
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import httpx

from . import _rules, _settings, _wire
from ._async.exchange import AsyncExchange
from ._drain import Drainer
from ._pools import AsyncPool, SyncPool
from ._spool import LONGEST_LEASE, Letter, Spool
from ._sync.exchange import SyncExchange
from .errors import ArgumentError, ClosedError, ConfigurationError, FieldError, MessengerError, SpoolError
from .models import BatchResult, Notification

log = logging.getLogger("hub_messenger_client")

KEY_MEMORY = 7 * 24 * 3600.0
"""Seconds for which the service remembers an idempotency key. A later retry could arrive twice."""
CLOSE_SECONDS = 2.0
"""Seconds that a client takes to empty its spool when it is closed, if the service answers."""

_drainers: weakref.WeakSet[Drainer] = weakref.WeakSet()


@atexit.register
def _stop_drainers() -> None:
    """Sends spooled notifications when the process ends, so that short-lived processes send them, too."""
    for drainer in tuple(_drainers):
        drainer.stop(CLOSE_SECONDS)


class Core:
    """The state of a client. Threads, tasks and event loops may share one."""

    def __init__(
        self,
        settings: _settings.Settings,
        *,
        source_app: str | None,
        http_client: httpx.Client | None,
        async_http_client: httpx.AsyncClient | None,
        spool: Spool | None,
        spool_ttl: float,
    ) -> None:
        self._settings = settings
        self.source_app = source_app or os.environ.get(_settings.APP_VARIABLE) or None
        """The sending application of calls without `source_app`."""
        self._sync_pool = SyncPool(settings, http_client)
        self._async_pool = AsyncPool(settings, async_http_client)
        self._sync_exchange = SyncExchange(settings, self._sync_pool)
        self._async_exchange = AsyncExchange(settings, self._async_pool)
        self._closed = False
        self._keep = spool_ttl
        self.spool = spool
        """The spool, for its `stats()` and `dead()`; `None` without `spool_dir`."""
        self._drainer: Drainer | None = None
        self._check(spool)
        if not 0 < spool_ttl <= KEY_MEMORY:
            raise ConfigurationError(
                "spool_ttl must be at most 7 days: after that the service no longer knows what it has already got",
                code="invalid_spool_ttl",
            )
        if spool is not None:
            self._drainer = _drainer(settings, self._sync_exchange, spool)
            weakref.finalize(self, self._drainer.retire).atexit = False
            _drainers.add(self._drainer)
            self._drainer.watch()

    def _check(self, spool: Spool | None) -> None:
        """Raises errors that each call would meet: an unusable spool, an HTTP client that cannot be made."""
        if spool is not None:
            spool.check()
        try:
            self._sync_pool.acquire()
        except ConfigurationError as problem:
            if spool is None:
                raise
            log.error("notifications are spooled until this is mended: %s", problem)  # noqa: TRY400 - no traceback

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._settings.base_url!r})"

    def _letter(self, fields: Mapping[str, Any], key: str | None, extra: Mapping[str, Any] | None) -> Letter:
        """Checks a notification and returns the request that sends it, without the fields that are `None`."""
        self._check_open()
        body = {name: value for name, value in fields.items() if value is not None}
        body["source_app"] = body.get("source_app") or self.source_app
        if body["source_app"] is None:
            raise ConfigurationError(
                f"source_app is missing: pass it to the call, to MessengerClient, or set {_settings.APP_VARIABLE}",
                code="missing_source_app",
            )
        _rules.check(body)
        request = {**_wire.request(body), **(extra or {})}
        is_stamped = self._stamps(request, key)
        if is_stamped:
            request["occurred_at"] = datetime.now(timezone.utc)
        return _wire.letter(request, key=key, keep=self._keep, is_stamped=is_stamped)

    def _stamps(self, request: Mapping[str, Any], key: str | None) -> bool:
        """Returns `True` if the client sets `occurred_at`: a spool may send the input of an alarm much later.

        Each attempt has the same bytes, so it is set before the first one. A repetition under the caller's
        own key must be the same request, so the caller sets it there.
        """
        return self.spool is not None and key is None and "occurred_at" not in request and _rules.is_alarm(request)

    def _batch_letters(self, notifications: Sequence[Mapping[str, Any]]) -> list[Letter]:
        """Checks the notifications of a batch. Raises an `ArgumentError` that names the first wrong one."""
        if not 1 <= len(notifications) <= _rules.BATCH_MAX:
            detail = f"a batch must have 1 to {_rules.BATCH_MAX} notifications, has {len(notifications)}"
            raise ArgumentError(detail, code="invalid_argument")
        return [self._batch_letter(index, notification) for index, notification in enumerate(notifications)]

    def _batch_letter(self, index: int, notification: Mapping[str, Any]) -> Letter:
        try:
            fields = _rules.batch_fields(notification)
            return self._letter(fields, notification.get("idempotency_key"), notification.get("extra"))
        except ArgumentError as problem:
            errors = tuple(FieldError(f"/notifications/{index}{e.pointer}", e.message) for e in problem.errors)
            detail = f"notification {index}: {problem.detail}"
            raise ArgumentError(detail, code="invalid_argument", errors=errors) from None

    def _batch_call(self, letters: Sequence[Letter], timeout: float | httpx.Timeout | None) -> _wire.Call:
        return _wire.batch_call(letters, self._limits(timeout) or self._settings.limits)

    def _send_call(self, letter: Letter, wait: float | None, timeout: float | httpx.Timeout | None) -> _wire.Call:
        if wait is not None and not 0 <= wait <= 10:
            raise ArgumentError("wait must be between 0 and 10 seconds", code="invalid_argument")
        return _wire.send_call(letter, wait=wait, limits=self._limits(timeout) or self._settings.limits)

    def _get_call(self, path: str, query: Mapping[str, object], timeout: float | httpx.Timeout | None) -> _wire.Call:
        self._check_open()
        present = {name: str(value) for name, value in query.items() if value is not None}
        return _wire.Call("GET", f"{_wire.API}{path}", query=present, limits=self._limits(timeout))

    def _limits(self, timeout: float | httpx.Timeout | None) -> _wire.Limits | None:
        return None if timeout is None else _settings.limits(timeout, _settings.CALL_SECONDS)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this MessengerClient is closed", code="client_closed")

    def _queue_behind_others(self, letter: Letter) -> Notification | None:
        """Spools the notification if others wait already, which keeps the order. Otherwise returns `None`."""
        if self.spool is None or self._drainer is None:
            return None
        self._drainer.watch()
        try:
            if not self.spool.waiting():
                return None
            self.spool.put(letter)
        except SpoolError:
            log.warning("the spool cannot be used, so this notification is sent without it", exc_info=True)
            return None
        self._drainer.notify()
        return _wire.spooled(letter, "earlier notifications are still waiting")

    def _spool_failed(self, letter: Letter, error: MessengerError) -> Notification:
        """Spools a notification whose call failed with `error`. Raises that error if spooling fails."""
        if self.spool is None or self._drainer is None:
            raise error
        try:
            self.spool.put(letter)
        except SpoolError as problem:
            log.exception("a notification could not be spooled")
            raise error from problem
        self._drainer.notify()
        return _wire.spooled(letter, str(error))

    def _queue_batch_behind_others(self, letters: Sequence[Letter]) -> tuple[BatchResult, ...] | None:
        """Spools the notifications if others wait already. Otherwise returns `None`."""
        if self.spool is None or self._drainer is None:
            return None
        self._drainer.watch()
        try:
            if not self.spool.waiting():
                return None
        except SpoolError:
            log.warning("the spool cannot be used, so this batch is sent without it", exc_info=True)
            return None
        return self._spool_batch(letters, None)

    def _spool_batch(self, letters: Sequence[Letter], error: MessengerError | None) -> tuple[BatchResult, ...]:
        """Spools notifications whose call failed with `error`, or that queue behind others.

        If one cannot be spooled, its result is that error, and the next ones follow.
        """
        results = tuple(self._spool_one(letter, error) for letter in letters)
        if self._drainer is not None:
            self._drainer.notify()
        return results

    def _spool_one(self, letter: Letter, error: MessengerError | None) -> BatchResult:
        try:
            if self.spool is not None:
                self.spool.put(letter)
        except SpoolError as problem:
            log.exception("a notification could not be spooled")
            return BatchResult(error=error or problem, idempotency_key=letter.key)
        reason = "earlier notifications are still waiting" if error is None else str(error)
        return BatchResult(_wire.spooled(letter, reason), idempotency_key=letter.key)

    def _flush(self, timeout: float) -> bool:
        return self._drainer is None or self._drainer.flush(timeout)

    def _end(self) -> None:
        """Stops the drainer and closes the connections that threads share."""
        self._closed = True
        if self._drainer is not None:
            self._drainer.stop(CLOSE_SECONDS)
        self._sync_pool.close()


def _drainer(settings: _settings.Settings, exchange: SyncExchange, spool: Spool) -> Drainer:
    """Returns a drainer that does not keep the client alive: it refers to the exchange and the spool only."""

    def deliver(letter: Letter) -> Notification:
        # The service need not wait for the homeserver: no caller waits for the result.
        return _wire.read_notification(exchange.once(_wire.send_call(letter, wait=0, limits=limits)))

    # A slow service must be able to answer even if the time limit of callers is short.
    limits = settings.limits
    if limits.total is not None and limits.total < _settings.CALL_SECONDS:
        limits = _settings.limits(None, _settings.CALL_SECONDS)
    longest = sum(LONGEST_LEASE if phase is None else phase for phase in limits.phases.as_dict().values())
    return Drainer(spool, deliver, lease=min(LONGEST_LEASE, longest + 5.0))
