"""Alarms as frozen objects: of the answer to a notification, and of the live event `alarm`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ._parsing import count, flag, parse_time, parsed, part, plain, same

__all__ = ["AckedBy", "Alarm", "Cleared", "NotificationAlarm"]


@dataclass(frozen=True)
class AckedBy:
    """An acknowledgement of an alarm."""

    hub_user_id: str | None = parsed(str)
    """The user; `None` for a satellite."""
    display_name: str = parsed(str, "")
    """The name of the user at that time, or of the satellite."""
    via: str = parsed(str, "")
    """`api`, `matrix` or `satellite`."""
    at: datetime | None = parsed(parse_time)
    comment: str | None = parsed(str)
    expires_at: datetime | None = parsed(parse_time)
    """The time at which it expires; `None` if it does not."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Cleared:
    """The end of a fault."""

    at: datetime | None = parsed(parse_time)
    by: str = parsed(str, "")
    """`satellite`, `user`, `timeout` or `cancel`."""
    hub_user_id: str | None = parsed(str)
    display_name: str | None = parsed(str)
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class NotificationAlarm:
    """The alarm of a notification, after that notification was applied to it."""

    id: int = parsed(count, 0)
    dedup_key: str = parsed(str, "")
    state: str = parsed(str, "")
    """`normal`, `active_unack`, `active_ack` or `rtn_unack` (the fault is over, and nobody has seen it)."""
    episode: int = parsed(count, 0)
    """The number of the newest episode; 0 before the first trigger."""
    occurrences: int = parsed(count, 0)
    """The number of triggers of the episode."""
    deduplicated: bool = parsed(flag, default=False)
    """`True` if the fault was reported before: the notification only counts."""
    ack_required: bool = parsed(flag, default=False)
    acked_by: AckedBy | None = parsed(part(AckedBy))
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return plain(self)


@dataclass(frozen=True)
class Alarm:
    """An alarm with its newest episode, as the live event `alarm` has it."""

    id: int = parsed(count, 0)
    source_app: str = parsed(str, "")
    dedup_key: str = parsed(str, "")
    state: str = parsed(str, "")
    """`normal`, `active_unack`, `active_ack` or `rtn_unack` (the fault is over, and nobody has seen it)."""
    episode: int = parsed(count, 0)
    revision: int = parsed(count, 0)
    """The number of changes. Of two objects of one alarm, the one with the greater revision is newer."""
    event_type: str = parsed(str, "")
    title: str = parsed(str, "")
    body: str | None = parsed(str)
    priority: str = parsed(str, "normal")
    """The highest priority of the episode."""
    target_type: str | None = parsed(str)
    entity_type: str | None = parsed(str)
    entity_id: int | str | None = parsed(same)
    target_user: str | None = parsed(str)
    room_id: str | None = parsed(str)
    """The Matrix room; `None` until it exists."""
    notification_id: int | None = parsed(count)
    """The id of the notification that began the episode."""
    occurrences: int = parsed(count, 0)
    chattering: bool = parsed(flag, default=False)
    """`True` if it became active at least three times in a minute, and had no ten calm minutes since."""
    stale: bool = parsed(flag, default=False)
    """`True` if it has been active for a day."""
    started_at: datetime | None = parsed(parse_time)
    active_since: datetime | None = parsed(parse_time)
    last_occurred_at: datetime | None = parsed(parse_time)
    ack_required: bool = parsed(flag, default=False)
    acked_by: AckedBy | None = parsed(part(AckedBy))
    cleared: Cleared | None = parsed(part(Cleared))
    """The end of the fault; `None` while it is present."""
    resolve_at: datetime | None = parsed(parse_time)
    """The time at which the fault counts as over without a further trigger."""
    ended_at: datetime | None = parsed(parse_time)
    """The time at which the alarm became normal; `None` while it is open."""
    closed_unseen: bool = parsed(flag, default=False)
    """`True` if it ended because nobody acknowledged it for a day after the fault was over."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return plain(self)
