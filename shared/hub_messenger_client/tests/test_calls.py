"""The HTTP requests of each call, sync and async."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from hub_messenger_client import (
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DeadlineError,
    MessengerClient,
    MessengerError,
    NotFoundError,
    Notification,
    RateLimitedError,
    UnavailableError,
    UnexpectedAnswerError,
    ValidationError,
)

from .loopback import TOKEN, Service, breaks_off, breaks_off_after_storing, fails, slow

Run = Callable[..., Any]
SYNC_NAMES = ["notify", "notify_entity", "notify_user", "notify_service", "resolve", "ack", "cancel", "update", "batch"]
SYNC_NAMES += ["get", "log", "flush"]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Calls a method of a client, or its async twin in a new event loop."""

    def sync(client: MessengerClient, name: str, **arguments: Any) -> Any:
        with client:
            return getattr(client, name)(**arguments)

    def asynchronous(client: MessengerClient, name: str, **arguments: Any) -> Any:
        async def main() -> Any:
            async with client:
                return await getattr(client, f"a{name}")(**arguments)

        return asyncio.run(main())

    return sync if request.param == "sync" else asynchronous


def client(service: Service, **options: Any) -> MessengerClient:
    return MessengerClient(service.url, TOKEN, **options)


def test_the_twins_have_the_same_signatures_and_documentation() -> None:
    for name in SYNC_NAMES:
        sync, twin = getattr(MessengerClient, name), getattr(MessengerClient, f"a{name}")
        assert inspect.signature(sync) == inspect.signature(twin)
        assert inspect.iscoroutinefunction(twin)
        assert sync.__doc__ == twin.__doc__.replace("`anotify`", "`notify`").replace("`aresolve`", "`resolve`")


def test_notify_sends_to_everybody_of_the_tenant(service: Service, run: Run) -> None:
    sent = run(client(service), "notify", source_app="fertigungs-app", title="Schicht gestartet", body="Frühschicht")
    (request,) = service.requests
    assert (request.method, request.path, request.query) == ("POST", "/api/v1/notifications/send", {})
    assert request.headers["x-service-token"] == TOKEN
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("hub-messenger-client/")
    assert request.json == {
        "source_app": "fertigungs-app",
        "event_type": "notification",
        "title": "Schicht gestartet",
        "body": "Frühschicht",
        "target_type": "general",
        "priority": "normal",
    }
    assert isinstance(sent, Notification)
    assert (sent.id, sent.status, sent.idempotency_key, sent.request_id) == (1, "sent", request.key, "req-1")
    assert not sent.replayed


def test_notify_entity_sends_into_the_room_of_the_entity(service: Service, run: Run) -> None:
    run(
        client(service),
        "notify_entity",
        source_app="a",
        entity_type="machine",
        entity_id=0,
        title="t",
        priority="urgent",
    )
    assert service.requests[0].json == {
        "source_app": "a",
        "event_type": "entity_event",
        "title": "t",
        "target_type": "entity_room",
        "entity_type": "machine",
        "entity_id": 0,
        "priority": "urgent",
    }


def test_notify_user_sends_to_one_user(service: Service, run: Run) -> None:
    run(client(service), "notify_user", source_app="a", target_user="mueller", title="t", tenant_id=3)
    assert service.requests[0].json == {
        "source_app": "a",
        "event_type": "dm_notification",
        "title": "t",
        "target_type": "dm",
        "target_user": "mueller",
        "priority": "normal",
        "tenant_id": 3,
    }


def test_notify_service_sends_into_the_apps_room_with_extra_fields(service: Service, run: Run) -> None:
    at = datetime(2026, 2, 1, 7, tzinfo=timezone(timedelta(hours=1)))
    run(client(service, source_app="own"), "notify_service", title="t", extra={"tags": ["x"], "deliver_at": at})
    assert service.requests[0].json == {
        "source_app": "own",
        "event_type": "notification",
        "title": "t",
        "target_type": "service_room",
        "priority": "normal",
        "tags": ["x"],
        "deliver_at": "2026-02-01T06:00:00Z",
    }


