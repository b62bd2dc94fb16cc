"""Checks the fields of a notification before it is sent or spooled, by the rules of the service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, TypedDict, get_args

from .errors import ArgumentError, FieldError

NAME_MAX = 100
TITLE_MAX = 500
BODY_MAX = 20_000
ENTITY_ID_MAX = 200
USER_MAX = 255
DEDUP_KEY_MAX = 255
BATCH_MAX = 100
"""The most notifications of a batch."""
BATCH_BYTES_MAX = 4 << 20
SECONDS = range(60, 2_592_000 + 1)
"""The seconds after which an acknowledgement may expire, and a fault may count as over: up to 30 days."""

Priority: TypeAlias = Literal["low", "normal", "high", "urgent"]
"""The priorities that the service accepts, see `priority` in docs/api.md."""
PRIORITIES: tuple[Priority, ...] = get_args(Priority)

Target: TypeAlias = Literal["general", "entity_room", "service_room", "dm"]
"""The values of `target_type`."""
EVENT_TYPES: Mapping[Target, str] = {
    "general": "notification",
    "entity_room": "entity_event",
    "service_room": "notification",
    "dm": "dm_notification",
}
"""The `event_type` of a notification whose caller names none."""

REQUIRED = {"source_app": NAME_MAX, "event_type": NAME_MAX, "title": TITLE_MAX}
TARGET_FIELDS = ("target_type", "entity_type", "entity_id", "target_user")
TARGETS = {
    "entity_room": {"entity_type": NAME_MAX, "entity_id": ENTITY_ID_MAX},
    "dm": {"target_user": USER_MAX},
}

Action: TypeAlias = Literal["trigger", "update", "acknowledge", "resolve", "cancel"]
"""The values of `event_action`."""
ACTIONS: tuple[Action, ...] = get_args(Action)
WITHOUT_TEXT: tuple[Action, ...] = ("acknowledge", "resolve", "cancel")
"""The actions that need neither a title nor a type."""


class NewNotification(TypedDict, total=False):
    """A notification of a batch. Its fields are the arguments of the calls that send one."""

    title: str
    body: str | None
    source_app: str | None
    event_type: str | None
    priority: Priority
    target_type: Target | None
    entity_type: str | None
    entity_id: int | str | None
    target_user: str | None
    dedup_key: str | None
    event_action: Action
    """`trigger` by default, `update`, `acknowledge`, `resolve` or `cancel`."""
    ack_required: bool
    ack_expires_after: int | timedelta | None
    resolve_after: int | timedelta | None
    occurred_at: datetime | None
    tenant_id: int | str | None
    idempotency_key: str | None
    extra: Mapping[str, Any] | None


def batch_fields(notification: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a notification of a batch, with the defaults of the calls that send one."""
    unknown = tuple(name for name in notification if name not in NewNotification.__annotations__)
    if unknown:
        problems = tuple(FieldError(f"/{name}", "is unknown") for name in unknown)
        raise ArgumentError(f"unknown: {', '.join(unknown)}", code="invalid_argument", errors=problems)
    fields = {name: value for name, value in notification.items() if name not in ("idempotency_key", "extra")}
    fields["ack_required"] = fields.get("ack_required") or None
    needs_text = fields.get("event_action", "trigger") not in WITHOUT_TEXT
    given, kind, number, user = (fields.get(name) for name in TARGET_FIELDS)
    if needs_text or (given, kind, number, user) != (None,) * 4:
        fields["target_type"] = target(given, kind, number, user)
    if needs_text:
        fields["event_type"] = fields.get("event_type") or EVENT_TYPES.get(fields["target_type"])
        fields.setdefault("priority", "normal")
    return fields


