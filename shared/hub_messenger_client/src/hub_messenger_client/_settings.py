"""The settings of a client, checked when it is constructed."""

from __future__ import annotations

import os
import platform
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from . import _forks
from ._version import __version__
from ._wire import API, Limits, Retries, unusable
from .errors import ArgumentError, ConfigurationError

URL_VARIABLE = "MESSENGER_SERVICE_URL"
TOKEN_VARIABLE = "MESSENGER_SERVICE_TOKEN"  # noqa: S105 - a name
APP_VARIABLE = "MESSENGER_SOURCE_APP"
SPOOL_VARIABLE = "MESSENGER_SPOOL_DIR"
URL_HINT = "(in the hub's Docker network it is http://messenger-service-backend-1:8000)"
TOKEN_HINT = "(a messenger service in development takes messenger-service-token-dev)"  # noqa: S105 - a hint
USER_AGENT = f"hub-messenger-client/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"
CONNECT_SECONDS = 3.0
CALL_SECONDS = 10.0
"""The default limit of a call without a spool."""
SPOOLED_CALL_SECONDS = 2.0
"""The default limit of a call with a spool, which keeps the notification if the call fails."""
FORK_SECONDS = 5.0
"""Seconds for which a fork waits for threads that read certificates."""


@dataclass(frozen=True)
class Settings:
    """The settings of a client. They do not change over its life."""

    base_url: str
    limits: Limits
    headers: Mapping[str, str] = field(repr=False)
    retries: Retries = field(default_factory=Retries)
    verify: bool | str | ssl.SSLContext = True
    trust_env: bool = False
    _trusted: list[ssl.SSLContext] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def client_options(self) -> dict[str, Any]:
        """The arguments of `httpx.Client` and `httpx.AsyncClient`. Raises `ConfigurationError`."""
        return {"timeout": self.limits.phases, "verify": self._trust, "trust_env": self.trust_env}

    @property
    def _trust(self) -> ssl.SSLContext:
        """The TLS context, read once for all connections: reading certificates takes longer than a call."""
        with _certificate_lock.lock:
            if not self._trusted:
                try:
                    self._trusted.append(self._read_trust())
                except Exception as problem:
                    raise unusable(problem) from problem
            return self._trusted[0]

    def _read_trust(self) -> ssl.SSLContext:
        if isinstance(self.verify, ssl.SSLContext):
            return self.verify
        if isinstance(self.verify, str):
            return ssl.create_default_context(cafile=self.verify)
        if not (self.trust_env or self.base_url.lower().startswith("https:")):
            # Plain HTTP needs no certificates: unreadable ones must not keep an alarm back.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.create_ssl_context(verify=self.verify)


class _CertificateLock:
    """A lock that delays a fork while a thread reads certificates: no child may inherit OpenSSL's locks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._held = False
        _forks.watch(self)

    def before_fork(self) -> None:
        """Waits until no thread reads certificates, for at most `FORK_SECONDS`."""
        self._held = self.lock.acquire(timeout=FORK_SECONDS)

    def after_fork(self, *, in_child: bool) -> None:
        """Releases the lock, or replaces it in a child that inherited it locked."""
        if self._held:
            self.lock.release()
        elif in_child:
            self.lock = threading.Lock()


_certificate_lock = _CertificateLock()


def service_url(value: str | None) -> str:
    """Returns the address of the argument or the environment, without `/api/v1` or a slash at its end."""
    address = (value if value is not None else os.environ.get(URL_VARIABLE, "")).strip()
    if not address:
        raise ConfigurationError(
            f"the messenger service's address is missing: set {URL_VARIABLE} or pass base_url= {URL_HINT}",
            code="missing_service_url",
        )
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as problem:
        raise ConfigurationError(f"{URL_VARIABLE} is no URL: {problem}", code="invalid_service_url") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ConfigurationError(
            f"{URL_VARIABLE} must look like http://host:8000, not like {address!r}", code="invalid_service_url"
        )
    return address.rstrip("/").removesuffix(API).rstrip("/")


def service_token(value: str | None) -> str:
    """Returns the service token, from the argument or the environment."""
    token = (value if value is not None else os.environ.get(TOKEN_VARIABLE, "")).strip()
    if not token:
        raise ConfigurationError(
            f"the service token is missing: set {TOKEN_VARIABLE} to the value that the hub hands out, or pass token= "
            f"{TOKEN_HINT}",
            code="missing_service_token",
        )
    return header_value(token, TOKEN_VARIABLE)


def header_value(value: str, name: str) -> str:
    """Returns a secret if a header can hold it. Raises a `ConfigurationError` that does not show it."""
    if not value.isascii() or not value.isprintable():
        raise ConfigurationError(f"{name} holds characters that no token has", code="invalid_token")
    return value


def limits(value: float | httpx.Timeout | None, default: float) -> Limits:
    """Returns the limits of a call: seconds for all of it, or an `httpx.Timeout` for each of its attempts."""
    if isinstance(value, httpx.Timeout):
        return Limits(value)
    seconds: Any = default if value is None else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
        raise ArgumentError(
            f"timeout must be a positive number of seconds or an httpx.Timeout, is {value!r}", code="invalid_argument"
        )
    # In a local network, a connection is made quickly or not at all.
    return Limits(httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)), float(seconds))
