"""Notifications as inputs of alarms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from hub_messenger_client import (
    AckedBy,
    Alarm,
    ArgumentError,
    Cleared,
    Event,
    MessengerClient,
    Notification,
    NotificationAlarm,
    ValidationError,
)
from hub_messenger_client._drain import POISON_AFTER

from .conftest import eventually
from .loopback import TOKEN, Exchange, Service, breaks_off, breaks_off_after_storing, fails, slow

Run = Callable[..., Any]
KEY = "press-7:oil"
AT = datetime(2026, 11, 29, 8, 14, 3, 250_000, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Calls a method of a client, or its async twin in a new event loop."""

    def sync(client: MessengerClient, name: str, *arguments: Any, **options: Any) -> Any:
        return getattr(client, name)(*arguments, **options)

    def asynchronous(client: MessengerClient, name: str, *arguments: Any, **options: Any) -> Any:
        return asyncio.run(getattr(client, f"a{name}")(*arguments, **options))

    return sync if request.param == "sync" else asynchronous


@pytest.fixture
def client(service: Service) -> Iterator[MessengerClient]:
    """A client without a spool."""
    with MessengerClient(service.url, TOKEN, source_app="mes", retries=0) as client:
        yield client


@pytest.fixture
def spooling(service: Service, tmp_path: Path) -> Iterator[MessengerClient]:
    """A client with a spool."""
    options: dict[str, Any] = {"source_app": "mes", "retries": 0, "timeout": 5.0}
    with MessengerClient(service.url, TOKEN, spool_dir=tmp_path / "spool", **options) as client:
        yield client


def state(service: Service, key: str = KEY) -> str:
    """Returns the state of an alarm at the service."""
    return service.alarms.states[(None, "mes", key)].state


# Requests


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("notify", {}),
        ("notify_entity", {"entity_type": "machine", "entity_id": 7}),
        ("notify_user", {"target_user": "mueller"}),
        ("notify_service", {}),
    ],
)
def test_each_call_may_trigger_an_alarm(
    service: Service, client: MessengerClient, run: Run, name: str, target: dict[str, Any]
) -> None:
    run(
        client,
        name,
        title="Oil pressure too low",
        priority="high",
        dedup_key=KEY,
        ack_required=True,
        ack_expires_after=timedelta(hours=8),
        resolve_after=900,
        occurred_at=AT,
        **target,
    )
    sent = service.requests[0].json
    assert sent == {
        "source_app": "mes",
        "event_type": sent["event_type"],
        "title": "Oil pressure too low",
        "target_type": sent["target_type"],
        "priority": "high",
        "dedup_key": KEY,
        "ack_required": True,
        "ack": {"expires_after_seconds": 28_800},
        "resolve_after_seconds": 900,
        "occurred_at": "2026-11-29T07:14:03.250000Z",
        **target,
    }


@pytest.mark.parametrize(("name", "action"), [("resolve", "resolve"), ("ack", "acknowledge"), ("cancel", "cancel")])
def test_an_act_names_the_alarm_only(
    service: Service, client: MessengerClient, run: Run, name: str, action: str
) -> None:
    run(client, name, KEY, occurred_at=AT, tenant_id=1)
    assert service.requests[0].json == {
        "source_app": "mes",
        "event_action": action,
        "dedup_key": KEY,
        "occurred_at": "2026-11-29T07:14:03.250000Z",
        "tenant_id": 1,
    }


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ({}, {"target_type": "general", "event_type": "notification"}),
        ({"target_user": "mueller"}, {"target_type": "dm", "event_type": "dm_notification"}),
        ({"entity_type": "machine", "entity_id": 0}, {"target_type": "entity_room", "event_type": "entity_event"}),
        ({"target_type": "service_room"}, {"target_type": "service_room", "event_type": "notification"}),
        ({"event_type": "own"}, {"target_type": "general", "event_type": "own"}),
    ],
)
def test_an_update_has_the_text_and_the_target(
    service: Service, client: MessengerClient, run: Run, target: dict[str, Any], sent: dict[str, Any]
) -> None:
    run(client, "update", KEY, title="1.9 bar", body="falling", **target)
    expected = {"source_app": "mes", "event_action": "update", "dedup_key": KEY, "title": "1.9 bar", "body": "falling"}
    assert service.requests[0].json == {**expected, **target, **sent}


def test_a_notification_without_an_alarm_is_sent_as_before(
    service: Service, spooling: MessengerClient, run: Run
) -> None:
    assert run(spooling, "notify", title="t").alarm is None
    fields = {"source_app", "event_type", "title", "target_type", "priority"}
    assert set(service.requests[0].json) == fields


