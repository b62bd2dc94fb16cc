"""Several notifications with one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from hub_messenger_client import (
    ArgumentError,
    MessengerClient,
    NewNotification,
    UnavailableError,
    UnexpectedAnswerError,
    ValidationError,
)

from .loopback import TOKEN, Service, fails, problem

Run = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Sends a batch, or does so in a new event loop."""

    def sync(client: MessengerClient, *notifications: NewNotification) -> Any:
        return client.batch(notifications)

    def asynchronous(client: MessengerClient, *notifications: NewNotification) -> Any:
        return asyncio.run(client.abatch(notifications))

    return sync if request.param == "sync" else asynchronous


@pytest.fixture
def client(service: Service) -> Iterator[MessengerClient]:
    """A client without a spool."""
    with MessengerClient(service.url, TOKEN, source_app="mes", retries=1) as client:
        yield client


@pytest.fixture
def spooling(service: Service, tmp_path: Path) -> Iterator[MessengerClient]:
    """A client with a spool."""
    with MessengerClient(service.url, TOKEN, source_app="mes", retries=0, spool_dir=tmp_path / "spool") as client:
        yield client


def test_a_batch_has_the_fields_of_the_calls_and_a_key_for_each(
    service: Service, client: MessengerClient, run: Run
) -> None:
    results = run(
        client,
        {"title": "1"},
        {"title": "2", "entity_type": "machine", "entity_id": 0, "priority": "high", "dedup_key": "k"},
        {"title": "3", "target_user": "mueller", "body": "b", "tenant_id": 1},
        {"title": "4", "target_type": "service_room", "resolve_after": timedelta(minutes=2), "ack_required": True},
        {"event_action": "resolve", "dedup_key": "k", "idempotency_key": "mine", "extra": {"colour": "red"}},
        {"event_action": "cancel", "dedup_key": "k", "target_user": "mueller"},
    )
    (request,) = service.requests
    assert (request.path, request.query) == ("/api/v1/notifications/batch", {})
    sent = request.json["notifications"]
    assert len({one.pop("idempotency_key") for one in sent}) == 6
    common = {"source_app": "mes", "priority": "normal"}
    assert sent == [
        {**common, "title": "1", "target_type": "general", "event_type": "notification"},
        {
            **common,
            "title": "2",
            "target_type": "entity_room",
            "entity_type": "machine",
            "entity_id": 0,
            "event_type": "entity_event",
            "priority": "high",
            "dedup_key": "k",
        },
        {
            **common,
            "title": "3",
            "target_type": "dm",
            "target_user": "mueller",
            "event_type": "dm_notification",
            "body": "b",
            "tenant_id": 1,
        },
        {
            **common,
            "title": "4",
            "target_type": "service_room",
            "event_type": "notification",
            "resolve_after_seconds": 120,
            "ack_required": True,
        },
        {"source_app": "mes", "event_action": "resolve", "dedup_key": "k", "colour": "red"},
        {
            "source_app": "mes",
            "event_action": "cancel",
            "dedup_key": "k",
            "target_type": "dm",
            "target_user": "mueller",
        },
    ]
    assert [result.notification.id for result in results] == [1, 2, 3, 4, 5, 6]
    assert results[4].notification.alarm.state == "normal"
    assert (results[4].idempotency_key, results[4].notification.idempotency_key) == ("mine", "mine")


def test_a_wrong_notification_does_not_fail_the_others(service: Service, client: MessengerClient, run: Run) -> None:
    errors = [{"pointer": "/title", "message": "is bad"}]
    service.batch_problems["bad"] = problem(422, "invalid_request", errors=errors)
    service.batch_problems["busy"] = problem(503, "database_unavailable")
    first, bad, busy, last = run(client, *({"title": title} for title in ("1", "bad", "busy", "4")))
    assert (first.notification.title, last.notification.title) == ("1", "4")
    assert first.error is last.error is bad.notification is None
    assert isinstance(bad.error, ValidationError)
    assert (bad.error.status, bad.error.code, bad.error.errors[0].pointer) == (422, "invalid_request", "/title")
    assert isinstance(busy.error, UnavailableError)
    assert service.titles == ["1", "4"]


