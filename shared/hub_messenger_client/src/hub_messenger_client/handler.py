"""`MessengerHandler`, a logging handler that sends records as notifications."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from . import _forks, _rules
from .client import MessengerClient
from .errors import ConfigurationError, MessengerError, SpoolError

__all__ = ["MessengerHandler"]

OWN_LOGGERS = ("hub_messenger_client", "httpx", "httpcore", "h11", "anyio", "asyncio")
"""The loggers of the sending code itself: notifications of their records would cause new records."""
TITLE_LIMIT = 500
BODY_LIMIT = 20_000
FLUSH_SECONDS = 2.0
CUT = "\n[…]\n"


@dataclass(frozen=True)
class _Message:
    title: str
    body: str | None
    urgent: bool
    count: int = 1
    """The number of records that it stands for."""
    dedup_key: str | None = None
    """The name of its alarm; `None` for a notification that stands for itself."""


@dataclass
class _Group:
    """The records of one place in the code, and of one alarm."""

    until: float
    """The end of the window, on the monotonic clock."""
    since: float
    """The time of the last report, on the monotonic clock. Repetitions since then are not reported yet."""
    last: _Message
    repeats: int = 0


class MessengerHandler(logging.Handler):
    """A logging handler that sends records as notifications.

    It never waits and never raises: it queues records, and a thread sends them. The first record of a place
    in the code is sent at once. Its repetitions within `window` seconds become one message that counts them.
    Records beyond `rate_limit` messages a minute are counted, and a message with the count follows.

    A message that can be neither sent nor spooled is written to stderr. If the client cannot be configured,
    for example without an address, the handler warns once on stderr and writes all records there: the
    application starts in any case.

    Args:
        client: The client that sends; by default, one that is made from the environment.
        source_app: The sending application; by default, the client's.
        level: Records below this level are ignored.
        target_user: Send to this user instead of everybody of the tenant.
        entity: Send into the room of this entity, such as `("machine", 42)`.
        event_type: The `event_type` of the notifications.
        urgent_level: Records from this level on are urgent: phones ring.
        window: Seconds over which repetitions are counted together.
        rate_limit: Messages a minute. Urgent messages have a reserve of the same size.
        capacity: The most messages in the queue.
        spool_dir: The spool of the client that is made from the environment.
        alarms: Each record triggers an alarm, one for each logger and message template. The handler never
            resolves an alarm.
        resolve_after: With `alarms`, seconds (60 to 2 592 000) without a further record after which the
            service resolves the alarm.
    """

    def __init__(
        self,
        client: MessengerClient | None = None,
        *,
        source_app: str | None = None,
        level: int | str = logging.ERROR,
        target_user: str | None = None,
        entity: tuple[str, int | str] | None = None,
        event_type: str = "log",
        urgent_level: int = logging.CRITICAL,
        window: float = 60.0,
        rate_limit: int = 10,
        capacity: int = 100,
        spool_dir: str | os.PathLike[str] | None = None,
        alarms: bool = False,
        resolve_after: int | None = None,
    ) -> None:
        super().__init__(level)
        self._owned: MessengerClient | None = None
        self._source_app = source_app
        self._notify: Callable[..., object] | None = None
        self.last_error: BaseException | None = None
        """The last error; `None` if there was none."""
        try:
            if resolve_after is not None and _rules.seconds(resolve_after) is None:
                raise ConfigurationError(
                    f"resolve_after must be whole seconds from {_rules.SECONDS.start} to {_rules.SECONDS.stop - 1}",
                    code="invalid_resolve_after",
                )
            client = client or self._own_client(spool_dir)
            self._source_app = source_app or client.source_app
            if self._source_app is None:
                raise ConfigurationError(
                    "source_app is missing: pass it to MessengerHandler or to its client", code="missing_source_app"
                )
            self._notify = client.notify
            if target_user is not None:
                self._notify = partial(client.notify_user, target_user=target_user)
            elif entity is not None:
                self._notify = partial(client.notify_entity, entity_type=entity[0], entity_id=entity[1])
        except MessengerError as error:
            self.last_error = error
            _write_stderr(f"log records are written to stderr and not sent: {error}")
        self._event_type = event_type
        self._urgent_level = urgent_level
        self._window = window
        self._rate = rate_limit / 60.0
        self._burst = float(rate_limit)
        self._capacity = capacity
        self._alarms = alarms
        self._resolve_after = resolve_after
        self.dropped = 0
        """The number of records that could not be formatted."""
        self.failed = 0
        """The number of messages that could not be sent."""
        self._worker = threading.local()
        self.after_fork(in_child=True)
        self.addFilter(self._is_foreign)
        _forks.watch(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Queues a record, or counts it."""
        try:
            message = self._message(record)
            if self._notify is None:
                _write_stderr(_line(message))
                return
            kind = record.exc_info[0] if record.exc_info else None
            place = (record.name, record.levelno, record.pathname, record.lineno, kind, message.dedup_key)
            with self._condition:
                self._admit(place, message)
                self._start()
                self._condition.notify_all()
        except Exception as error:  # noqa: BLE001 - a log call must not fail
            self.dropped += 1
            self.last_error = error

    def flush(self) -> None:
        """Waits until each queued message was tried once, for two seconds at most."""
        deadline = time.monotonic() + FLUSH_SECONDS
        with self._condition:
            while (self._queue or self._in_flight) and self._runs():
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._condition.wait(left)

    def close(self) -> None:
        """Sends the queued messages and the counts for two seconds at most, and ends the thread."""
        with self._condition:
            for group in self._groups.values():
                self._report(group)
            self._groups.clear()
            self._condition.notify_all()
        self.flush()
        with self._condition:
            self._closing = True
            left = (*self._in_flight, *self._queue)
            self._queue.clear()
            self._condition.notify_all()
        for message in left:
            _write_stderr(f"not known to be sent at the end: {_line(message)}")
        if self._owned is not None:
            self._owned.close()
        super().close()

    def before_fork(self) -> None:
        """Does nothing: `after_fork` resets the child."""

    def after_fork(self, *, in_child: bool) -> None:
        """Resets the child, which has no thread. The parent sends the messages queued before the fork."""
        if in_child:
            self._condition = threading.Condition()
            self._thread: threading.Thread | None = None
            self._queue: deque[_Message] = deque()
            self._groups: dict[object, _Group] = {}
            self._suppressed = 0
            self._report_at = 0.0
            self._tokens = self._burst
            self._filled_at = time.monotonic()
            self._in_flight: tuple[_Message, ...] = ()
            self._closing = False

    def _own_client(self, spool_dir: str | os.PathLike[str] | None) -> MessengerClient:
        try:
            self._owned = MessengerClient(spool_dir=spool_dir)
        except SpoolError as error:
            self.last_error = error
            _write_stderr(f"log records are sent without a spool: {error}")
            self._owned = MessengerClient(spool_dir=False)
        return self._owned

    def _is_foreign(self, record: logging.LogRecord) -> bool:
        if getattr(self._worker, "sending", False):
            return False
        return record.name.split(".", 1)[0] not in OWN_LOGGERS

    def _message(self, record: logging.LogRecord) -> _Message:
        # The service refuses the character U+0000.
        first = (record.getMessage().replace("\0", "�").strip().splitlines() or [""])[0]
        title = _short(f"{record.levelname} {record.name}: {first}")
        text = self.format(record).replace("\0", "�")
        if title.endswith(first):
            text = text.lstrip().removeprefix(first)  # it stands in the title
        body = _cut(text.strip("\n"), BODY_LIMIT)
        dedup_key = _dedup_key(record) if self._alarms else None
        return _Message(title, body or None, record.levelno >= self._urgent_level, dedup_key=dedup_key)

    # Under the lock

    def _admit(self, place: object, message: _Message) -> None:
        group = self._groups.get(place)
        if group is not None:
            group.repeats += 1
            group.last = message
            return
        now = time.monotonic()
        self._groups[place] = _Group(now + self._window, now, message)
        self._enqueue(message)

    def _enqueue(self, message: _Message) -> None:
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        floor = -self._burst if message.urgent else 0.0
        if len(self._queue) >= self._capacity or self._tokens - 1 < floor:
            self._suppress(message.count)
            return
        self._tokens -= 1
        self._queue.append(message)

    def _suppress(self, count: int) -> None:
        if not self._suppressed:
            self._report_at = time.monotonic() + self._window
        self._suppressed += count

    def _report(self, group: _Group) -> None:
        """Queues a message with the number of repetitions of a group and the time in which they occurred."""
        if group.repeats:
            now = time.monotonic()
            times = "once" if group.repeats == 1 else f"{group.repeats} times"
            title = _short(f"[{times} more in {_seconds(now - group.since)}] {group.last.title}")
            self._enqueue(replace(group.last, title=title, count=group.repeats))
            group.repeats, group.since = 0, now

    def _expire(self) -> float | None:
        """Queues the counts that are due. Returns the seconds until the next one is due, or `None`."""
        now = time.monotonic()
        for place, group in tuple(self._groups.items()):
            if group.until > now:
                continue
            if group.repeats:
                group.until = now + self._window  # one message for each window, as long as repetitions occur
                self._report(group)
            else:
                del self._groups[place]
        if self._suppressed and self._report_at <= now:
            title = f"{self._suppressed} further log messages of {self._source_app} were not sent one by one"
            why = "There were too many, or the messenger service was away."
            self._queue.append(_Message(title, why, urgent=False, count=self._suppressed))
            self._suppressed = 0
        due = [group.until for group in self._groups.values()] + ([self._report_at] if self._suppressed else [])
        return max(0.0, min(due) - now) if due else None

    def _runs(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _start(self) -> None:
        if not self._runs() and not self._closing:
            self._thread = threading.Thread(target=self._run, name="hub-messenger-log", daemon=True)
            self._thread.start()

    # In the thread

    def _run(self) -> None:
        self._worker.sending = True
        while True:
            with self._condition:
                self._in_flight = ()
                self._condition.notify_all()
                pause = self._expire()
                if not self._queue and not self._closing:
                    self._condition.wait(pause)
                    self._expire()
                if not self._queue:
                    if self._closing:
                        return
                    continue
                message = self._queue.popleft()
                self._in_flight = (message,)
            try:
                self._send(message)
            except Exception as error:  # noqa: BLE001 - no error may end the thread
                self.failed += 1
                self.last_error = error
                _write_stderr(f"not sent: {_line(message)} ({error})")
                with self._condition:
                    self._suppress(message.count)

    def _send(self, message: _Message) -> None:
        if self._notify is None:  # nothing is queued then
            return
        self._notify(
            source_app=self._source_app,
            title=message.title,
            body=message.body,
            event_type=self._event_type,
            priority="urgent" if message.urgent else "normal",
            dedup_key=message.dedup_key,
            resolve_after=None if message.dedup_key is None else self._resolve_after,
            wait=0,  # no caller waits for the result
        )


def _dedup_key(record: logging.LogRecord) -> str:
    """Returns the name of the alarm of a record: its logger and its template, with a digest if it is long."""
    text = f"{record.name}: {record.msg}".encode("utf-8", "replace").decode()
    name = " ".join(text.replace("\0", " ").split())
    if len(name) <= _rules.DEDUP_KEY_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{name[: _rules.DEDUP_KEY_MAX - len(digest) - 1]}#{digest}"


def _write_stderr(text: str) -> None:
    """Writes a line to stderr, if the process has one."""
    stream = sys.stderr
    if stream is not None:
        with suppress(OSError, ValueError):
            stream.write(f"hub-messenger: {text}\n")
            stream.flush()


def _line(message: _Message) -> str:
    return message.title if message.body is None else f"{message.title}\n{message.body}"


def _seconds(span: float) -> str:
    return "less than 1 s" if span < 1 else f"{span:.0f} s"


def _short(title: str) -> str:
    return title if len(title) <= TITLE_LIMIT else f"{title[: TITLE_LIMIT - 1]}…"


def _cut(text: str, limit: int) -> str:
    """Cuts the middle out of a text that is too long. A traceback names the error at its end."""
    if len(text) <= limit:
        return text
    head = (limit - len(CUT)) // 2
    return text[:head] + CUT + text[len(text) - (limit - len(CUT) - head) :]
