"""Names of the holders of a spool's lease, by which other processes recognise that a holder has ended."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def new() -> str:
    """Returns a new, unique name for a holder in this process."""
    return f"{_space()}/{os.getpid()}/{uuid.uuid4().hex}"


def is_gone(holder: str | None) -> bool:
    """Returns `True` if the holder's process has certainly ended, so that its lease is void.

    `False` for a process of another container, where the same number is another process.
    """
    space, _, process = (holder or "").partition("/")
    number, _, _ = process.partition("/")
    if not space or space != _space() or not number.isdecimal():
        return False
    return not Path("/proc", number).exists()


def _space() -> str:
    """Returns the name of the PID namespace, or an empty string if the system has none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}-{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
