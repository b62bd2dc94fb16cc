"""Generates `_sync` from `_async`: code that waits for I/O is written once, as async code.

    python scripts/unasync.py            writes the twin
    python scripts/unasync.py --check    writes nothing; exit code 1 if the twin is not up to date

A rule that changes nothing is an error: its code was removed, or it is misspelt.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "hub_messenger_client"
NOTICE = "# Generated from `_async` by scripts/unasync.py: edit it there.\n"

RULES = [
    # imports that the twin does not need
    (r"^from asyncio import to_thread\n", ""),
    (r"^import asyncio\n", ""),
    # code that runs in a worker thread of the loop runs in the caller's thread
    (r"\bawait to_thread\(([\w.]+)(?:, )?", r"\1("),
    (r"\bawait asyncio\.sleep\b", "time.sleep"),
    # the language
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\banext\(", "next("),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"__a(iter|next)__", r"__\1__"),
    # httpx
    (r"\bhttpx\.AsyncClient\b", "httpx.Client"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\baiter_bytes\b", "iter_bytes"),
    (r"\baread\b", "read"),
    # ours
    (r"\bAsync(Alarms|Batch|Calls|Connection|Exchange|Pool|Reader|Sending)\b", r"Sync\1"),
    (r"\b_async_", "_sync_"),
    (r"\ba(notify\w*|batch|resolve|ack|cancel|update|get|log|flush|close)\b", r"\1"),
    (r"\b_a(finish|send\w*)\b", r"_\1"),
]


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the twin is not up to date")
    check = parser.parse_args().check
    return run(PACKAGE / "_async", PACKAGE / "_sync", RULES, check=check)


def run(source: Path, target: Path, rules: list[tuple[str, str]], *, check: bool) -> int:
    """Writes or checks each file of `target`. Returns the exit code."""
    used: set[int] = set()
    wanted = {path.name: NOTICE + translate(path.read_text("utf-8"), rules, used) for path in source.glob("*.py")}
    found = {path.name: path.read_text("utf-8") for path in target.glob("*.py")}
    unused = [pattern for number, (pattern, _) in enumerate(rules) if number not in used]
    for pattern in unused:
        print(f"unasync: the rule {pattern!r} changes nothing", file=sys.stderr)
    if check:
        for name in sorted(wanted.keys() | found.keys()):
            sys.stderr.writelines(difference(name, found.get(name, ""), wanted.get(name, "")))
        return int(bool(unused) or wanted != found)
    target.mkdir(exist_ok=True)
    for name in found.keys() - wanted.keys():
        (target / name).unlink()
    for name, text in wanted.items():
        (target / name).write_text(text, "utf-8")
    return int(bool(unused))


def translate(text: str, rules: list[tuple[str, str]], used: set[int]) -> str:
    """Returns the sync twin of `text`. Adds the numbers of the rules that changed something to `used`."""
    for number, (pattern, replacement) in enumerate(rules):
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if count:
            used.add(number)
    return text


def difference(name: str, found: str, wanted: str) -> list[str]:
    """Returns the unified diff from `found` to `wanted`."""
    lines = difflib.unified_diff(found.splitlines(True), wanted.splitlines(True), f"_sync/{name}", "expected")
    return list(lines)


if __name__ == "__main__":
    sys.exit(main())
