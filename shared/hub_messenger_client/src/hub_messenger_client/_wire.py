"""The HTTP contract as pure functions: builds requests, and parses answers and failures."""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from . import _rules
from ._parsing import parse_time
from ._spool import RANKS, Letter
from .errors import (
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    DeadlineError,
    FieldError,
    MessengerError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
    UnexpectedAnswerError,
    ValidationError,
)
from .models import BatchResult, Notification, NotificationLog

API = "/api/v1"
HTTP_CLIENT = "http_client"
"""The `code` of errors in the configuration of the HTTP client."""
SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]*)?")
SERVER_WAIT = 3.0
"""Seconds that the service waits for the homeserver if the request has no `wait`."""
ANSWER_TIME = 1.0
"""Seconds of a call's limit that the service may take in addition to its wait for the homeserver."""
IN_FLIGHT_SECONDS = 20.0
"""Seconds for which a retry waits until the service has answered the first attempt of the same call."""
PROMPT_SECONDS = 1.0
"""Seconds within which an answer is too early for another report to have overtaken the call."""

BY_STATUS: Mapping[int, type[MessengerError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    408: DeadlineError,
    409: ConflictError,
    413: ValidationError,
    415: ValidationError,
    422: ValidationError,
    429: RateLimitedError,
}


@dataclass(frozen=True)
class Limits:
    """The time limits of a call."""

    phases: httpx.Timeout
    """The limit of each phase of an attempt."""
    total: float | None = None
    """Seconds for the whole call, its retries and pauses included; `None` for no limit beside `phases`."""

    def within(self, seconds: float | None) -> httpx.Timeout:
        """Returns `phases`, each cut to `seconds`; `None` cuts nothing."""
        if seconds is None:
            return self.phases
        phases = self.phases.as_dict().items()
        return httpx.Timeout(**{name: seconds if limit is None else min(limit, seconds) for name, limit in phases})


@dataclass(frozen=True)
class Call:
    """One HTTP request."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    limits: Limits | None = None


@dataclass(frozen=True)
class Retries:
    """The retry policy: exponential backoff with full jitter, at least the service's `Retry-After`."""

    count: int = 2
    base: float = 0.25
    cap: float = 8.0
    longest_retry_after: float = 10.0
    """Seconds. An error with a longer `retry_after` is raised at once, and the caller decides."""

    def pause(self, attempt: int, error: MessengerError) -> float | None:
        """Returns the seconds to wait after failed attempt `attempt` (from 0); `None` after the last one."""
        in_flight = isinstance(error, ConflictError)
        if not error.temporary or (attempt >= self.count and not in_flight):
            return None
        jitter = random.uniform(0, min(self.cap, self.base * 2 ** min(attempt, 20)))  # noqa: S311 - not a secret
        if error.retry_after is None:
            return jitter
        if error.retry_after > self.longest_retry_after:
            return None
        return error.retry_after + min(jitter, self.base)


def checked_key(key: str | None) -> str:
    """Returns the caller's idempotency key, or a new one for `None`. Raises `ArgumentError`."""
    if key is None:
        return uuid.uuid4().hex
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable() and key == key.strip()):
        raise ArgumentError(
            "idempotency_key must be 1 to 255 printable ASCII characters",
            code="invalid_argument",
            errors=(FieldError("/idempotency_key", "must be 1 to 255 printable ASCII characters"),),
        )
    return key


def notification_id(value: int) -> int:
    """Returns `value` as the id of a notification. Raises `ArgumentError` if it is not a whole number."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"a notification's id is a whole number, not {value!r}", code="invalid_argument") from None


def request(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the body of a request: the checked arguments of a call, by the names of the service."""
    body = {name: value for name, value in fields.items() if name not in ("ack_expires_after", "resolve_after")}
    if "ack_expires_after" in fields:
        body["ack"] = {"expires_after_seconds": _rules.seconds(fields["ack_expires_after"])}
    if "resolve_after" in fields:
        body["resolve_after_seconds"] = _rules.seconds(fields["resolve_after"])
    return body


def letter(body: Mapping[str, Any], *, key: str | None, keep: float, is_stamped: bool = False) -> Letter:
    """Returns the request that sends a notification. It may wait in a spool for `keep` seconds."""
    # A lone surrogate, as in a file name that is not UTF-8, must not keep an alarm from being sent.
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_encode)
    except (TypeError, ValueError, OverflowError, RecursionError) as problem:
        raise ArgumentError(f"the notification cannot be written as JSON: {problem}", code="invalid_argument") from None
    now = time.time()
    expires_at = min([now + keep, *_seconds(body.get("expires_at"))])
    return Letter(
        checked_key(key), text.encode("utf-8", "replace"), now, expires_at, _rank(body), is_stamped=is_stamped
    )


