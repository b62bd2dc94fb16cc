"""The calls of a client to the service."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from .. import _rules, _wire
from ..models import Notification, NotificationLog
from .sending import AsyncSending


class AsyncCalls(AsyncSending):
    """The async calls of a client."""

    async def anotify(
        self,
        *,
        title: str,
        body: str | None = None,
        source_app: str | None = None,
        event_type: str = "notification",
        priority: _rules.Priority = "normal",
        dedup_key: str | None = None,
        ack_required: bool = False,
        ack_expires_after: int | timedelta | None = None,
        resolve_after: int | timedelta | None = None,
        occurred_at: datetime | None = None,
        tenant_id: int | str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
        timeout: float | httpx.Timeout | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Notification:
        """Sends to everybody of the tenant, in its room "Allgemein".

        Args:
            title: The subject, 1 to 500 characters.
            body: The details, up to 20 000 characters.
            source_app: The sending application; by default the client's `source_app`.
            event_type: The kind of event, for readers that filter.
            priority: `low`: no phone rings; `normal`; `high`: mentions all readers; `urgent`: marked, too.
            dedup_key: The name of a fault, 1 to 255 characters: the notification triggers its alarm. All
                calls with one name make one alarm, with one message that changes, until `aresolve`.
            ack_required: The alarm is open until somebody acknowledges it. Without `dedup_key`, the
                notification is an alarm of its own.
            ack_expires_after: Seconds (60 to 2 592 000), or a `timedelta`, until an acknowledgement expires.
            resolve_after: Seconds (60 to 2 592 000), or a `timedelta`, without a further call, after which
                the fault counts as over.
            occurred_at: The time of the fault. The service ignores a call that is older than another one of
                the same alarm, and counts the same time once. With a spool, the default is the present time.
            tenant_id: Another tenant than that of the token.
            idempotency_key: A key of your own: calls with the same key make one notification.
                By default, each call has a new key, which its retries share.
            wait: Seconds (0 to 10) that the service may wait for the homeserver before it answers `pending`.
            timeout: Seconds for this call instead of the client's timeout; `wait` is added if it is set.
            extra: Further fields of the request, for services that are newer than this client.

        Returns:
            The service's answer. If a spool keeps the notification, its `status` is `spooled`.

        Raises:
            ArgumentError: An argument is wrong; nothing was sent or spooled.
            MessengerError: Any other error, see `hub_messenger_client.errors`.
        """
        fields = {
            "source_app": source_app,
            "event_type": event_type,
            "title": title,
            "body": body,
            "target_type": "general",
            "priority": priority,
            **_rules.alarm_fields(dedup_key, ack_required, ack_expires_after, resolve_after, occurred_at),
            "tenant_id": tenant_id,
        }
        return await self._asend(self._letter(fields, idempotency_key, extra), wait, timeout)

    async def anotify_entity(
        self,
        *,
        entity_type: str,
        entity_id: int | str,
        title: str,
        body: str | None = None,
        source_app: str | None = None,
        event_type: str = "entity_event",
        priority: _rules.Priority = "normal",
        dedup_key: str | None = None,
        ack_required: bool = False,
        ack_expires_after: int | timedelta | None = None,
        resolve_after: int | timedelta | None = None,
        occurred_at: datetime | None = None,
        tenant_id: int | str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
        timeout: float | httpx.Timeout | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Notification:
        """Sends into the room of an entity, such as machine 42. The service creates the room if needed.

        `entity_type` and `entity_id` name the entity. The other arguments are those of `anotify`.
        """
        fields = {
            "source_app": source_app,
            "event_type": event_type,
            "title": title,
            "body": body,
            "target_type": "entity_room",
            "entity_type": entity_type,
            "entity_id": entity_id,
            "priority": priority,
            **_rules.alarm_fields(dedup_key, ack_required, ack_expires_after, resolve_after, occurred_at),
            "tenant_id": tenant_id,
        }
        return await self._asend(self._letter(fields, idempotency_key, extra), wait, timeout)

    async def anotify_user(
        self,
        *,
        target_user: str,
        title: str,
        body: str | None = None,
        source_app: str | None = None,
        event_type: str = "dm_notification",
        priority: _rules.Priority = "normal",
        dedup_key: str | None = None,
        ack_required: bool = False,
        ack_expires_after: int | timedelta | None = None,
        resolve_after: int | timedelta | None = None,
        occurred_at: datetime | None = None,
        tenant_id: int | str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
        timeout: float | httpx.Timeout | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Notification:
        """Sends to one user and to nobody else. A user who has never signed in gets it at the first sign-in.

        `target_user` is the user's id in the Hub. The other arguments are those of `anotify`.
        """
        fields = {
            "source_app": source_app,
            "event_type": event_type,
            "title": title,
            "body": body,
            "target_type": "dm",
            "target_user": target_user,
            "priority": priority,
            **_rules.alarm_fields(dedup_key, ack_required, ack_expires_after, resolve_after, occurred_at),
            "tenant_id": tenant_id,
        }
        return await self._asend(self._letter(fields, idempotency_key, extra), wait, timeout)

    async def anotify_service(
        self,
        *,
        title: str,
        body: str | None = None,
        source_app: str | None = None,
        event_type: str = "notification",
        priority: _rules.Priority = "normal",
        dedup_key: str | None = None,
        ack_required: bool = False,
        ack_expires_after: int | timedelta | None = None,
        resolve_after: int | timedelta | None = None,
        occurred_at: datetime | None = None,
        tenant_id: int | str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
        timeout: float | httpx.Timeout | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Notification:
        """Sends into the room of the sending application. The arguments are those of `anotify`."""
        fields = {
            "source_app": source_app,
            "event_type": event_type,
            "title": title,
            "body": body,
            "target_type": "service_room",
            "priority": priority,
            **_rules.alarm_fields(dedup_key, ack_required, ack_expires_after, resolve_after, occurred_at),
            "tenant_id": tenant_id,
        }
        return await self._asend(self._letter(fields, idempotency_key, extra), wait, timeout)

    async def aget(self, notification_id: int, *, timeout: float | httpx.Timeout | None = None) -> Notification:
        """Returns a notification with its present `status` and `reason`."""
        call = self._get_call(f"/notifications/{_wire.notification_id(notification_id)}", {}, timeout)
        return _wire.read_notification(await self._async_exchange.send(call))

    async def alog(
        self,
        *,
        source_app: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> NotificationLog:
        """Returns a page of the notification log, newest first; `source_app` limits it to one application."""
        query = {"source_app": source_app, "limit": limit, "offset": offset}
        return _wire.read_log(await self._async_exchange.send(self._get_call("/notifications/log", query, timeout)))

    async def aflush(self, timeout: float = 10.0) -> bool:
        """Sends the spooled notifications now. Returns `True` if the spool is empty before the timeout."""
        return await to_thread(self._flush, timeout)
