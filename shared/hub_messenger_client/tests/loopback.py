"""A small HTTP server on loopback that keeps the contract, or breaks it as a test demands."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .alarm_states import INPUT, Alarms

TOKEN = "messenger-service-token-dev"


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server
    request_: Request

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def do_POST(self) -> None:
        self.server.service.handle(self)

    do_GET = do_POST

    def answer(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        kind = "application/json" if status < 400 else "application/problem+json"
        fields = {"Content-Type": kind, "X-Request-Id": "req-1", **(headers or {})}
        for name, value in {**fields, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def problem(self, status: int, code: str, detail: str = "no", **more: Any) -> None:
        retry_after = more.pop("retry_after", None)
        body = {"type": "about:blank", "title": "Problem", "status": status, "detail": detail, "code": code, **more}
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.answer(status, {"request_id": "req-1", **body}, headers)

    def reset(self) -> None:
        """Resets the connection without an answer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        self.service = service
        self.connections: set[socket.socket] = set()
        super().__init__(address, Exchange)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def break_off(self) -> None:
        """Ends every connection, as a killed process does."""
        for connection in tuple(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # connections that a test breaks on purpose


@dataclass
class Service:
    """The state of the server. It outlives a restart, as a database does."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    script: deque[Behaviour] = field(default_factory=deque)
    always: Behaviour | None = None
    routes: dict[str, Behaviour] = field(default_factory=dict)
    alarms: Alarms = field(default_factory=Alarms)
    batch_problems: dict[str, dict[str, Any]] = field(default_factory=dict)
    _by_key: dict[str, dict[str, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def titles(self) -> list[str]:
        """The titles of the accepted notifications, in order."""
        return [str(entry["title"]) for entry in self.accepted]

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of all attempts."""
        return [request.key for request in self.requests if request.method == "POST"]

    def start(self) -> None:
        self._server = Server(("127.0.0.1", self.port), self)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.break_off()
            self._server = None

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        yield
        self.start()

    def handle(self, exchange: Exchange) -> None:
        """Records a request and answers it by the route, the script, or the contract."""
        parts = urlsplit(exchange.path)
        body = exchange.rfile.read(int(exchange.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in exchange.headers.items()}
        request = Request(exchange.command, parts.path, parse_qs(parts.query), headers, body, exchange.client_address)
        exchange.request_ = request
        with self._lock:
            self.requests.append(request)
            behaviour = self.routes.get(parts.path) or (self.script.popleft() if self.script else self.always)
        (behaviour or self.accept)(exchange)

    def store(self, request: Request) -> tuple[dict[str, Any], bool]:
        """Stores the notification of a request."""
        return self.store_once(request.key, request.json)

    def store_once(self, key: str, sent: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Stores a notification once for each key. Returns it, and `True` if the key is a repeated one."""
        with self._lock:
            if key in self._by_key:
                return self._by_key[key], True
            entry = {
                "id": len(self.accepted) + 1,
                "status": "sent",
                "matrix_room_id": "!room",
                "matrix_event_id": "$event",
                "created_at": "2026-01-31T12:00:00",
                "body": None,
                "title": sent.get("dedup_key"),
                "event_type": sent.get("event_action"),
                **sent,
            }
            self.accepted.append(entry)
            answer = {name: value for name, value in entry.items() if name not in INPUT}
            self._by_key[key] = {**answer, **self.alarms.apply(sent, entry["id"])}
            return self._by_key[key], False

    def batch_result(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Stores a notification of a batch, unless its title is among `batch_problems`."""
        if sent.get("title") in self.batch_problems:
            return self.batch_problems[sent["title"]]
        fields = {name: value for name, value in sent.items() if name != "idempotency_key"}
        entry, replayed = self.store_once(sent["idempotency_key"], fields)
        return {"status": 201, "notification": entry, "replayed": replayed}

    def accept(self, exchange: Exchange) -> None:
        if exchange.headers["X-Service-Token"] != TOKEN:
            return exchange.problem(403, "invalid_service_token", "the service token is wrong")
        if exchange.request_.path.endswith("/batch"):
            notifications = exchange.request_.json["notifications"]
            return exchange.answer(200, {"results": [self.batch_result(sent) for sent in notifications]})
        entry, replayed = self.store(exchange.request_)
        return exchange.answer(201, entry, {"Idempotent-Replayed": "true"} if replayed else None)


def problem(status: int, code: str, **more: Any) -> dict[str, Any]:
    """Returns the result of a notification of a batch that is not stored."""
    return {"status": status, "problem": {"status": status, "code": code, "detail": "no", **more}}


def fails(status: int, code: str = "some_code", **more: Any) -> Behaviour:
    return lambda exchange: exchange.problem(status, code, **more)


def breaks_off(exchange: Exchange) -> None:
    exchange.reset()


def breaks_off_after_storing(exchange: Exchange) -> None:
    """Behaves as a service that is killed between its commit and its answer."""
    exchange.server.service.store(exchange.request_)
    exchange.reset()


def slow(seconds: float) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        time.sleep(seconds)
        exchange.server.service.accept(exchange)

    return behave