def _rank(body: Mapping[str, Any]) -> int:
    # A lost `resolve` leaves an alarm open, which is better than the loss of an urgent alarm.
    is_end = body.get("event_action") in _rules.WITHOUT_TEXT
    return RANKS.get("high" if is_end else str(body.get("priority")), RANKS["normal"])


def seems_stale(letter: Letter, sent: Notification) -> bool:
    """Returns `True` if the service took a trigger for an old one, by the time that the client has set.

    It has a later report of that alarm, and no present fault. If the answer came at once, no other report has
    overtaken this one: clocks differ, or this one was set back.
    """
    is_open = sent.alarm is None or sent.alarm.state.startswith("active")
    is_trigger = letter.request.get("event_action", "trigger") == "trigger"
    return letter.is_stamped and is_trigger and sent.reason == "stale_input" and sent.ignored and not is_open


def without_time(letter: Letter) -> Letter:
    """Returns a new request without `occurred_at`, which the service takes for a present one."""
    body = {name: value for name, value in letter.request.items() if name != "occurred_at"}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return replace(letter, key=checked_key(None), body=content, is_stamped=False)


def send_call(letter: Letter, *, wait: float | None, limits: Limits) -> Call:
    """Returns the call `POST /notifications/send`.

    `wait` is added to the limits. If it is `None` and the limits are shorter than the service's own wait
    (`SERVER_WAIT`), the call asks the service for a shorter one.
    """
    if wait is not None:
        limits = longer(limits, wait)
    elif limits.total is not None and limits.total < SERVER_WAIT + ANSWER_TIME:
        wait = max(0.0, limits.total - ANSWER_TIME)
    return Call(
        "POST",
        f"{API}/notifications/send",
        query={} if wait is None else {"wait": f"{wait:g}"},
        headers={"Idempotency-Key": letter.key, "Content-Type": "application/json"},
        content=letter.body,
        limits=limits,
    )


def batch_call(letters: Sequence[Letter], limits: Limits) -> Call:
    """Returns the call `POST /notifications/batch`. Each notification has its idempotency key in its body."""
    bodies = (letter.body[:-1] + f',"idempotency_key":{json.dumps(letter.key)}}}'.encode() for letter in letters)
    content = b'{"notifications":[' + b",".join(bodies) + b"]}"
    if len(content) > _rules.BATCH_BYTES_MAX:
        raise ArgumentError(
            f"a batch must have at most {_rules.BATCH_BYTES_MAX} bytes, has {len(content)}", code="invalid_argument"
        )
    headers = {"Content-Type": "application/json"}
    return Call("POST", f"{API}/notifications/batch", headers=headers, content=content, limits=limits)


def longer(limits: Limits, seconds: float) -> Limits:
    """Returns `limits` with `seconds` more for the answer."""
    phases = limits.phases
    read = None if phases.read is None else phases.read + seconds
    return Limits(
        httpx.Timeout(connect=phases.connect, read=read, write=phases.write, pool=phases.pool),
        None if limits.total is None else limits.total + seconds,
    )


def spooled(letter: Letter, reason: str) -> Notification:
    """Returns the result of a call whose notification is in the spool."""
    created_at = datetime.fromtimestamp(letter.spooled_at, timezone.utc)
    request = letter.request
    # As the service does for an act that has neither.
    defaults = {"title": request.get("dedup_key"), "event_type": request.get("event_action")}
    waiting = Notification.from_json({**defaults, **request}, idempotency_key=letter.key)
    return replace(waiting, id=None, status=Notification.SPOOLED, reason=reason, created_at=created_at)


def read_notification(response: httpx.Response, key: str | None = None) -> Notification:
    """Parses the notification in an answer."""
    data = _json(response)
    if not isinstance(data, Mapping) or not isinstance(data.get("id"), int):
        raise unexpected(response, "which holds no notification")
    return Notification.from_json(
        data,
        idempotency_key=key,
        replayed=response.headers.get("idempotent-replayed", "").lower() == "true",
        request_id=response.headers.get("x-request-id"),
    )


def read_batch(response: httpx.Response, letters: Sequence[Letter]) -> list[BatchResult]:
    """Parses the results of a batch, in the order of its notifications."""
    data = _json(response)
    results = data.get("results") if isinstance(data, Mapping) else None
    if not isinstance(results, list) or len(results) != len(letters):
        raise unexpected(response, "which does not hold a result for each notification")
    return [_batch_result(response, result, letter) for result, letter in zip(results, letters, strict=True)]


def _batch_result(response: httpx.Response, result: Any, letter: Letter) -> BatchResult:
    fields = result if isinstance(result, Mapping) else {}
    stored, problem, status = fields.get("notification"), fields.get("problem"), fields.get("status")
    request_id = response.headers.get("x-request-id")
    if isinstance(stored, Mapping) and isinstance(stored.get("id"), int):
        replayed = fields.get("replayed") is True
        read = Notification.from_json(stored, idempotency_key=letter.key, replayed=replayed, request_id=request_id)
        return BatchResult(read, idempotency_key=letter.key)
    if not isinstance(problem, Mapping) or not isinstance(status, int):
        raise unexpected(response, "which holds a result that is neither a notification nor a problem")
    kind = BY_STATUS.get(status, UnavailableError if status >= 500 else UnexpectedAnswerError)
    error = kind(
        _text(problem.get("detail")) or f"refused with status {status}",
        status=status,
        code=_text(problem.get("code")),
        request_id=request_id,
        errors=_errors(problem.get("errors")),
    )
    return BatchResult(error=error, idempotency_key=letter.key)


