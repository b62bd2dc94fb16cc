"""A parser of server-sent events (WHATWG HTML, section 9.2.6, "Interpreting an event stream").

It has no I/O: it accepts bytes in chunks that may be cut anywhere, and returns complete events.
"""

from __future__ import annotations

from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Frame:
    """A dispatched event."""

    event: str
    """The event's type; `message` if the stream names none."""
    data: str
    last_event_id: str
    """The last event ID: that of this event, or of the latest event before it that has one."""
    has_id: bool
    """`True` if this event itself has an id."""


class FrameTooLargeError(ValueError):
    """An event that exceeds the limit of bytes."""


class Parser:
    """The parser of one connection. `last_event_id` is that of the connection before."""

    def __init__(self, last_event_id: str = "", *, max_bytes: int = 8 * 1024 * 1024) -> None:
        self.last_event_id = last_event_id
        self.retry: int | None = None
        """The reconnection time in milliseconds that the stream last sent."""
        self._max_bytes = max_bytes
        self._pending = bytearray()
        self._scanned = 0
        self._skip_lf = False
        self._at_start = True
        self._id_buffer = last_event_id
        self._clear()

    def feed(self, chunk: bytes) -> list[Frame]:
        """Parses the next bytes. Returns the events that they complete."""
        if len(self._pending) + self._size > self._max_bytes:
            raise FrameTooLargeError(f"an event of more than {self._max_bytes} bytes")
        self._pending += chunk
        return [frame for line in self._lines() if (frame := self._line(line)) is not None]

    def _clear(self) -> None:
        self._data: list[str] = []
        self._event = ""
        self._has_id = False
        self._size = 0

    def _lines(self) -> list[bytes]:
        """Removes and returns the complete lines. They end with LF, CR or CRLF; chunks may split a CRLF."""
        if self._at_start:
            if len(self._pending) < len(BOM) and BOM.startswith(bytes(self._pending)):
                return []  # this may become a byte order mark
            if self._pending.startswith(BOM):
                del self._pending[: len(BOM)]
            self._at_start = False
        lines: list[bytes] = []
        start = 0
        while True:
            if self._skip_lf and start < len(self._pending):
                start += self._pending[start] == 0x0A
                self._skip_lf = False
            end = self._line_end(max(start, self._scanned))
            if end < 0:
                break
            lines.append(bytes(self._pending[start:end]))
            self._skip_lf = self._pending[end] == 0x0D
            start = end + 1
        del self._pending[:start]
        self._scanned = len(self._pending)
        return lines

    def _line_end(self, start: int) -> int:
        lf = self._pending.find(b"\n", start)
        cr = self._pending.find(b"\r", start, lf if lf >= 0 else len(self._pending))
        return cr if cr >= 0 else lf

    def _line(self, line: bytes) -> Frame | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name == b"data":
            self._size += len(value)
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id_buffer = value.decode("utf-8", "replace")
                self._has_id = True
        elif name == b"retry" and value.isdigit():
            # `bytes.isdigit` is the standard's rule: true for ASCII digits only, false for an empty value.
            self.retry = int(value[:12])
        return None

    def _dispatch(self) -> Frame | None:
        self.last_event_id = self._id_buffer
        has_id, data, event = self._has_id, self._data, self._event
        self._clear()
        if not data:
            return None
        return Frame(event or "message", "\n".join(data), self.last_event_id, has_id)