@pytest.mark.parametrize(
    ("arguments", "pointers"),
    [
        ({"dedup_key": " "}, ["/dedup_key"]),
        ({"dedup_key": "k" * 256}, ["/dedup_key"]),
        ({"dedup_key": "a\0b"}, ["/dedup_key"]),
        ({"dedup_key": "file \udcff"}, ["/dedup_key"]),
        ({"dedup_key": 7}, ["/dedup_key"]),
        ({"ack_required": "yes"}, ["/ack_required"]),
        ({"ack_expires_after": 59, "resolve_after": 2_592_001}, ["/ack_expires_after", "/resolve_after"]),
        ({"resolve_after": 90.5}, ["/resolve_after"]),
        ({"resolve_after": True}, ["/resolve_after"]),
        ({"resolve_after": timedelta(seconds=60, milliseconds=1)}, ["/resolve_after"]),
        ({"occurred_at": "yesterday"}, ["/occurred_at"]),
        ({"occurred_at": 0}, ["/occurred_at"]),
    ],
)
def test_the_client_refuses_fields_of_alarms_that_the_service_would_refuse(
    service: Service, spooling: MessengerClient, arguments: dict[str, Any], pointers: list[str]
) -> None:
    with pytest.raises(ArgumentError) as caught:
        spooling.notify(title="t", **arguments)
    assert [error.pointer for error in caught.value.errors] == pointers
    assert service.requests == []
    assert spooling.spool is not None
    assert spooling.spool.stats().spooled == 0


@pytest.mark.parametrize("seconds", [60, 2_592_000, timedelta(minutes=1), timedelta(days=30)])
def test_the_bounds_of_durations_are_accepted(service: Service, client: MessengerClient, seconds: Any) -> None:
    client.notify(title="t", dedup_key="k" * 255, resolve_after=seconds)
    assert service.requests[0].json["resolve_after_seconds"] in (60, 2_592_000)


