"""Everything that can go wrong, as one small tree that follows the service's `code`s.

MessengerError
├── ConfigurationError       the address, the token, TLS or a proxy is missing or cannot be right
├── ClosedError              the client was closed before the call (also a RuntimeError)
├── AuthenticationError      401, 403
├── ValidationError          422 (with `errors`), 400, 413, 415: the request itself is wrong
│   └── ArgumentError        an argument is wrong: refused here, nothing was sent (also a ValueError and a TypeError)
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
    """One wrong field of a request."""

    pointer: str
    """JSON Pointer to the field, such as `/title`; empty for the whole body."""
    message: str
    """What is wrong with it, for a person."""


class MessengerError(Exception):
    """Base of all errors of this package. Attributes that an error has no value for are `None`."""

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
        """A sentence a person can act on."""
        self.status = status
        """The HTTP status; `None` when there was no answer."""
        self.code = code
        """The service's stable, snake_case name of the problem."""
        self.request_id = request_id
        """What to quote when asking the service's operators."""
        self.retry_after = retry_after
        """Seconds after which the service wants to be asked again."""
        self.errors = errors
        """Each field that is wrong (422)."""

    @property
    def temporary(self) -> bool:
        """Whether the same call may succeed later without anybody changing it."""
        return False

    def __str__(self) -> str:
        head = " ".join(str(part) for part in (self.status, self.code) if part is not None)
        text = f"{head}: {self.detail}" if head else self.detail
        fields = "; ".join(f"{e.pointer or 'body'}: {e.message}" for e in self.errors)
        if fields and fields not in text:
            text = f"{text} [{fields}]"
        return f"{text} (request {self.request_id})" if self.request_id else text

    def __reduce__(self) -> tuple[Any, ...]:
        # The default hands only `args` on: an error that crosses a process boundary would lose the rest.
        return _revive, (type(self), self.detail, self.__dict__.copy())


def _revive(kind: type[MessengerError], detail: str, state: dict[str, Any]) -> MessengerError:
    error = kind(detail)
    error.__dict__.update(state)
    return error


class ConfigurationError(MessengerError):
    """The client cannot work as it is configured. Raised by the constructor.

    With a spool, a wrong TLS or proxy configuration (`code == "http_client"`) is logged by the constructor instead, and
    notifications are spooled until it is mended.
    """


class ClosedError(MessengerError, RuntimeError):
    """The client was closed before the call."""


class AuthenticationError(MessengerError):
    """401 or 403: the token is missing, wrong or expired, or it may not do this."""


class ValidationError(MessengerError):
    """The request is wrong and will be refused again. For 422 `errors` names each field that is wrong."""


class ArgumentError(ValidationError, ValueError, TypeError):
    """An argument is wrong. Raised before anything is sent or spooled; `errors` names each field of the request."""


class NotFoundError(MessengerError):
    """404: it does not exist, or the caller may not know that it exists."""


class ConflictError(MessengerError):
    """409: the state does not allow the call."""

    @property
    def temporary(self) -> bool:
        """True while the first call with the same idempotency key has not been answered yet."""
        return self.code == "idempotency_in_flight" or self.retry_after is not None


class RateLimitedError(MessengerError):
    """429: too much at once. `retry_after` says when to come back."""

    @property
    def temporary(self) -> bool:
        """Always."""
        return True


class UnavailableError(MessengerError):
    """The service could not be reached, broke off, or answered 5xx."""

    @property
    def temporary(self) -> bool:
        """Always."""
        return True


class DeadlineError(UnavailableError):
    """The service did not answer in time. Whether it did its work is not known."""


class UnexpectedAnswerError(MessengerError):
    """An answer that the contract does not know. Most often something else answers at that address."""


class SpoolError(MessengerError):
    """The spool's file cannot be read or written."""
