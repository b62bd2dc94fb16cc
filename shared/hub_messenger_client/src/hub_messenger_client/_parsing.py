"""The parsing of JSON objects into frozen objects, and their plain form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field, fields, is_dataclass
from datetime import datetime, timezone
from typing import Any

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?(Z|z|[+-]\d\d:?\d\d)?")


def parse_time(value: Any) -> datetime | None:
    """Parses an RFC 3339 time; one without an offset is UTC. Returns `None` if `value` is no time."""
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, clock, fraction, offset = match.groups()
    offset = "+00:00" if offset in (None, "Z", "z") else offset
    if ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    micros = ((fraction or ".")[1:] + "000000")[:6]
    try:
        return datetime.fromisoformat(f"{day}T{clock}.{micros}{offset}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def parsed(parse: Callable[[Any], Any], default: Any = None) -> Any:
    """Returns the field of a dataclass that `parse` reads; `parse` returns `None` for an unreadable value."""
    return field(default=default, metadata={"parse": parse})


def strings(value: Any) -> tuple[str, ...]:
    """Parses an array as a tuple of texts."""
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else ()


def same(value: Any) -> Any:
    """Returns the value."""
    return value


def count(value: Any) -> int | None:
    """Parses a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(value: Any) -> bool | None:
    """Parses `true` or `false`."""
    return value if isinstance(value, bool) else None


def part(cls: type[Any]) -> Callable[[Any], Any]:
    """Returns the parser of an object of `cls`."""
    return lambda value: cls(**known(cls, value)) if isinstance(value, Mapping) else None


def known(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Splits an object into the fields of `cls` and `extra`. Values that cannot be parsed go into `extra`."""
    parsers = {spec.name: spec.metadata["parse"] for spec in fields(cls) if "parse" in spec.metadata}
    read = {name: parsers[name](value) for name, value in data.items() if name in parsers and value is not None}
    found = {name: value for name, value in read.items() if value is not None}
    unread = {name for name, value in data.items() if value is not None and name not in found}
    extra = {name: value for name, value in data.items() if name not in parsers or name in unread}
    return {**found, "extra": extra}


def plain(value: Any) -> dict[str, Any]:
    """Returns the fields of a dataclass as plain values for JSON. Those in `extra` stand among the others."""
    own = {spec.name: _jsonable(getattr(value, spec.name)) for spec in fields(value) if spec.name != "extra"}
    return {**own, **getattr(value, "extra", {})}


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    if is_dataclass(value):
        return plain(value)
    return list(value) if isinstance(value, tuple) else value
