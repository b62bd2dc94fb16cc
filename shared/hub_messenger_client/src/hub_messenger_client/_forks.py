"""Fork handlers of objects with locks, threads, sockets or database handles, which no child may inherit."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """An object that prepares for each fork of its process."""

    def before_fork(self) -> None:
        """Runs in the parent before the fork: brings the object into a state that may be copied."""

    def after_fork(self, *, in_child: bool) -> None:
        """Runs in the parent and in the child after the fork. The child has the forking thread only."""


_watched: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def watch(item: ForkAware) -> None:
    """Calls the methods of `item` around each fork, as long as `item` lives."""
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
