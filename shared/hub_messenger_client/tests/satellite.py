"""A process of a satellite: sends numbered notifications with a spool, and kills itself on demand.

    python satellite.py URL SPOOL_DIR NAME COUNT [--pause SECONDS] [--die POINT] [--linger SECONDS]

Prints a line of JSON: the number of calls by status.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections import Counter
from typing import Any

from hub_messenger_client import MessengerClient
from hub_messenger_client._spool import Spool


def die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_before_removing() -> None:
    """Dies when the service has a notification that the spool still holds."""
    advance = Spool.advance

    def advance_or_die(self: Spool, holder: str, lease: float, done: Any = None) -> Any:
        if done is not None:
            die()
        return advance(self, holder, lease, done)

    Spool.advance = advance_or_die  # type: ignore[method-assign]


def dies_before_sending() -> None:
    """Dies when it holds the lease and has sent nothing."""
    advance = Spool.advance

    def advance_and_die(self: Spool, holder: str, lease: float, done: Any = None) -> Any:
        advance(self, holder, lease, done)
        die()

    Spool.advance = advance_and_die  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("spool_dir")
    parser.add_argument("name")
    parser.add_argument("count", type=int)
    parser.add_argument("--token", default="messenger-service-token-dev")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--linger", type=float, default=0.0)
    parser.add_argument("--die", choices=["before_removing", "before_sending"])
    options = parser.parse_args()
    if options.die:
        {"before_removing": dies_before_removing, "before_sending": dies_before_sending}[options.die]()
    statuses: Counter[str] = Counter()
    client = MessengerClient(options.url, options.token, source_app="satellite", spool_dir=options.spool_dir)
    for number in range(options.count):
        statuses[client.notify(title=f"{options.name}-{number}", wait=0).status] += 1
        time.sleep(options.pause)
    if options.linger:
        client.flush(options.linger)
    print(json.dumps(statuses), flush=True)


if __name__ == "__main__":
    main()
