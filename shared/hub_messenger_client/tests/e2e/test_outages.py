"""Outages of the real service: no notification or event is lost or repeated."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sized
from functools import partial
from pathlib import Path

import pytest

from hub_messenger_client import Event, EventStream, MessengerClient

from .cutting import Cutter
from .deployment import TOKEN, Deployment, hub_jwt

SATELLITE = Path(__file__).parent.parent / "satellite.py"


class StreamThread:
    """A thread that collects the events of a stream."""

    def __init__(self, deployment: Deployment, *, use_async: bool) -> None:
        self.events: list[Event] = []
        self.stream = EventStream(lambda: hub_jwt("reader"), base_url=deployment.url, max_backoff=1.0)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._await if use_async else self._read, daemon=True)

    def __enter__(self) -> StreamThread:
        self._thread.start()
        wait(lambda: self.stream.last_event_id is not None, "the stream to begin")
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self.stream.aclose(), self._loop).result(10)
        self.stream.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _read(self) -> None:
        with self.stream:
            for event in self.stream:
                self.events.append(event)

    def _await(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            async for event in self.stream:
                self.events.append(event)

        asyncio.run(main())

    @property
    def titles(self) -> list[str]:
        return [str(event.get("title")) for event in self.events if event.type == "notification"]


def wait(condition: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def assert_each_once_in_order(titles: list[str], names: str, count: int) -> None:
    assert [title for title, times in Counter(titles).items() if times > 1] == []
    for name in names:
        assert [title for title in titles if title.startswith(f"{name}-")] == [f"{name}-{n}" for n in range(count)]


@pytest.mark.timeout(300)
def test_a_thousand_notifications_of_four_processes_survive_a_kill_of_the_service(
    own: Deployment, tmp_path: Path
) -> None:
    with StreamThread(own, use_async=False) as reader:
        _send_over_a_kill(own, tmp_path, reader)


def _send_over_a_kill(own: Deployment, tmp_path: Path, reader: StreamThread) -> None:
    options = ["--token", TOKEN, "--pause", "0.004", "--linger", "120"]
    processes = [
        subprocess.Popen(
            [sys.executable, str(SATELLITE), own.url, str(tmp_path / "spool"), name, "250", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "abcd"
    ]
    wait(lambda: len(reader.titles) > 200, "the first notifications")
    own.kill()
    assert len(reader.titles) < 900
    time.sleep(1.5)
    own.start()
    statuses: Counter[str] = Counter()
    for process in processes:
        output, _ = process.communicate(timeout=200)
        assert process.returncode == 0
        statuses.update(json.loads(output))
    assert sum(statuses.values()) == 1000
    assert statuses["spooled"] > 0
    assert set(statuses) == {"pending", "spooled"}

    stored = [entry.title for entry in own.sent_by("satellite")]
    assert len(stored) == 1000
    assert_each_once_in_order(stored, "abcd", 250)
    wait(lambda: len(reader.titles) >= 1000, "all events")
    time.sleep(0.5)
    assert sorted(reader.titles) == sorted(stored)
    assert {event.type for event in reader.events} == {"notification"}

    with own.client(spool_dir=tmp_path / "spool") as client:
        assert client.spool is not None
        stats = client.spool.stats()
    assert (stats.waiting, stats.dead, stats.expired, stats.evicted) == (0, 0, 0, 0)
    assert stats.sent == stats.spooled == statuses["spooled"]


@pytest.mark.timeout(300)
def test_lost_answers_make_no_second_notification(own: Deployment, tmp_path: Path) -> None:
    cutter = Cutter(own.port, seed=5, loses=0.3, refuses=0.2)
    options = ["--token", TOKEN, "--linger", "120"]
    processes = [
        subprocess.Popen([sys.executable, str(SATELLITE), cutter.url, str(tmp_path / "spool"), name, "40", *options])
        for name in "abcd"
    ]
    for process in processes:
        assert process.wait(200) == 0
    cutter.close()
    stored = [entry.title for entry in own.sent_by("satellite")]
    assert cutter.lost > 30
    assert len(stored) == 160
    assert_each_once_in_order(stored, "abcd", 40)


@pytest.mark.timeout(300)
def test_repeated_kills_of_satellite_and_service_lose_and_repeat_nothing(own: Deployment, tmp_path: Path) -> None:
    """Each notification whose call returned is stored once and in order, whichever process was killed."""
    spool = tmp_path / "spool"
    observer = own.client()
    for round_, name in enumerate("abcdef"):
        arguments = [own.url, str(spool), name, "10000", "--token", TOKEN, "--pause", "0.01"]
        command = [sys.executable, str(SATELLITE), *arguments]
        process = subprocess.Popen(command)
        wait(partial(_has_sent, observer, name, 15), f"notifications of satellite {name}")
        own.kill()
        time.sleep(0.1 * round_)
        process.kill()
        process.wait()
        own.start()
    observer.close()
    with own.client(spool_dir=spool) as client:
        assert client.flush(120)
        assert client.spool is not None
        stats = client.spool.stats()
    assert (stats.waiting, stats.dead) == (0, 0)
    stored = [entry.title for entry in own.sent_by("satellite")]
    for name in "abcdef":
        mine = [title for title in stored if title.startswith(f"{name}-")]
        # The last call, in which the satellite died, may be missing; no other may.
        assert mine == [f"{name}-{n}" for n in range(len(mine))]
        assert len(mine) > 15


@pytest.mark.timeout(300)
def test_streams_lose_and_repeat_nothing_over_restarts_of_the_service(own: Deployment) -> None:
    with StreamThread(own, use_async=False) as sync, StreamThread(own, use_async=True) as asynchronous:
        _stream_over_restarts(own, [sync, asynchronous])


def _has_sent(observer: MessengerClient, name: str, number: int) -> bool:
    time.sleep(0.1)
    titles = (entry.title.partition("-") for entry in observer.log(source_app="satellite", limit=100))
    return any(satellite == name and int(index) >= number for satellite, _, index in titles)


def _longer(items: Sized, than: int) -> bool:
    return len(items) >= than


def _stream_over_restarts(own: Deployment, readers: list[StreamThread]) -> None:
    sent: list[str] = []
    ended = threading.Event()

    def send() -> None:
        with MessengerClient(own.url, TOKEN, source_app="restarts", retries=50, timeout=60.0) as client:
            for number in itertools.count():
                if ended.is_set():
                    return
                client.notify(title=str(number), wait=0)
                sent.append(str(number))
                time.sleep(0.005)

    sender = threading.Thread(target=send)
    sender.start()
    for restart in range(6):
        before = len(sent)
        wait(partial(_longer, sent, before + 30), "notifications between two restarts")
        if restart % 2:
            own.stop()
        else:
            own.kill()
        time.sleep(0.2)
        own.start()
    ended.set()
    sender.join()
    for reader in readers:
        wait(partial(_longer, reader.events, len(sent)), "all events")
    time.sleep(0.5)
    for reader in readers:
        assert reader.titles == sent
        assert {event.type for event in reader.events} == {"notification"}
        positions = [int(event.id or 0) for event in reader.events]
        assert positions == sorted(set(positions))


@pytest.mark.timeout(120)
def test_a_stream_outlives_its_token(running: Deployment) -> None:
    """The service accepts tokens for 30 seconds beyond their end, so the first token has expired already."""
    lives = iter([-26.0, 3600.0, 3600.0])
    with EventStream(lambda: hub_jwt("brief", lives=next(lives)), base_url=running.url) as stream:
        assert next(stream).type == "token_expired"
        with running.client() as client:
            client.notify(title="after the token", wait=0)
        assert next(stream)["title"] == "after the token"


def test_a_stream_at_an_unknown_position_returns_reset(own: Deployment) -> None:
    with EventStream(hub_jwt("late"), base_url=own.url, last_event_id="99999999") as stream:
        reset = next(stream)
        assert (reset.type, reset["reason"]) == ("reset", "unknown_position")
        with own.client() as client:
            client.notify(title="live again", wait=0)
        assert next(stream)["title"] == "live again"
