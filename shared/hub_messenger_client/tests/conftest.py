"""What all tests share."""

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
    """No test sees what the developer's shell is configured with."""
    for name in ("URL", "TOKEN"):
        monkeypatch.delenv(f"MESSENGER_SERVICE_{name}", raising=False)
    for name in ("SOURCE_APP", "USER_TOKEN", "SPOOL_DIR"):
        monkeypatch.delenv(f"MESSENGER_{name}", raising=False)


@pytest.fixture
def configured(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The environment that the hub gives its satellites."""
    monkeypatch.setenv("MESSENGER_SERVICE_URL", service.url)
    monkeypatch.setenv("MESSENGER_SERVICE_TOKEN", TOKEN)
    return service


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits for what other threads or processes bring about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
