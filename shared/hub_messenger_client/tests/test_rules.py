"""The rules by which the client checks a notification, compared with those of the service."""

from __future__ import annotations

import re
from pathlib import Path

from hub_messenger_client._rules import PRIORITIES
from hub_messenger_client._spool import RANKS

API = Path(__file__).parents[3] / "docs" / "api.md"


def accepted_values(field: str) -> list[str]:
    """Returns the values that docs/api.md lists for a field of `POST /notifications/send`."""
    section = API.read_text("utf-8").partition("### `POST /api/v1/notifications/send`")[2].partition("\n### ")[0]
    row = re.search(rf"^\| `{field}` \|(.*)\|$", section, re.MULTILINE)
    assert row is not None, f"docs/api.md has no row for {field}"
    return re.findall(r"`(\w+)`", row[1])


def test_the_client_offers_exactly_the_priorities_of_the_service() -> None:
    assert set(PRIORITIES) == set(accepted_values("priority"))


def test_the_spool_ranks_exactly_the_priorities_of_the_service() -> None:
    assert sorted(RANKS, key=RANKS.__getitem__) == list(PRIORITIES)
