"""Pools of `httpx` clients: one client for the threads of a process, and one for each event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import TypeVar

# httpx imports httpcore with its first client. If a thread does that while the process forks, the child waits
# forever for the import to end. So it is imported with this package.
import httpcore as httpcore
import httpx

from . import _forks
from ._settings import Settings
from ._wire import unusable
from .errors import ConfigurationError

_Client = TypeVar("_Client", httpx.Client, httpx.AsyncClient)


def create(kind: type[_Client], settings: Settings) -> _Client:
    """Creates an HTTP client. Raises each failure as a `ConfigurationError`."""
    try:
        return kind(**settings.client_options)
    except ConfigurationError:
        raise
    except Exception as problem:
        raise unusable(problem) from problem


class SyncPool:
    """The HTTP client that all threads share. It is created at first use, and again in a forked child."""

    def __init__(self, settings: Settings, callers_client: httpx.Client | None = None) -> None:
        self._settings = settings
        self._callers_client = callers_client
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()
        _forks.watch(self)

    def acquire(self) -> httpx.Client:
        """Returns the client. Raises `ConfigurationError`."""
        if self._callers_client is not None:
            return self._callers_client
        with self._lock:
            if self._client is None:
                self._client = create(httpx.Client, self._settings)
            return self._client

    def close(self) -> None:
        """Closes the client, unless it is the caller's own."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def before_fork(self) -> None:
        """Does nothing: the parent keeps its connections."""

    def after_fork(self, *, in_child: bool) -> None:
        """Drops the connections in the child: two processes must not use the same connection."""
        if in_child:
            self._lock = threading.Lock()
            self._client = None


class AsyncPool:
    """The HTTP clients of the event loops, one for each: a connection belongs to the loop that opened it."""

    def __init__(self, settings: Settings, callers_client: httpx.AsyncClient | None = None) -> None:
        self._settings = settings
        self._callers_client = callers_client
        self._keepers: dict[asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, AsyncGenerator[None, None]]] = {}
        self._lock = threading.Lock()
        _forks.watch(self)

    async def acquire(self) -> httpx.AsyncClient:
        """Returns the client of the running loop. Raises `ConfigurationError`."""
        if self._callers_client is not None:
            return self._callers_client
        loop = asyncio.get_running_loop()
        with self._lock:
            for ended in [other for other in self._keepers if other.is_closed()]:
                del self._keepers[ended]
            if loop in self._keepers:
                return self._keepers[loop][0]
            client = create(httpx.AsyncClient, self._settings)
            keeper = self._keep(loop, client)
            self._keepers[loop] = client, keeper
        # A loop that ends closes the async generators that were started in it. So the connections are closed
        # even if the caller never calls `aclose`, as in the short scripts of the documentation.
        await anext(keeper)
        return client

    async def aclose(self) -> None:
        """Closes the client of the running loop. Those of other loops are closed with their loops."""
        with self._lock:
            _, keeper = self._keepers.pop(asyncio.get_running_loop(), (None, None))
        if keeper is not None:
            await keeper.aclose()

    async def _keep(self, loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._lock:
                self._keepers.pop(loop, None)
            await client.aclose()

    def before_fork(self) -> None:
        """Does nothing: the parent keeps its connections."""

    def after_fork(self, *, in_child: bool) -> None:
        """Drops the connections in the child: two processes must not use the same connection."""
        if in_child:
            self._lock = threading.Lock()
            self._keepers = {}
