"""Calls while the service is away, and the spool when it answers again."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_messenger_client import (
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    EventStream,
    MessengerClient,
    SpoolError,
    UnavailableError,
    ValidationError,
)
from hub_messenger_client._drain import POISON_AFTER

from .conftest import eventually
from .loopback import (
    TOKEN,
    Exchange,
    Service,
    breaks_off,
    breaks_off_after_storing,
    fails,
    slow,
)

Make = Callable[..., MessengerClient]


@pytest.fixture
def make(service: Service, tmp_path: Path) -> Iterator[Make]:
    """Makes clients of one satellite, and closes them after the test."""
    made: list[MessengerClient] = []

    def make(**options: Any) -> MessengerClient:
        defaults = {"source_app": "a", "retries": 0, "timeout": 2.0, "spool_dir": tmp_path / "spool"}
        made.append(MessengerClient(service.url, TOKEN, **{**defaults, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_a_call_that_cannot_be_delivered_is_spooled_and_sent_when_the_service_is_back(
    service: Service, make: Make
) -> None:
    client = make()
    with service.away():
        kept = client.notify(title="1", body="b", priority="urgent")
    assert (kept.status, kept.id, kept.title, kept.body, kept.priority) == ("spooled", None, "1", "b", "urgent")
    assert kept.spooled
    assert "cannot be reached" in (kept.reason or "")
    assert kept.created_at is not None
    eventually(lambda: service.titles == ["1"])
    assert service.keys == [kept.idempotency_key]
    eventually(lambda: client.spool is not None and client.spool.stats().sent == 1)
    assert client.notify(title="2").status == "sent"


def test_async_calls_are_spooled_and_sent_in_order(service: Service, make: Make) -> None:
    async def main() -> None:
        client = make()
        with service.away():
            kept = [await client.anotify(title=str(n)) for n in range(3)]
        assert [one.status for one in kept] == ["spooled"] * 3
        assert await client.aflush()
        assert (await client.anotify(title="3")).status == "sent"
        await client.aclose()

    asyncio.run(main())
    assert service.titles == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "failure", [fails(500), fails(503, retry_after=99), fails(429, retry_after=99), breaks_off, slow(1.0)]
)
def test_a_temporary_failure_is_spooled(service: Service, make: Make, failure: Any) -> None:
    service.always = failure
    client = make(timeout=0.3)
    assert client.notify(title="t", wait=0).status == "spooled"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(fails(401), AuthenticationError), (fails(403), AuthenticationError), (fails(422), ValidationError)],
)
def test_a_refusal_is_raised_and_not_spooled(service: Service, make: Make, failure: Any, kind: type[Exception]) -> None:
    service.script.append(failure)
    client = make()
    with pytest.raises(kind):
        client.notify(title="t")
    assert client.spool is not None
    assert client.spool.stats().spooled == 0


def test_notifications_keep_their_order_over_an_outage(service: Service, make: Make) -> None:
    client = make()
    assert client.notify(title="0").status == "sent"
    with service.away():
        for number in range(1, 20):
            assert client.notify(title=str(number)).status == "spooled"
    number = 20
    while client.notify(title=str(number)).status == "spooled":
        number += 1
        time.sleep(0.03)
    assert service.titles == [str(n) for n in range(number + 1)]


def test_while_the_service_is_away_calls_do_not_wait_for_it(service: Service, make: Make) -> None:
    service.always = slow(3.0)
    client = make(timeout=0.5)
    client.notify(title="first", wait=0)
    started = time.monotonic()
    for number in range(20):
        assert client.notify(title=str(number)).status == "spooled"
    assert time.monotonic() - started < 1.0
    service.always = None


def test_the_spool_does_not_repeat_a_notification_whose_answer_was_lost(service: Service, make: Make) -> None:
    service.script.extend([breaks_off_after_storing, breaks_off_after_storing, breaks_off_after_storing])
    client = make()
    assert client.notify(title="1").status == "spooled"
    assert client.flush()
    assert service.titles == ["1"]
    assert len(service.keys) == 4
    assert len(set(service.keys)) == 1


def test_the_drainer_retries_a_call_in_flight(service: Service, make: Make) -> None:
    in_flight = fails(409, "idempotency_in_flight", retry_after=0.05)
    service.script.extend([slow(0.8), in_flight, in_flight])
    client = make(timeout=0.2)
    assert client.notify(title="1", wait=0).status == "spooled"
    assert client.flush()
    assert service.titles == ["1"]


def test_every_attempt_sends_the_same_bytes(service: Service, make: Make) -> None:
    service.script.extend([fails(503), fails(500), breaks_off])
    client = make()
    client.notify(title="ä", extra={"z": 1, "a": {"y": [1, 2]}})
    assert client.flush()
    assert len({request.body for request in service.requests}) == 1


def test_the_drainer_sets_a_refused_notification_aside_and_continues(
    service: Service, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    client = make()
    with service.away():
        for title in "abc":
            client.notify(title=title)
        service.always = lambda exchange: (
            exchange.problem(422, "invalid_request", errors=[{"pointer": "/title", "message": "is bad"}])
            if exchange.request_.json["title"] == "b"
            else service.accept(exchange)
        )
    assert client.flush()
    assert service.titles == ["a", "c"]
    assert client.spool is not None
    (dead,) = client.spool.dead()
    assert dead.request["title"] == "b"
    assert "/title: is bad" in dead.error
    assert (client.spool.stats().refused, client.spool.stats().sent) == (1, 2)
    assert any("refused a spooled notification" in record.message for record in caplog.records)


@pytest.mark.parametrize(
    "mistake", [fails(401), fails(403, "invalid_service_token"), lambda exchange: exchange.answer(404, b"no route")]
)
def test_a_wrong_configuration_refuses_no_notification_for_good(service: Service, make: Make, mistake: Any) -> None:
    client = make()
    with service.away():
        client.notify(title="a")
        client.notify(title="b")
        service.always = mistake
    eventually(lambda: len(service.requests) >= 2)
    assert client.notify(title="c").status == "spooled"
    service.always = None
    assert client.flush()
    assert service.titles == ["a", "b", "c"]


def test_the_drainer_tells_a_poison_message_from_a_failing_service(
    service: Service, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_messenger_client._drain.LONGEST_PAUSE", 0.02)
    client = make()
    with service.away():
        for title in "abc":
            client.notify(title=title)
        service.always = fails(500, "internal_error")
    eventually(lambda: len(service.requests) > POISON_AFTER * 2)
    assert client.spool is not None
    assert client.spool.stats().refused == 0
    service.always = lambda exchange: (
        exchange.problem(500, "internal_error") if exchange.request_.json["title"] == "a" else service.accept(exchange)
    )
    assert client.flush()
    assert service.titles == ["b", "c"]
    assert [dead.request["title"] for dead in client.spool.dead()] == ["a"]


def test_a_service_that_recovers_during_the_poison_test_loses_nothing(
    service: Service, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_messenger_client._drain.LONGEST_PAUSE", 0.02)
    client = make()
    with service.away():
        for title in "abc":
            client.notify(title=title)
        service.always = lambda exchange: (
            exchange.problem(500, "internal_error")
            if exchange.request_.json["title"] == "a" and len(service.requests) <= POISON_AFTER + 1
            else service.accept(exchange)
        )
    assert client.flush()
    assert sorted(service.titles) == ["a", "b", "c"]
    assert client.spool is not None
    assert client.spool.stats().refused == 0


def test_a_notification_beyond_the_ttl_is_dropped_and_counted(service: Service, make: Make) -> None:
    client = make(spool_ttl=0.3)
    with service.away():
        client.notify(title="old")
        time.sleep(0.4)
    assert client.flush()
    assert service.titles == []
    assert client.spool is not None
    assert client.spool.stats().expired == 1


def test_the_spool_respects_the_expiry_of_a_notification(service: Service, make: Make) -> None:
    client = make()
    with service.away():
        client.notify(title="old", extra={"expires_at": "2026-01-01T00:00:00Z"})
        client.notify(title="new", extra={"expires_at": "2126-01-01T00:00:00Z"})
    assert client.flush()
    assert service.titles == ["new"]


def test_the_ttl_may_not_exceed_the_services_memory_of_keys(make: Make) -> None:
    with pytest.raises(ConfigurationError, match="7 days"):
        make(spool_ttl=8 * 24 * 3600)


def test_a_client_sends_what_another_one_has_spooled(service: Service, make: Make) -> None:
    first, second = make(), make()
    with service.away():
        for number in range(5):
            first.notify(title=str(number))
        first.close()
        assert second.notify(title="5").status == "spooled"
    eventually(lambda: service.titles == [str(n) for n in range(6)])


def test_an_idle_client_sends_what_another_one_has_spooled(service: Service, make: Make, tmp_path: Path) -> None:
    with service.away():
        first = make()
        first.notify(title="left")
        first.close()
    idle = make()
    eventually(lambda: service.titles == ["left"])
    assert idle.spool is not None


def test_close_empties_the_spool_if_the_service_answers(service: Service, make: Make) -> None:
    client = make()
    service.script.append(fails(503))
    client.notify(title="1")
    eventually(lambda: service.titles == ["1"] or client.spool is None or client.spool.failing()[0] == 0)
    client.close()
    assert service.titles == ["1"]


def test_close_does_not_wait_for_a_service_that_is_away(service: Service, make: Make) -> None:
    client = make()
    service.stop()
    client.notify(title="1")
    assert client.spool is not None
    eventually(lambda: client.spool is not None and client.spool.failing()[0] > 0)
    started = time.monotonic()
    client.close()
    assert time.monotonic() - started < 1.0


def test_a_collected_client_leaves_no_thread_behind(service: Service, make: Make, tmp_path: Path) -> None:
    client = MessengerClient(service.url, TOKEN, source_app="a", spool_dir=tmp_path / "other")
    client.notify(title="1")

    def threads() -> int:
        return sum(thread.name == "hub-messenger-spool" for thread in threading.enumerate())

    assert threads() == 1
    client._sync_pool.close()
    del client
    gc.collect()
    eventually(lambda: threads() == 0)


def test_flush_returns_false_if_the_spool_is_not_empty(service: Service, make: Make) -> None:
    client = make()
    assert client.flush(0.1)
    service.stop()
    client.notify(title="1")
    started = time.monotonic()
    assert not client.flush(0.3)
    assert 0.25 < time.monotonic() - started < 2


def test_the_environment_configures_the_spool(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESSENGER_SPOOL_DIR", str(tmp_path / "named"))
    service.stop()
    with MessengerClient(service.url, TOKEN, retries=0) as client:
        assert client.notify(source_app="a", title="t").spooled
    assert (tmp_path / "named" / "spool.db").exists()


def test_a_call_does_not_wait_for_retry_after_if_there_is_a_spool(service: Service, make: Make) -> None:
    service.script.append(fails(503, "database_unavailable", retry_after=5))
    started = time.monotonic()
    assert make(retries=3).notify(title="t").spooled
    assert time.monotonic() - started < 1


def test_flush_returns_true_without_a_spool(service: Service) -> None:
    with MessengerClient(service.url, TOKEN) as client:
        assert client.flush()
        assert client.spool is None


def test_the_constructor_raises_if_the_spool_cannot_be_used(make: Make, tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "spool.db").write_bytes(b"no database at all, but a file with some text" * 30)
    with pytest.raises(SpoolError, match="not a database"):
        make()
    with pytest.raises(SpoolError, match="cannot be used"):
        make(spool_dir=tmp_path / "spool" / "spool.db" / "below")


def test_a_call_is_sent_without_a_spool_that_broke_later(
    service: Service, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = make()
    assert client.spool is not None
    shutil.rmtree(tmp_path / "spool")
    (tmp_path / "spool").write_text("a file where the directory was")
    client.spool.close()
    assert client.notify(title="1").status == "sent"
    service.stop()
    with pytest.raises(UnavailableError):
        client.notify(title="2")
    assert any("without it" in record.message for record in caplog.records)


def test_a_call_with_a_spool_waits_two_seconds_for_a_hanging_service(service: Service, tmp_path: Path) -> None:
    service.always = slow(30.0)
    client = MessengerClient(service.url, TOKEN, source_app="a", spool_dir=tmp_path)
    began = time.monotonic()
    assert client.notify(title="t").spooled
    assert 1.5 <= time.monotonic() - began < 6.0
    client.close()


def test_a_slow_service_gets_the_spooled_notification(service: Service, tmp_path: Path) -> None:
    service.always = slow(3.0)
    client = MessengerClient(service.url, TOKEN, source_app="a", spool_dir=tmp_path)
    assert client.notify(title="t").spooled
    eventually(lambda: client.spool is not None and not client.spool.waiting(), 60)
    client.close()
    assert service.titles == ["t"]


def test_a_wrong_argument_is_refused_before_it_is_spooled(service: Service, make: Make) -> None:
    client = make()
    with service.away():
        for arguments in ({"title": " "}, {"title": "x" * 600}, {"title": "t", "priority": "lowest"}):
            with pytest.raises(ArgumentError):
                client.notify(**arguments)  # type: ignore[arg-type]
    assert client.spool is not None
    assert client.spool.stats().spooled == 0


BROKEN = [
    {"NO_PROXY": "[::1]", "HTTP_PROXY": "http://127.0.0.1:9"},
    {"NO_PROXY": "fd00::/8,10.0.0.0/8"},
    {"ALL_PROXY": "socks5://127.0.0.1:9"},
    {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "no url at all"},
    {"SSL_CERT_FILE": "/nonexistent/ca.pem"},
]


@pytest.mark.parametrize("environment", BROKEN)
def test_plain_http_ignores_proxies_and_certificates_of_the_environment(
    service: Service, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with MessengerClient(service.url, TOKEN, source_app="a") as client:
        assert client.notify(title="1").status == "sent"
        assert asyncio.run(client.anotify(title="2")).status == "sent"


@pytest.mark.parametrize("environment", [BROKEN[2], {"HTTP_PROXY": "gopher://127.0.0.1:9"}])
def test_the_constructor_raises_if_the_environments_proxy_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="trust_env"):
        MessengerClient("http://localhost:1", TOKEN, trust_env=True)


def test_the_constructor_raises_if_certificates_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        MessengerClient("https://localhost:1", TOKEN)
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        EventStream("jwt", base_url="https://localhost:1")


def test_a_client_with_a_spool_keeps_notifications_until_certificates_are_mended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    client = MessengerClient("https://localhost:1", TOKEN, source_app="a", spool_dir=tmp_path)
    assert "notifications are spooled until this is mended" in caplog.text
    assert client.notify(title="1").spooled
    assert asyncio.run(client.anotify(title="2")).spooled
    assert client.spool is not None
    assert client.spool.stats().waiting == 2
    client.close()


def test_a_closed_http_client_of_the_caller_is_a_configuration_error(service: Service) -> None:
    own = httpx.Client()
    client = MessengerClient(service.url, TOKEN, source_app="a", http_client=own)
    own.close()
    with pytest.raises(ConfigurationError, match="closed"):
        client.notify(title="t")


def test_threads_keep_their_order_over_many_outages(
    service: Service, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_messenger_client._drain.LONGEST_PAUSE", 0.1)
    client = make(timeout=5.0)
    service.always = _flaky(service)

    def send(name: str) -> None:
        for number in range(25):
            client.notify(title=f"{name}-{number}")

    threads = [threading.Thread(target=send, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(60)
    assert len(service.titles) == len(set(service.titles)) == 100
    for name in "abcd":
        assert [t for t in service.titles if t.startswith(name)] == [f"{name}-{n}" for n in range(25)]


def _flaky(service: Service) -> Callable[[Exchange], None]:
    counter = iter(range(10_000_000))

    def behave(exchange: Exchange) -> None:
        number = next(counter)
        if number % 7 == 3:
            breaks_off_after_storing(exchange)
        elif number % 5 == 2:
            exchange.problem(503, "database_unavailable")
        elif number % 11 == 5:
            breaks_off(exchange)
        else:
            service.accept(exchange)

    return behave


def test_the_spool_logs_no_error_during_an_outage(
    service: Service, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    client = make()
    with service.away():
        client.notify(title="1")
        eventually(lambda: client.spool is not None and client.spool.failing()[0] > 0)
    assert client.flush()
    assert {record.levelno for record in caplog.records} <= {logging.WARNING, logging.INFO, logging.DEBUG}
