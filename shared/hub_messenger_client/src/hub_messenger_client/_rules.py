"""Checks the fields of a notification before it is sent or spooled, by the rules of the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from .errors import ArgumentError, FieldError

NAME_MAX = 100
TITLE_MAX = 500
BODY_MAX = 20_000
ENTITY_ID_MAX = 200
USER_MAX = 255

Priority: TypeAlias = Literal["normal", "urgent"]
"""The priorities that the service accepts, see `priority` in docs/api.md."""
PRIORITIES: tuple[Priority, ...] = get_args(Priority)

REQUIRED = {"source_app": NAME_MAX, "event_type": NAME_MAX, "title": TITLE_MAX}
TARGETS = {
    "entity_room": {"entity_type": NAME_MAX, "entity_id": ENTITY_ID_MAX},
    "dm": {"target_user": USER_MAX},
}


def check(fields: Mapping[str, Any]) -> None:
    """Raises an `ArgumentError` that names each field that the service would refuse."""
    required = {**REQUIRED, **TARGETS.get(str(fields.get("target_type")), {})}
    problems = [_required(name, fields.get(name), limit) for name, limit in required.items()]
    problems.append(_text("body", fields.get("body"), BODY_MAX))
    if fields.get("priority", "normal") not in PRIORITIES:
        problems.append(FieldError("/priority", f"must be one of {', '.join(PRIORITIES)}"))
    wrong = tuple(problem for problem in problems if problem is not None)
    if wrong:
        detail = "; ".join(f"{problem.pointer[1:]} {problem.message}" for problem in wrong)
        raise ArgumentError(detail, code="invalid_argument", errors=wrong)


def _required(name: str, value: Any, limit: int) -> FieldError | None:
    if name == "entity_id" and isinstance(value, int) and not isinstance(value, bool):
        return None if -(2**63) <= value < 2**63 else FieldError("/entity_id", "must fit into 64 bits")
    if value is None:
        return FieldError(f"/{name}", "is required")
    if isinstance(value, str) and not value.strip():
        return FieldError(f"/{name}", "must not be blank")
    return _text(name, value, limit)


def _text(name: str, value: Any, limit: int) -> FieldError | None:
    if value is None:
        return None
    if not isinstance(value, str):
        expected = "text or a whole number" if name == "entity_id" else "text"
        return FieldError(f"/{name}", f"must be {expected}, is {type(value).__name__}")
    if len(value) > limit:
        return FieldError(f"/{name}", f"must have at most {limit} characters, has {len(value)}")
    return FieldError(f"/{name}", "must not contain the character U+0000") if "\0" in value else None
