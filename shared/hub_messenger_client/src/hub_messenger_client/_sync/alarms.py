# Generated from `_async` by scripts/unasync.py: edit it there.
"""The calls of a client for an alarm that it has triggered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from .. import _rules
from ..models import Notification
from .sending import SyncSending


class SyncAlarms(SyncSending):
    """The async calls for alarms."""

    def resolve(
        self,
        dedup_key: str,
        *,
        source_app: str | None = None,
        occurred_at: datetime | None = None,
        tenant_id: int | str | None = None,
        idempotency_key: str | None = None,
        timeout: float | httpx.Timeout | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Notification:
        """Reports that the fault of an alarm is over.

        Args:
            dedup_key: The name of the fault, as in the call that triggered the alarm.
            source_app: The sending application of that call; by default the client's `source_app`.
            occurred_at: The time of the report. The service ignores a report that is older than another one
                of the same alarm. With a spool, the default is the present time.
            tenant_id: Another tenant than that of the token.
            idempotency_key: A key of your own; by default, each call has a new one.
            timeout: Seconds for this call instead of the client's timeout.
            extra: Further fields of the request, for services that are newer than this client.

        Returns:
            The service's answer. Its `status` is `ignored` if no such alarm is open, and `spooled` if a spool
            keeps the report.

        Raises:
            ArgumentError: An argument is wrong; nothing was sent or spooled.
            MessengerError: Any other error, see `hub_messenger_client.errors`.
        """
        fields = _act("resolve", dedup_key, source_app, occurred_at, tenant_id)
        return self._send(self._letter(fields, idempotency_key, extra), None, timeout)

    def ack(
        self,
        dedup_key: str,
        *,
        source_app: str | None = None,
        occurred_at: datetime | None = None,
        tenant_id: int | str | None = None,
        idempotency_key: str | None = None,
        timeout: float | httpx.Timeout | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Notification:
        """Acknowledges an alarm for the application: somebody takes care of it. The fault itself goes on.

        The arguments are those of `resolve`.
        """
        fields = _act("acknowledge", dedup_key, source_app, occurred_at, tenant_id)
        return self._send(self._letter(fields, idempotency_key, extra), None, timeout)

    def cancel(
        self,
        dedup_key: str,
        *,
        source_app: str | None = None,
        occurred_at: datetime | None = None,
        tenant_id: int | str | None = None,
        idempotency_key: str | None = None,
        timeout: float | httpx.Timeout | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Notification:
        """Withdraws an alarm, as one that was raised by mistake. Nobody has to acknowledge it any more.

        The arguments are those of `resolve`.
        """
        fields = _act("cancel", dedup_key, source_app, occurred_at, tenant_id)
        return self._send(self._letter(fields, idempotency_key, extra), None, timeout)

    def update(
        self,
        dedup_key: str,
        *,
        title: str,
        body: str | None = None,
        source_app: str | None = None,
        event_type: str | None = None,
        target_type: _rules.Target | None = None,
        entity_type: str | None = None,
        entity_id: int | str | None = None,
        target_user: str | None = None,
        occurred_at: datetime | None = None,
        tenant_id: int | str | None = None,
        idempotency_key: str | None = None,
        timeout: float | httpx.Timeout | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Notification:
        """Replaces the text of an open alarm. It neither counts as a further occurrence, nor does it ring.

        The target must be that of the alarm: `entity_type` and `entity_id`, or `target_user`, or
        `target_type="service_room"`, or none of them for everybody of the tenant. Otherwise the answer is
        `ignored`, with the reason `other_target`. The other arguments are those of `resolve` and `notify`.
        """
        target = _rules.target(target_type, entity_type, entity_id, target_user)
        fields = {
            **_act("update", dedup_key, source_app, occurred_at, tenant_id),
            "event_type": event_type or _rules.EVENT_TYPES.get(target, "notification"),
            "title": title,
            "body": body,
            "target_type": target,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "target_user": target_user,
        }
        return self._send(self._letter(fields, idempotency_key, extra), None, timeout)


def _act(
    action: _rules.Action,
    dedup_key: str,
    source_app: str | None,
    occurred_at: datetime | None,
    tenant_id: int | str | None,
) -> dict[str, Any]:
    return {
        "source_app": source_app,
        "event_action": action,
        "dedup_key": dedup_key,
        "occurred_at": occurred_at,
        "tenant_id": tenant_id,
    }
