"""The errors of the package."""

from __future__ import annotations

import json
import pickle
from typing import Any

import httpx
import pytest

import hub_messenger_client as package
from hub_messenger_client import FieldError, MessengerError, UnavailableError
from hub_messenger_client._wire import failure, unreachable


def answer(status: int, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
    fields = {"content-type": "application/problem+json", **(headers or {})}
    request = httpx.Request("POST", "http://service:8000/api/v1/notifications/send?wait=3")
    return httpx.Response(status, content=json.dumps(body).encode(), headers=fields, request=request)


def problem(status: int, code: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": "T",
        "status": status,
        "detail": "D.",
        "code": code,
        "request_id": "r1",
        **more,
    }


@pytest.mark.parametrize(
    ("status", "code", "kind", "temporary"),
    [
        (401, "missing_service_token", "AuthenticationError", False),
        (403, "invalid_service_token", "AuthenticationError", False),
        (404, "not_found", "NotFoundError", False),
        (409, "state_conflict", "ConflictError", False),
        (409, "idempotency_in_flight", "ConflictError", True),
        (413, "body_too_large", "ValidationError", False),
        (415, "unsupported_media_type", "ValidationError", False),
        (422, "invalid_target", "ValidationError", False),
        (429, "rate_limited", "RateLimitedError", True),
        (500, "internal_error", "UnavailableError", True),
        (503, "database_unavailable", "UnavailableError", True),
        (418, "teapot", "UnexpectedAnswerError", False),
    ],
)
def test_each_status_has_its_error(status: int, code: str, kind: str, temporary: bool) -> None:
    error = failure(answer(status, problem(status, code), {"retry-after": "7"} if status == 429 else None))
    assert error is not None
    assert type(error) is getattr(package, kind)
    assert error.temporary is temporary
    assert error.status == status
    if status != 418:
        assert (error.code, error.detail, error.request_id) == (code, "D.", "r1")
        assert str(error) == f"{status} {code}: D. (request r1)"
    assert error.retry_after == (7.0 if status == 429 else None)


def test_a_validation_error_names_each_wrong_field() -> None:
    listed = [{"pointer": "/title", "message": "is missing"}, {"pointer": "", "message": "is no object", "code": "x"}]
    error = failure(answer(422, problem(422, "invalid_request", errors=listed)))
    assert error is not None
    assert error.errors == (FieldError("/title", "is missing"), FieldError("", "is no object"))
    assert "/title: is missing; body: is no object" in str(error)


def test_an_answer_in_another_form_is_a_clear_error() -> None:
    error = failure(answer(502, "<html>", {"content-type": "text/html", "x-request-id": "p9"}))
    assert isinstance(error, UnavailableError)
    assert error.code is None
    assert error.request_id == "p9"
    assert "http://service:8000/api/v1/notifications/send answered 502 Bad Gateway" in str(error)
    assert "wait=3" not in str(error)


def test_a_404_of_a_proxy_is_an_unavailable_error() -> None:
    assert isinstance(failure(answer(404, "no route", {"content-type": "text/plain"})), UnavailableError)


def test_the_error_of_a_redirect_names_its_location() -> None:
    error = failure(answer(307, "", {"location": "https://login.example/"}))
    assert isinstance(error, package.UnexpectedAnswerError)
    assert "https://login.example/" in str(error)
    assert "MESSENGER_SERVICE_URL" in str(error)


def test_a_pickled_error_keeps_all_attributes() -> None:
    listed = [{"pointer": "/title", "message": "is missing"}]
    error = failure(answer(422, problem(422, "invalid_request", errors=listed)))
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert copied.__dict__ == error.__dict__


@pytest.mark.parametrize(
    ("raised", "kind", "part"),
    [
        (httpx.ConnectError("Connection refused"), "UnavailableError", "cannot be reached: Connection refused"),
        (httpx.ConnectTimeout(""), "DeadlineError", "timed out while connecting"),
        (httpx.ReadTimeout(""), "DeadlineError", "timed out while waiting for its answer"),
        (httpx.PoolTimeout(""), "DeadlineError", "waiting for a free connection"),
        (httpx.RemoteProtocolError("Server disconnected"), "UnavailableError", "Server disconnected"),
        (httpx.UnsupportedProtocol("no http"), "ConfigurationError", "no http"),
    ],
)
def test_the_error_of_a_call_without_an_answer_names_the_reason(raised: httpx.HTTPError, kind: str, part: str) -> None:
    error = unreachable(raised, "http://service:8000")
    assert type(error) is getattr(package, kind)
    assert part in str(error)
    assert "http://service:8000" in str(error)
    assert error.status is None


def test_all_errors_are_messenger_errors() -> None:
    kinds = [value for name, value in vars(package).items() if name.endswith("Error") and name != "FieldError"]
    assert len(kinds) == 13
    assert all(issubclass(kind, MessengerError) for kind in kinds)
