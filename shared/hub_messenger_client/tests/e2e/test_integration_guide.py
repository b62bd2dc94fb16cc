"""The snippets of docs/integration.md run unchanged."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from .deployment import Deployment

GUIDE = Path(__file__).parents[4] / "docs" / "integration.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
SYNC, ASYNC, INTEGRATION = (snippet for snippet in SNIPPETS if "import MessengerClient\n" in snippet)


def run(snippet: str) -> dict[str, Any]:
    """Runs a snippet, which may have `await` at its top level. Returns its names."""
    names: dict[str, Any] = {}
    code = compile(snippet, GUIDE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)  # noqa: S307 - our own document
    if inspect.iscoroutine(result):
        asyncio.run(result)
    return names


def summaries(deployment: Deployment, source_app: str) -> list[tuple[Any, ...]]:
    """Returns the notifications of an application, each as a tuple of the fields that a snippet sets."""
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
    """A deployment of its own, with the environment variables that the hub sets for satellites."""
    for name, value in own.environment.items():
        monkeypatch.setenv(name, value)
    return own


def test_the_sync_snippet_sends_its_notifications(service: Deployment) -> None:
    run(SYNC)["client"].close()
    assert summaries(service, "fertigungs-app") == [
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


def test_the_async_snippet_sends_its_notifications(service: Deployment) -> None:
    run(ASYNC)["client"].close()
    assert summaries(service, "fertigungs-app") == [
        ("notification", "Async Benachrichtigung", None, "normal", "general", None, None, None),
        ("entity_event", "Maschine Fehler", None, "urgent", "entity_room", "machine", 42, None),
        ("dm_notification", "Direktnachricht", None, "normal", "dm", None, None, "mueller"),
    ]


def test_the_integration_example_sends_its_notification(service: Deployment) -> None:
    run(INTEGRATION)["messenger"].close()
    assert [entry.title for entry in service.sent_by("meine-app")] == ["Vorgang abgeschlossen"]


def test_the_snippets_are_those_of_the_integration_guide() -> None:
    """Fails if the guide's snippets change their order, so that each test runs the snippet of its name."""
    assert "client = MessengerClient()" in SYNC
    assert "await client.anotify_user(" in ASYNC
    assert "messenger = MessengerClient()" in INTEGRATION
