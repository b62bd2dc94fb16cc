"""One `httpx` client, and so one set of connections, for each process and for each event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import TypeVar

# httpx imports httpcore with its first client. Where that is in a thread, and the process forks meanwhile, the child
# waits for ever for the import to end; so it is done here, where this package is imported.
import httpcore as httpcore
import httpx

from . import _forks
from ._settings import Settings
from ._wire import unusable
from .errors import ConfigurationError

_Client = TypeVar("_Client", httpx.Client, httpx.AsyncClient)


def made(kind: type[_Client], settings: Settings) -> _Client:
    """An HTTP client. Whatever making it raises becomes a `ConfigurationError`."""
    try:
        return kind(**settings.client_options)
    except ConfigurationError:
        raise
    except Exception as problem:
        raise unusable(problem) from problem


class SyncPool:
    """For threads: they share one client, which is made at first use, and anew in a forked child."""

    def __init__(self, settings: Settings, given: httpx.Client | None = None) -> None:
        self._settings = settings
        self._given = given
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()
        _forks.watch(self)

    def acquire(self) -> httpx.Client:
        """The client to use now. Raises `ConfigurationError`."""
        if self._given is not None:
            return self._given
        with self._lock:
            if self._client is None:
                self._client = made(httpx.Client, self._settings)
            return self._client

    def close(self) -> None:
        """Closes the connections, unless they are the caller's own."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def before_fork(self) -> None:
        """Nothing to do: the parent goes on with its connections."""

    def after_fork(self, *, in_child: bool) -> None:
        """Two processes must not speak on one connection: the child lets go of its copies."""
        if in_child:
            self._lock = threading.Lock()
            self._client = None


class AsyncPool:
    """For tasks: connections belong to the event loop that opened them, so each loop has a client."""

    def __init__(self, settings: Settings, given: httpx.AsyncClient | None = None) -> None:
        self._settings = settings
        self._given = given
        self._keepers: dict[asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, AsyncGenerator[None, None]]] = {}
        self._lock = threading.Lock()
        _forks.watch(self)

    async def acquire(self) -> httpx.AsyncClient:
        """The client to use in the running loop."""
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        with self._lock:
            for ended in [other for other in self._keepers if other.is_closed()]:
                del self._keepers[ended]
            if loop in self._keepers:
                return self._keepers[loop][0]
            client = made(httpx.AsyncClient, self._settings)
            keeper = self._keep(loop, client)
            self._keepers[loop] = client, keeper
        # A loop that ends closes the generators that were begun in it: this is how the connections are closed in time
        # when nobody calls `aclose`, as in the one-line scripts of the documentation.
        await anext(keeper)
        return client

    async def aclose(self) -> None:
        """Closes the connections of the running loop; those of other loops end with their loops."""
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
        """Nothing to do: the parent goes on with its connections."""

    def after_fork(self, *, in_child: bool) -> None:
        """Two processes must not speak on one connection: the child lets go of its copies."""
        if in_child:
            self._lock = threading.Lock()
            self._keepers = {}