def test_a_repeated_batch_makes_no_second_notifications(service: Service, client: MessengerClient, run: Run) -> None:
    def store_and_break_off(exchange: Any) -> None:
        for sent in exchange.request_.json["notifications"]:
            service.batch_result(sent)
        exchange.reset()

    service.script.append(store_and_break_off)
    results = run(client, {"title": "1"}, {"title": "2"})
    assert service.titles == ["1", "2"]
    assert all(result.notification.replayed for result in results)
    assert service.requests[0].body == service.requests[1].body


@pytest.mark.parametrize(
    ("notifications", "pointers"),
    [
        ([], []),
        ([{"title": "t"}] * 101, []),
        ([{"title": "t"}, {"title": " ", "colour": "red"}], ["/notifications/1/colour"]),
        ([{"title": "t"}, {"title": " ", "priority": "x"}], ["/notifications/1/title", "/notifications/1/priority"]),
        ([{"dedup_key": "k", "event_action": "close"}], ["/notifications/0/title", "/notifications/0/event_action"]),
        ([{"event_action": "resolve"}], ["/notifications/0/dedup_key"]),
        ([{"title": "t", "entity_type": "machine"}], ["/notifications/0/entity_id"]),
        ([{"title": "t", "body": "ä" * 20_000}] * 100 + [], None),
    ],
)
def test_the_client_refuses_a_wrong_batch_as_a_whole(
    service: Service, spooling: MessengerClient, run: Run, notifications: list[Any], pointers: list[str] | None
) -> None:
    if pointers is None:
        notifications = [{**one, "extra": {"more": "x" * 10_000}} for one in notifications]
    with pytest.raises(ArgumentError) as caught:
        run(spooling, *notifications)
    assert [error.pointer for error in caught.value.errors] == (pointers or [])
    assert service.requests == []
    assert spooling.spool is not None
    assert spooling.spool.stats().spooled == 0


@pytest.mark.parametrize("answer", [{}, {"results": []}, {"results": [{"status": 201}]}, {"results": [5]}])
def test_an_answer_of_another_form_is_an_error(
    service: Service, client: MessengerClient, run: Run, answer: Any
) -> None:
    service.script.append(lambda exchange: exchange.answer(200, answer))
    with pytest.raises(UnexpectedAnswerError):
        run(client, {"title": "1"})


def test_an_undelivered_batch_is_spooled_and_sent_in_order_once(
    service: Service, spooling: MessengerClient, run: Run
) -> None:
    service.script.append(fails(503))
    with service.away():
        first = run(spooling, {"title": "1", "dedup_key": "k"}, {"event_action": "resolve", "dedup_key": "k"})
        behind = run(spooling, {"title": "3"})
    assert [result.notification.status for result in (*first, *behind)] == ["spooled"] * 3
    assert behind[0].notification.reason == "earlier notifications are still waiting"
    assert spooling.flush(20)
    assert service.titles == ["1", "k", "3"]
    assert service.accepted[0]["occurred_at"] < service.accepted[1]["occurred_at"]
    assert service.alarms.states[(None, "mes", "k")].state == "normal"


def test_a_notification_of_a_batch_that_may_succeed_later_is_spooled(
    service: Service, spooling: MessengerClient, run: Run
) -> None:
    service.batch_problems["busy"] = problem(503, "database_unavailable")
    service.batch_problems["bad"] = problem(422, "invalid_request")
    stored, busy, bad = run(spooling, {"title": "1"}, {"title": "busy"}, {"title": "bad"})
    assert stored.notification.status == "sent"
    assert busy.notification.spooled
    assert isinstance(bad.error, ValidationError)
    assert spooling.flush(20)
    assert service.titles == ["1", "busy"]
    assert service.requests[-1].key == busy.idempotency_key


def test_a_trigger_of_a_batch_that_only_seems_old_is_sent_again(
    service: Service, spooling: MessengerClient, run: Run
) -> None:
    ahead = datetime.now(timezone.utc) + timedelta(minutes=3)
    spooling.notify(title="t", dedup_key="k", occurred_at=ahead)
    spooling.resolve("k", occurred_at=ahead)
    (result,) = run(spooling, {"title": "present", "dedup_key": "k"})
    assert result.notification.alarm.state == "active_ack"
    assert service.titles[2:] == ["present", "present"]
