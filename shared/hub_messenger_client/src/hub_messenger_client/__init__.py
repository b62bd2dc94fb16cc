"""A client of the hub's messenger service: sends notifications and reads event streams.

from hub_messenger_client import MessengerClient

client = MessengerClient()
client.notify(source_app="fertigungs-app", title="Schicht gestartet")
"""

from __future__ import annotations

from ._rules import NewNotification
from ._version import __version__
from .alarms import AckedBy, Alarm, Cleared, NotificationAlarm
from .client import MessengerClient
from .errors import (
    ArgumentError,
    AuthenticationError,
    ClosedError,
    ConfigurationError,
    ConflictError,
    DeadlineError,
    FieldError,
    MessengerError,
    NotFoundError,
    RateLimitedError,
    SpoolError,
    UnavailableError,
    UnexpectedAnswerError,
    ValidationError,
)
from .events import EventStream, TokenProvider
from .handler import MessengerHandler
from .models import BatchResult, DeadLetter, Event, Notification, NotificationLog, SpoolStats

__all__ = [
    "AckedBy",
    "Alarm",
    "ArgumentError",
    "AuthenticationError",
    "BatchResult",
    "Cleared",
    "ClosedError",
    "ConfigurationError",
    "ConflictError",
    "DeadLetter",
    "DeadlineError",
    "Event",
    "EventStream",
    "FieldError",
    "MessengerClient",
    "MessengerError",
    "MessengerHandler",
    "NewNotification",
    "NotFoundError",
    "Notification",
    "NotificationAlarm",
    "NotificationLog",
    "RateLimitedError",
    "SpoolError",
    "SpoolStats",
    "TokenProvider",
    "UnavailableError",
    "UnexpectedAnswerError",
    "ValidationError",
    "__version__",
]
