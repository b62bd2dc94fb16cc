"""The states of alarms as the service keeps them, as far as a client can observe them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

INPUT = ("dedup_key", "event_action", "ack_required", "ack", "resolve_after_seconds", "occurred_at")
"""The fields of a request that the answer does not repeat."""


@dataclass
class State:
    id: int
    dedup_key: str
    state: str = "normal"
    episode: int = 0
    occurrences: int = 0
    ack_required: bool = False
    newest: str = ""
    """The latest `occurred_at`."""

    def apply(self, request: dict[str, Any]) -> tuple[str | None, bool]:
        """Applies a request. Returns the reason for which it is ignored, and whether it only counts."""
        at = request.get("occurred_at", "")
        if at and at < self.newest:
            return "stale_input", False
        self.newest = max(self.newest, at)
        action = request.get("event_action", "trigger")
        if action == "trigger":
            return None, self._trigger(bool(request.get("ack_required")))
        if self.state == "normal":
            return "no_open_alarm", False
        if action == "acknowledge":
            self.state = "normal" if self.state == "rtn_unack" else "active_ack"
        elif action in ("resolve", "cancel"):
            is_unseen = action == "resolve" and self.state == "active_unack"
            self.state = "rtn_unack" if is_unseen else "normal"
        return None, False

    def _trigger(self, ack_required: bool) -> bool:
        counts = self.state.startswith("active")
        if self.state == "normal":
            self.episode, self.occurrences, self.ack_required = self.episode + 1, 0, ack_required
        if not counts:
            self.state = "active_unack" if self.ack_required else "active_ack"
        self.occurrences += 1
        return counts


@dataclass
class Alarms:
    states: dict[tuple[Any, ...], State] = field(default_factory=dict)

    def apply(self, request: dict[str, Any], number: int) -> dict[str, Any]:
        """Applies a request. Returns the fields of the answer about its alarm, if it has one."""
        key = request.get("dedup_key") or (f"n:{number}" if request.get("ack_required") else None)
        if key is None:
            return {}
        name = (request.get("tenant_id"), request["source_app"], key)
        alarm = self.states.setdefault(name, State(len(self.states) + 1, key))
        reason, counts = alarm.apply(request)
        fields = ("id", "dedup_key", "state", "episode", "occurrences", "ack_required")
        answer = {
            "alarm": {**{name: getattr(alarm, name) for name in fields}, "deduplicated": counts, "acked_by": None}
        }
        return answer if reason is None else {**answer, "status": "ignored", "reason": reason}
