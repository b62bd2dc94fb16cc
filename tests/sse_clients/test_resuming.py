"""Each library resumes after a broken connection without loss or repetition."""

from __future__ import annotations

import time

import pytest

from conftest import Opener
from harness.reading import LIBRARIES, RECONNECTING, Reader
from harness.relay import Relay
from harness.service import Router, stream_url


@pytest.fixture(scope="module")
def resumed(service: Router, opener: Opener) -> dict[str, list[str]]:
    """The titles that each library received over two connections."""
    relay = Relay(service.port)
    url = stream_url(relay.url)
    readers = {library: opener(library, url) for library in RECONNECTING}
    first = {library: opener(library, url) for library in LIBRARIES if library not in RECONNECTING}
    for reader in [*readers.values(), *first.values()]:
        reader.wait_connected()
    service.notify("before")
    for reader in [*readers.values(), *first.values()]:
        reader.wait("the first event", lambda reader: reader.titles)
    relay.cut()
    for title in ("between 1", "between 2"):
        service.notify(title)
    # These libraries do not reconnect by themselves.
    second: dict[str, Reader] = {}
    for library, reader in first.items():
        second[library] = opener(library, url, last_event_id=reader.messages[-1].id or "")
    for reader in [*readers.values(), *second.values()]:
        reader.wait("the missed events", lambda reader: "between 2" in reader.titles)
    service.notify("after")
    for reader in [*readers.values(), *second.values()]:
        reader.wait("the live event", lambda reader: "after" in reader.titles)
    time.sleep(0.2)
    relay.close()
    titles = {library: reader.titles for library, reader in readers.items()}
    return titles | {library: first[library].titles + reader.titles for library, reader in second.items()}


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_library_resumes_at_its_position(library: str, resumed: dict[str, list[str]]) -> None:
    assert resumed[library] == ["before", "between 1", "between 2", "after"]


@pytest.mark.parametrize("name", ["last_event_id", "lastEventId", "lastEventID", "Last-Event-ID"])
def test_the_service_accepts_each_name_of_the_position_in_the_url(name: str, service: Router, opener: Opener) -> None:
    live = opener("urllib3", stream_url(service.url))
    live.wait_connected()
    for title in ("one", "two"):
        service.notify(f"{name} {title}")
    live.wait("both", lambda reader: len(reader.titles) == 2)
    first = next(one.id for one in live.messages if one.event["type"] == "notification")
    reader = opener("urllib3", stream_url(service.url, **{name: str(first)}))
    reader.wait("the second", lambda reader: reader.titles)
    assert reader.titles == [f"{name} two"]