def read_log(response: httpx.Response) -> NotificationLog:
    """Parses the page of the notification log in an answer."""
    try:
        return NotificationLog.from_json(_json(response))
    except TypeError:
        raise unexpected(response, "which holds no notification log") from None


def failure(response: httpx.Response) -> MessengerError | None:
    """Returns the error in an answer, or `None` if it is a success. The body must have been read."""
    if response.is_success:
        return None
    kind = BY_STATUS.get(response.status_code) or (UnavailableError if response.is_server_error else None)
    if kind is None:
        return unexpected(response, _advice(response))
    problem = _problem(response)
    if kind is NotFoundError and not problem:
        # Not an answer of the service, but of a proxy that has no service behind it at present.
        kind = UnavailableError
    detail = problem.get("detail") or problem.get("title")
    return kind(
        detail if isinstance(detail, str) else _without_detail(response),
        status=response.status_code,
        code=_text(problem.get("code")),
        request_id=_text(problem.get("request_id")) or response.headers.get("x-request-id"),
        retry_after=retry_after(response.headers.get("retry-after")),
        errors=_errors(problem.get("errors")),
    )


def unreachable(problem: httpx.HTTPError | httpx.InvalidURL, base_url: str) -> MessengerError:
    """Returns the error for a call without an answer."""
    if isinstance(problem, (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)):
        return ConfigurationError(f"{base_url} cannot be called: {problem}", code="bad_request_options")
    why = str(problem) or type(problem).__name__
    if isinstance(problem, httpx.TimeoutException):
        phases = {httpx.ConnectTimeout: "connecting", httpx.PoolTimeout: "waiting for a free connection"}
        phase = phases.get(type(problem), "waiting for its answer")
        return DeadlineError(f"the messenger service at {base_url} timed out while {phase}", code="timeout")
    return UnavailableError(f"the messenger service at {base_url} cannot be reached: {why}", code="unreachable")


def unusable(problem: Exception) -> ConfigurationError:
    """Returns the error for an HTTP client that cannot be used, because of TLS files, proxies, or its end."""
    why = f"{type(problem).__name__}: {problem}"
    return ConfigurationError(
        f"the HTTP client cannot be used ({why}): check verify=, SSL_CERT_FILE and SSL_CERT_DIR, with trust_env=True "
        "also the proxy variables of the environment, and an http_client of your own",
        code=HTTP_CLIENT,
    )


def spoolable(error: MessengerError) -> bool:
    """Returns `True` if the same call may succeed later, so that the spool should keep it."""
    return error.temporary or error.code == HTTP_CLIENT


def unexpected(response: httpx.Response, what: str) -> UnexpectedAnswerError:
    """Returns the error for an answer that the contract does not know."""
    request = response.request
    return UnexpectedAnswerError(
        f"{request.method} {request.url.copy_with(query=None)} got an answer {what}; "
        "does MESSENGER_SERVICE_URL point to the messenger service?",
        status=response.status_code,
        request_id=response.headers.get("x-request-id"),
    )


def retry_after(value: str | None) -> float | None:
    """Parses a `Retry-After` header (seconds or a date) as seconds from now; `None` if it is neither."""
    if value is None:
        return None
    if SECONDS.fullmatch(value.strip()):
        return float(value)
    try:
        return _until(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _until(date: str) -> float:
    return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.astimezone()
        return aware.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def _seconds(value: Any) -> list[float]:
    time_ = parse_time(value) if isinstance(value, str) else value
    return [time_.timestamp()] if isinstance(time_, datetime) else []


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise unexpected(response, "that is not JSON") from None


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = response.json() if "json" in response.headers.get("content-type", "") else None
    except ValueError:
        problem = None
    return problem if isinstance(problem, Mapping) else {}


def _errors(listed: Any) -> tuple[FieldError, ...]:
    if not isinstance(listed, list):
        return ()
    return tuple(
        FieldError(str(entry.get("pointer", "")), str(entry.get("message", "")))
        for entry in listed
        if isinstance(entry, Mapping)
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _without_detail(response: httpx.Response) -> str:
    url = response.request.url.copy_with(query=None)
    return f"{url} answered {response.status_code} {response.reason_phrase}, and not in the messenger service's form"


def _advice(response: httpx.Response) -> str:
    if response.has_redirect_location:
        return f"that leads to {response.headers['location']}"
    return f"with status {response.status_code}"
