"""Each library has each event at once, whole, and with its id: direct and behind each front."""

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
TITLES = ["Störung an Fräse 3 ✅", "ąść łódź", "한국어 😀", "\u0085\u2028 end", "last"]
"""Text of several scripts, and characters that some libraries take for the end of a line."""
PATIENCE = 8.0
"""Seconds to wait for one event. Less than the time between two keepalives, which bring what was held back."""


@dataclass
class Outcome:
    """What a reader received, and when each title was sent."""

    reader: Reader
    sent: dict[str, float]

    def delay(self, title: str) -> float:
        """Returns the seconds until a title arrived."""
        found = [one for one in self.reader.messages if one.event.get("title") == title]
        assert len(found) == 1, f"{title!r} came {len(found)} times; received: {self.reader.lines}"
        return found[0].at - self.sent[title]


Outcomes = Callable[[str], dict[str, Outcome]]


@pytest.fixture(scope="module")
def outcomes(service: Router, fronts: dict[str, str], opener: Opener) -> Outcomes:
    """Returns what all libraries have received behind a front. They read at the same time."""
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
    """Returns the titles among what was received, whatever else was."""
    return [line["data"] for line in reader.lines if '"title"' in line.get("data", "")]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("front", FRONTS)
def test_each_event_arrives_at_once_whole_and_with_its_id(front: str, library: str, outcomes: Outcomes) -> None:
    outcome = outcomes(front)[library]
    delays = [outcome.delay(title) for title in TITLES]
    # Every event was there before the next one was sent, and on a busy machine one may take longer.
    assert max(delays) < PATIENCE and statistics.median(delays) < 1, delays
    messages = outcome.reader.messages
    first, *rest = messages
    assert first.event["type"] == "connected"
    assert first.id == str(first.event["cursor"])
    # Nothing empty, nothing that is no event, each id where it belongs.
    last = first.event["cursor"]
    for message in rest:
        last = check(message, last)


def check(message: Message, last: int) -> int:
    """Checks that an event moves the id forward, and that a keepalive does not; returns the id."""
    if message.event["type"] == "notification":
        assert int(message.id or 0) > last
        return int(message.id or 0)
    assert message.event["type"] == "keepalive"
    # Some libraries repeat the last id with a message that has none, some give none.
    assert message.id in ("", None, str(last))
    return last
