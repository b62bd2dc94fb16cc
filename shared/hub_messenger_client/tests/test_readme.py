"""The examples and tables of the README."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import os
import re
import sys
import types
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub_messenger_client import EventStream, MessengerClient, MessengerHandler
from hub_messenger_client.cli import EPILOG

from .loopback import Service

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def section(title: str) -> str:
    """Returns the text below a heading."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def examples(title: str, language: str = "python") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL)


def run(code: str, moved: Path) -> dict[str, Any]:
    """Runs an example with its directories below `moved`. Returns its names."""
    names: dict[str, Any] = {}
    exec(compile(code.replace("/var/lib", str(moved)), "README.md", "exec"), names)  # noqa: S102 - our own document
    return names


def test_the_quick_start_runs(configured: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sync, asynchronous = examples("Quick start")
    run(sync, tmp_path)["client"].close()
    assert capsys.readouterr().out == "1 sent\n"
    run(asynchronous, tmp_path)
    assert [entry["target_type"] for entry in configured.accepted] == ["general", "entity_room", "dm"] * 2


def test_the_kurzanleitung_runs(configured: Service, tmp_path: Path) -> None:
    (example,) = examples("Kurzanleitung")
    run(example, tmp_path)["client"].close()
    assert configured.titles == ["Schicht gestartet", "Maschine CNC-01 gestoppt", "Bitte CNC-01 prüfen"]


def test_the_alarms_example_runs(configured: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = examples("Alarms")
    client = run(example, tmp_path)["client"]
    assert capsys.readouterr().out == "active_unack 1 None\n"
    assert client.resolve("press-7:oil").ignored
    client.close()


def test_the_spool_example_runs(configured: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = examples("When the service is away")
    configured.stop()
    run(example, tmp_path)["client"].close()
    assert capsys.readouterr().out.startswith("kept for later: unreachable:")


def test_the_logging_example_runs(configured: Service, tmp_path: Path) -> None:
    (example,) = examples("Logging")
    root = logging.getLogger()
    before = root.handlers[:]
    run(example, tmp_path)
    for handler in set(root.handlers) - set(before):
        handler.close()
        root.removeHandler(handler)
    assert configured.titles == ["ERROR fertigung: Pump 7 is dry"]


def test_the_fastapi_example_runs(configured: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = examples("FastAPI")
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)  # FastAPI looks up annotations there
    module.__dict__.update(run(example, tmp_path))
    app = module.app

    async def main() -> Any:
        transport = httpx.ASGITransport(app=app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as web:
            return (await web.post("http://app/machines/42/stop")).json()

    assert asyncio.run(main()) == {"notification": "sent"}
    assert configured.accepted[0]["entity_id"] == 42


def test_the_django_example_runs(configured: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import django
    from django.conf import settings
    from django.test import RequestFactory

    client, views, configuration = examples("Django")
    settings.configure(LOGGING=run(configuration, tmp_path)["LOGGING"], ALLOWED_HOSTS=["*"])
    django.setup()
    module = types.ModuleType("messenger")
    monkeypatch.setitem(sys.modules, "messenger", module)
    module.__dict__.update(run(client, tmp_path))
    view = run(views, tmp_path)["stop"]
    assert view(RequestFactory().post("/"), 42).content == b'{"notification": "sent"}'
    module.messenger.close()
    logger = logging.getLogger("django")
    (handler,) = [handler for handler in logger.handlers if isinstance(handler, MessengerHandler)]
    logger.error("it broke")
    handler.close()
    logger.removeHandler(handler)
    assert configured.accepted[-1]["target_user"] == "admin"


def test_the_events_example_is_valid_python() -> None:
    (example,) = examples("Events")
    ast.parse(example)


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Options", MessengerClient),
        ("Events", EventStream),
        ("Logging", MessengerHandler),
        ("Calls", MessengerClient.notify),
    ],
)
def test_every_option_is_in_the_tables(title: str, kind: Any) -> None:
    options = {name for name in inspect.signature(kind).parameters if name != "self"}
    listed = set(re.findall(r"^\| `(\w+)` \|", section(title), re.MULTILINE))
    assert options <= listed
    assert listed - options == set()


def test_the_exit_codes_are_those_of_the_program() -> None:
    listed = re.findall(r"^\| (\d+) \|", section("Command line"), re.MULTILINE)
    assert listed == re.findall(r"^  (\d+)  ", EPILOG, re.MULTILINE)


def test_the_environment_is_that_of_the_quick_start() -> None:
    (_, environment) = examples("Quick start", "bash")
    assert "MESSENGER_SERVICE_URL=" in environment
    assert "MESSENGER_SERVICE_TOKEN=messenger-service-token-dev" in environment
    assert os.environ.get("MESSENGER_SERVICE_URL") is None