def check(fields: Mapping[str, Any]) -> None:
    """Raises an `ArgumentError` that names each field that the service would refuse."""
    action = fields.get("event_action", "trigger")
    required = {"source_app": NAME_MAX} if action in WITHOUT_TEXT else dict(REQUIRED)
    required.update(TARGETS.get(str(fields.get("target_type")), {}))
    problems = [_required(name, fields.get(name), limit) for name, limit in required.items()]
    problems.append(_text("body", fields.get("body"), BODY_MAX))
    if fields.get("priority", "normal") not in PRIORITIES:
        problems.append(FieldError("/priority", f"must be one of {', '.join(PRIORITIES)}"))
    if action not in ACTIONS:
        problems.append(FieldError("/event_action", f"must be one of {', '.join(ACTIONS)}"))
    if fields.get("target_type", "general") not in EVENT_TYPES:
        problems.append(FieldError("/target_type", f"must be one of {', '.join(EVENT_TYPES)}"))
    problems += _alarm(fields, is_named=action != "trigger")
    wrong = tuple(problem for problem in problems if problem is not None)
    if wrong:
        detail = "; ".join(f"{problem.pointer[1:]} {problem.message}" for problem in wrong)
        raise ArgumentError(detail, code="invalid_argument", errors=wrong)


def target(given: Target | None, entity_type: Any, entity_id: Any, target_user: Any) -> Target:
    """Returns the given target, or the one that the other arguments are for."""
    if given is not None:
        return given
    if target_user is not None:
        return "dm"
    return "general" if entity_type is None and entity_id is None else "entity_room"


def alarm_fields(
    dedup_key: str | None,
    ack_required: bool,
    ack_expires_after: int | timedelta | None,
    resolve_after: int | timedelta | None,
    occurred_at: datetime | None,
) -> dict[str, Any]:
    """Returns the fields by which a notification is the input of an alarm; `None` for those not given."""
    return {
        "dedup_key": dedup_key,
        "ack_required": ack_required or None,
        "ack_expires_after": ack_expires_after,
        "resolve_after": resolve_after,
        "occurred_at": occurred_at,
    }


def is_alarm(fields: Mapping[str, Any]) -> bool:
    """Returns `True` if a notification is the input of an alarm."""
    return fields.get("dedup_key") is not None or bool(fields.get("ack_required"))


def seconds(value: Any) -> int | None:
    """Returns a duration in whole seconds; `None` if it is not a number of them that the service accepts."""
    if isinstance(value, timedelta):
        value = int(value.total_seconds()) if value.total_seconds().is_integer() else None
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and value in SECONDS else None


def _alarm(fields: Mapping[str, Any], *, is_named: bool) -> list[FieldError | None]:
    problems = [_name("dedup_key", fields.get("dedup_key"), is_required=is_named)]
    if not isinstance(fields.get("ack_required", False), bool):
        problems.append(FieldError("/ack_required", "must be True or False"))
    for name in ("ack_expires_after", "resolve_after"):
        if fields.get(name) is not None and seconds(fields[name]) is None:
            allowed = f"a whole number of seconds from {SECONDS.start} to {SECONDS.stop - 1}"
            problems.append(FieldError(f"/{name}", f"must be {allowed}"))
    if not isinstance(fields.get("occurred_at"), (datetime, type(None))):
        problems.append(FieldError("/occurred_at", "must be a datetime"))
    return problems


def _name(name: str, value: Any, *, is_required: bool) -> FieldError | None:
    """Checks a name of which the service refuses half characters, instead of replacing them."""
    if value is None and not is_required:
        return None
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return FieldError(f"/{name}", "must not contain half of a character (a lone surrogate)")
    return _required(name, value, DEDUP_KEY_MAX)


def _required(name: str, value: Any, limit: int) -> FieldError | None:
    if name == "entity_id" and isinstance(value, int) and not isinstance(value, bool):
        return None if -(2**63) <= value < 2**63 else FieldError("/entity_id", "must fit into 64 bits")
    if value is None:
        return FieldError(f"/{name}", "is required")
    if isinstance(value, str) and not value.strip():
        return FieldError(f"/{name}", "must not be blank")
    return _text(name, value, limit)


def _text(name: str, value: Any, limit: int) -> FieldError | None:
    if value is None:
        return None
    if not isinstance(value, str):
        expected = "text or a whole number" if name == "entity_id" else "text"
        return FieldError(f"/{name}", f"must be {expected}, is {type(value).__name__}")
    if len(value) > limit:
        return FieldError(f"/{name}", f"must have at most {limit} characters, has {len(value)}")
    return FieldError(f"/{name}", "must not contain the character U+0000") if "\0" in value else None
