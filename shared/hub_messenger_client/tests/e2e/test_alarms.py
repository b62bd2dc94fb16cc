"""Alarms and batches of the real service."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from hub_messenger_client import NewNotification, ValidationError
from hub_messenger_client.cli import main

from .deployment import Deployment, hub_jwt

KEY = "press-7:oil"


@pytest.fixture
def app() -> str:
    """The name of an application that only this test uses."""
    return f"app-{uuid.uuid4().hex[:12]}"


def test_an_alarm_lives_from_its_trigger_to_its_end(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client:
        first = client.notify_entity(
            entity_type="machine",
            entity_id=7,
            title="Öldruck zu niedrig",
            priority="high",
            dedup_key=KEY,
            ack_required=True,
            ack_expires_after=timedelta(hours=8),
            resolve_after=3600,
            wait=0,
        )
        assert first.alarm is not None
        assert (first.alarm.dedup_key, first.alarm.state, first.alarm.episode) == (KEY, "active_unack", 1)
        assert (first.alarm.ack_required, first.alarm.deduplicated, first.warnings) == (True, False, ())
        again = client.notify_entity(entity_type="machine", entity_id=7, title="1,9 bar", dedup_key=KEY, wait=0)
        assert again.alarm is not None
        assert (again.alarm.id, again.alarm.deduplicated, again.alarm.occurrences) == (first.alarm.id, True, 2)
        updated = client.update(KEY, title="1,7 bar", entity_type="machine", entity_id=7)
        assert (updated.ignored, updated.extra) == (False, {})
        assert client.update(KEY, title="1,7 bar").reason == "other_target"
        acked = client.ack(KEY)
        assert acked.alarm is not None
        assert acked.alarm.state == "active_ack"
        assert acked.alarm.acked_by is not None
        assert (acked.alarm.acked_by.via, acked.alarm.acked_by.hub_user_id) == ("satellite", None)
        assert acked.alarm.acked_by.expires_at is not None
        assert acked.alarm.extra == acked.alarm.acked_by.extra == {}
        resolved = client.resolve(KEY)
        assert resolved.alarm is not None
        assert resolved.alarm.state == "normal"
        assert (client.resolve(KEY).ignored, client.cancel(KEY).reason) == (True, "no_open_alarm")


def test_the_answer_to_an_act_has_every_field_of_the_contract(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client:
        never = client.resolve("never-reported")
    assert (never.title, never.event_type, never.status, never.reason) == (
        "never-reported",
        "resolve",
        "ignored",
        "no_open_alarm",
    )
    assert never.alarm is not None
    assert (never.alarm.state, never.alarm.episode, never.extra) == ("normal", 0, {})


def test_an_own_alarm_has_the_number_of_its_notification(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client:
        sent = client.notify(title="t", ack_required=True, wait=0)
        assert sent.alarm is not None
        assert sent.alarm.dedup_key == f"n:{sent.id}"
        assert client.notify(title="t", wait=0).alarm is None


def test_the_service_names_the_missing_key_of_an_act(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client, pytest.raises(ValidationError) as caught:
        # The client itself refuses this, but sends `extra` unchecked.
        client.notify(title="t", extra={"event_action": "resolve"})
    assert {error.pointer for error in caught.value.errors} == {"/dedup_key"}


def test_a_spooled_episode_arrives_in_order_and_a_late_trigger_opens_nothing(
    own: Deployment, tmp_path: Path, app: str
) -> None:
    own.kill()
    with own.client(source_app=app, spool_dir=tmp_path / "a", retries=0) as client:
        assert client.notify(title="t", dedup_key=KEY).spooled
        assert client.resolve(KEY).spooled
        assert client.notify(title="t", dedup_key="late").spooled
    own.start()
    with own.client(source_app=app, spool_dir=tmp_path / "b") as other:
        assert other.resolve("late").reason == "no_open_alarm"
    with own.client(source_app=app, spool_dir=tmp_path / "a") as client:
        assert client.flush(30)
        assert client.spool is not None
        assert client.spool.dead() == []
    sent = own.sent_by(app)
    assert sorted(one.title for one in sent) == ["late", KEY, "t", "t"]
    assert [one.status for one in sent if one.title == "t"][1] == "ignored"
    with own.client(source_app=app) as client:
        for key in (KEY, "late"):
            alarm = client.resolve(key).alarm
            assert alarm is not None
            assert alarm.state == "normal"


def test_a_trigger_that_only_seems_old_opens_its_alarm(running: Deployment, tmp_path: Path, app: str) -> None:
    ahead = datetime.now(timezone.utc) + timedelta(minutes=3)
    with running.client(source_app=app, spool_dir=tmp_path, timeout=10.0) as client:
        client.notify(title="t", dedup_key=KEY, occurred_at=ahead, wait=0)
        client.resolve(KEY, occurred_at=ahead)
        sent = client.notify(title="t", dedup_key=KEY, wait=0)
    assert sent.alarm is not None
    assert (sent.ignored, sent.alarm.state) == (False, "active_ack")


def test_a_batch_has_a_result_for_each_notification(running: Deployment, app: str) -> None:
    notifications: list[NewNotification] = [
        {"title": "1", "dedup_key": KEY},
        {"title": "2", "extra": {"title": ""}},
        {"event_action": "resolve", "dedup_key": KEY, "idempotency_key": app},
    ]
    with running.client(source_app=app) as client:
        first, wrong, last = client.batch(notifications)
        (repeated,) = client.batch(notifications[2:])
    assert first.notification is not None
    assert first.notification.alarm is not None
    assert first.notification.alarm.episode == 1
    assert isinstance(wrong.error, ValidationError)
    assert [error.pointer for error in wrong.error.errors] == ["/title"]
    assert last.notification is not None
    assert last.notification.alarm is not None
    assert last.notification.alarm.state == "normal"
    assert repeated.notification is not None
    assert (repeated.notification.id, repeated.notification.replayed) == (last.notification.id, True)


def test_a_stream_has_the_alarm_after_each_change(running: Deployment, app: str) -> None:
    with running.client(source_app=app) as client, client.events(hub_jwt("watcher"), include_control=True) as stream:
        assert next(stream).type == "connected"
        client.notify(title="t", dedup_key=KEY, ack_required=True, wait=0)
        client.resolve(KEY)
        states: list[str] = []
        while len(states) < 2:
            alarm = next(stream).alarm
            if alarm is not None and alarm.source_app == app:
                states.append(alarm.state)
                assert alarm.extra == {}
    assert states == ["active_unack", "rtn_unack"]


def test_the_command_line_triggers_and_resolves(
    satellite: Deployment, app: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", "--title", "t", "--dedup-key", KEY, "--app", app, "--wait", "0"]) == 0
    assert "active_ack, 1×)" in capsys.readouterr().out
    assert main(["resolve", KEY, "--app", app]) == 0
    assert "normal, 1×)" in capsys.readouterr().out
