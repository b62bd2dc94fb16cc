"""The drainer: sends the spooled notifications in order, in a background thread, once the service answers."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from . import _forks, _holders
from ._spool import Letter, Spool
from .errors import (
    AuthenticationError,
    ConflictError,
    MessengerError,
    NotFoundError,
    SpoolError,
    UnavailableError,
    ValidationError,
)

log = logging.getLogger("hub_messenger_client")

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 15.0
LONGEST_RETRY_AFTER = 60.0
POISON_AFTER = 8
"""The number of answers of 500 to the first notification after which the drainer tries another one. If the
service accepts that, the first one makes the service fail (a poison message)."""


class Drainer:
    """A background thread that empties a spool.

    Each process of a satellite may run one: the spool's lease lets one of them send at a time.
    """

    def __init__(
        self, spool: Spool, deliver: Callable[[Letter], object], *, lease: float = 60.0, poll: float = 5.0
    ) -> None:
        self._spool = spool
        self._deliver = deliver
        self._lease = lease
        self._poll = poll
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._holder = _holders.new()
        self._due = self._force = self._stopping = self._retiring = False
        self._has_failed = False
        """`True` if the last attempt of this process failed."""
        _forks.watch(self)

    def notify(self) -> None:
        """Starts a round of the thread now. Starts the thread if it does not run."""
        with self._condition:
            self._due = True
            self._start()
            self._condition.notify_all()

    def watch(self) -> None:
        """Starts the thread if it does not run. It also sends what other processes spooled."""
        with self._condition:
            self._start()

    def flush(self, timeout: float) -> bool:
        """Tries to send now, and waits `timeout` seconds at most. Returns `True` if the spool is empty."""
        self._retry_now()
        return self._wait_empty(timeout, while_failing=True)

    def _retry_now(self) -> None:
        with self._condition:
            self._force = True
        self.notify()

    def _wait_empty(self, timeout: float, *, while_failing: bool) -> bool:
        deadline = time.monotonic() + timeout
        while self._spool.waiting():
            left = deadline - time.monotonic()
            if left <= 0 or (self._has_failed and not while_failing):
                return False
            with self._condition:
                self._condition.wait(min(left, 0.1))
        return True

    def retire(self) -> None:
        """Lets the thread try once more and then end. Returns at once: the garbage collector calls this."""
        with self._condition:
            self._retiring = self._due = self._force = True
            self._condition.notify_all()

    def stop(self, grace: float) -> None:
        """Ends the thread for good. While the service answers, it sends for `grace` seconds more."""
        try:
            if self._thread is not None and not self._has_failed:
                self._retry_now()
                self._wait_empty(grace, while_failing=False)
        except SpoolError:
            log.warning("the spool could not be emptied when the client was closed", exc_info=True)
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join(grace)

    def before_fork(self) -> None:
        """Does nothing: `after_fork` resets the child."""

    def after_fork(self, *, in_child: bool) -> None:
        """Resets the child, which has no thread and is another holder."""
        if in_child:
            self._condition = threading.Condition()
            self._thread = None
            self._holder = _holders.new()
            self._due = self._force = self._stopping = self._retiring = self._has_failed = False

    def _start(self) -> None:
        if self._stopping or (self._thread is not None and self._thread.is_alive()):
            return
        thread = threading.Thread(target=self._run, name="hub-messenger-spool", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending: the next process sends what is left
            return
        self._thread = thread

    def _run(self) -> None:
        pause = 0.0
        while self._wait_due(pause):
            pause = self._safe_round()
            if self._retiring and not self._due:
                break
        self._spool.close()

    def _safe_round(self) -> float:
        try:
            return self._round()
        except SpoolError:
            log.warning("the spool cannot be used", exc_info=True)
        except Exception:
            log.exception("the spool could not be drained")
        return self._poll

    def _wait_due(self, seconds: float) -> bool:
        """Waits until a round is due, for at most `seconds`. Returns `False` if the thread must end."""
        with self._condition:
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._due or self._stopping, timeout=seconds)
            self._due = False
            return not self._stopping

    def _round(self) -> float:
        """Tries to empty the spool. Returns the seconds until the next round is due."""
        with self._condition:
            force, self._force = self._force, False
        if not self._spool.waiting():
            return self._poll
        if not self._spool.claim(self._holder, self._lease, force=force):
            return min(self._poll, self._spool.failing()[1] or 1.0)
        try:
            return self._drain()
        finally:
            self._spool.release(self._holder)

    def _drain(self) -> float:
        done: Letter | None = None
        while (letter := self._spool.advance(self._holder, self._lease, done)) is not None and not self._stopping:
            error = self._try(letter)
            if _is_fault(error) and letter.faults >= POISON_AFTER and self._accepts_another(letter):
                # Once more: the service may have recovered in the meantime.
                error = self._try(letter)
                if _is_fault(error):
                    self._set_aside(letter, error)
                    error = None
            elif error is not None and is_final(error):
                self._set_aside(letter, error)
                error = None
            if error is not None:
                return self._postpone(letter, error)
            done = letter
        return self._poll

    def _try(self, letter: Letter) -> Exception | None:
        try:
            self._deliver(letter)
        except Exception as error:  # noqa: BLE001 - no error may stop the queue
            return error
        self._has_failed = False
        return None

    def _accepts_another(self, letter: Letter) -> bool:
        """Sends the next notification that may overtake `letter`. Returns `True` if the service accepted it.

        That is none of the same alarm: a resolve before its trigger would leave the alarm open.
        """
        other = self._spool.next_other(letter)
        return other is not None and self._try(other) is None

    def _set_aside(self, letter: Letter, error: Exception | None) -> None:
        log.error("the messenger service refused a spooled notification: %s", error)
        self._spool.set_aside(letter, str(error))

    def _postpone(self, letter: Letter, error: Exception) -> float:
        """Stores a pause for all processes, and returns its seconds."""
        self._has_failed = True
        failures, _ = self._spool.failing()
        pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, 20)))  # noqa: S311
        if isinstance(error, MessengerError) and error.retry_after is not None:
            pause += min(error.retry_after, LONGEST_RETRY_AFTER)
        level = logging.INFO if failures else logging.WARNING
        log.log(level, "notifications stay in the spool for now, next try in %.1f s: %s", pause, error)
        self._spool.failed(self._holder, str(error), pause, letter if _is_fault(error) else None)
        return pause


def _is_fault(error: Exception | None) -> bool:
    return isinstance(error, UnavailableError) and error.status == 500


def is_final(error: Exception) -> bool:
    """Returns `True` if the same notification would be refused under any configuration of the client."""
    if not isinstance(error, MessengerError) or error.temporary:
        return False
    if isinstance(error, AuthenticationError):
        # An error that names the token concerns every notification, any other 403 this one alone.
        return error.status == 403 and error.code is not None and "token" not in error.code
    return isinstance(error, (ValidationError, ConflictError, NotFoundError))
