"""The real service: routers on a database of their own, without a homeserver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
import requests

SERVICE_TOKEN = "service-token-of-the-tests-0123456789"
HUB_SECRET = "hub-secret-of-the-tests-0123456789abc"
PATIENCE = 60.0
"""The default time limit in seconds, which fits a busy machine."""


def required(name: str) -> str:
    """Returns a variable that `cargo xtask test` sets. Fails if it is missing: no test skips silently."""
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: run `cargo xtask test --sse-only`", pytrace=False)
    return value


def free_port() -> int:
    """Returns a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: str, holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Waits until a condition holds. Fails after `seconds` with the name of the condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


def is_open(port: int) -> bool:
    """Returns `True` if a program listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def database() -> Iterator[str]:
    """Creates a database, and drops it at the end."""
    cluster = required("MESSENGER_TEST_POSTGRES")
    name = f"sse_clients_{uuid.uuid4().hex}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
    try:
        yield urlunsplit(urlsplit(cluster)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)'.encode())


class Router:
    """A router that tests stop and start again at the same port."""

    def __init__(self, database_url: str, log: Path) -> None:
        """Starts the router."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._database_url = database_url
        self._log = log
        self.start()

    def start(self) -> None:
        """Starts the router and waits until it answers."""
        self._process = _launch(self._database_url, self.port, self._log, "messenger-router")
        wait_until(f"the router answers; its log:\n{self._log.read_text()}", lambda: is_open(self.port))

    def stop(self) -> None:
        """Stops the router with SIGTERM."""
        self._process.terminate()
        self._process.wait(PATIENCE)

    @staticmethod
    def migrate(database_url: str, log: Path) -> int:
        """Creates the schema of a database. Returns the exit code."""
        return _launch(database_url, 0, log, "messenger-worker", "setup", "--skip-homeserver").wait(PATIENCE)

    def notify(self, title: str) -> None:
        """Sends a notification to everybody of the tenant, with the title as its type, too."""
        answer = requests.post(
            f"{self.url}/api/v1/notifications/send?wait=0",
            headers={"X-Service-Token": SERVICE_TOKEN},
            json={"source_app": "tests", "event_type": title, "title": title},
            timeout=PATIENCE,
        )
        assert answer.status_code == 201, answer.text

    def sign_in(self, token: str) -> None:
        """Signs a user in with a Hub token."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(f"{self.url}/api/v1/users/me", headers=headers, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text


def _launch(database_url: str, port: int, log: Path, program: str, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "PORT": str(port or free_port()),
        "MATRIX_HOMESERVER_URL": "http://127.0.0.1:1",
        "MATRIX_SERVER_NAME": "streams.test",
        "ENVIRONMENT": "development",
        "SECRET_KEY": "secret-key-of-the-tests-0123456789abcd",
        "HUB_SECRET_KEY": HUB_SECRET,
        "MESSENGER_SERVICE_TOKEN": SERVICE_TOKEN,
        "DATABASE_POOL_SIZE": "8",
        "LOG_LEVEL": "warn",
    }
    with log.open("ab") as output:
        path = Path(required("MESSENGER_BIN_DIR"), program)
        return subprocess.Popen([path, *arguments], env=environment, stdout=output, stderr=output)


def stream_url(front: str, user: str = "mueller", **query: str) -> str:
    """Returns the address of a user's stream behind a proxy."""
    more = "".join(f"&{name}={quote(value)}" for name, value in query.items())
    return f"{front}/api/v1/events/stream?token={hub_token(user)}{more}"


def hub_token(user: str, *, lives: float = 3600.0, role: str = "user", issued_at: float | None = None) -> str:
    """Returns a token as the Hub issues it. The service accepts it until 30 seconds after its end."""

    def encoded(part: bytes) -> str:
        return base64.urlsafe_b64encode(part).rstrip(b"=").decode()

    now = time.time()
    claims: dict[str, Any] = {"iss": "aesystek-hub", "sub": user, "role": role, "tenant_id": 1}
    claims["exp"] = int(now + lives)
    if issued_at is not None:
        claims["iat"] = int(issued_at)
    signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{encoded(hmac.new(HUB_SECRET.encode(), signed.encode(), hashlib.sha256).digest())}"
