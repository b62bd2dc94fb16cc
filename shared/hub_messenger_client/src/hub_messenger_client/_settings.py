"""What a client is configured with, checked where it is constructed."""

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
"""The limit of a call whose failure its caller has to handle."""
SPOOLED_CALL_SECONDS = 2.0
"""The limit of a call that is spooled when it fails."""
FORK_SECONDS = 5.0


@dataclass(frozen=True)
class Settings:
    """Everything that does not change over a client's life."""

    base_url: str
    limits: Limits
    headers: Mapping[str, str] = field(repr=False)
    retries: Retries = field(default_factory=Retries)
    verify: bool | str | ssl.SSLContext = True
    trust_env: bool = False
    _trusted: list[ssl.SSLContext] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def client_options(self) -> dict[str, Any]:
        """What `httpx.Client` and `httpx.AsyncClient` are made with. Raises `ConfigurationError`."""
        return {"timeout": self.limits.phases, "verify": self._trust, "trust_env": self.trust_env}

    @property
    def _trust(self) -> ssl.SSLContext:
        """Reading the certificates takes longer than a call: it is done once, for all loops and connections."""
        with _reading.lock:
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
            # Nothing is encrypted on this way: certificates that cannot be read must not keep an alarm back.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.create_ssl_context(verify=self.verify)


class _Reading:
    """A process forks only while no thread reads certificates: OpenSSL would hand its locks on locked for ever."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._held = False
        _forks.watch(self)

    def before_fork(self) -> None:
        """Waits for who reads."""
        self._held = self.lock.acquire(timeout=FORK_SECONDS)

    def after_fork(self, *, in_child: bool) -> None:
        """Lets them read again."""
        if self._held:
            self.lock.release()
        elif in_child:
            self.lock = threading.Lock()


_reading = _Reading()


def service_url(value: str | None) -> str:
    """The service's address, from the argument or the environment, without `/api/v1` and a slash at the end."""
    given = (value if value is not None else os.environ.get(URL_VARIABLE, "")).strip()
    if not given:
        raise ConfigurationError(
            f"the messenger service's address is missing: set {URL_VARIABLE} or pass base_url= {URL_HINT}",
            code="missing_service_url",
        )
    try:
        url = httpx.URL(given)
    except httpx.InvalidURL as problem:
        raise ConfigurationError(f"{URL_VARIABLE} is no URL: {problem}", code="invalid_service_url") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise ConfigurationError(
            f"{URL_VARIABLE} must look like http://host:8000, not like {given!r}", code="invalid_service_url"
        )
    return given.rstrip("/").removesuffix(API).rstrip("/")


def service_token(value: str | None) -> str:
    """The service token, from the argument or the environment."""
    given = (value if value is not None else os.environ.get(TOKEN_VARIABLE, "")).strip()
    if not given:
        raise ConfigurationError(
            f"the service token is missing: set {TOKEN_VARIABLE} to the value that the hub hands out, or pass token= "
            f"{TOKEN_HINT}",
            code="missing_service_token",
        )
    return header_value(given, TOKEN_VARIABLE)


def header_value(value: str, name: str) -> str:
    """A value that can stand in a header. It is a secret: the message does not show it."""
    if not value.isascii() or not value.isprintable():
        raise ConfigurationError(f"{name} holds characters that no token has", code="invalid_token")
    return value


def limits(value: float | httpx.Timeout | None, default: float) -> Limits:
    """The limits of a call: seconds for all of it, or the phases of each of its attempts."""
    if isinstance(value, httpx.Timeout):
        return Limits(value)
    seconds: Any = default if value is None else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
        raise ArgumentError(
            f"timeout must be a positive number of seconds or an httpx.Timeout, is {value!r}", code="invalid_argument"
        )
    # Connecting, in a local network, is quick or it fails.
    return Limits(httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)), float(seconds))
