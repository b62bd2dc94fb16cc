"""The client against docs/openapi.json, which is made from the code of the service."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from hub_messenger_client import AckedBy, Alarm, Cleared, Notification, NotificationAlarm
from hub_messenger_client._rules import (
    ACTIONS,
    BODY_MAX,
    DEDUP_KEY_MAX,
    EVENT_TYPES,
    PRIORITIES,
    REQUIRED,
    SECONDS,
    TARGETS,
)

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text("utf-8"))
PATHS = DOCUMENT["paths"]
SCHEMAS = DOCUMENT["components"]["schemas"]
SEND = PATHS["/api/v1/notifications/send"]["post"]
REQUEST = SEND["requestBody"]["content"]["application/json"]["schema"]["properties"]

NOT_YET = {"alarm", "deliver_at"}
"""Fields of later versions of the service, which the client knows already."""


def parsed(model: type[Any]) -> set[str]:
    """Returns the names of the fields that the client parses."""
    return {spec.name for spec in dataclasses.fields(model) if "parse" in spec.metadata}


def test_the_model_has_the_fields_of_the_answer() -> None:
    assert parsed(Notification) == set(SCHEMAS["Notification"]["properties"]) | NOT_YET


@pytest.mark.parametrize("model", [Alarm, NotificationAlarm, AckedBy, Cleared])
def test_the_models_of_alarms_have_the_fields_of_the_service(model: type[Any]) -> None:
    assert parsed(model) == set(SCHEMAS[model.__name__]["properties"])


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        *REQUIRED.items(),
        *(rule for rules in TARGETS.values() for rule in rules.items()),
        ("body", BODY_MAX),
        ("dedup_key", DEDUP_KEY_MAX),
    ],
)
def test_the_limits_of_the_client_are_those_of_the_service(name: str, limit: int) -> None:
    assert REQUEST[name]["maxLength"] == limit


def test_the_required_fields_and_the_choices_are_those_of_the_service() -> None:
    schema = SEND["requestBody"]["content"]["application/json"]["schema"]
    # `event_type` and `title` are required of triggers and updates only, by a rule of the schema.
    assert {"source_app"} <= set(schema["required"]) <= set(REQUIRED)
    assert set(REQUEST["priority"]["enum"]) == {*PRIORITIES, None}
    assert set(REQUEST["event_action"]["enum"]) == {*ACTIONS, None}
    assert REQUEST["resolve_after_seconds"]["minimum"] == SECONDS.start
    assert REQUEST["resolve_after_seconds"]["maximum"] == SECONDS.stop - 1
    assert set(REQUEST["target_type"]["enum"]) == {*EVENT_TYPES, None}
    assert set(TARGETS) < set(EVENT_TYPES)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/v1/notifications/send"),
        ("post", "/api/v1/notifications/batch"),
        ("get", "/api/v1/notifications/log"),
        ("get", "/api/v1/notifications/{id}"),
        ("get", "/api/v1/events/stream"),
        ("get", "/api/v1/health"),
    ],
)
def test_each_call_of_the_client_is_described(method: str, path: str) -> None:
    assert method in PATHS[path]
