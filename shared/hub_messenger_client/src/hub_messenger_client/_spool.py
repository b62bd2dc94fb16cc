"""The spool: a bounded queue on disk, in SQLite, that all processes of a satellite share.

Notifications leave it in the order of `put`. One process at a time drains it, under a lease that expires if
that process dies. An entry is removed only after the service has answered. If the process dies before that,
the next one sends the entry under the same idempotency key, and the service repeats its first answer: each
notification arrives exactly once.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import _forks, _holders
from .errors import SpoolError
from .models import DeadLetter, SpoolStats

SCHEMA_VERSION = 1
KEPT_DEAD = 1000
"""The number of dead letters that a spool keeps."""
BUSY_SECONDS = 10.0
"""Seconds for which a process waits for the database lock of another one."""
RANKS = {"low": 0, "normal": 1, "high": 2, "urgent": 3}
"""The rank of each priority. Spools on disk hold these numbers, so they do not change."""
ALARM_KEY = ("tenant_id", "source_app", "dedup_key")
"""The fields that name an alarm."""

CREATE = """
create table entry (
    seq integer primary key autoincrement, key text not null unique, rank integer not null, size integer not null,
    spooled_at real not null, expires_at real not null, faults integer not null default 0, body blob not null
);
create index entry_rank on entry (rank, seq, size);
create table dead (
    seq integer primary key autoincrement, key text not null, error text not null,
    spooled_at real not null, died_at real not null, body blob not null
);
create table counter (name text primary key, value integer not null);
create table drain (
    one integer primary key check (one = 1), holder text, held_until real not null,
    failures integer not null, retry_at real not null, last_error text
);
insert into drain (one, holder, held_until, failures, retry_at, last_error) values (1, null, 0, 0, 0, null);
"""
INSERT = """
insert into entry (key, rank, size, spooled_at, expires_at, body) values (?, ?, ?, ?, ?, ?)
on conflict (key) do nothing
"""
SIZE = "select count(*), coalesce(sum(size), 0) from entry"
EVICT = "delete from entry where seq = (select seq from entry where rank <= ? order by rank, seq limit 1)"
LETTER = "select seq, key, rank, spooled_at, expires_at, faults, body from entry"
COUNT = """
insert into counter (name, value) values (?, ?) on conflict (name) do update set value = value + excluded.value
"""
CLAIM = """
update drain set holder = :holder, held_until = :now + :lease
where (holder is null or holder = :holder or held_until not between :now and :now + :longest)
  and (:force or retry_at not between :now and :now + :longest)
