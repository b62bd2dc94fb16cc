"""Fixtures with the real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .deployment import Deployment, database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment that all tests share. They do not break it."""
    yield from _deployment(tmp_path_factory.mktemp("service") / "log")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of its own, which a test may kill."""
    yield from _deployment(tmp_path / "service.log")


def _deployment(log: Path) -> Iterator[Deployment]:
    with database() as url:
        deployment = Deployment(url, log)
        deployment.setup()
        deployment.start()
        try:
            yield deployment
        finally:
            deployment.kill()


@pytest.fixture
def satellite(running: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The shared deployment, with the environment variables that the hub sets for satellites."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return running
