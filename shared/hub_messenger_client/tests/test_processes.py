"""Processes of one satellite that share a spool, are killed, or fork."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hub_messenger_client import MessengerClient
from hub_messenger_client._settings import Settings

from .conftest import eventually
from .loopback import TOKEN, Service

SATELLITE = Path(__file__).parent / "satellite.py"


def start(service: Service, spool: Path, name: str, count: int, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SATELLITE), service.url, str(spool), name, str(count), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> Any:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return json.loads(output)


def assert_each_once_and_in_order(service: Service, names: str, count: int) -> None:
    assert Counter(service.titles).most_common(1)[0][1] == 1
    for name in names:
        assert [t for t in service.titles if t.startswith(f"{name}-")] == [f"{name}-{n}" for n in range(count)]


def test_four_processes_over_an_outage_deliver_each_once_and_in_order(service: Service, tmp_path: Path) -> None:
    processes = [start(service, tmp_path, name, 50, "--pause", "0.005", "--linger", "60") for name in "abcd"]
    eventually(lambda: len(service.titles) > 30)
    with service.away():
        time.sleep(1.0)
    statuses = sum((Counter(result(process)) for process in processes), Counter[str]())
    assert statuses["sent"] + statuses["spooled"] == 200
    assert statuses["spooled"] > 0
    assert len(service.titles) == 200
    assert_each_once_and_in_order(service, "abcd", 50)


@pytest.mark.parametrize("point", ["before_removing", "before_sending"])
def test_a_process_that_dies_while_it_drains_loses_and_repeats_nothing(
    service: Service, tmp_path: Path, point: str
) -> None:
    with service.away():
        assert result(start(service, tmp_path, "a", 10)) == {"spooled": 10}
    dying = start(service, tmp_path, "b", 1, "--die", point, "--linger", "60")
    dying.communicate(timeout=60)
    assert dying.returncode == -9
    before = len(service.titles)
    assert before == (1 if point == "before_removing" else 0)
    with MessengerClient(service.url, TOKEN, source_app="a", spool_dir=tmp_path) as other:
        assert other.flush(20)
        assert other.spool is not None
        stats = other.spool.stats()
    assert service.titles == [*(f"a-{n}" for n in range(10)), *(["b-0"] if "b-0" in service.titles else [])]
    assert stats.waiting == 0
    assert (stats.sent, stats.spooled) == (len(service.titles), len(service.titles))


def test_processes_killed_at_any_moment_lose_no_spooled_notification(service: Service, tmp_path: Path) -> None:
    """Each notification whose call returned `spooled` arrives, whichever process is killed."""
    service.stop()
    assert result(start(service, tmp_path, "a", 60)) == {"spooled": 60}
    service.start()
    for _ in range(6):
        process = start(service, tmp_path, "k", 0, "--linger", "60")
        taken = len(service.titles)
        while len(service.titles) < min(60, taken + 7):
            time.sleep(0.001)
        process.kill()
        process.communicate()
    with MessengerClient(service.url, TOKEN, source_app="a", spool_dir=tmp_path) as last:
        assert last.flush(60)
    assert_each_once_and_in_order(service, "a", 60)


def test_a_short_lived_process_sends_what_another_one_has_spooled(service: Service, tmp_path: Path) -> None:
    """A cron job, for example, ends at once and never closes its client."""
    with service.away():
        assert result(start(service, tmp_path, "a", 3)) == {"spooled": 3}
    result(start(service, tmp_path, "b", 1))
    eventually(lambda: len(service.titles) == 4, 5)
    assert service.titles == ["a-0", "a-1", "a-2", "b-0"]


def test_a_forked_process_uses_the_client_of_its_parent(service: Service, tmp_path: Path) -> None:
    client = MessengerClient(service.url, TOKEN, source_app="a", spool_dir=tmp_path)
    client.notify(title="parent")
    service.stop()
    client.notify(title="parent, away")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            assert client.notify(title="child, away").status == "spooled"
            service._server = None
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    service.start()
    assert client.flush(30)
    client.close()
    assert service.titles == ["parent", "parent, away", "child, away"]


def test_a_forked_process_opens_connections_of_its_own(service: Service) -> None:
    client = MessengerClient(service.url, TOKEN, source_app="a")
    client.notify(title="parent")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            client.notify(title="child")
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    client.notify(title="parent")
    client.close()
    peers = [request.peer for request in service.requests]
    assert peers[0] == peers[2] != peers[1]


def test_a_fork_waits_until_no_thread_reads_certificates(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that inherits a held lock of OpenSSL can never read certificates."""
    begun, ended = threading.Event(), threading.Event()
    read = Settings._read_trust

    def slowly(self: Settings) -> ssl.SSLContext:
        begun.set()
        time.sleep(0.5)
        trust = read(self)
        ended.set()
        return trust

    monkeypatch.setattr(Settings, "_read_trust", slowly)
    client = MessengerClient(service.url, TOKEN, source_app="a")
    thread = threading.Thread(target=lambda: client.notify(title="parent"))
    thread.start()
    assert begun.wait(5)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            assert ended.is_set()
            client.notify(title="child")
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    thread.join()
    client.close()
    assert sorted(service.titles) == ["child", "parent"]
