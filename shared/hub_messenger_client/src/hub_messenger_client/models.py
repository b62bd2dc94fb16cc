"""The answers of the service as frozen objects. Fields unknown to this version are kept in `extra`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, overload

from ._parsing import count, known, parse_time, parsed, part, plain, same, strings
from .alarms import Alarm, NotificationAlarm
from .errors import MessengerError

__all__ = ["BatchResult", "DeadLetter", "Event", "Notification", "NotificationLog", "SpoolStats"]


@dataclass(frozen=True)
class Notification:
    """A notification of the service or of the spool."""

    id: int | None = parsed(count)
    """The id of the service; `None` while the notification is in the spool."""
    source_app: str = parsed(str, "")
    event_type: str = parsed(str, "")
    title: str = parsed(str, "")
    body: str | None = parsed(str)
    priority: str = parsed(str, "normal")
    status: str = parsed(str, "")
    """`sent`, `pending`, `failed`, `expired`, `cancelled` or `ignored`; `spooled` while it is in the spool.

    Later releases of the service may have others.
    """
    matrix_room_id: str | None = parsed(str)
    matrix_event_id: str | None = parsed(str)
    created_at: datetime | None = parsed(parse_time)
    tenant_id: int | str | None = parsed(same)
    target_type: str | None = parsed(str)
    entity_type: str | None = parsed(str)
    entity_id: int | str | None = parsed(same)
    target_user: str | None = parsed(str)
    alarm: NotificationAlarm | None = parsed(part(NotificationAlarm))
    """The alarm after this call; `None` for a notification that stands for itself, and in the spool."""
    deliver_at: datetime | None = parsed(parse_time)
    expires_at: datetime | None = parsed(parse_time)
    attempts: int | None = parsed(count)
    next_attempt_at: datetime | None = parsed(parse_time)
    reason: str | None = parsed(str)
    """The reason why it is not sent yet, such as `recipient_not_provisioned`, why it is in the spool, or why
    it was ignored: `no_open_alarm`, `stale_input` or `other_target`."""
    warnings: tuple[str, ...] = parsed(strings, ())
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
    IGNORED: ClassVar[str] = "ignored"

    @property
    def spooled(self) -> bool:
        """`True` if it is in the spool and will be sent when the service answers again."""
        return self.status == self.SPOOLED

    @property
    def ignored(self) -> bool:
        """`True` if it did not change its alarm, such as the resolve of an unknown fault; see `reason`."""
        return self.status == self.IGNORED

    @classmethod
    def from_json(cls, data: Mapping[str, Any], **local: Any) -> Notification:
        """Parses the service's JSON object. `local` holds the fields that are not part of the body."""
        return cls(**known(cls, data), **local)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON. The fields in `extra` stand among the others."""
        return plain(self)


@dataclass(frozen=True)
class BatchResult:
    """The result of one notification of a batch: the notification, or the error if it was not stored."""

    notification: Notification | None = None
    error: MessengerError | None = None
    idempotency_key: str | None = None
    """The idempotency key under which the same notification may be sent again."""


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
            total=count(page.get("total")),
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
    """The kind: `notification`, `alarm`, `new_message`, `typing`, `reset`, `token_expired`, …"""
    data: Mapping[str, Any] = field(hash=False)
    """All fields of the event, including `type`."""
    id: str | None = None
    """The position in the log; `None` for an event that is not in the log, such as `typing`."""

    @property
    def alarm(self) -> Alarm | None:
        """The alarm of an event `alarm`; `None` for other events."""
        alarm: Alarm | None = part(Alarm)(self.data.get("alarm")) if self.type == "alarm" else None
        return alarm

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
        return plain(self)


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
        return plain(self)