def test_the_client_sends_wait_as_a_query_parameter(service: Service, run: Run) -> None:
    run(client(service), "notify", source_app="a", title="t", wait=0.5)
    assert service.requests[0].query == {"wait": ["0.5"]}


def test_a_wait_out_of_bounds_raises_a_value_error(service: Service, run: Run) -> None:
    with pytest.raises(ValueError, match="between 0 and 10"):
        run(client(service), "notify", source_app="a", title="t", wait=11)


def test_the_client_adds_the_wait_to_the_timeout(service: Service, run: Run) -> None:
    service.script.append(slow(0.5))
    assert run(client(service, timeout=0.3, retries=0), "notify", source_app="a", title="t", wait=1).id == 1


@pytest.mark.parametrize("failure", [fails(500), fails(503, retry_after=0), breaks_off, fails(429, retry_after=0.1)])
def test_the_client_retries_temporary_failures_under_the_same_key(service: Service, run: Run, failure: Any) -> None:
    service.script.extend([failure, failure])
    assert run(client(service), "notify", source_app="a", title="t").id == 1
    assert len(service.requests) == 3
    assert len(set(service.keys)) == 1


def test_a_retry_after_a_lost_answer_makes_no_second_notification(service: Service, run: Run) -> None:
    service.script.append(breaks_off_after_storing)
    sent = run(client(service), "notify", source_app="a", title="t")
    assert sent.replayed
    assert service.titles == ["t"]


def test_a_retry_waits_for_the_first_attempt_in_flight(service: Service, run: Run) -> None:
    in_flight = fails(409, "idempotency_in_flight", retry_after=0.05)
    service.script.extend([slow(1.0), *[in_flight] * 6])
    phases = httpx.Timeout(0.3)
    sent = run(client(service, timeout=phases, retries=1), "notify", source_app="a", title="t", wait=0)
    assert sent.id == 1
    assert len(set(service.keys)) == 1
    assert len(service.requests) == 8


def test_one_time_limit_holds_for_all_attempts_of_a_call(service: Service, run: Run) -> None:
    service.always = slow(30.0)
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        run(client(service, timeout=1.0, retries=5), "notify", source_app="a", title="t", wait=0)
    assert 0.9 <= time.monotonic() - began < 5.0


def test_the_client_asks_for_a_shorter_wait_if_its_limit_is_short(service: Service) -> None:
    with client(service, timeout=2.0, source_app="a") as messenger:
        messenger.notify(title="1")
        messenger.notify(title="2", timeout=10.0)
        messenger.notify(title="3", wait=7)
    assert [request.query for request in service.requests] == [{"wait": ["1"]}, {}, {"wait": ["7"]}]


@pytest.mark.parametrize("suffix", ["", "/", "/api/v1", "/api/v1/", "/base/api/v1"])
def test_a_base_url_may_end_with_the_path_of_the_api(service: Service, suffix: str) -> None:
    with MessengerClient(f"{service.url}{suffix}", TOKEN, source_app="a", retries=0) as messenger:
        messenger.notify(title="t")
    expected = "/base/api/v1/notifications/send" if "base" in suffix else "/api/v1/notifications/send"
    assert service.requests[0].path == expected


@pytest.mark.parametrize(
    ("arguments", "pointers"),
    [
        ({"title": " "}, ["/title"]),
        ({"title": "x" * 501, "body": "b" * 20_001}, ["/title", "/body"]),
        ({"title": "t", "source_app": "a" * 101, "event_type": ""}, ["/source_app", "/event_type"]),
        ({"title": "t\0"}, ["/title"]),
        ({"title": 7}, ["/title"]),
        ({"title": "t", "priority": "highest"}, ["/priority"]),
        ({"title": "t", "priority": "URGENT"}, ["/priority"]),
    ],
)
def test_the_client_refuses_arguments_that_the_service_would_refuse(
    service: Service, arguments: dict[str, Any], pointers: list[str]
) -> None:
    with client(service, source_app="a") as messenger, pytest.raises(ArgumentError) as caught:
        messenger.notify(**arguments)
    assert [error.pointer for error in caught.value.errors] == pointers
    assert isinstance(caught.value, (MessengerError, ValueError))
    assert service.requests == []


