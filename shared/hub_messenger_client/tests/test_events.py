"""The event stream over connections that break."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from hub_messenger_client import (
    AuthenticationError,
    ConfigurationError,
    Event,
    EventStream,
    MessengerClient,
    NotFoundError,
    UnexpectedAnswerError,
)

from .loopback import TOKEN, Exchange, Service, fails

PATH = "/api/v1/events/stream"
Collect = Callable[[EventStream, int], list[Event]]


@pytest.fixture(params=["sync", "async"])
def collect(request: pytest.FixtureRequest) -> Collect:
    """Collects the next events of a stream."""

    def sync(stream: EventStream, count: int) -> list[Event]:
        with stream:
            return [event for _, event in zip(range(count), stream, strict=False)]

    def asynchronous(stream: EventStream, count: int) -> list[Event]:
        async def main() -> list[Event]:
            found: list[Event] = []
            async with stream:
                while len(found) < count:
                    event = await anext(stream, None)
                    if event is None:
                        break
                    found.append(event)
            return found

        return asyncio.run(main())

    return sync if request.param == "sync" else asynchronous


class Log:
    """The event streams of the loopback service. Each connection gets the next script."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.connections: list[list[Any]] = []
        service.routes[PATH] = self.stream

    def stream(self, exchange: Exchange) -> None:
        pieces = self.connections.pop(0) if self.connections else ["HANG"]
        if callable(pieces[0]):
            pieces[0](exchange)
            return
        exchange.send_response(200)
        exchange.send_header("Content-Type", "text/event-stream")
        exchange.send_header("Connection", "close")
        exchange.end_headers()
        exchange.close_connection = True
        for piece in pieces:
            if piece == "HANG":
                time.sleep(3)
            elif piece == "RESET":
                time.sleep(0.05)
                exchange.reset()
                return
            else:
                exchange.wfile.write(str(piece).encode())

    def asked_from(self) -> list[str | None]:
        return [request.headers.get("last-event-id") for request in self.service.requests]

    def tokens(self) -> list[str]:
        return [request.headers["authorization"] for request in self.service.requests]


@pytest.fixture
def log(service: Service) -> Log:
    return Log(service)


def preamble(cursor: int) -> str:
    connected = json.dumps({"type": "connected", "cursor": cursor})
    return f"retry: 20\nid: {cursor}\ndata: {connected}\n\n"


def event(position: int, **fields: Any) -> str:
    data = {"type": "notification", "title": f"t{position}", **fields}
    return f"id: {position}\ndata: {json.dumps(data)}\n\n"


def stream(service: Service, token: Any = "jwt", **options: Any) -> EventStream:
    return EventStream(token, base_url=service.url, **options)


def titles(events: list[Event]) -> list[str]:
    return [str(one.get("title", one.type)) for one in events]


def test_each_event_has_its_position(log: Log, collect: Collect) -> None:
    log.connections = [[preamble(4), event(5), 'data: {"type":"keepalive"}\n\n', event(6)]]
    found = collect(stream(log.service), 2)
    assert [(one.id, one.type, one["title"]) for one in found] == [
        ("5", "notification", "t5"),
        ("6", "notification", "t6"),
    ]
    (request,) = log.service.requests
    assert request.headers["authorization"] == "Bearer jwt"
    assert request.headers["accept"] == "text/event-stream"
    assert "last-event-id" not in request.headers
    assert "token" not in request.query


def test_a_broken_stream_resumes_at_its_position(log: Log, collect: Collect) -> None:
    log.connections = [
        [preamble(4), event(5), event(6), "id: 7\ndata: {cut off"],
        [preamble(6), event(7), "RESET"],
        [fails(503, retry_after=0)],
        [lambda exchange: exchange.reset()],
        [preamble(7), event(8)],
    ]
    assert titles(collect(stream(log.service), 4)) == ["t5", "t6", "t7", "t8"]
    assert log.asked_from() == [None, "6", "7", "7", "7"]


def test_a_stream_that_breaks_before_its_first_event_loses_nothing(log: Log, collect: Collect) -> None:
    log.connections = [[preamble(41)], ['data: {"type":"connected","cursor":41}\n\n', event(42)]]
    assert titles(collect(stream(log.service), 1)) == ["t42"]
    assert log.asked_from() == [None, "41"]


def test_a_stream_resumes_at_the_cursor_of_connected_if_there_is_no_id(log: Log, collect: Collect) -> None:
    log.connections = [['retry: 10\ndata: {"type":"connected","cursor":41}\n\n'], [event(42)]]
    assert titles(collect(stream(log.service), 1)) == ["t42"]
    assert log.asked_from() == [None, "41"]


