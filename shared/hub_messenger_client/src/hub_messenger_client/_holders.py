"""Names for those who drain a spool, by which others can see that one of them has died."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def new() -> str:
    """A name of its own for this process, or for a part of it."""
    return f"{_space()}/{os.getpid()}/{uuid.uuid4().hex}"


def is_gone(holder: str | None) -> bool:
    """Whether the holder's process has certainly ended. A lease need not be waited for then.

    Only for processes that this one can see: in another container the same number is another process.
    """
    space, _, rest = (holder or "").partition("/")
    number, _, _ = rest.partition("/")
    if not space or space != _space() or not number.isdecimal():
        return False
    return not Path("/proc", number).exists()


def _space() -> str:
    """The processes among which a number means one. Empty where it cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}-{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
