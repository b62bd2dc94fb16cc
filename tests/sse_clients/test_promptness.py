"""Each library delivers each event at once, whole, and with its id: direct and behind each proxy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from conftest import Opener
from harness.reading import LIBRARIES, Message, Reader
from harness.service import Router, stream_url

FRONTS = ["direct", "nginx", "nginx by HTTP/1.0", "caddy", "express"]
TITLES = ["Störung an Fräse 3 ✅", "ąść łódź", "한국어 😀", "an\u0085\u2028 end", "last"]
"""Texts of several scripts, and characters that some libraries parse as the end of a line. A type keeps them.
A title does not."""
PATIENCE = 8.0
"""Seconds to wait for an event. A keepalive, which would flush a proxy's buffer, comes later than that."""


@dataclass
class Outcome:
    """The messages of a reader, and the time at which each title was sent."""

    reader: Reader
    sent: dict[str, float]

    def delay(self, title: str) -> float:
        """Returns the seconds until a title arrived."""
        found = [one for one in self.reader.messages if one.event.get("event_type") == title]
        assert len(found) == 1, f"{title!r} arrived {len(found)} times; received: {self.reader.lines}"
        return found[0].at - self.sent[title]


Outcomes = Callable[[str], dict[str, Outcome]]


@pytest.fixture(scope="module")
def outcomes(service: Router, fronts: dict[str, str], opener: Opener) -> Outcomes:
    """Returns the outcome of each library behind a proxy. All libraries read at the same time."""
    known: dict[str, dict[str, Outcome]] = {}

    def of_front(name: str) -> dict[str, Outcome]:
        if name not in known:
            known[name] = observe(name)
        return known[name]

    def observe(name: str) -> dict[str, Outcome]:
        readers = {library: opener(library, stream_url(fronts[name])) for library in LIBRARIES}
        for reader in readers.values():
            reader.wait("its first line", lambda reader: reader.lines)
        sent: dict[str, float] = {}
        for title in TITLES:
            sent[title] = time.time()
            service.notify(title)
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline and any(len(titles(reader)) < len(sent) for reader in readers.values()):
                time.sleep(0.02)
        opener.close()
        return {library: Outcome(reader, sent) for library, reader in readers.items()}

    return of_front


def titles(reader: Reader) -> list[str]:
    """Returns the lines of a reader that have a title. They need not be valid events."""
    return [line["data"] for line in reader.lines if '"title"' in line.get("data", "")]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("front", FRONTS)
def test_each_library_delivers_each_event_at_once_whole_and_with_its_id(
    front: str, library: str, outcomes: Outcomes
) -> None:
    outcome = outcomes(front)[library]
    delays = [outcome.delay(title) for title in TITLES]
    # Each event arrived before the next one was sent. On a busy machine, a single one may take longer.
    assert max(delays) < PATIENCE and statistics.median(delays) < 1, delays
    messages = outcome.reader.messages
    first, *others = messages
    assert first.event["type"] == "connected"
    assert first.id == str(first.event["cursor"])
    # Each message is an event, with the right id.
    last = first.event["cursor"]
    for message in others:
        last = check(message, last)


def check(message: Message, last: int) -> int:
    """Checks that an event moves the id forward, and that a keepalive does not. Returns the id."""
    if message.event["type"] == "notification":
        assert int(message.id or 0) > last
        return int(message.id or 0)
    assert message.event["type"] == "keepalive"
    # For a message without an id, some libraries repeat the last id, and others have none.
    assert message.id in ("", None, str(last))
    return last
