"""What the service answers, as frozen objects. Fields that this version does not know are kept in `extra`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any, ClassVar, overload

__all__ = ["DeadLetter", "Event", "Notification", "NotificationLog", "SpoolStats"]

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?(Z|z|[+-]\d\d:?\d\d)?")


def parse_time(value: Any) -> datetime | None:
    """An RFC 3339 time. One without an offset is UTC, as in docs/integration.md. `None` for what is no time."""
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
    """Splits an answer into the fields of `cls` and `extra`, where also goes what cannot be read."""
    parsers = {spec.name: spec.metadata["parse"] for spec in fields(cls) if "parse" in spec.metadata}
    read = {name: parsers[name](value) for name, value in data.items() if name in parsers and value is not None}
    known = {name: value for name, value in read.items() if value is not None}
    unread = {name for name, value in data.items() if value is not None and name not in known}
    extra = {name: value for name, value in data.items() if name not in parsers or name in unread}
    return {**known, "extra": extra}


@dataclass(frozen=True)
class Notification:
    """A notification as the service knows it, or as it waits in the spool."""

    id: int | None = _as(_count)
    """The service's number for it; `None` while it is only spooled."""
    source_app: str = _as(str, "")
    event_type: str = _as(str, "")
    title: str = _as(str, "")
    body: str | None = _as(str)
    priority: str = _as(str, "normal")
    status: str = _as(str, "")
    """`sent`, `pending`, `failed`, `scheduled`, `expired`, `cancelled`; `spooled` when it is kept here for later."""
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
    """Why it is not sent yet, such as `recipient_not_provisioned`; for a spooled one, what kept it here."""
    warnings: tuple[str, ...] = _as(_strings, ())
    """What the service ignored or wants mended, such as unknown request fields."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Fields of the answer that this version of the client does not know."""
    idempotency_key: str | None = field(default=None, compare=False)
    """The key under which this call was sent. Calling again with it never makes a second notification."""
    replayed: bool = field(default=False, compare=False)
    """Whether the service had this call already and gave its first answer again."""
    request_id: str | None = field(default=None, compare=False)
    """The service's name for this exchange: what to quote to its operators."""

    SPOOLED: ClassVar[str] = "spooled"

    @property
    def spooled(self) -> bool:
        """Whether it is kept here and will be sent when the service is back."""
        return self.status == self.SPOOLED

    @classmethod
    def from_json(cls, data: Mapping[str, Any], **local: Any) -> Notification:
        """Reads the service's JSON object; `local` are the fields that the body does not carry."""
        return cls(**_known(cls, data), **local)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON, `extra` spread out among them."""
        return _plain(self)


@dataclass(frozen=True)
class NotificationLog:
    """One page of the notification log. Iterates over, and has the length of, its notifications."""

    notifications: tuple[Notification, ...]
    total: int | None = None
    """How many there are over all pages, if the service says it."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def from_json(cls, data: Any) -> NotificationLog:
        """Reads an array, or an object with `notifications`."""
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
        """As plain values for JSON."""
        entries = [entry.to_dict() for entry in self.notifications]
        return {"notifications": entries, "total": self.total, **self.extra}


@dataclass(frozen=True)
class Event:
    """One event of the live stream."""

    type: str
    """`notification`, `new_message`, `typing`, `reset`, `token_expired`, and whatever newer services tell."""
    data: Mapping[str, Any] = field(hash=False)
    """All fields of the event, `type` among them."""
    id: str | None = None
    """Its position in the log; `None` for what the log does not hold, such as `typing` and `token_expired`."""

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A field, or `default`."""
        return self.data.get(name, default)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON, in the shape of `/events/poll`."""
        return {**({} if self.id is None else {"id": self.id}), **self.data}


@dataclass(frozen=True)
class SpoolStats:
    """What the spool holds and what became of what it held. Counters count from the spool's creation."""

    waiting: int
    """Notifications that are still to be sent."""
    waiting_bytes: int
    oldest_at: datetime | None
    """When the one at the front was spooled."""
    dead: int
    """Notifications that the service refused and that are kept for inspection."""
    spooled: int
    """Counter: put into the spool."""
    sent: int
    """Counter: delivered from the spool."""
    refused: int
    """Counter: moved to the dead ones."""
    expired: int
    """Counter: dropped because they were too old."""
    evicted: int
    """Counter: dropped because the spool was full."""
    failures: int
    """Attempts that failed in a row; 0 while the service answers."""
    last_error: str | None
    retry_at: datetime | None
    """When the next attempt is due, while the service is away."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
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
        """As plain values for JSON."""
        return _plain(self)


def _plain(value: Any) -> dict[str, Any]:
    plain = {name: _jsonable(item) for name, item in asdict(value).items() if name != "extra"}
    return {**plain, **getattr(value, "extra", {})}


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else value