def test_a_stream_begins_at_the_position_of_another_one(log: Log, collect: Collect) -> None:
    log.connections = [[preamble(5), event(6), event(7), event(8)], [preamble(6), event(7)]]
    first = stream(log.service, last_event_id=5)
    with first:
        assert next(first)["title"] == "t6"
        assert first.last_event_id == "5"
        assert next(first)["title"] == "t7"
        assert first.last_event_id == "6"
    # The second event was not processed: another process gets it again.
    assert titles(collect(stream(log.service, last_event_id=first.last_event_id), 1)) == ["t7"]
    assert log.asked_from() == ["5", "6"]


def test_a_stream_returns_reset_at_a_gap_and_continues_after_it(log: Log, collect: Collect) -> None:
    reset = 'data: {"type":"reset","reason":"expired"}\n\n'
    log.connections = [[f'retry: 10\nid: 90\ndata: {{"type":"connected"}}\n\nid: 90\n{reset}'], [event(91)]]
    found = collect(stream(log.service, last_event_id="3"), 2)
    assert titles(found) == ["reset", "t91"]
    assert found[0]["reason"] == "expired"
    assert log.asked_from() == ["3", "90"]


def test_a_stream_returns_token_expired_and_gets_the_next_token(log: Log, collect: Collect) -> None:
    log.connections = [
        [preamble(1), event(2), 'data: {"type":"token_expired"}\n\n'],
        [preamble(2), event(3)],
    ]
    tokens = iter(["one", "two"])
    assert titles(collect(stream(log.service, lambda: next(tokens)), 3)) == ["t2", "token_expired", "t3"]
    assert log.tokens() == ["Bearer one", "Bearer two"]


def test_an_async_stream_awaits_an_async_token_provider(log: Log) -> None:
    log.connections = [[preamble(1), event(2)]]

    async def token() -> str:
        await asyncio.sleep(0)
        return "late"

    async def main() -> None:
        async with stream(log.service, token) as events:
            async for one in events:
                assert one.id == "2"
                break

    asyncio.run(main())
    assert log.tokens() == ["Bearer late"]
    with stream(log.service, token) as events, pytest.raises(ConfigurationError, match="async for"):
        next(events)


def test_a_stream_renews_a_refused_token_once(log: Log, collect: Collect) -> None:
    log.connections = [[fails(401, "token_expired")], [preamble(1), event(2)]]
    tokens = iter(["old", "new"])
    assert titles(collect(stream(log.service, lambda: next(tokens)), 1)) == ["t2"]
    assert log.tokens() == ["Bearer old", "Bearer new"]


@pytest.mark.parametrize(("token", "attempts"), [("static", 1), (lambda: "always the same", 2)])
def test_a_token_that_is_refused_again_raises_an_error(log: Log, collect: Collect, token: Any, attempts: int) -> None:
    log.connections = [[fails(401, "token_expired")] for _ in range(3)]
    with pytest.raises(AuthenticationError):
        collect(stream(log.service, token), 1)
    assert len(log.service.requests) == attempts


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (fails(403, "forbidden"), AuthenticationError),
        (fails(404, "not_found"), NotFoundError),
        (lambda exchange: exchange.answer(200, {"hello": 1}), UnexpectedAnswerError),
    ],
)
def test_a_permanent_refusal_of_the_stream_raises_an_error(
    log: Log, collect: Collect, answer: Any, kind: type[Exception]
) -> None:
    log.connections = [[answer]]
    with pytest.raises(kind):
        collect(stream(log.service, lambda: "jwt"), 1)
    assert len(log.service.requests) == 1


def test_a_stream_reconnects_if_it_is_read_after_an_error(log: Log) -> None:
    log.connections = [[fails(403, "forbidden")], [preamble(1), event(2)]]
    with stream(log.service) as events:
        with pytest.raises(AuthenticationError):
            next(events)
        assert next(events).id == "2"


def test_a_204_ends_the_stream_as_the_standard_demands(log: Log, collect: Collect) -> None:
    log.connections = [[lambda exchange: exchange.answer(204, b"")]]
    assert collect(stream(log.service), 1) == []


def test_a_stream_waits_for_retry_after(log: Log, collect: Collect) -> None:
    log.connections = [[preamble(1)], [fails(503, "shutting_down", retry_after=0.6)], [preamble(1), event(2)]]
    started = time.monotonic()
    assert titles(collect(stream(log.service), 1)) == ["t2"]
    assert time.monotonic() - started >= 0.6


def test_pauses_grow_while_the_service_is_away_and_shrink_after_an_event(log: Log) -> None:
    log.connections = [
        [preamble(1)],
        *[[fails(503)] for _ in range(5)],
        [preamble(1), event(2)],
        [preamble(2), event(3)],
    ]
    pauses: list[float] = []
    events = stream(log.service, max_backoff=0.3)
    events._sync_sleep = pauses.append  # type: ignore[assignment]
    with events:
        assert [next(events).id, next(events).id] == ["2", "3"]
    for growth, pause in zip([0.02, 0.04, 0.08, 0.16, 0.3, 0.3], pauses[1:], strict=False):
        assert growth / 2 <= pause <= growth
    assert pauses[-1] <= 0.02