@pytest.mark.parametrize("priority", ["lowest", "High", "", 1])
def test_the_client_refuses_an_unknown_priority_and_names_the_accepted_ones(service: Service, priority: Any) -> None:
    calls: dict[str, dict[str, Any]] = {
        "notify": {},
        "notify_entity": {"entity_type": "machine", "entity_id": 42},
        "notify_user": {"target_user": "mueller"},
        "notify_service": {},
    }
    with client(service, source_app="a") as messenger:
        for name, target in calls.items():
            with pytest.raises(ArgumentError, match="priority must be one of low, normal, high, urgent"):
                getattr(messenger, name)(title="t", priority=priority, **target)
    assert service.requests == []


def test_the_client_checks_targets_ids_and_timeouts(service: Service) -> None:
    with client(service, source_app="a") as messenger:
        with pytest.raises(ArgumentError, match="target_user must not be blank"):
            messenger.notify_user(target_user="  ", title="t")
        with pytest.raises(ArgumentError, match="entity_id must be text or a whole number"):
            messenger.notify_entity(entity_type="machine", entity_id=4.5, title="t")  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="timeout"):
            messenger.notify(title="t", timeout=-1)
        with pytest.raises(ArgumentError, match="whole number"):
            messenger.get("x")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="timeout"):
        client(service, timeout="soon")


def test_the_client_does_not_retry_a_state_conflict(service: Service, run: Run) -> None:
    service.script.append(fails(409, "state_conflict"))
    with pytest.raises(ConflictError):
        run(client(service), "notify", source_app="a", title="t")
    assert len(service.requests) == 1


def test_each_call_has_a_new_key_unless_the_caller_passes_one(service: Service) -> None:
    with client(service, source_app="a") as messenger:
        messenger.notify(title="1")
        messenger.notify(title="2")
        messenger.notify(title="3", idempotency_key="mine")
        repeated = messenger.notify(title="3", idempotency_key="mine")
    assert len(set(service.keys)) == 3
    assert service.keys[2:] == ["mine", "mine"]
    assert repeated.replayed
    assert repeated.id == 3


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (fails(401, "missing_service_token"), AuthenticationError),
        (fails(403, "invalid_service_token"), AuthenticationError),
        (fails(404, "not_found"), NotFoundError),
        (fails(422, "invalid_request"), ValidationError),
        (lambda exchange: exchange.answer(201, b"<html>"), UnexpectedAnswerError),
        (lambda exchange: exchange.answer(200, {"hello": "world"}), UnexpectedAnswerError),
        (lambda exchange: exchange.answer(301, b"", {"Location": "/elsewhere"}), UnexpectedAnswerError),
    ],
)
def test_the_client_raises_permanent_failures_at_once(
    service: Service, run: Run, failure: Any, kind: type[Exception]
) -> None:
    service.script.append(failure)
    with pytest.raises(kind):
        run(client(service), "notify", source_app="a", title="t")
    assert len(service.requests) == 1


def test_the_client_raises_instead_of_waiting_for_a_long_retry_after(service: Service, run: Run) -> None:
    service.script.append(fails(429, "rate_limited", retry_after=120))
    started = time.monotonic()
    with pytest.raises(RateLimitedError) as caught:
        run(client(service), "notify", source_app="a", title="t")
    assert caught.value.retry_after == 120
    assert time.monotonic() - started < 1


def test_the_client_raises_after_the_last_attempt_at_an_unreachable_service(service: Service, run: Run) -> None:
    service.stop()
    with pytest.raises(UnavailableError, match=r"cannot be reached") as caught:
        run(client(service, retries=1), "notify", source_app="a", title="t")
    assert caught.value.status is None
    assert caught.value.temporary


def test_a_slow_service_raises_a_deadline_error(service: Service, run: Run) -> None:
    service.always = slow(1.0)
    with pytest.raises(DeadlineError):
        run(client(service, retries=0), "notify", source_app="a", title="t", timeout=0.1, wait=0)


