"""Fixtures of all tests: a service, proxies before it, and a Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.fronts import FRONTS, front, program
from harness.reading import CHROMIUM, Browser, Reader, read_with
from harness.relay import Relay
from harness.service import Router, database


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database of its own."""
    with database() as url:
        yield url


@pytest.fixture(scope="session")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """A router that runs during all tests."""
    log = tmp_path_factory.mktemp("service") / "log"
    migrated = Router.migrate(database_url, log)
    assert migrated == 0, log.read_text()
    router = Router(database_url, log)
    yield router
    router.stop()


@pytest.fixture
def restarting(service: Router, database_url: str, tmp_path: Path) -> Iterator[Router]:
    """A second router on the same database. A test may stop it."""
    router = Router(database_url, tmp_path / "log")
    yield router
    router.stop()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium with a profile of its own."""
    browser = Browser(program("chromium"), tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def fronts(service: Router, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of the service by name: direct, and behind each proxy."""
    folder = tmp_path_factory.mktemp("fronts")
    with ExitStack() as stack:
        addresses = {name: stack.enter_context(front(name, folder / name, service.port)) for name in FRONTS}
        addresses["nginx by HTTP/1.0"] = addresses["nginx"] + "/old"
        yield {"direct": service.url, **addresses}


@pytest.fixture
def relay(service: Router) -> Iterator[Relay]:
    """A TCP relay before the service."""
    relay = Relay(service.port)
    yield relay
    relay.close()


class Opener:
    """Opens readers, and closes all of them at the end."""

    def __init__(self, browser: Callable[[], Browser]) -> None:
        """Starts with no reader. Calls `browser` when the first page is opened."""
        self._browser = browser
        self._opened: list[Reader] = []

    def __call__(self, library: str, url: str, **options: object) -> Reader:
        """Opens a reader. A JavaScript library's name ends with `(Node)` or `(Chromium)`."""
        name = library.removesuffix(" (Chromium)")
        in_page = name != library and (name in CHROMIUM or name == "hub-messenger")
        reader = self._browser().read(name, url, **options) if in_page else read_with(library, url, **options)  # type: ignore[arg-type]
        self._opened.append(reader)
        return reader

    def close(self) -> None:
        """Closes all readers."""
        for reader in self._opened:
            reader.close()


@pytest.fixture(scope="module")
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """An opener whose readers live until the tests of a file have ended."""
    opener = Opener(lambda: request.getfixturevalue("browser"))
    yield opener
    opener.close()
