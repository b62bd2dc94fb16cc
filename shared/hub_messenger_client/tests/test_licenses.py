"""The list of licences is that of the installed run-time dependencies."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LIST = Path(__file__).parent.parent / "licenses.json"


def dependencies(name: str) -> set[str]:
    """Returns the names of all direct and indirect run-time dependencies of a distribution."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        requirements = map(Requirement, distribution(waiting.pop()).requires or [])
        needed = (one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""}))
        new = {canonicalize_name(one.name) for one in needed} - found
        found |= new
        waiting += new
    return found


def test_the_list_names_each_run_time_dependency_as_it_is_installed() -> None:
    entries = json.loads(LIST.read_text())
    assert {canonicalize_name(entry["Name"]) for entry in entries} == dependencies("hub-messenger-client")
    for entry in entries:
        metadata = distribution(entry["Name"]).metadata
        assert entry["Version"] == metadata["Version"], entry
        assert entry["License"] == metadata["License-Expression"] or entry["License"] == metadata["License"], entry
        urls = [line.split(", ", 1)[1] for line in metadata.get_all("Project-URL") or []]
        assert entry["URL"] in [metadata["Home-page"], *urls], entry