def test_get_and_log_return_stored_notifications(service: Service, run: Run) -> None:
    entry = {"id": 5, "title": "t", "status": "sent", "colour": "red"}
    service.routes["/api/v1/notifications/5"] = lambda exchange: exchange.answer(200, entry)
    service.routes["/api/v1/notifications/log"] = lambda exchange: exchange.answer(200, {"notifications": [entry]})
    assert run(client(service), "get", notification_id=5).extra == {"colour": "red"}
    assert [found.id for found in run(client(service), "log", source_app="a b", limit=10, offset=0)] == [5]
    assert service.requests[1].query == {"source_app": ["a b"], "limit": ["10"], "offset": ["0"]}
    service.routes["/api/v1/notifications/log"] = lambda exchange: exchange.answer(200, {"pages": 4})
    with pytest.raises(UnexpectedAnswerError):
        run(client(service), "log")


def test_the_client_replaces_lone_surrogates_and_sends_the_alarm(service: Service, run: Run) -> None:
    run(client(service), "notify", source_app="a", title="file \udcff\ud800 😀")
    assert service.titles == ["file ?? 😀"]


def test_a_value_that_json_cannot_hold_raises_an_error(service: Service, run: Run) -> None:
    with pytest.raises(TypeError, match="object cannot be sent as JSON"):
        run(client(service), "notify", source_app="a", title="t", extra={"x": object()})
    with pytest.raises(ValueError, match="Out of range float"):
        run(client(service), "notify", source_app="a", title="t", extra={"x": float("nan")})
    run(client(service), "notify", source_app="a", title="t", extra={"x": uuid.UUID(int=1)})


@pytest.mark.parametrize("key", ["", "ä", "a\nb", " a", "x" * 256])
def test_a_key_that_a_header_cannot_hold_raises_an_error(service: Service, key: str) -> None:
    with client(service) as messenger, pytest.raises(ValueError, match="idempotency_key"):
        messenger.notify(source_app="a", title="t", idempotency_key=key)


def test_the_environment_configures_a_client(configured: Service, run: Run) -> None:
    assert run(MessengerClient(), "notify", source_app="a", title="t").id == 1


@pytest.mark.parametrize(
    ("url", "token", "part"),
    [
        (None, TOKEN, "set MESSENGER_SERVICE_URL"),
        ("", TOKEN, "set MESSENGER_SERVICE_URL"),
        ("service:8000", TOKEN, "must look like"),
        ("ftp://service", TOKEN, "must look like"),
        ("http://", TOKEN, "must look like"),
        ("http://service:port", TOKEN, "is no URL"),
        ("http://service?x=1", TOKEN, "must look like"),
        ("http://service:8000", None, "set MESSENGER_SERVICE_TOKEN"),
        ("http://service:8000", " \n", "set MESSENGER_SERVICE_TOKEN"),
        ("http://service:8000", "geheim\r\nX-Evil: 1", "no token has"),
        ("http://service:8000", "schlüssel", "no token has"),
    ],
)
def test_the_constructor_raises_a_wrong_configuration(url: str | None, token: str | None, part: str) -> None:
    with pytest.raises(ConfigurationError, match=part) as caught:
        MessengerClient(url, token)
    assert "geheim" not in str(caught.value)


def test_the_client_strips_white_space_and_slashes_of_url_and_token(service: Service) -> None:
    with MessengerClient(f" {service.url}/ ", f"{TOKEN}\n") as messenger:
        assert messenger.notify(source_app="a", title="t").id == 1
    assert service.requests[0].path == "/api/v1/notifications/send"


def test_the_client_keeps_a_path_in_the_url(service: Service) -> None:
    with MessengerClient(f"{service.url}/messenger", TOKEN) as messenger:
        messenger.notify(source_app="a", title="t")
    assert service.requests[0].path == "/messenger/api/v1/notifications/send"


