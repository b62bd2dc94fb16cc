"""The client against docs/openapi.json, which is made from the code of the service."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from hub_messenger_client import Notification
from hub_messenger_client._rules import BODY_MAX, PRIORITIES, REQUIRED, TARGETS

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text("utf-8"))
PATHS = DOCUMENT["paths"]
SCHEMAS = DOCUMENT["components"]["schemas"]
SEND = PATHS["/api/v1/notifications/send"]["post"]
REQUEST = SEND["requestBody"]["content"]["application/json"]["schema"]["properties"]

NOT_YET = {"dedup_key", "occurrences", "alarm_state", "ack", "deliver_at"}
"""Fields of later versions of the service, which the client knows already."""


def test_the_model_has_the_fields_of_the_answer() -> None:
    parsed = {spec.name for spec in dataclasses.fields(Notification) if "parse" in spec.metadata}
    assert parsed == set(SCHEMAS["Notification"]["properties"]) | NOT_YET


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        *REQUIRED.items(),
        *(rule for rules in TARGETS.values() for rule in rules.items()),
        ("body", BODY_MAX),
    ],
)
def test_the_limits_of_the_client_are_those_of_the_service(name: str, limit: int) -> None:
    assert REQUEST[name]["maxLength"] == limit


def test_the_required_fields_and_the_choices_are_those_of_the_service() -> None:
    schema = SEND["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["required"]) == set(REQUIRED)
    assert set(REQUEST["priority"]["enum"]) == {*PRIORITIES, None}
    assert set(TARGETS) < set(REQUEST["target_type"]["enum"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/v1/notifications/send"),
        ("get", "/api/v1/notifications/log"),
        ("get", "/api/v1/notifications/{id}"),
        ("get", "/api/v1/events/stream"),
        ("get", "/api/v1/health"),
    ],
)
def test_each_call_of_the_client_is_described(method: str, path: str) -> None:
    assert method in PATHS[path]
