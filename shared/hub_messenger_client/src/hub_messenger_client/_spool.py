"""What could not be delivered yet, on disk: one bounded queue for all processes of a satellite.

Order is the order of `put`. One process at a time drains, under a lease that ends by itself when that process dies.
An entry is removed only after the service has answered, and is sent again under the same idempotency key if the
process died in between: the service then gives its first answer again, so each arrives exactly once.
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
BUSY_SECONDS = 10.0
RANKS = {"normal": 1, "urgent": 3}
"""The rank of each priority. Spools on disk hold these numbers, so they do not change."""

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
BURY = "insert into dead (key, error, spooled_at, died_at, body) values (?, ?, ?, ?, ?)"
TRIM_DEAD = "delete from dead where seq <= (select max(seq) from dead) - ?"
STATE = "select failures, last_error, retry_at from drain"

LONGEST_LEASE = 600.0
"""A lease or a pause that lies further ahead than this was written before the clock was set back: it is void."""


@dataclass(frozen=True)
class Letter:
    """A call on its way: the very bytes that are sent, and the key that makes all its attempts one."""

    key: str
    body: bytes
    spooled_at: float
    expires_at: float
    rank: int = RANKS["normal"]
    seq: int = 0
    faults: int = 0

    @property
    def request(self) -> dict[str, Any]:
        """The body as it was before it became bytes."""
        body: dict[str, Any] = json.loads(self.body)
        return body


class Spool:
    """The queue in `directory`, shared by every process that opens the same directory."""

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
        """Creates the file if need be. Raises `SpoolError` if it cannot be written."""
        with self._transaction():
            pass

    # What a call does with it

    def waiting(self) -> bool:
        """Whether anything is still to be sent."""
        with self._connection() as db:
            return db.execute("select 1 from entry limit 1").fetchone() is not None

    def put(self, letter: Letter) -> None:
        """Adds at the end, durably. A key that is there already is not added again.

        When there is no room, expired ones go first, then the oldest of what is less or as important.
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

    # What the process that drains does with it

    def claim(self, holder: str, lease: float, *, force: bool = False) -> bool:
        """Makes `holder` the one that drains, unless another is, or (without `force`) a pause is not over."""
        terms = {"holder": holder, "now": self._clock(), "lease": lease, "longest": LONGEST_LEASE, "force": force}
        with self._transaction() as db:
            if _holders.is_gone(db.execute("select holder from drain").fetchone()[0]):
                db.execute("update drain set holder = null")
            return db.execute(CLAIM, terms).rowcount == 1

    def advance(self, holder: str, lease: float, done: Letter | None = None) -> Letter | None:
        """Removes `done`, which the service has, and gives the one that is next.

        `None` when the queue is empty, or when `holder` was too slow and lost the lease.
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

    def behind(self, letter: Letter) -> Letter | None:
        """The one after `letter`."""
        with self._connection() as db:
            return _letter(db.execute(f"{LETTER} where seq > ? order by seq limit 1", (letter.seq,)))

    def bury(self, letter: Letter, error: str) -> None:
        """Moves `letter`, which the service refuses for good, out of the way."""
        with self._transaction() as db:
            if db.execute("delete from entry where key = ?", (letter.key,)).rowcount:
                db.execute(BURY, (letter.key, error, letter.spooled_at, self._clock(), letter.body))
                db.execute(TRIM_DEAD, (KEPT_DEAD,))
                _count(db, "refused", 1)

    def failed(self, holder: str, error: str, pause: float, fault: Letter | None = None) -> None:
        """Gives the lease back and lets nobody try for `pause` seconds. `fault` is the one that it failed with."""
        with self._transaction() as db:
            db.execute(FAILED, (self._clock() + pause, error, holder))
            if fault is not None:
                db.execute("update entry set faults = faults + 1 where seq = ?", (fault.seq,))

    def release(self, holder: str) -> None:
        """Gives the lease back."""
        with self._transaction() as db:
            db.execute(RELEASE, (holder,))

    def failing(self) -> tuple[int, float]:
        """How many attempts in a row have failed, and for how many seconds nobody shall try."""
        with self._connection() as db:
            failures, _, retry_at = db.execute(STATE).fetchone()
            pause = retry_at - self._clock()
            return int(failures), pause if 0 < pause <= LONGEST_LEASE else 0.0

    # What people do with it

    def stats(self) -> SpoolStats:
        """What it holds and what became of what it held."""
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
        """What the service refused, oldest first; the last thousand are kept."""
        with self._connection() as db:
            rows = db.execute("select key, body, error, spooled_at, died_at from dead order by seq").fetchall()
        return [
            DeadLetter(key, json.loads(body), error, _time(then), _time(died)) for key, body, error, then, died in rows
        ]

    def discard_dead(self) -> int:
        """Forgets the refused ones; says how many they were."""
        with self._transaction() as db:
            return db.execute("delete from dead").rowcount

    def close(self) -> None:
        """Closes the file. It is opened again when needed."""
        with self._lock:
            self._disconnect()

    # How it is stored

    def before_fork(self) -> None:
        """SQLite forbids to carry an open connection over a fork."""
        self._locked_for_fork = self._lock.acquire(timeout=BUSY_SECONDS)
        if self._locked_for_fork:
            self._disconnect()

    def after_fork(self, *, in_child: bool) -> None:
        """Lets the threads that waited for the lock go on; the child has none."""
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
        """What only a power failure could undo need not be `durable`: a removal that is undone is sent again, under
        the same key. Waiting for the disk each time would make draining several times slower."""
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
    """Creates the tables, once, whichever process comes first."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            # Changing the journal mode does not wait for a lock as other statements do.
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
