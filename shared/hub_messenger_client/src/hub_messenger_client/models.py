"""The answers of the service as frozen objects. Fields unknown to this version are kept in `extra`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any, ClassVar, overload

__all__ = ["DeadLetter", "Event", "Notification", "NotificationLog", "SpoolStats"]

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?(Z|z|[+-]\d\d:?\d\d)?")


def parse_time(value: Any) -> datetime | None:
    """Parses an RFC 3339 time; one without an offset is UTC. Returns `None` if `value` is no time."""
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, clock, fraction, offset = match.groups()
    offset = "+00:00" if offset in (None, "Z", "z") else offset
    if ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    micros = ((fraction or ".")[1:] + "000000")[:6]
    try:
        return datetime.fromisoformat(f"{day}T{clock}.{micros}{offset}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _as(parse: Callable[[Any], Any], default: Any = None) -> Any:
    return field(default=default, metadata={"parse": parse})


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()


def _same(value: Any) -> Any:
    return value


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _known(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Splits an answer into the fields of `cls` and `extra`. Values that cannot be parsed go into `extra`."""
    parsers = {spec.name: spec.metadata["parse"] for spec in fields(cls) if "parse" in spec.metadata}
    read = {name: parsers[name](value) for name, value in data.items() if name in parsers and value is not None}
    known = {name: value for name, value in read.items() if value is not None}
    unread = {name for name, value in data.items() if value is not None and name not in known}
    extra = {name: value for name, value in data.items() if name not in parsers or name in unread}
    return {**known, "extra": extra}


@dataclass(frozen=True)
class Notification:
    """A notification of the service or of the spool."""

    id: int | None = _as(_count)
    """The id of the service; `None` while the notification is in the spool."""
    source_app: str = _as(str, "")
    event_type: str = _as(str, "")
    title: str = _as(str, "")
    body: str | None = _as(str)
    priority: str = _as(str, "normal")
    status: str = _as(str, "")
    """`sent`, `pending`, `failed`, `expired` or `cancelled`; `spooled` while it is in the spool.

    Later releases of the service may have others.
    """
    matrix_room_id: str | None = _as(str)
    matrix_event_id: str | None = _as(str)
    created_at: datetime | None = _as(parse_time)
    tenant_id: int | str | None = _as(_same)
    target_type: str | None = _as(str)
    entity_type: str | None = _as(str)
    entity_id: int | str | None = _as(_same)
    target_user: str | None = _as(str)
    dedup_key: str | None = _as(str)
    occurrences: int | None = _as(_count)
    alarm_state: str | None = _as(str)
    ack: Mapping[str, Any] | None = field(default=None, hash=False, metadata={"parse": _same})
    deliver_at: datetime | None = _as(parse_time)
    expires_at: datetime | None = _as(parse_time)
    attempts: int | None = _as(_count)
    next_attempt_at: datetime | None = _as(parse_time)
    reason: str | None = _as(str)
    """The reason why it is not sent yet, such as `recipient_not_provisioned`, or why it is in the spool."""
    warnings: tuple[str, ...] = _as(_strings, ())
    """Warnings of the service, such as ignored fields of the request."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Fields of the answer that this version of the client does not know."""
    idempotency_key: str | None = field(default=None, compare=False)
    """The idempotency key of the call. A further call with this key makes no second notification."""
    replayed: bool = field(default=False, compare=False)
    """`True` if the service had answered a call with this key before and has repeated that answer."""
    request_id: str | None = field(default=None, compare=False)
    """The id of the request in the service's log."""

    SPOOLED: ClassVar[str] = "spooled"

    @property
    def spooled(self) -> bool:
        """`True` if it is in the spool and will be sent when the service answers again."""
        return self.status == self.SPOOLED

    @classmethod
    def from_json(cls, data: Mapping[str, Any], **local: Any) -> Notification:
        """Parses the service's JSON object. `local` holds the fields that are not part of the body."""
        return cls(**_known(cls, data), **local)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON. The fields in `extra` stand among the others."""
        return _plain(self)


@dataclass(frozen=True)
class NotificationLog:
    """A page of the notification log: a sequence of its notifications."""

    notifications: tuple[Notification, ...]
    total: int | None = None
    """The number of notifications on all pages; `None` if the answer does not have it."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def from_json(cls, data: Any) -> NotificationLog:
        """Parses an array, or an object with `notifications`. Raises `TypeError` for anything else."""
        page: Mapping[str, Any] = data if isinstance(data, Mapping) else {"notifications": data}
        entries = page.get("notifications")
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise TypeError("a log must be a list of objects")
        return cls(
            notifications=tuple(Notification.from_json(entry) for entry in entries),
            total=_count(page.get("total")),
            extra={name: value for name, value in page.items() if name not in ("notifications", "total")},
        )

    def __iter__(self) -> Iterator[Notification]:
        return iter(self.notifications)

    def __len__(self) -> int:
        return len(self.notifications)

    @overload
    def __getitem__(self, index: int) -> Notification: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Notification, ...]: ...
    def __getitem__(self, index: int | slice) -> Notification | tuple[Notification, ...]:
        return self.notifications[index]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        entries = [entry.to_dict() for entry in self.notifications]
        return {"notifications": entries, "total": self.total, **self.extra}


@dataclass(frozen=True)
class Event:
    """An event of an event stream."""

    type: str
    """The kind: `notification`, `new_message`, `typing`, `reset`, `token_expired`, …"""
    data: Mapping[str, Any] = field(hash=False)
    """All fields of the event, including `type`."""
    id: str | None = None
    """The position in the log; `None` for an event that is not in the log, such as `typing`."""

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Returns a field, or `default` if it is missing."""
        return self.data.get(name, default)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON, in the form of `/events/poll`."""
        return {**({} if self.id is None else {"id": self.id}), **self.data}


@dataclass(frozen=True)
class SpoolStats:
    """The content of a spool in numbers, and its counters since it was created."""

    waiting: int
    """The notifications to send."""
    waiting_bytes: int
    oldest_at: datetime | None
    """The time at which the first of them was spooled."""
    dead: int
    """The refused notifications that are kept for inspection."""
    spooled: int
    """Counter: notifications put into the spool."""
    sent: int
    """Counter: notifications delivered from the spool."""
    refused: int
    """Counter: notifications that the service refused."""
    expired: int
    """Counter: notifications dropped because they were too old."""
    evicted: int
    """Counter: notifications dropped because the spool was full."""
    failures: int
    """The failed attempts in a row; 0 while the service answers."""
    last_error: str | None
    retry_at: datetime | None
    """The time of the next attempt after a failure."""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return _plain(self)


@dataclass(frozen=True)
class DeadLetter:
    """A spooled notification that the service refused for good."""

    idempotency_key: str
    request: Mapping[str, Any] = field(hash=False)
    """The body that was refused."""
    error: str
    spooled_at: datetime
    died_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return _plain(self)


def _plain(value: Any) -> dict[str, Any]:
    plain = {name: _jsonable(item) for name, item in asdict(value).items() if name != "extra"}
    return {**plain, **getattr(value, "extra", {})}


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else value
