"""The spool, on real SQLite."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub_messenger_client import SpoolError, _holders, _wire
from hub_messenger_client._spool import KEPT_DEAD, RANKS, Letter, Spool

LEASE = 30.0


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path, clock: Clock) -> Any:
    spool = Spool(tmp_path / "spool", max_entries=5, max_bytes=1000, clock=clock)
    yield spool
    spool.close()


def letter(key: str, priority: str = "normal", *, body: bytes = b"{}", lives: float = 3600.0) -> Letter:
    return Letter(key, body, 1_000_000.0, 1_000_000.0 + lives, RANKS[priority])


def keys(spool: Spool, holder: str = "me") -> list[str]:
    """Drains the spool. Returns the keys in order."""
    found: list[str] = []
    done: Letter | None = None
    assert spool.claim(holder, LEASE)
    while (done := spool.advance(holder, LEASE, done)) is not None:
        found.append(done.key)
    spool.release(holder)
    return found


def test_letters_leave_the_spool_in_the_order_of_put(spool: Spool) -> None:
    assert not spool.waiting()
    for key in "cab":
        spool.put(letter(key))
    assert spool.waiting()
    assert keys(spool) == ["c", "a", "b"]
    assert not spool.waiting()
    assert (spool.stats().spooled, spool.stats().sent) == (3, 3)


def test_a_letter_keeps_its_bytes_and_its_key(spool: Spool) -> None:
    put = letter("k", "urgent", body='{"title":"Kühlmittel"}'.encode())
    spool.put(put)
    assert spool.claim("me", LEASE)
    got = spool.advance("me", LEASE)
    assert got is not None
    assert (got.key, got.body, got.rank, got.spooled_at, got.expires_at) == (
        put.key,
        put.body,
        put.rank,
        put.spooled_at,
        put.expires_at,
    )
    assert got.request == {"title": "Kühlmittel"}


def test_a_key_is_in_the_spool_once(spool: Spool) -> None:
    spool.put(letter("a"))
    spool.put(letter("a", body=b'{"other":1}'))
    assert keys(spool) == ["a"]


def test_a_letter_survives_the_process(spool: Spool, clock: Clock) -> None:
    spool.put(letter("a"))
    reopened = Spool(spool.path.parent, clock=clock)
    assert keys(reopened) == ["a"]
    reopened.close()


def test_only_the_owner_can_read_the_spool(spool: Spool) -> None:
    spool.put(letter("a"))
    assert stat.S_IMODE(spool.path.parent.stat().st_mode) == 0o700
    for path in spool.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


# The lease


def test_one_holder_at_a_time_drains(spool: Spool) -> None:
    spool.put(letter("a"))
    assert spool.claim("me", LEASE)
    assert spool.claim("me", LEASE)
    assert not spool.claim("other", LEASE)
    spool.release("me")
    assert spool.claim("other", LEASE)
    assert not spool.claim("me", LEASE)


def test_a_lease_expires_and_each_advance_renews_it(spool: Spool, clock: Clock) -> None:
    for key in "abc":
        spool.put(letter(key))
    assert spool.claim("me", LEASE)
    first = spool.advance("me", LEASE)
    clock.now += LEASE - 1
    second = spool.advance("me", LEASE, first)
    assert second is not None
    clock.now += LEASE - 1
    assert not spool.claim("other", LEASE)
    clock.now += 2
    assert spool.claim("other", LEASE)


def test_a_holder_without_the_lease_stops_but_its_sent_letter_is_removed(spool: Spool, clock: Clock) -> None:
    for key in "abc":
        spool.put(letter(key))
    assert spool.claim("slow", LEASE)
    sent = spool.advance("slow", LEASE)
    clock.now += LEASE + 1
    assert spool.claim("other", LEASE)
    assert spool.advance("slow", LEASE, sent) is None
    left = spool.advance("other", LEASE)
    assert left is not None
    assert left.key == "b"


def test_the_lease_of_a_process_that_has_ended_is_void(spool: Spool) -> None:
    space, _, _ = _holders.new().split("/")
    if not space:
        pytest.fail("this machine has no /proc, which the test needs")
    ended = subprocess.Popen(["true"])
    ended.wait()
    for living in (f"{space}/{os.getpid()}/x", f"other-{space}/{ended.pid}/x", "nonsense", f"/{ended.pid}/x"):
        assert spool.claim(living, LEASE)
        assert not spool.claim("me", LEASE), living
        spool.release(living)
    assert spool.claim(f"{space}/{ended.pid}/x", LEASE)
    assert spool.claim("me", LEASE)


def test_a_lease_from_before_the_clock_was_set_back_is_void(spool: Spool, clock: Clock) -> None:
    assert spool.claim("me", LEASE)
    clock.now -= 86_400
    assert spool.claim("other", LEASE)


def test_no_holder_claims_the_lease_during_a_pause_without_force(spool: Spool, clock: Clock) -> None:
    spool.put(letter("a"))
    assert spool.claim("me", LEASE)
    spool.failed("me", "the service is away", 10.0)
    assert spool.failing() == (1, 10.0)
    assert not spool.claim("other", LEASE)
    assert spool.claim("other", LEASE, force=True)
    spool.release("other")
    clock.now += 10.1
    assert spool.failing() == (1, 0.0)
    assert spool.claim("other", LEASE)
    stats = spool.stats()
    assert (stats.failures, stats.last_error, stats.retry_at) == (1, "the service is away", None)


def test_a_success_ends_the_failures(spool: Spool, clock: Clock) -> None:
    spool.put(letter("a"))
    for _ in range(3):
        assert spool.claim("me", LEASE, force=True)
        spool.failed("me", "away", 1.0)
    assert spool.failing()[0] == 3
    clock.now += 2
    assert keys(spool) == ["a"]
    assert spool.failing() == (0, 0.0)
    assert spool.stats().last_error is None


def test_a_holder_without_the_lease_does_not_pause_the_others(spool: Spool, clock: Clock) -> None:
    assert spool.claim("slow", LEASE)
    clock.now += LEASE + 1
    assert spool.claim("other", LEASE)
    spool.failed("slow", "late news", 60.0)
    assert spool.failing() == (0, 0.0)
    assert not spool.claim("slow", LEASE)


# Letters that are not delivered


def test_expired_letters_are_dropped_and_counted(spool: Spool, clock: Clock) -> None:
    spool.put(letter("a", lives=10))
    spool.put(letter("b", lives=1000))
    spool.put(letter("c", lives=10))
    clock.now += 11
    assert keys(spool) == ["b"]
    stats = spool.stats()
    assert (stats.expired, stats.sent, stats.waiting) == (2, 1, 0)


def test_refused_letters_are_set_aside_and_counted(spool: Spool) -> None:
    for key in "ab":
        spool.put(letter(key, body=b'{"title":"x"}'))
    assert spool.claim("me", LEASE)
    refused = spool.advance("me", LEASE)
    assert refused is not None
    spool.set_aside(refused, "422 invalid_request: title: is wrong")
    spool.set_aside(refused, "twice")
    spool.release("me")
    assert keys(spool) == ["b"]
    (dead,) = spool.dead()
    assert (dead.idempotency_key, dead.request, dead.error) == (
        "a",
        {"title": "x"},
        "422 invalid_request: title: is wrong",
    )
    assert (spool.stats().dead, spool.stats().refused) == (1, 1)
    assert spool.discard_dead() == 1
    assert (spool.stats().dead, spool.stats().refused) == (0, 1)


def test_the_number_of_dead_letters_is_bounded(tmp_path: Path) -> None:
    spool = Spool(tmp_path, clock=Clock())
    with spool._transaction() as db:
        db.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) "
            "insert into dead (key, error, spooled_at, died_at, body) select i, '', 0, 0, '{}' from n",
            (KEPT_DEAD,),
        )
    spool.put(letter("new"))
    assert spool.claim("me", LEASE)
    last = spool.advance("me", LEASE)
    assert last is not None
    spool.set_aside(last, "no")
    assert spool.stats().dead == KEPT_DEAD
    assert spool.dead()[-1].idempotency_key == "new"
    spool.close()


def test_a_full_spool_drops_the_oldest_of_the_lowest_priority(spool: Spool) -> None:
    for key, priority in [("a", "urgent"), ("b", "normal"), ("c", "urgent"), ("d", "normal"), ("e", "normal")]:
        spool.put(letter(key, priority))
    spool.put(letter("f", "urgent"))
    spool.put(letter("g", "urgent"))
    spool.put(letter("h", "normal"))
    assert keys(spool) == ["a", "c", "f", "g", "h"]
    assert spool.stats().evicted == 3


def test_a_full_spool_does_not_drop_a_higher_priority(spool: Spool) -> None:
    for key in "abcde":
        spool.put(letter(key, "urgent"))
    with pytest.raises(SpoolError, match="full"):
        spool.put(letter("f", "normal"))
    assert keys(spool) == list("abcde")


def test_a_full_spool_keeps_the_end_of_an_alarm_before_normal_notifications(spool: Spool) -> None:
    def request(**fields: object) -> Letter:
        return _wire.letter(fields, key=None, keep=3600.0)

    ranks = [request(priority=priority).rank for priority in ("low", "normal", "high", "urgent")]
    assert ranks == sorted(set(ranks))
    assert request().rank == request(event_action="update").rank == RANKS["normal"]
    for action in ("acknowledge", "resolve", "cancel"):
        assert request(event_action=action).rank == RANKS["high"]


def test_only_a_letter_of_another_alarm_may_overtake(spool: Spool) -> None:
    def alarm(key: str, **fields: object) -> Letter:
        return letter(key, body=json.dumps({"source_app": "a", **fields}).encode())

    for number, fields in enumerate([{"dedup_key": "k"}, {"dedup_key": "k", "event_action": "resolve"}, {}, {}]):
        spool.put(alarm(str(number), **fields))
    assert spool.claim("me", LEASE)
    first = spool.advance("me", LEASE)
    assert first is not None
    other = spool.next_other(first)
    assert other is not None
    assert other.key == "2"
    after = spool.next_other(other)
    assert after is not None
    assert after.key == "3"
    assert spool.next_other(after) is None
    same_name = alarm("x", dedup_key="k")
    others: list[dict[str, object]] = [{"source_app": "b"}, {"tenant_id": 2}, {"dedup_key": "l"}]
    for other_name in others:
        assert not alarm("y", **{"dedup_key": "k", **other_name}).is_of_alarm_of(same_name)


def test_a_full_spool_drops_expired_letters_first(spool: Spool, clock: Clock) -> None:
    for key in "abcd":
        spool.put(letter(key))
    spool.put(letter("e", "urgent", lives=5))
    clock.now += 6
    spool.put(letter("f"))
    assert keys(spool) == ["a", "b", "c", "d", "f"]
    assert (spool.stats().expired, spool.stats().evicted) == (1, 0)


def test_the_bytes_of_a_spool_are_bounded(spool: Spool) -> None:
    for key in "abc":
        spool.put(letter(key, body=b"x" * 400))
    assert keys(spool) == ["b", "c"]
    spool.put(letter("d"))
    with pytest.raises(SpoolError, match="larger"):
        spool.put(letter("e", body=b"x" * 1001))
    assert keys(spool) == ["d"]


# Unusable files


def test_a_broken_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"this is no database, and long enough to be seen as none" * 20)
    spool = Spool(tmp_path, clock=Clock())
    with pytest.raises(SpoolError, match=r"spool\.db cannot be used: .*not a database"):
        spool.put(letter("a"))


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot be used"):
        Spool(tmp_path / "file" / "spool").waiting()


def test_a_file_of_a_newer_version_is_not_used(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(letter("a"))
    spool.close()
    with sqlite3.connect(tmp_path / "spool.db") as db:
        db.execute("pragma user_version = 99")
    db.close()
    with pytest.raises(SpoolError, match="newer version"):
        Spool(tmp_path).put(letter("b"))


def test_a_full_disk_is_a_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, clock=Clock())
    spool.put(letter("a"))
    with spool._connection() as db:
        (pages,) = db.execute("pragma page_count").fetchone()
        db.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(SpoolError, match="full"):
        spool.put(letter("b", body=b"x" * 100_000))
    assert keys(spool) == ["a"]
    spool.close()


# Threads and forks


def test_threads_share_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path, clock=Clock())

    def fill(name: int) -> None:
        for number in range(25):
            spool.put(letter(f"{name}-{number}"))

    threads = [threading.Thread(target=fill, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = keys(spool)
    assert len(found) == 200
    for n in range(8):
        assert [key for key in found if key.startswith(f"{n}-")] == [f"{n}-{i}" for i in range(25)]
    spool.close()


def test_a_fork_closes_the_connection_to_the_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path, clock=Clock())
    spool.put(letter("parent"))
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            assert spool._db is None
            spool.put(letter("child"))
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    spool.put(letter("parent again"))
    assert keys(spool) == ["parent", "child", "parent again"]
    spool.close()
