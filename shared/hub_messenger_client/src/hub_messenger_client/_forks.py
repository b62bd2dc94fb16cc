"""Objects that must not be carried over `fork()` as they are: locks, threads, sockets and database handles."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """Told around every fork of this process."""

    def before_fork(self) -> None:
        """In the parent, before: bring yourself into a state that may be copied."""

    def after_fork(self, *, in_child: bool) -> None:
        """In both, after. In the child no thread but this one lives on."""


_watched: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def watch(item: ForkAware) -> None:
    """Tells `item` of forks from now on, as long as it lives."""
    _watched.add(item)


def _before() -> None:
    for item in tuple(_watched):
        item.before_fork()


def _after(*, in_child: bool) -> None:
    for item in tuple(_watched):
        item.after_fork(in_child=in_child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(in_child=False),
        after_in_child=lambda: _after(in_child=True),
    )