"""
RENEW = "update drain set held_until = ? where holder = ? and held_until >= ?"
SUCCEEDED = "update drain set failures = 0, retry_at = 0, last_error = null where failures > 0"
FAILED = """
update drain set holder = null, held_until = 0, failures = failures + 1, retry_at = ?, last_error = ? where holder = ?
"""
RELEASE = "update drain set holder = null, held_until = 0 where holder = ?"
INSERT_DEAD = "insert into dead (key, error, spooled_at, died_at, body) values (?, ?, ?, ?, ?)"
TRIM_DEAD = "delete from dead where seq <= (select max(seq) from dead) - ?"
STATE = "select failures, last_error, retry_at from drain"

LONGEST_LEASE = 600.0
"""Seconds. A lease or a pause that ends later is void: the clock was set back after it was written."""


@dataclass(frozen=True)
class Letter:
    """A request to send a notification. Every attempt has the same bytes and the same idempotency key."""

    key: str
    body: bytes
    spooled_at: float
    expires_at: float
    rank: int = RANKS["normal"]
    seq: int = 0
    """The place in the spool; 0 outside of it."""
    faults: int = 0
    """The number of answers of 500."""
    is_stamped: bool = False
    """`True` if the client, and not its caller, has set `occurred_at`. The spool does not keep it."""

    @property
    def request(self) -> dict[str, Any]:
        """The body, parsed."""
        body: dict[str, Any] = json.loads(self.body)
        return body

    def is_of_alarm_of(self, other: Letter) -> bool:
        """Returns `True` if both are inputs of one alarm, so that their order must not change."""
        mine, theirs = self.request, other.request
        return mine.get("dedup_key") is not None and all(mine.get(name) == theirs.get(name) for name in ALARM_KEY)


class Spool:
    """The queue in a directory. All processes that open the same directory share it."""

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        max_entries: int = 10_000,
        max_bytes: int = 64 * 1024 * 1024,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(directory) / "spool.db"
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._locked_for_fork = False
        self._db: sqlite3.Connection | None = None
        _forks.watch(self)

    def check(self) -> None:
        """Creates the file if it is missing. Raises `SpoolError` if it cannot be written."""
        with self._transaction():
            pass

    # For calls

    def waiting(self) -> bool:
        """Returns `True` if the spool holds a notification to send."""
        with self._connection() as db:
            return db.execute("select 1 from entry limit 1").fetchone() is not None

    def put(self, letter: Letter) -> None:
        """Adds `letter` at the end, durably, unless its key is in the spool already.

        A full spool first drops expired entries, then the oldest of the lowest priority, but none whose
        priority is above that of `letter`. Raises `SpoolError` if there is still no room.
        """
        with self._transaction(durable=True) as db:
            self._make_room(db, letter)
            row = (
                letter.key,
                letter.rank,
                len(letter.body),
                letter.spooled_at,
                letter.expires_at,
                letter.body,
            )
            _count(db, "spooled", db.execute(INSERT, row).rowcount)

    # For the drainer

    def claim(self, holder: str, lease: float, *, force: bool = False) -> bool:
        """Claims the lease for `lease` seconds.

        Returns `False` if another holder has it, or if a pause is not over (unless `force` is set).
        """
        values = {"holder": holder, "now": self._clock(), "lease": lease, "longest": LONGEST_LEASE, "force": force}
        with self._transaction() as db:
            if _holders.is_gone(db.execute("select holder from drain").fetchone()[0]):
                db.execute("update drain set holder = null")
            return db.execute(CLAIM, values).rowcount == 1

    def advance(self, holder: str, lease: float, done: Letter | None = None) -> Letter | None:
        """Removes `done`, which the service has accepted, renews the lease, and returns the next letter.

        Returns `None` if the queue is empty or if `holder` has lost the lease.
        """
        now = self._clock()
        with self._transaction() as db:
            if done is not None:
                _count(db, "sent", db.execute("delete from entry where key = ?", (done.key,)).rowcount)
                db.execute(SUCCEEDED)
            if db.execute(RENEW, (now + lease, holder, now)).rowcount == 0:
                return None
            while (letter := _letter(db.execute(f"{LETTER} order by seq limit 1"))) is not None:
                if letter.expires_at > now:
                    return letter
                _count(db, "expired", db.execute("delete from entry where seq = ?", (letter.seq,)).rowcount)
            return None

    def next_other(self, letter: Letter) -> Letter | None:
        """Returns the first letter after `letter` that is not of the same alarm; `None` if there is none."""
        with self._connection() as db:
            rows = db.execute(f"{LETTER} where seq > ? order by seq", (letter.seq,))
            while (other := _letter(rows)) is not None and other.is_of_alarm_of(letter):
                pass
            return other

    def set_aside(self, letter: Letter, error: str) -> None:
        """Moves `letter`, which the service has refused for good, to the dead letters."""
        with self._transaction() as db:
            if db.execute("delete from entry where key = ?", (letter.key,)).rowcount:
                db.execute(INSERT_DEAD, (letter.key, error, letter.spooled_at, self._clock(), letter.body))
                db.execute(TRIM_DEAD, (KEPT_DEAD,))
                _count(db, "refused", 1)

    def failed(self, holder: str, error: str, pause: float, fault: Letter | None = None) -> None:
        """Releases the lease and stores a pause of `pause` seconds for all processes.

        `fault` is the letter that the service answered with 500, if it did.
        """
        with self._transaction() as db:
            db.execute(FAILED, (self._clock() + pause, error, holder))
            if fault is not None:
                db.execute("update entry set faults = faults + 1 where seq = ?", (fault.seq,))

    def release(self, holder: str) -> None:
        """Releases the lease."""
        with self._transaction() as db:
            db.execute(RELEASE, (holder,))

    def failing(self) -> tuple[int, float]:
        """Returns the number of failures in a row, and the seconds until the next attempt is due."""
        with self._connection() as db:
            failures, _, retry_at = db.execute(STATE).fetchone()
            pause = retry_at - self._clock()
            return int(failures), pause if 0 < pause <= LONGEST_LEASE else 0.0

    # For operators

    def stats(self) -> SpoolStats:
        """Returns the content of the spool in numbers, and its counters."""
        with self._connection() as db:
            waiting, size = db.execute(SIZE).fetchone()
            oldest = _letter(db.execute(f"{LETTER} order by seq limit 1"))
            (dead,) = db.execute("select count(*) from dead").fetchone()
            counters = dict(db.execute("select name, value from counter").fetchall())
            failures, last_error, retry_at = db.execute(STATE).fetchone()
        return SpoolStats(
            waiting=waiting,
            waiting_bytes=size,
            oldest_at=None if oldest is None else _time(oldest.spooled_at),
            dead=dead,
            **{name: counters.get(name, 0) for name in ("spooled", "sent", "refused", "expired", "evicted")},
            failures=failures,
            last_error=last_error,
            retry_at=_time(retry_at) if retry_at > self._clock() else None,
        )

    def dead(self) -> list[DeadLetter]:
        """Returns the notifications that the service refused, oldest first. The spool keeps the last 1000."""
        with self._connection() as db:
            rows = db.execute("select key, body, error, spooled_at, died_at from dead order by seq").fetchall()
        return [
            DeadLetter(key, json.loads(body), error, _time(then), _time(died)) for key, body, error, then, died in rows
        ]

    def discard_dead(self) -> int:
        """Deletes the refused notifications. Returns their number."""
        with self._transaction() as db:
            return db.execute("delete from dead").rowcount

    def close(self) -> None:
        """Closes the file. The next call opens it again."""
        with self._lock:
            self._disconnect()

    # Storage

    def before_fork(self) -> None:
        """Closes the file: SQLite forbids to use an open connection after a fork."""
        self._locked_for_fork = self._lock.acquire(timeout=BUSY_SECONDS)
        if self._locked_for_fork:
            self._disconnect()

    def after_fork(self, *, in_child: bool) -> None:
        """Releases the lock in the parent, and replaces it in the child."""
        if in_child:
            self._lock = threading.Lock()
        elif self._locked_for_fork:
            self._lock.release()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connect()
            except (sqlite3.Error, OSError) as problem:
                self._disconnect()
                raise SpoolError(f"the spool {self.path} cannot be used: {problem}", code="spool_unusable") from problem

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Runs a transaction. With `durable`, it waits until the disk has it.

        A removal need not be durable: if a power failure undoes it, the entry is sent again under its key.
        Waiting for the disk would make draining several times slower.
        """
        with self._connection() as db:
            db.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                if db.in_transaction:  # a full disk rolls back by itself
                    db.execute("rollback")
                raise
            db.execute("commit")

    def _connect(self) -> sqlite3.Connection:
        if self._db is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                _prepare(db)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _make_room(self, db: sqlite3.Connection, letter: Letter) -> None:
        def full() -> bool:
            entries, size = db.execute(SIZE).fetchone()
            return bool(entries >= self._max_entries or size + len(letter.body) > self._max_bytes)

        if not full():
            return
        if len(letter.body) > self._max_bytes:
            raise SpoolError(f"a notification is larger than the spool {self.path} may be", code="spool_full")
        _count(db, "expired", db.execute("delete from entry where expires_at <= ?", (self._clock(),)).rowcount)
        while full():
            gone = db.execute(EVICT, (letter.rank,)).rowcount
            if not gone:
                raise SpoolError(f"the spool {self.path} is full", code="spool_full")
            _count(db, "evicted", gone)


def _prepare(db: sqlite3.Connection) -> None:
    """Creates the tables, unless another process has created them."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            # A change of the journal mode does not wait for a lock as other statements do.
            db.execute("pragma journal_mode = wal")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    db.execute("begin immediate")
    try:
        _create(db)
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")


def _create(db: sqlite3.Connection) -> None:
    (version,) = db.execute("pragma user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"it was written by a newer version of this package (schema {version})")
    if version == 0:
        for statement in CREATE.split(";"):
            db.execute(statement)
        db.execute(f"pragma user_version = {SCHEMA_VERSION}")


def _count(db: sqlite3.Connection, name: str, by: int) -> None:
    if by:
        db.execute(COUNT, (name, by))


def _letter(rows: sqlite3.Cursor) -> Letter | None:
    row = rows.fetchone()
    if row is None:
        return None
    seq, key, rank, spooled_at, expires_at, faults, body = row
    return Letter(key, body, spooled_at, expires_at, rank, seq, faults)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
