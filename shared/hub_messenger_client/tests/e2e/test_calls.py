"""Calls to the real service."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from pathlib import Path

import pytest

from hub_messenger_client import (
    AuthenticationError,
    MessengerClient,
    MessengerHandler,
    NotFoundError,
    ValidationError,
)
from hub_messenger_client.cli import main

from .deployment import TOKEN, Deployment, hub_jwt


@pytest.fixture
def app() -> str:
    """The name of an application that only this test uses."""
    return f"app-{uuid.uuid4().hex[:12]}"


def test_an_answer_has_every_field_of_the_contract(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client:
        sent = client.notify_entity(
            entity_type="machine", entity_id=0, title="Kühlmittel niedrig", body="E-401", priority="urgent", wait=0
        )
    assert isinstance(sent.id, int)
    assert (sent.source_app, sent.event_type, sent.title, sent.body) == (
        app,
        "entity_event",
        "Kühlmittel niedrig",
        "E-401",
    )
    assert (sent.priority, sent.status, sent.target_type, sent.tenant_id) == ("urgent", "pending", "entity_room", 1)
    assert sent.matrix_event_id is None
    assert sent.created_at is not None
    assert abs(sent.created_at.timestamp() - time.time()) < 60
    assert (sent.attempts, sent.warnings) == (0, ())
    assert sent.request_id
    assert not sent.replayed
    assert (sent.entity_type, sent.entity_id, sent.target_user) == ("machine", 0, None)
    assert sent.extra == {}, "the client knows every field of the answer"


def test_each_call_sends_to_its_target(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client:
        sent = [
            client.notify(title="1", wait=0),
            client.notify_entity(entity_type="line", entity_id="A-1", title="2", wait=0),
            client.notify_user(target_user="nobody-yet", title="3", wait=0),
            client.notify_service(title="4", wait=0),
        ]
        assert [one.target_type for one in sent] == ["general", "entity_room", "dm", "service_room"]
        assert sent[2].reason == "recipient_not_provisioned"
        assert sent[2].expires_at is not None
        assert client.get(int(sent[3].id or 0)).title == "4"
    assert [one.title for one in running.sent_by(app)] == ["1", "2", "3", "4"]


def test_the_log_has_pages_newest_first(running: Deployment, app: str) -> None:
    async def run() -> None:
        async with running.client(source_app=app) as client:
            for number in range(5):
                await client.anotify(title=str(number), wait=0)
            page = await client.alog(source_app=app, limit=2, offset=1)
            assert [one.title for one in page] == ["3", "2"]
            last = (await client.alog(source_app=app, limit=1))[0]
            assert await client.aget(int(last.id or 0)) == last

    asyncio.run(run())


def test_a_repeated_key_returns_the_first_notification(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client:
        first = client.notify(title="once", idempotency_key=app, wait=0)
        second = client.notify(title="once", idempotency_key=app, wait=0)
        assert (second.id, second.replayed, first.replayed) == (first.id, True, False)
        with pytest.raises(ValidationError) as caught:
            client.notify(title="something else", idempotency_key=app)
    assert caught.value.code == "idempotency_mismatch"
    assert len(running.sent_by(app)) == 1


def test_the_service_names_wrong_fields(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client, pytest.raises(ValidationError) as caught:
        # The client itself refuses wrong arguments, but sends `extra` unchecked.
        client.notify(title="t", extra={"title": "", "body": "x" * 20_001, "priority": "whatever"})
    error = caught.value
    assert (error.status, error.code) == (422, "invalid_request")
    assert {field.pointer for field in error.errors} == {"/title", "/body", "/priority"}
    assert error.request_id
    assert error.request_id in str(error)


def test_the_service_warns_of_unknown_fields(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client:
        sent = client.notify(title="t", extra={"colour": "red"}, wait=0)
    assert any("colour" in warning for warning in sent.warnings)


def test_a_wrong_token_a_foreign_tenant_and_an_unknown_id_are_refused(running: Deployment, app: str) -> None:
    with MessengerClient(running.url, f"{TOKEN}-not", source_app=app) as client:
        with pytest.raises(AuthenticationError) as caught:
            client.notify(title="t")
        assert (caught.value.status, caught.value.code) == (403, "service_token_wrong")
    with running.client(source_app=app) as client:
        with pytest.raises(AuthenticationError) as caught:
            client.notify(title="t", tenant_id=99)
        assert caught.value.code == "tenant_not_allowed"
        with pytest.raises(NotFoundError):
            client.get(2**40)
    assert running.sent_by(app) == []


def test_a_spool_keeps_notifications_of_a_wrong_token_and_sets_a_foreign_tenant_aside(
    own: Deployment, tmp_path: Path, app: str
) -> None:
    spool = tmp_path / "spool"
    own.kill()
    with own.client(source_app=app, spool_dir=spool, retries=0) as client:
        assert client.notify(title="1").status == "spooled"
        assert client.notify(title="2", tenant_id=99).status == "spooled"
        assert client.notify(title="3").status == "spooled"
    own.start()
    with MessengerClient(own.url, "wrong", source_app=app, spool_dir=spool) as client:
        assert not client.flush(1)
        assert client.spool is not None
        assert client.spool.stats().waiting == 3
    with own.client(source_app=app, spool_dir=spool) as client:
        assert client.flush(30)
        assert client.spool is not None
        (dead,) = client.spool.dead()
        assert "tenant_not_allowed" in dead.error
    assert [one.title for one in own.sent_by(app)] == ["1", "3"]


def test_the_log_handler_sends_to_the_service(satellite: Deployment, app: str) -> None:
    logger = logging.getLogger(app)
    handler = MessengerHandler(source_app=app)
    logger.addHandler(handler)
    logger.propagate = False
    for number in range(3):
        logger.error("pump %d is dry", number)
    logger.removeHandler(handler)
    handler.close()
    assert [one.title for one in satellite.sent_by(app)] == [
        f"ERROR {app}: pump 0 is dry",
        f"[2 times more in less than 1 s] ERROR {app}: pump 2 is dry",
    ]


def test_the_command_line_sends_and_prints(
    satellite: Deployment, app: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESSENGER_USER_TOKEN", hub_jwt("shell"))
    assert main(["send", "--title", "Maschine gestoppt", "--room", "machine:42", "--urgent", "--app", app]) == 0
    assert f"[{app}] Maschine gestoppt" in capsys.readouterr().out
    assert main(["log", "--app", app, "--json"]) == 0
    assert '"priority": "urgent"' in capsys.readouterr().out
    assert main(["tail", "--since", "0", "-n", "1", "--json"]) == 0
    assert '"type": "notification"' in capsys.readouterr().out
    assert main(["send", "--title", ""]) == 3
    assert main(["get", str(2**40)]) == 3