def test_a_call_without_source_app_raises_an_error(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with client(service) as messenger, pytest.raises(ConfigurationError, match="source_app is missing"):
        messenger.notify(title="t")
    monkeypatch.setenv("MESSENGER_SOURCE_APP", "from-env")
    with client(service) as messenger:
        messenger.notify(title="t")
    assert service.accepted[0]["source_app"] == "from-env"


def test_the_repr_of_a_client_hides_the_token(service: Service) -> None:
    with client(service) as messenger:
        assert TOKEN not in repr(messenger) + repr(messenger.__dict__)
        assert service.url in repr(messenger)


def test_a_closed_client_raises_an_error(service: Service) -> None:
    messenger = client(service, source_app="a")
    messenger.close()
    messenger.close()
    for call in (lambda: messenger.notify(title="t"), messenger.log, lambda: messenger.get(1)):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_a_client_reuses_its_connections(service: Service) -> None:
    with client(service, source_app="a") as messenger:
        for _ in range(5):
            messenger.notify(title="t")
    assert len({request.peer for request in service.requests}) == 1

    async def main() -> None:
        async with client(service, source_app="a") as messenger:
            for _ in range(5):
                await messenger.anotify(title="t")

    asyncio.run(main())
    assert len({request.peer for request in service.requests}) == 2


def test_threads_share_a_client(service: Service) -> None:
    with client(service, source_app="a") as messenger:
        threads = [
            threading.Thread(target=lambda n=n: [messenger.notify(title=f"{n}-{i}") for i in range(10)])
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(service.titles)) == 80


def test_tasks_share_a_client(service: Service) -> None:
    async def main() -> None:
        async with client(service, source_app="a") as messenger:
            await asyncio.gather(*(messenger.anotify(title=str(n)) for n in range(50)))

    asyncio.run(main())
    assert len(set(service.titles)) == 50


def test_event_loops_share_a_client_one_after_another_and_at_once(service: Service) -> None:
    messenger = client(service, source_app="a")

    async def main(name: str) -> None:
        for number in range(5):
            await messenger.anotify(title=f"{name}-{number}")
            await asyncio.sleep(0.01)

    asyncio.run(main("a"))
    asyncio.run(main("b"))
    threads = [threading.Thread(target=lambda n=n: asyncio.run(main(n))) for n in "cdef"]
    for thread in threads:
        thread.start()
    messenger.notify(title="sync in between")
    for thread in threads:
        thread.join()
    messenger.close()
    assert len(set(service.titles)) == 31


def test_a_loop_that_ends_closes_its_connections_without_aclose(service: Service) -> None:
    messenger = client(service, source_app="a")
    asyncio.run(messenger.anotify(title="t"))
    assert messenger._async_pool._keepers == {}
    gc.collect()  # warnings of unclosed sockets are errors here


def test_the_pool_forgets_a_loop_that_was_closed_early(service: Service) -> None:
    messenger = client(service, source_app="a")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(messenger.anotify(title="1"))
    own, _ = messenger._async_pool._keepers[loop]
    loop.run_until_complete(own.aclose())
    loop.close()
    asyncio.run(messenger.anotify(title="2"))
    assert messenger._async_pool._keepers == {}


def test_the_client_uses_the_callers_http_client_and_leaves_it_open(service: Service) -> None:
    with httpx.Client(headers={"X-Mine": "1"}) as own, client(service, source_app="a", http_client=own) as messenger:
        messenger.notify(title="t")
        messenger.close()
        assert not own.is_closed
    assert service.requests[0].headers["x-mine"] == "1"

    async def main() -> None:
        async with httpx.AsyncClient(headers={"X-Mine": "2"}) as own:
            async with client(service, source_app="a", async_http_client=own) as messenger:
                await messenger.anotify(title="t")
            assert not own.is_closed

    asyncio.run(main())
    assert service.requests[1].headers["x-mine"] == "2"


def test_a_cancelled_call_ends_at_once(service: Service) -> None:
    service.always = slow(5.0)

    async def main() -> None:
        async with client(service, source_app="a") as messenger:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(messenger.anotify(title="t"), 0.2)

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 2


def test_a_body_is_compact_json_in_utf_8(service: Service) -> None:
    with client(service, source_app="a") as messenger:
        messenger.notify(title="Kühlmittel")
    assert b'"title":"K\xc3\xbchlmittel"' in service.requests[0].body
    assert json.loads(service.requests[0].body)