@pytest.mark.parametrize("name", ["resolve", "ack", "cancel", "update"])
@pytest.mark.parametrize("key", [None, "", "k" * 256])
def test_an_act_needs_the_name_of_its_alarm(service: Service, client: MessengerClient, name: str, key: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        getattr(client, name)(key, **({"title": "t"} if name == "update" else {}))
    assert [error.pointer for error in caught.value.errors] == ["/dedup_key"]
    assert service.requests == []


def test_an_update_needs_a_title_and_a_known_target(service: Service, client: MessengerClient) -> None:
    with pytest.raises(ArgumentError) as caught:
        client.update(KEY, title=" ", target_type="room")  # type: ignore[arg-type]
    assert [error.pointer for error in caught.value.errors] == ["/title", "/target_type"]
    with pytest.raises(ArgumentError, match="entity_id is required"):
        client.update(KEY, title="t", entity_type="machine")
    assert service.requests == []


def test_a_time_out_of_bounds_is_an_argument_error(client: MessengerClient) -> None:
    beyond = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(ArgumentError, match="cannot be written as JSON"):
        client.notify(title="t", dedup_key=KEY, occurred_at=beyond)


# Answers


def test_the_answer_has_the_alarm(service: Service, client: MessengerClient, run: Run) -> None:
    first = run(client, "notify", title="t", dedup_key=KEY, ack_required=True)
    again = run(client, "notify", title="t", dedup_key=KEY)
    assert first.alarm == NotificationAlarm(
        id=1, dedup_key=KEY, state="active_unack", episode=1, occurrences=1, ack_required=True
    )
    assert (again.alarm.deduplicated, again.alarm.occurrences) == (True, 2)
    assert run(client, "resolve", KEY).alarm.state == "rtn_unack"
    assert run(client, "ack", KEY).alarm.state == "normal"
    ignored = run(client, "resolve", KEY)
    assert (ignored.status, ignored.ignored, ignored.reason) == ("ignored", True, "no_open_alarm")
    assert not first.ignored
    assert ignored.title == KEY
    assert first.extra == {}


def test_an_acknowledgement_is_typed_and_unknown_fields_are_kept() -> None:
    by = {"hub_user_id": "mueller", "display_name": "Max Müller", "via": "api", "at": "2026-11-29T07:16:00Z"}
    alarm = {"id": 7, "state": "active_ack", "acked_by": {**by, "comment": None, "expires_at": None}, "colour": "red"}
    read = Notification.from_json({"id": 1, "status": "pending", "alarm": alarm})
    assert read.alarm is not None
    assert read.alarm.acked_by == AckedBy(
        "mueller", "Max Müller", "api", datetime(2026, 11, 29, 7, 16, tzinfo=timezone.utc)
    )
    assert read.alarm.extra == {"colour": "red"}
    plain = json.loads(json.dumps(read.to_dict()))["alarm"]
    assert (plain["acked_by"]["at"], plain["colour"]) == ("2026-11-29T07:16:00.000000Z", "red")
    assert len({read, Notification.from_json({"id": 1, "status": "pending", "alarm": alarm})}) == 1


OBJECT: dict[str, Any] = {
    "id": 7,
    "source_app": "fertigungs-app",
    "dedup_key": KEY,
    "state": "rtn_unack",
    "episode": 3,
    "revision": 12,
    "event_type": "alarm",
    "title": "Öldruck zu niedrig",
    "body": "2,1 bar",
    "priority": "high",
    "target_type": "entity_room",
    "entity_type": "machine",
    "entity_id": 7,
    "target_user": None,
    "room_id": "!abc:hub.local",
    "notification_id": 42,
    "occurrences": 12,
    "chattering": False,
    "stale": True,
    "started_at": "2026-11-29T07:14:03.000000Z",
    "active_since": "2026-11-29T07:14:03.000000Z",
    "last_occurred_at": "2026-11-29T07:20:41.000000Z",
    "ack_required": True,
    "acked_by": None,
    "cleared": {"at": "2026-11-29T07:40:00.000000Z", "by": "user", "hub_user_id": "mueller", "display_name": "Max"},
    "resolve_at": None,
    "ended_at": None,
    "closed_unseen": False,
}


def test_an_event_alarm_has_the_alarm_as_an_object() -> None:
    event = Event("alarm", {"type": "alarm", "alarm": OBJECT}, "9")
    alarm = event.alarm
    assert isinstance(alarm, Alarm)
    assert (alarm.id, alarm.state, alarm.revision, alarm.stale, alarm.acked_by) == (7, "rtn_unack", 12, True, None)
    assert alarm.started_at == datetime(2026, 11, 29, 7, 14, 3, tzinfo=timezone.utc)
    assert isinstance(alarm.cleared, Cleared)
    assert (alarm.cleared.by, alarm.cleared.hub_user_id) == ("user", "mueller")
    assert alarm.extra == alarm.cleared.extra == {}
    assert json.loads(json.dumps(alarm.to_dict())) == OBJECT
    assert event["alarm"] == OBJECT


def test_other_events_have_no_alarm() -> None:
    assert Event("notification", {"type": "notification", "alarm_id": 7}).alarm is None
    assert Event("alarm", {"type": "alarm"}).alarm is None


# The order of reports, and the spool


def test_with_a_spool_each_report_has_its_time(service: Service, spooling: MessengerClient, run: Run) -> None:
    before = datetime.now(timezone.utc)
    run(spooling, "notify", title="t", dedup_key=KEY)
    run(spooling, "notify", title="t", ack_required=True)
    run(spooling, "resolve", KEY)
    times = [datetime.fromisoformat(request.json["occurred_at"].replace("Z", "+00:00")) for request in service.requests]
    in_order = [before, *times, datetime.now(timezone.utc)]
    assert in_order == sorted(in_order)
    assert len(set(times)) == 3
    assert state(service) == "normal"


def test_a_given_time_is_sent_as_it_is(service: Service, spooling: MessengerClient, run: Run) -> None:
    run(spooling, "notify", title="t", dedup_key=KEY, occurred_at=AT)
    run(spooling, "notify", title="t", dedup_key=KEY, extra={"occurred_at": "2026-01-01T00:00:00Z"})
    assert [request.json["occurred_at"] for request in service.requests] == [
        "2026-11-29T07:14:03.250000Z",
        "2026-01-01T00:00:00Z",
    ]


def test_a_report_has_no_time_of_the_client_without_a_spool_or_under_the_callers_key(
    service: Service, client: MessengerClient, spooling: MessengerClient
) -> None:
    client.notify(title="t", dedup_key=KEY)
    spooling.notify(title="t", dedup_key=KEY, idempotency_key="mine")
    repeated = spooling.notify(title="t", dedup_key=KEY, idempotency_key="mine")
    assert repeated.replayed
    assert service.requests[1].body == service.requests[2].body
    assert all("occurred_at" not in request.json for request in service.requests)


def test_a_spooled_trigger_keeps_the_time_of_its_call_and_arrives_before_its_resolve(
    service: Service, spooling: MessengerClient, run: Run
) -> None:
    with service.away():
        kept = run(spooling, "notify", title="t", dedup_key=KEY)
        called = datetime.now(timezone.utc)
        resolved = run(spooling, "resolve", KEY)
        assert (kept.status, resolved.status, resolved.title, resolved.alarm) == ("spooled", "spooled", KEY, None)
    assert spooling.flush(20)
    trigger, resolve = service.accepted
    assert (trigger.get("event_action"), resolve["event_action"]) == (None, "resolve")
    assert trigger["occurred_at"] <= called.isoformat() <= resolve["occurred_at"]
    assert state(service) == "normal"


def test_every_attempt_of_a_report_is_the_same_request(service: Service, spooling: MessengerClient) -> None:
    service.script.extend([breaks_off_after_storing, fails(503), breaks_off])
    assert spooling.notify(title="t", dedup_key=KEY).spooled
    assert spooling.flush(20)
    assert len({(request.key, request.body) for request in service.requests}) == 1
    assert service.alarms.states[(None, "mes", KEY)].occurrences == 1


def test_a_late_trigger_does_not_open_an_alarm_that_another_process_has_resolved(
    service: Service, spooling: MessengerClient, tmp_path: Path
) -> None:
    def refuse_triggers(exchange: Exchange) -> None:
        is_trigger = "event_action" not in exchange.request_.json
        fails(503)(exchange) if is_trigger else service.accept(exchange)

    spooling.notify(title="t", dedup_key=KEY)
    service.always = refuse_triggers
    assert spooling.notify(title="t", dedup_key=KEY).spooled
    with MessengerClient(service.url, TOKEN, source_app="mes", spool_dir=tmp_path / "other") as other:
        assert other.resolve(KEY).status == "sent"
    service.always = None
    assert spooling.flush(20)
    assert len(service.accepted) == 3
    assert state(service) == "normal"


def test_a_resolve_does_not_overtake_a_trigger_that_makes_the_service_fail(
    service: Service, spooling: MessengerClient
) -> None:
    def behave(exchange: Exchange) -> None:
        fails(500)(exchange) if exchange.request_.json.get("title") == "poison" else service.accept(exchange)

    with service.away():
        spooling.notify(title="poison", dedup_key=KEY)
        spooling.resolve(KEY)
        service.always = behave
    eventually(lambda: spooling.flush(0.1) or len(service.requests) > POISON_AFTER + 2, 60)
    assert [request.json for request in service.requests if "event_action" in request.json] == []
    spooling.notify(title="other")
    eventually(lambda: spooling.flush(0.5), 60)
    assert service.titles == ["other", KEY]
    assert spooling.spool is not None
    assert [letter.request["title"] for letter in spooling.spool.dead()] == ["poison"]


# Clocks that differ


def test_a_trigger_that_only_seems_old_is_sent_again_without_its_time(
    service: Service, spooling: MessengerClient, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = datetime.now(timezone.utc) + timedelta(minutes=3)
    run(spooling, "notify", title="t", dedup_key=KEY, occurred_at=ahead)
    run(spooling, "resolve", KEY, occurred_at=ahead)
    sent = run(spooling, "notify", title="present", dedup_key=KEY)
    assert (sent.status, sent.alarm.state, sent.alarm.episode) == ("sent", "active_ack", 2)
    seems_old, again = service.requests[2:]
    assert seems_old.key != again.key
    assert {**again.json, "occurred_at": seems_old.json["occurred_at"]} == seems_old.json
    assert "clocks differ" in caplog.text
    assert "present" not in caplog.text


def test_an_old_report_is_not_sent_again_if_the_caller_gave_its_time_or_the_fault_is_known(
    service: Service, spooling: MessengerClient, run: Run
) -> None:
    ahead = datetime.now(timezone.utc) + timedelta(minutes=3)
    run(spooling, "notify", title="t", dedup_key=KEY, occurred_at=ahead)
    assert run(spooling, "notify", title="t", dedup_key=KEY).reason == "stale_input"
    assert run(spooling, "resolve", KEY).reason == "stale_input"
    run(spooling, "resolve", KEY, occurred_at=ahead)
    old = ahead - timedelta(hours=1)
    assert run(spooling, "notify", title="t", dedup_key=KEY, occurred_at=old).reason == "stale_input"
    assert len(service.requests) == 5


def test_a_trigger_that_was_overtaken_on_its_way_is_not_sent_again(service: Service, spooling: MessengerClient) -> None:
    ahead = datetime.now(timezone.utc) + timedelta(minutes=3)
    spooling.notify(title="t", dedup_key=KEY, occurred_at=ahead)
    spooling.resolve(KEY, occurred_at=ahead)
    service.script.append(slow(1.5))
    assert spooling.notify(title="t", dedup_key=KEY).reason == "stale_input"
    assert state(service) == "normal"


def test_a_refused_report_is_raised_and_not_spooled(service: Service, spooling: MessengerClient, run: Run) -> None:
    service.script.append(fails(422, "dedup_key_required"))
    with pytest.raises(ValidationError):
        run(spooling, "resolve", KEY)
    assert spooling.spool is not None
    assert spooling.spool.stats().spooled == 0
