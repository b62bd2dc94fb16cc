"""Fixtures of all tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from .loopback import TOKEN, Service


@pytest.fixture
def service() -> Iterator[Service]:
    """A running loopback service."""
    service = Service()
    service.start()
    yield service
    service.stop()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the variables of the developer's shell."""
    for name in ("URL", "TOKEN"):
        monkeypatch.delenv(f"MESSENGER_SERVICE_{name}", raising=False)
    for name in ("SOURCE_APP", "USER_TOKEN", "SPOOL_DIR"):
        monkeypatch.delenv(f"MESSENGER_{name}", raising=False)


@pytest.fixture
def configured(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A loopback service, with the environment variables that the hub sets for satellites."""
    monkeypatch.setenv("MESSENGER_SERVICE_URL", service.url)
    monkeypatch.setenv("MESSENGER_SERVICE_TOKEN", TOKEN)
    return service


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits until other threads or processes make a condition true. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(0.01)
