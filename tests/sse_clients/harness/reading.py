"""Programs that read streams. They print each message as a line of JSON with the time of its arrival."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .service import PATIENCE, required, wait_until

FOLDER = Path(__file__).parent.parent
PYTHON = ["requests + sseclient-py", "requests.iter_lines", "urllib3", "httpx-sse", "aiohttp-sse-client"]
NODE = ["eventsource", "event-source-polyfill", "fetch-event-source"]
CHROMIUM = ["EventSource", "event-source-polyfill", "fetch-event-source"]
LIBRARIES = [*PYTHON, *(f"{name} (Node)" for name in NODE), *(f"{name} (Chromium)" for name in CHROMIUM)]
RECONNECTING = [name for name in LIBRARIES if name.endswith(")")]
"""The libraries that reconnect by themselves."""


@dataclass(frozen=True)
class Message:
    """A message of the service, as a library delivered it."""

    at: float
    """The time of its arrival, in seconds since 1970."""
    data: str
    id: str | None

    @property
    def event(self) -> dict[str, Any]:
        """The event in the message. Fails if it has none, for example in an empty message."""
        event = json.loads(self.data or "null")
        assert isinstance(event, dict) and "type" in event, f"no event: {self}"
        return event


class Reader:
    """The messages, states and other lines that a reader has printed."""

    def __init__(self, name: str, close: Callable[[], None]) -> None:
        """Starts without a line. `close` ends the program or page."""
        self.name = name
        self.close = close
        self.lines: list[dict[str, Any]] = []

    def store(self, line: str) -> None:
        """Stores a line that the program printed."""
        try:
            self.lines.append(json.loads(line))
        except ValueError:
            self.lines.append({"error": line.strip()})

    @property
    def messages(self) -> list[Message]:
        """All messages, in the order of their arrival."""
        return [Message(line["at"], line["data"], line["id"]) for line in self.lines if "data" in line]

    @property
    def titles(self) -> list[str]:
        """The titles of all notifications."""
        return [one.event["title"] for one in self.messages if one.event["type"] == "notification"]

    @property
    def states(self) -> list[tuple[str, str]]:
        """The states with their reasons, if the library has states."""
        return [(line["state"], line["reason"]) for line in self.lines if "state" in line]

    @property
    def asked(self) -> list[bool]:
        """The `expired` of each request for a token."""
        return [line["asked"] for line in self.lines if "asked" in line]

    def wait(self, what: str, holds: Callable[[Reader], object], seconds: float = PATIENCE) -> None:
        """Waits until a condition holds for the received lines."""
        try:
            wait_until(f"{self.name}: {what}", lambda: holds(self), seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; received so far: {self.lines[-20:]}") from None

    def wait_connected(self) -> None:
        """Waits for the first message."""
        self.wait("connected", lambda reader: any('"connected"' in one.data for one in reader.messages))

    def wait_state(self, name: str, after: int = 0) -> None:
        """Waits until a state with this name was reported, not counting the first `after` states."""
        self.wait(name, lambda reader: any(state == name for state, _ in reader.states[after:]))


def node() -> str:
    """Returns the path of Node."""
    return required("MESSENGER_NODE")


def read_with(library: str, url: str, last_event_id: str = "", **options: object) -> Reader:
    """Reads a stream in a new process, with a Python library, or in Node if the name ends with `(Node)`."""
    if library in PYTHON:
        command = [sys.executable, f"{FOLDER / 'readers/read.py'}", library, url, last_event_id]
    else:
        name = library.removesuffix(" (Node)")
        command = [node(), f"{FOLDER / 'readers/read.mjs'}", name, url, json.dumps(options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=FOLDER)
    assert process.stdout is not None

    def close() -> None:
        process.kill()
        process.wait()

    reader = Reader(library, close)
    threading.Thread(target=_read_lines, args=(process.stdout, reader.store), daemon=True).start()
    return reader


class Browser:
    """A Chromium in which each reader has a page."""

    def __init__(self, chromium: str, profile: Path) -> None:
        """Starts Chromium."""
        command = [node(), f"{FOLDER / 'readers/browser.mjs'}", chromium, f"{profile}"]
        environment = {**os.environ, "NODE_NO_WARNINGS": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input = self._process.stdin
        self._browser = Reader("Chromium", self.close)
        self._readers = [self._browser]
        threading.Thread(target=_read_lines, args=(self._process.stdout, self._store), daemon=True).start()
        self._browser.wait("it starts", lambda browser: any("version" in line for line in browser.lines))

    def read(self, library: str, url: str, page: str | None = None, **options: object) -> Reader:
        """Reads a stream in a new page at the address `page`, by default one of another origin."""
        number = len(self._readers)
        reader = Reader(f"{library} (Chromium)", lambda: self._send({"reader": number, "close": True}))
        self._readers.append(reader)
        self._send({"reader": number, "library": library, "url": url, "page": page, "options": options})
        return reader

    def close(self) -> None:
        """Ends Chromium with all pages."""
        self._input.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, command: dict[str, object]) -> None:
        self._input.write(json.dumps(command) + "\n")
        self._input.flush()

    def _store(self, line: str) -> None:
        try:
            number = json.loads(line)["reader"]
        except (ValueError, KeyError, TypeError):
            number = 0
        self._readers[number].store(line)


def _read_lines(output: IO[str], store: Callable[[str], None]) -> None:
    with output:
        for line in output:
            store(line)
