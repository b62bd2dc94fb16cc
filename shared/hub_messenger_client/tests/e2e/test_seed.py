"""The snippets of the integration document, as they stand there."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from .deployment import Deployment

SYNC, ASYNC, INTEGRATION = re.findall(
    r"^```python\n(.*?)^```", Path(__file__).with_name("seed.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)


def run(snippet: str) -> dict[str, Any]:
    """Runs a snippet as it stands; one with `await` as in a shell that knows it."""
    names: dict[str, Any] = {}
    code = compile(snippet, "seed.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)  # noqa: S307 - our own document
    if inspect.iscoroutine(result):
        asyncio.run(result)
    return names


def told(deployment: Deployment, source_app: str) -> list[tuple[Any, ...]]:
    entries = deployment.sent_by(source_app)
    return [
        (
            entry.event_type,
            entry.title,
            entry.body,
            entry.priority,
            entry.target_type,
            entry.entity_type,
            entry.entity_id,
            entry.target_user,
        )
        for entry in entries
    ]


@pytest.fixture
def service(own: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A service of its own, in the environment that the hub gives its satellites."""
    for name, value in own.environment.items():
        monkeypatch.setenv(name, value)
    return own


def test_the_sync_snippet(service: Deployment) -> None:
    run(SYNC)["client"].close()
    assert told(service, "fertigungs-app") == [
        ("notification", "Schicht gestartet", "Fruehschicht hat begonnen.", "normal", "general", None, None, None),
        (
            "entity_event",
            "Maschine CNC-01 gestoppt",
            "Fehlercode E-401: Kuehlmittel niedrig",
            "urgent",
            "entity_room",
            "machine",
            42,
            None,
        ),
        (
            "dm_notification",
            "Aufgabe zugewiesen",
            "Bitte Maschine CNC-01 pruefen.",
            "normal",
            "dm",
            None,
            None,
            "mueller",
        ),
    ]


def test_the_async_snippet(service: Deployment) -> None:
    run(ASYNC)["client"].close()
    assert told(service, "fertigungs-app") == [
        ("notification", "Async Benachrichtigung", None, "normal", "general", None, None, None),
        ("entity_event", "Maschine Fehler", None, "urgent", "entity_room", "machine", 42, None),
        ("dm_notification", "Direktnachricht", None, "normal", "dm", None, None, "mueller"),
    ]


def test_the_integration_example(service: Deployment) -> None:
    run(INTEGRATION)["messenger"].close()
    assert [entry.title for entry in service.sent_by("meine-app")] == ["Vorgang abgeschlossen"]


def test_the_snippets_are_those_of_the_document() -> None:
    """So that nobody mends a snippet instead of the client."""
    assert "client = MessengerClient()" in SYNC
    assert "await client.anotify_user(" in ASYNC
    assert "messenger = MessengerClient()" in INTEGRATION
