"""Sends what is in the spool, in order, from a thread of its own, as soon as the service is back."""

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
"""After so many answers of 500 for the first in the queue, the second is tried, to tell a service that fails from
a notification that makes it fail."""


class Drainer:
    """Keeps a spool empty. Any number of processes may run one each: the spool's lease lets one of them send."""

    def __init__(
        self, spool: Spool, deliver: Callable[[Letter], object], *, lease: float = 60.0, poll: float = 5.0
    ) -> None:
        self._spool = spool
        self._deliver = deliver
        self._lease = lease
        self._poll = poll
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None
        self._holder = _holders.new()
        self._due = self._force = self._stopping = self._retiring = False
        self._has_failed = False  # at its last attempt, in this process
        _forks.watch(self)

    def wake(self) -> None:
        """Says that there may be something to do. Starts the thread where it does not run."""
        with self._turn:
            self._due = True
            self._start()
            self._turn.notify_all()

    def watch(self) -> None:
        """Lets the thread look after the spool from now on, also for what other processes leave in it."""
        with self._turn:
            self._start()

    def flush(self, timeout: float) -> bool:
        """Tries at once and waits until the spool is empty; says whether it is."""
        self._insist()
        return self._empties(timeout, while_failing=True)

    def _insist(self) -> None:
        with self._turn:
            self._force = True
        self.wake()

    def _empties(self, timeout: float, *, while_failing: bool) -> bool:
        deadline = time.monotonic() + timeout
        while self._spool.waiting():
            left = deadline - time.monotonic()
            if left <= 0 or (self._has_failed and not while_failing):
                return False
            with self._turn:
                self._turn.wait(min(left, 0.1))
        return True

    def retire(self) -> None:
        """Tries once more and then ends. Does not wait: the garbage collector calls this, in the middle of anything."""
        with self._turn:
            self._retiring = self._due = self._force = True
            self._turn.notify_all()

    def stop(self, grace: float) -> None:
        """Ends it for good. While the service answers, what is left may still be sent for `grace` seconds."""
        try:
            if self._thread is not None and not self._has_failed:
                self._insist()
                self._empties(grace, while_failing=False)
        except SpoolError:
            log.warning("the spool could not be emptied at the end", exc_info=True)
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join(grace)

    def before_fork(self) -> None:
        """Nothing to do: the child starts afresh."""

    def after_fork(self, *, in_child: bool) -> None:
        """The child has no thread, and is another holder."""
        if in_child:
            self._turn = threading.Condition()
            self._thread = None
            self._holder = _holders.new()
            self._due = self._force = self._stopping = self._retiring = self._has_failed = False

    def _start(self) -> None:
        if self._stopping or (self._thread is not None and self._thread.is_alive()):
            return
        thread = threading.Thread(target=self._run, name="hub-messenger-spool", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending: the next process sends it
            return
        self._thread = thread

    def _run(self) -> None:
        pause = 0.0
        while self._waits(pause):
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

    def _waits(self, seconds: float) -> bool:
        """Until there is something to do; false when it is over."""
        with self._turn:
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._due or self._stopping, timeout=seconds)
            self._due = False
            return not self._stopping

    def _round(self) -> float:
        """One try to empty the spool. Gives the seconds after which the next is due."""
        with self._turn:
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
            if _is_fault(error) and letter.faults >= POISON_AFTER and self._takes_another_than(letter):
                # Once more: the service may have recovered just now.
                error = self._try(letter)
                if _is_fault(error):
                    self._bury(letter, error)
                    error = None
            elif error is not None and refuses(error):
                self._bury(letter, error)
                error = None
            if error is not None:
                return self._postpone(letter, error)
            done = letter
        return self._poll

    def _try(self, letter: Letter) -> Exception | None:
        try:
            self._deliver(letter)
        except Exception as error:  # noqa: BLE001 - whatever it is, the queue must go on
            return error
        self._has_failed = False
        return None

    def _takes_another_than(self, letter: Letter) -> bool:
        """Whether the service takes the next one while it fails with `letter`."""
        other = self._spool.behind(letter)
        return other is not None and self._try(other) is None

    def _bury(self, letter: Letter, error: Exception | None) -> None:
        log.error("the messenger service refused a spooled notification: %s", error)
        self._spool.bury(letter, str(error))

    def _postpone(self, letter: Letter, error: Exception) -> float:
        """Lets nobody try for a while; gives the seconds."""
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


def refuses(error: Exception) -> bool:
    """Whether sending the same again can never succeed, whatever is mended in the configuration."""
    if not isinstance(error, MessengerError) or error.temporary:
        return False
    if isinstance(error, AuthenticationError):
        # What is said of the token would be said of every notification; what is not, of this one alone.
        return error.status == 403 and error.code is not None and "token" not in error.code
    return isinstance(error, (ValidationError, ConflictError, NotFoundError))
