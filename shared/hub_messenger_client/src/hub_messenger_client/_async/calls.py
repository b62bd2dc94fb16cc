"""The calls of a client to the service."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping
from typing import Any

import httpx

from .. import _rules, _wire
from .._core import Core
from .._spool import Letter
from ..errors import MessengerError
from ..models import Notification, NotificationLog


class AsyncCalls(Core):
    """The async calls of a client."""

    async def anotify(
        self,
        *,
        title: str,
        body: str | None = None,
        source_app: str | None = None,
        event_type: str = "notification",
        priority: _rules.Priority = "normal",
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
            priority: `normal`, or `urgent`: marked, and phones ring.
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

    async def _asend(self, letter: Letter, wait: float | None, timeout: float | httpx.Timeout | None) -> Notification:
        call = self._send_call(letter, wait, timeout)
        if self.spool is not None:
            queued = await to_thread(self._queue_behind_others, letter)
            if queued is not None:
                return queued
        try:
            response = await self._async_exchange.send(call)
        except MessengerError as error:
            if self.spool is None or not _wire.spoolable(error):
                raise
            return await to_thread(self._spool_failed, letter, error)
        return _wire.read_notification(response, letter.key)
