"""The answers of the service as objects."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from datetime import datetime, timezone
from typing import Any

import pytest

from hub_messenger_client import Event, Notification, NotificationLog
from hub_messenger_client._parsing import parse_time

ANSWER: dict[str, Any] = {
    "id": 42,
    "source_app": "fertigungs-app",
    "event_type": "notification",
    "title": "Maschine gestoppt",
    "body": "Maschine CNC-01 hat einen Fehler gemeldet.",
    "priority": "normal",
    "status": "sent",
    "matrix_room_id": "!abc123:hub.local",
    "matrix_event_id": "$evt456",
    "created_at": "2026-01-31T12:00:00",
}


def test_the_answer_in_the_integration_guide_is_parsed() -> None:
    read = Notification.from_json(ANSWER)
    assert (read.id, read.title, read.status, read.matrix_event_id) == (42, "Maschine gestoppt", "sent", "$evt456")
    assert read.created_at == datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    assert not read.spooled
    assert read.extra == {}


@pytest.mark.parametrize("status", ["cancelled", "a status of a later release"])
def test_a_status_that_is_none_of_sending_is_kept_as_it_is(status: str) -> None:
    read = Notification.from_json({**ANSWER, "status": status})
    assert (read.status, read.spooled, read.to_dict()["status"]) == (status, False, status)


def test_every_known_field_is_parsed() -> None:
    more = {
        "tenant_id": 3,
        "target_type": "dm",
        "deliver_at": "2026-02-01T06:00:00Z",
        "expires_at": "2026-02-02T06:00:00Z",
        "attempts": 2,
        "next_attempt_at": "2026-01-31T12:00:07.25Z",
        "reason": "recipient_not_provisioned",
        "warnings": ["unknown field: colour"],
    }
    read = Notification.from_json({**ANSWER, **more})
    assert {name: read.to_dict()[name] for name in more} == {
        **more,
        "deliver_at": "2026-02-01T06:00:00.000000Z",
        "expires_at": "2026-02-02T06:00:00.000000Z",
        "next_attempt_at": "2026-01-31T12:00:07.250000Z",
    }
    assert read.warnings == ("unknown field: colour",)
    assert read.alarm is None
    assert read.extra == {}


def test_unknown_fields_are_kept_in_extra() -> None:
    read = Notification.from_json({**ANSWER, "colour": "red", "nested": {"a": [1]}})
    assert read.extra == {"colour": "red", "nested": {"a": [1]}}
    assert read.to_dict()["colour"] == "red"


def test_a_known_field_that_cannot_be_parsed_is_kept_in_extra() -> None:
    read = Notification.from_json({**ANSWER, "created_at": "yesterday", "attempts": "many"})
    assert read.created_at is None
    assert read.attempts is None
    assert read.extra == {"created_at": "yesterday", "attempts": "many"}


def test_missing_and_null_fields_are_no_error() -> None:
    assert Notification.from_json({"id": 1, "body": None, "warnings": None}) == Notification(id=1)


def test_a_notification_is_frozen_hashable_and_picklable() -> None:
    read = Notification.from_json({**ANSWER, "colour": "red"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        read.title = "other"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(read)) == read == copy.deepcopy(read)
    assert len({read, copy.deepcopy(read)}) == 1
    assert json.loads(json.dumps(read.to_dict()))["id"] == 42


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-01-31T12:00:00Z", 0),
        ("2026-01-31T12:00:00z", 0),
        ("2026-01-31T13:00:00+01:00", 0),
        ("2026-01-31T13:00:00+0100", 0),
        ("2026-01-31 12:00:00", 0),
        ("2026-01-31T12:00:00.5Z", 500_000),
        ("2026-01-31T12:00:00.123456789Z", 123_456),
    ],
)
def test_parse_time_accepts_every_form_of_rfc_3339(text: str, micros: int) -> None:
    assert parse_time(text) == datetime(2026, 1, 31, 12, 0, 0, micros, tzinfo=timezone.utc)


@pytest.mark.parametrize("value", ["", "soon", "2026-13-01T00:00:00Z", "2026-01-31T25:00:00Z", 5, None])
def test_parse_time_returns_none_for_anything_else(value: Any) -> None:
    assert parse_time(value) is None


@pytest.mark.parametrize(
    "page", [[ANSWER], {"notifications": [ANSWER]}, {"notifications": [ANSWER], "total": 9, "next": 1}]
)
def test_a_log_is_parsed_from_an_array_and_from_an_object(page: Any) -> None:
    log = NotificationLog.from_json(page)
    assert [entry.id for entry in log] == [42]
    assert len(log) == 1
    assert log[0].id == 42
    assert log[0:1] == log.notifications
    assert log.total == (page.get("total") if isinstance(page, dict) else None)
    assert log.to_dict()["notifications"][0]["id"] == 42


@pytest.mark.parametrize("page", [None, 5, {}, {"notifications": 5}, [1]])
def test_a_log_of_another_form_raises_a_type_error(page: Any) -> None:
    with pytest.raises(TypeError):
        NotificationLog.from_json(page)


def test_an_event_returns_its_fields() -> None:
    event = Event("notification", {"type": "notification", "title": "x"}, "7")
    assert event["title"] == "x"
    assert event.get("body") is None
    assert event.to_dict() == {"id": "7", "type": "notification", "title": "x"}
    assert hash(event) == hash(copy.deepcopy(event))