def test_a_silent_connection_counts_as_broken(log: Log, collect: Collect) -> None:
    log.connections = [[preamble(1), event(2), "HANG"], [preamble(2), event(3)]]
    started = time.monotonic()
    assert titles(collect(stream(log.service, idle_timeout=0.3), 2)) == ["t2", "t3"]
    assert time.monotonic() - started < 2
    assert log.asked_from() == [None, "2"]


def test_a_stream_returns_typing_without_a_position(log: Log, collect: Collect) -> None:
    users = [{"matrix_user_id": "@anna:hub.local", "hub_user_id": "anna", "display_name": "Anna"}]
    data = {"type": "typing", "room_id": "!1", "users": users, "timeout_ms": 60000}
    log.connections = [[preamble(4), event(5), f"data: {json.dumps(data)}\n\n"], [event(6)]]
    events = stream(log.service)
    found = collect(events, 3)
    assert [(one.type, one.id) for one in found] == [("notification", "5"), ("typing", None), ("notification", "6")]
    assert found[1]["users"] == users
    assert found[1].to_dict() == data
    assert log.asked_from() == [None, "5"]


def test_a_stream_returns_control_events_on_request(log: Log, collect: Collect) -> None:
    log.connections = [[preamble(1), 'data: {"type":"keepalive"}\n\n', event(2)]]
    found = collect(stream(log.service, include_control=True), 3)
    assert [(one.type, one.id) for one in found] == [("connected", "1"), ("keepalive", None), ("notification", "2")]


def test_reconnect_sets_the_pause_and_is_not_returned(log: Log, collect: Collect) -> None:
    reconnect = 'retry: 15\ndata: {"type":"reconnect","retry_ms":15}\n\n'
    log.connections = [[preamble(1), event(2), reconnect], [preamble(2), event(3)]]
    assert titles(collect(stream(log.service), 2)) == ["t2", "t3"]
    assert log.asked_from() == [None, "2"]


def test_a_stream_returns_unknown_events_and_skips_malformed_ones(
    log: Log, collect: Collect, caplog: pytest.LogCaptureFixture
) -> None:
    log.connections = [
        [preamble(1), "data: nonsense\n\n", "data: [1]\n\n", 'event: ping\ndata: {"a":1}\n\n', event(2, type="new")]
    ]
    assert [one.type for one in collect(stream(log.service), 2)] == ["ping", "new"]
    assert sum("no JSON object" in record.message for record in caplog.records) == 2


def test_close_ends_a_thread_that_waits_for_an_event(log: Log) -> None:
    log.connections = [[preamble(1), "HANG"]]
    events = stream(log.service)
    ended = threading.Event()

    def read() -> None:
        assert list(events) == []
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    while not log.service.requests or events.last_event_id is None:
        time.sleep(0.01)
    events.close()
    assert ended.wait(1.0)


def test_close_ends_a_thread_that_waits_to_reconnect(service: Service) -> None:
    service.stop()
    events = stream(service)
    events._retry = 30.0
    ended = threading.Event()

    def read() -> None:
        assert list(events) == []
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    while events._failures == 0:
        time.sleep(0.01)
    events.close()
    assert ended.wait(1.0)


def test_a_cancelled_wait_loses_nothing(log: Log) -> None:
    log.connections = [[preamble(1), "HANG"], [preamble(1), event(2), "HANG"], [preamble(2), event(3), "HANG"]]

    async def main() -> list[str | None]:
        found: list[str | None] = []
        async with stream(log.service) as events:
            while len(found) < 2:
                try:
                    found.append((await asyncio.wait_for(anext(events), 0.3)).id)
                except asyncio.TimeoutError:
                    continue
        return found

    assert asyncio.run(main()) == ["2", "3"]


def test_a_client_opens_streams_of_its_service(log: Log) -> None:
    log.connections = [[preamble(1), event(2)]]
    with MessengerClient(log.service.url, TOKEN) as client, client.events("jwt", last_event_id=1) as events:
        assert next(events).id == "2"
    (request,) = log.service.requests
    assert request.headers["authorization"] == "Bearer jwt"
    assert "x-service-token" not in request.headers


def test_the_error_of_a_malformed_token_hides_the_token(service: Service) -> None:
    with stream(service, "geheim\nx: y") as events, pytest.raises(ConfigurationError) as caught:
        next(events)
    assert "geheim" not in str(caught.value)


def test_the_caller_gets_the_exception_of_the_token_provider(service: Service) -> None:
    def token() -> str:
        raise KeyError("no token today")

    with stream(service, token) as events, pytest.raises(KeyError, match="no token today"):
        next(events)
