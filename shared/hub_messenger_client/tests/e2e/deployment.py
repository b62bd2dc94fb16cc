"""The real service: its binaries on a database of their own, without a homeserver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest

from hub_messenger_client import MessengerClient, Notification

TOKEN = "messenger-service-token-of-the-tests"
HUB_SECRET = "hub-secret-of-the-tests"
HINT = "run `cargo xtask test`"


def required(name: str) -> str:
    """Returns an environment variable. Fails the test if it is missing: no test skips silently."""
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: {HINT}", pytrace=False)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def database() -> Iterator[str]:
    """Creates a database, and drops it at the end."""
    cluster = required("MESSENGER_TEST_POSTGRES")
    name = f"client_{uuid.uuid4().hex}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
    try:
        yield urlunsplit(urlsplit(cluster)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)'.encode())


@dataclass
class Deployment:
    """A router that tests kill and start again at the same address."""

    database_url: str
    log: Path
    port: int = field(default_factory=free_port)
    _router: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a satellite."""
        return {"MESSENGER_SERVICE_URL": self.url, "MESSENGER_SERVICE_TOKEN": TOKEN}

    def setup(self) -> None:
        assert self._launch("messenger-worker", "setup", "--skip-homeserver").wait(60) == 0, self.log.read_text()

    def start(self) -> None:
        self._router = self._launch("messenger-router")
        deadline = time.monotonic() + 30
        while not self._answers():
            assert self._router.poll() is None, f"the router has ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"the router does not answer:\n{self.log.read_text()}"
            time.sleep(0.02)

    def kill(self) -> None:
        self._stop(signal.SIGKILL)

    def stop(self) -> None:
        self._stop(signal.SIGTERM)

    def client(self, **options: Any) -> MessengerClient:
        return MessengerClient(self.url, TOKEN, **{"source_app": "tests", **options})

    def sent_by(self, source_app: str) -> list[Notification]:
        """Returns all notifications of an application, oldest first."""
        found: list[Notification] = []
        with self.client() as client:
            while page := client.log(source_app=source_app, limit=500, offset=len(found)).notifications:
                found.extend(page)
        return found[::-1]

    def _launch(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        path = Path(required("MESSENGER_BIN_DIR")) / program
        if not path.exists():
            pytest.fail(f"{path} is missing: {HINT}", pytrace=False)
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.database_url,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "MATRIX_HOMESERVER_URL": "http://127.0.0.1:1",
            "MATRIX_SERVER_NAME": "client.test",
            "SECRET_KEY": "secret-key-of-the-tests",
            "HUB_SECRET_KEY": HUB_SECRET,
            "MESSENGER_SERVICE_TOKEN": TOKEN,
            "DATABASE_POOL_SIZE": "8",
            "LOG_LEVEL": "warn",
        }
        with self.log.open("ab") as output:
            return subprocess.Popen([path, *arguments], env=environment, stdout=output, stderr=output)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v1/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def _stop(self, number: signal.Signals) -> None:
        if self._router is not None:
            self._router.send_signal(number)
            self._router.wait(30)
            self._router = None


def hub_jwt(user: str, *, lives: float = 3600.0, **claims: Any) -> str:
    """Returns a token as the Hub issues it."""

    def encoded(part: bytes) -> str:
        return base64.urlsafe_b64encode(part).rstrip(b"=").decode()

    header = encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    payload = {
        "iss": "aesystek-hub",
        "sub": user,
        "exp": int(time.time() + lives),
        "role": "user",
        "tenant_id": 1,
        **claims,
    }
    signed = f"{header}.{encoded(json.dumps(payload).encode())}"
    return f"{signed}.{encoded(hmac.new(HUB_SECRET.encode(), signed.encode(), hashlib.sha256).digest())}"
