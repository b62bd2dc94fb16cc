"""The errors of this package.

MessengerError
├── ConfigurationError       the address, the token, TLS or a proxy is missing or malformed
├── ClosedError              the client was closed before the call (also a RuntimeError)
├── AuthenticationError      401, 403
├── ValidationError          422 (with `errors`), 400, 413, 415: the request itself is wrong
│   └── ArgumentError        an argument is wrong: nothing was sent (also a ValueError and a TypeError)
├── NotFoundError            404
├── ConflictError            409
├── RateLimitedError         429 (with `retry_after`)
├── UnavailableError         no answer, or 5xx
│   └── DeadlineError        no answer in time
├── UnexpectedAnswerError    an answer that the contract does not know
└── SpoolError               the spool's file cannot be used
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "ArgumentError",
    "AuthenticationError",
    "ClosedError",
    "ConfigurationError",
    "ConflictError",
    "DeadlineError",
    "FieldError",
    "MessengerError",
    "NotFoundError",
    "RateLimitedError",
    "SpoolError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "ValidationError",
]


@dataclass(frozen=True)
class FieldError:
    """A wrong field of a request."""

    pointer: str
    """The JSON Pointer to the field, such as `/title`; empty for the whole body."""
    message: str
    """The reason, for people."""


class MessengerError(Exception):
    """The base of all errors of this package. Attributes without a value are `None`."""

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        errors: tuple[FieldError, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        """The reason, for people."""
        self.status = status
        """The HTTP status; `None` if there was no answer."""
        self.code = code
        """The stable, snake_case name of the problem, for programs."""
        self.request_id = request_id
        """The id of the request in the service's log."""
        self.retry_after = retry_after
        """The seconds after which the service accepts a retry."""
        self.errors = errors
        """The wrong fields of the request (422)."""

    @property
    def temporary(self) -> bool:
        """`True` if the same call may succeed later."""
        return False

    def __str__(self) -> str:
        head = " ".join(str(part) for part in (self.status, self.code) if part is not None)
        text = f"{head}: {self.detail}" if head else self.detail
        fields = "; ".join(f"{e.pointer or 'body'}: {e.message}" for e in self.errors)
        if fields and fields not in text:
            text = f"{text} [{fields}]"
        return f"{text} (request {self.request_id})" if self.request_id else text

    def __reduce__(self) -> tuple[Any, ...]:
        # The default pickles `args` only: an error of another process would lose its other attributes.
        return _revive, (type(self), self.detail, self.__dict__.copy())


def _revive(kind: type[MessengerError], detail: str, state: dict[str, Any]) -> MessengerError:
    error = kind(detail)
    error.__dict__.update(state)
    return error


class ConfigurationError(MessengerError):
    """A wrong configuration of the client. The constructor raises it.

    With a spool, the constructor logs a wrong TLS or proxy configuration (`code == "http_client"`) instead,
    and notifications are spooled until it is mended.
    """


class ClosedError(MessengerError, RuntimeError):
    """A call of a closed client."""


class AuthenticationError(MessengerError):
    """401 or 403: the token is missing, wrong or expired, or lacks the right."""


class ValidationError(MessengerError):
    """A wrong request, which would be refused again. For 422, `errors` names each wrong field."""


class ArgumentError(ValidationError, ValueError, TypeError):
    """A wrong argument, found before anything is sent or spooled. `errors` names each wrong field."""


class NotFoundError(MessengerError):
    """404: the object does not exist, or the caller may not know that it exists."""


class ConflictError(MessengerError):
    """409: the state of the object does not allow the call."""

    @property
    def temporary(self) -> bool:
        """`True` while the service has not answered the first call with the same idempotency key."""
        return self.code == "idempotency_in_flight" or self.retry_after is not None


class RateLimitedError(MessengerError):
    """429: too many calls. `retry_after` is the number of seconds to wait."""

    @property
    def temporary(self) -> bool:
        """Always `True`."""
        return True


class UnavailableError(MessengerError):
    """The service cannot be reached, closed the connection without an answer, or answered 5xx."""

    @property
    def temporary(self) -> bool:
        """Always `True`."""
        return True


class DeadlineError(UnavailableError):
    """The service did not answer in time. It may have processed the call all the same."""


class UnexpectedAnswerError(MessengerError):
    """An answer that the contract does not know. Usually another program answers at that address."""


class SpoolError(MessengerError):
    """A failure to read or write the spool's file."""
