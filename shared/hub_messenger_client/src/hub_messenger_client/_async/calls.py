"""The calls of a client."""

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
    """What a client can do with `await`."""

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
        """Sends to everybody of the tenant, into its room "Allgemein".

        Args:
            title: What it is about, 1 to 500 characters.
            body: The details, up to 20 000 characters.
            source_app: The sending application; by default the client's own `source_app`.
            event_type: What kind of event it is, for those who filter.
            priority: `normal`, or `urgent`: marked, and phones ring.
            tenant_id: Another tenant than the token's own.
            idempotency_key: A key of your own, to make calls of several processes or days one notification.
                By default every call has one, which its retries share.
            wait: How many seconds (0 to 10) the service may wait for the homeserver before it answers `pending`.
            timeout: Seconds for this call instead of the client's; a given `wait` is added.
            extra: Further fields of the request, for services that are newer than this client.

        Returns:
            What the service answered. With a spool, and the service away, one with `status == "spooled"`.

        Raises:
            MessengerError: See `hub_messenger_client.errors` for the tree.
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
        """Sends into the room of an entity, such as machine 42, which is created when it is not there yet.

        `entity_type` and `entity_id` name the entity; all else is as for `anotify`.
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
        """Sends to one user, whom only this reaches. Who has never logged in gets it at the first login.

        `target_user` is the Hub's id of the user; all else is as for `anotify`.
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
        """Sends into the room of the sending application itself. All is as for `anotify`."""
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
        """A notification as it stands now: whether it has been sent, and if not, why."""
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
        """The notifications that were sent, newest first; of one application if `source_app` is given."""
        query = {"source_app": source_app, "limit": limit, "offset": offset}
        return _wire.read_log(await self._async_exchange.send(self._get_call("/notifications/log", query, timeout)))

    async def aflush(self, timeout: float = 10.0) -> bool:
        """Sends what waits in the spool, at once. Says whether the spool is empty now."""
        return await to_thread(self._flush, timeout)

    async def _asend(self, letter: Letter, wait: float | None, timeout: float | httpx.Timeout | None) -> Notification:
        call = self._send_call(letter, wait, timeout)
        if self.spool is not None:
            queued = await to_thread(self._queued, letter)
            if queued is not None:
                return queued
        try:
            response = await self._async_exchange.send(call)
        except MessengerError as error:
            if self.spool is None or not _wire.spoolable(error):
                raise
            return await to_thread(self._kept, letter, error)
        return _wire.read_notification(response, letter.key)
