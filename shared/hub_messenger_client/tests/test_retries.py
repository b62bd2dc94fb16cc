"""The retry policy: the pauses between attempts."""

from __future__ import annotations

from email.utils import formatdate
from time import time

import pytest

from hub_messenger_client import ConflictError, RateLimitedError, UnavailableError, ValidationError
from hub_messenger_client._wire import Retries, retry_after

AWAY = UnavailableError("away", status=503)


def pauses(retries: Retries, attempt: int, error: Exception = AWAY) -> list[float]:
    found = [retries.pause(attempt, error) for _ in range(300)]  # type: ignore[arg-type]
    assert all(pause is not None for pause in found)
    return [pause for pause in found if pause is not None]


@pytest.mark.parametrize("attempt", [0, 1, 2, 5, 9])
def test_the_pause_is_random_below_a_limit_that_doubles(attempt: int) -> None:
    retries = Retries(count=10, base=0.25, cap=8.0)
    limit = min(8.0, 0.25 * 2**attempt)
    found = pauses(retries, attempt)
    assert 0 <= min(found) < limit * 0.1
    assert limit * 0.9 < max(found) <= limit


def test_the_last_attempt_has_no_pause_after_it() -> None:
    assert Retries(count=2).pause(1, AWAY) is not None
    assert Retries(count=2).pause(2, AWAY) is None
    assert Retries(count=0).pause(0, AWAY) is None


def test_a_permanent_error_has_no_pause() -> None:
    assert Retries().pause(0, ValidationError("wrong", status=422)) is None
    assert Retries().pause(0, ConflictError("no", status=409, code="already_resolved")) is None


def test_the_pause_is_at_least_retry_after() -> None:
    limited = RateLimitedError("slowly", status=429, retry_after=3.0)
    found = pauses(Retries(), 0, limited)
    assert 3.0 <= min(found) <= max(found) <= 3.0 + Retries().base


def test_a_long_retry_after_is_left_to_the_caller() -> None:
    assert Retries().pause(0, RateLimitedError("slowly", status=429, retry_after=60.0)) is None


def test_a_call_in_flight_is_retried_beyond_the_count() -> None:
    in_flight = ConflictError("wait", status=409, code="idempotency_in_flight", retry_after=1.0)
    assert in_flight.temporary
    assert Retries(count=0).pause(5, in_flight) is not None


def test_both_forms_of_retry_after_are_parsed() -> None:
    assert retry_after("3") == 3.0
    assert retry_after("0.5") == 0.5
    assert retry_after(formatdate(time() + 30, usegmt=True)) == pytest.approx(30, abs=2)
    assert retry_after(formatdate(time() - 30, usegmt=True)) == 0.0
    for nonsense in (None, "", "soon", "-5", "٣"):
        assert retry_after(nonsense) is None
