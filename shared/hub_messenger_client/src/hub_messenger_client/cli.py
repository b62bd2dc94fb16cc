"""The command line `hub-messenger`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ._parsing import parse_time
from ._rules import PRIORITIES
from ._settings import APP_VARIABLE, SPOOL_VARIABLE, TOKEN_HINT, TOKEN_VARIABLE, URL_HINT, URL_VARIABLE
from ._version import __version__
from .alarms import Alarm, NotificationAlarm
from .client import MessengerClient
from .errors import (
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    MessengerError,
    NotFoundError,
    RateLimitedError,
    SpoolError,
    UnavailableError,
    ValidationError,
)
from .events import EventStream
from .models import Event, Notification

OK, FAILED, USAGE, REFUSED, DENIED, AWAY, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
USER_TOKEN_VARIABLE = "MESSENGER_USER_TOKEN"  # noqa: S105 - a name

DEFAULTS = {"url": None, "json": False, "verbose": False, "timeout": None, "retries": 2}
"""The defaults of the common options, which may stand before and after the command's name."""

ACTS = {
    "resolve": "Reports that the fault of an alarm is over.",
    "ack": "Acknowledges an alarm for the application.",
    "cancel": "Withdraws an alarm that was raised by mistake.",
}
"""The commands for an alarm, which are calls of the client."""

EPILOG = f"""\
environment:
  {URL_VARIABLE}    the service's address, such as http://localhost:8000
  {TOKEN_VARIABLE}  the service token
  {APP_VARIABLE}     the sending application (default: hub-messenger)
  {USER_TOKEN_VARIABLE}     a user's Hub JWT, for tail
  {SPOOL_VARIABLE}      where to keep what cannot be delivered now

exit codes:
  0  done (for send: sent, pending, spooled or ignored; --json or the output says which)
  1  something unexpected
  2  wrong arguments or configuration
  3  refused: a field is wrong, it does not exist, or its state does not allow it
  4  the token is missing rights, wrong or expired
  5  the service is away or wants fewer calls
  130  interrupted
"""
EXAMPLES = """\
examples:
  hub-messenger send --title "Schicht gestartet"
  hub-messenger send --title "Maschine gestoppt" --room machine:42 --urgent
  dmesg | tail -20 | hub-messenger send --title "Kernel" --body - --to mueller
  hub-messenger send --title "Öldruck zu niedrig" --room machine:7 --dedup-key press-7:oil --ack-required
  hub-messenger resolve press-7:oil
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit code."""
    options = _parser().parse_args(arguments, argparse.Namespace(**DEFAULTS))
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.WARNING, format="hub-messenger: %(message)s"
    )
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has ended, as `head` does: no error, but nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (MessengerError, OSError) as error:
        print(f"hub-messenger: {_message(error)}", file=sys.stderr)
        return exit_code(error)
    return code


def exit_code(error: Exception) -> int:
    """Returns the exit code for an error."""
    if isinstance(error, (ConfigurationError, SpoolError)) or (isinstance(error, ArgumentError) and not error.errors):
        return USAGE
    if isinstance(error, (ValidationError, NotFoundError, ConflictError)):
        return REFUSED
    if isinstance(error, AuthenticationError):
        return DENIED
    return AWAY if isinstance(error, (UnavailableError, RateLimitedError)) else FAILED


def _message(error: Exception) -> str:
    """Returns the text of an error, which names options of the command line instead of arguments."""
    advice = {
        "missing_service_url": f"the service's address is missing: set {URL_VARIABLE} or pass --url {URL_HINT}",
        "missing_service_token": f"the service token is missing: set {TOKEN_VARIABLE} {TOKEN_HINT}",
    }
    code = error.code if isinstance(error, MessengerError) else None
    return advice.get(code or "", str(error))


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    # These options have no default here: it would overwrite an option before the command's name.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--url", help=f"the service's address (default: {URL_VARIABLE})")
    common.add_argument("--json", action="store_true", help="print JSON, one object a line")
    common.add_argument("-v", "--verbose", action="store_true", help="say what happens on the way")
    service = argparse.ArgumentParser(add_help=False, parents=[common], argument_default=argparse.SUPPRESS)
    service.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="for the whole call (default: 10, with a spool 2)"
    )
    service.add_argument("--retries", type=int, metavar="N", help="further attempts (default: 2)")
    parser = argparse.ArgumentParser(
        prog="hub-messenger",
        description="The hub's messenger on the command line.",
        epilog=EPILOG,
        formatter_class=raw,
        parents=[service],
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Any], int], of: argparse.ArgumentParser, about: str, epilog: str = "") -> Any:
        sub = commands.add_parser(
            name,
            parents=[of],
            help=about,
            description=about,
            epilog=f"{epilog}\n{EPILOG}",
            formatter_class=raw,
        )
        sub.set_defaults(run=run)
        return sub

    send = command("send", _send, service, "Sends a notification.", EXAMPLES)
    send.add_argument("--title", required=True)
    send.add_argument("--body", help="the details; - reads them from standard input")
    _add_target(send)
    ring = send.add_mutually_exclusive_group()
    ring.add_argument("--urgent", action="store_true", help="marked, and phones ring")
    ring.add_argument("--priority", default="normal", choices=PRIORITIES, help="default: normal")
    send.add_argument("--event-type", metavar="TYPE", help="what kind of event it is")
    send.add_argument("--wait", type=float, metavar="SECONDS", help="how long the service may wait for the homeserver")
    send.add_argument("--dedup-key", metavar="KEY", help="the name of a fault: all calls with it are one alarm")
    send.add_argument("--ack-required", action="store_true", help="somebody must acknowledge the alarm")
    send.add_argument("--ack-expires-after", type=int, metavar="SECONDS", help="an acknowledgement holds so long")
    send.add_argument("--resolve-after", type=int, metavar="SECONDS", help="over if not sent again for so long")
    _add_sending(send)

    for name, about in ACTS.items():
        act = command(name, _act, service, about)
        act.add_argument("dedup_key", metavar="KEY", help="the name of the fault, as in send --dedup-key")
        act.set_defaults(act=name)
        _add_sending(act)

    update = command("update", _update, service, "Replaces the text of an open alarm.")
    update.add_argument("dedup_key", metavar="KEY", help="the name of the fault, as in send --dedup-key")
    update.add_argument("--title", required=True)
    update.add_argument("--body", help="the details; - reads them from standard input")
    _add_target(update)
    _add_sending(update)

    log = command("log", _log, service, "Prints what was sent, newest first.")
    log.add_argument("--app", metavar="NAME", help="only of this application")
    log.add_argument("--limit", type=int, metavar="N")
    log.add_argument("--offset", type=int, metavar="N")

    get = command("get", _get, service, "Prints how a notification stands.")
    get.add_argument("id", type=int)

    spool = command("spool", _spool, service, "Prints what a spool holds and what was refused; with --flush, sends it.")
    spool.add_argument("dir", nargs="?", default=os.environ.get(SPOOL_VARIABLE), help=f"default: {SPOOL_VARIABLE}")
    spool.add_argument("--flush", type=float, metavar="SECONDS", help="send what waits, for at most so long")
    spool.add_argument("--dead", action="store_true", help="print only what the service refused")

    tail = command("tail", _print_events, common, "Prints the events of a user as they happen, until interrupted.")
    tail.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"the user's Hub JWT, read again for each connection (default: {USER_TOKEN_VARIABLE})",
    )
    tail.add_argument("--since", metavar="ID", help="begin after this event")
    tail.add_argument("-n", "--count", type=int, metavar="N", help="stop after so many events")
    return parser


def _add_target(parser: argparse.ArgumentParser) -> None:
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--room", type=_room, metavar="TYPE:ID", help="the room of an entity, such as machine:42")
    target.add_argument("--to", metavar="USER", help="one user, by Hub id")
    target.add_argument("--service", action="store_true", help="the room of the sending application")


def _add_sending(parser: argparse.ArgumentParser) -> None:
    """Adds the options of all commands that send."""
    parser.add_argument(
        "--app", metavar="NAME", help=f"the sending application (default: {APP_VARIABLE}, else hub-messenger)"
    )
    parser.add_argument("--occurred-at", type=_time, metavar="TIME", help="of the event, as 2026-01-31T12:00:00Z")
    parser.add_argument("--tenant", metavar="ID", help="another tenant than the token's own")
    parser.add_argument("--key", metavar="KEY", help="an idempotency key: the same again is not sent twice")
    parser.add_argument(
        "--spool-dir",
        metavar="DIR",
        default=os.environ.get(SPOOL_VARIABLE),
        help="keep it here if the service is away",
    )


def _time(text: str) -> datetime:
    time = parse_time(text) if re.search(r"(Z|[+-]\d\d:?\d\d)$", text, re.IGNORECASE) else None
    if time is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time with an offset, such as 2026-01-31T12:00:00Z")
    return time


def _room(text: str) -> tuple[str, int | str]:
    kind, separator, number = text.partition(":")
    if not (kind and separator and number):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form TYPE:ID, such as machine:42")
    return kind, int(number) if number.isascii() and number.isdigit() else number


def _client(options: argparse.Namespace, spool_dir: str | None = None) -> MessengerClient:
    return MessengerClient(options.url, timeout=options.timeout, retries=options.retries, spool_dir=spool_dir)


def _sending(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the arguments of all calls that send."""
    return {
        "source_app": options.app or os.environ.get(APP_VARIABLE) or "hub-messenger",
        "occurred_at": options.occurred_at,
        "tenant_id": int(options.tenant) if (options.tenant or "").isdigit() else options.tenant,
        "idempotency_key": options.key,
    }


def _body(options: argparse.Namespace) -> str | None:
    return sys.stdin.read() if options.body == "-" else options.body


def _send(options: argparse.Namespace) -> int:
    fields = {
        **_sending(options),
        "title": options.title,
        "body": _body(options),
        "priority": "urgent" if options.urgent else options.priority,
        "dedup_key": options.dedup_key,
        "ack_required": options.ack_required,
        "ack_expires_after": options.ack_expires_after,
        "resolve_after": options.resolve_after,
        "wait": options.wait,
        **({"event_type": options.event_type} if options.event_type else {}),
    }
    with _client(options, options.spool_dir) as client:
        if options.room:
            sent = client.notify_entity(entity_type=options.room[0], entity_id=options.room[1], **fields)
        elif options.to:
            sent = client.notify_user(target_user=options.to, **fields)
        elif options.service:
            sent = client.notify_service(**fields)
        else:
            sent = client.notify(**fields)
    _print(options, sent.to_dict(), _sentence(sent))
    return OK


def _act(options: argparse.Namespace) -> int:
    with _client(options, options.spool_dir) as client:
        sent = getattr(client, options.act)(options.dedup_key, **_sending(options))
    _print(options, sent.to_dict(), _sentence(sent))
    return OK


def _update(options: argparse.Namespace) -> int:
    entity_type, entity_id = options.room or (None, None)
    with _client(options, options.spool_dir) as client:
        sent = client.update(
            options.dedup_key,
            title=options.title,
            body=_body(options),
            entity_type=entity_type,
            entity_id=entity_id,
            target_user=options.to,
            target_type="service_room" if options.service else None,
            **_sending(options),
        )
    _print(options, sent.to_dict(), _sentence(sent))
    return OK


def _log(options: argparse.Namespace) -> int:
    with _client(options) as client:
        for entry in client.log(source_app=options.app, limit=options.limit, offset=options.offset):
            _print(options, entry.to_dict(), _sentence(entry))
    return OK


def _get(options: argparse.Namespace) -> int:
    with _client(options) as client:
        found = client.get(options.id)
    _print(options, found.to_dict(), _sentence(found))
    return OK


def _spool(options: argparse.Namespace) -> int:
    if not options.dir:
        raise ConfigurationError(f"which spool? Name its directory or set {SPOOL_VARIABLE}")
    if not Path(options.dir).is_dir():
        raise ConfigurationError(f"{options.dir} is no directory")
    with _client(options, options.dir) as client:
        emptied = client.flush(options.flush) if options.flush is not None else True
        if client.spool is None:
            return FAILED
        if not options.dead:
            stats = client.spool.stats().to_dict()
            lines = "\n".join(f"{name}: {value}" for name, value in stats.items() if value is not None)
            _print(options, stats, lines)
        for letter in client.spool.dead():
            when = f"{letter.died_at:%Y-%m-%d %H:%M:%S}Z"
            title = letter.request.get("title") or letter.request.get("dedup_key")
            _print(options, letter.to_dict(), f"refused {when} {title}: {letter.error}")
    return OK if emptied else AWAY


def _print_events(options: argparse.Namespace) -> int:
    def token() -> str:
        text = options.token_file.read_text("utf-8") if options.token_file else os.environ.get(USER_TOKEN_VARIABLE, "")
        if not text.strip():
            raise ConfigurationError(f"a user's token is missing: set {USER_TOKEN_VARIABLE} or pass --token-file")
        return str(text.strip())

    left = options.count
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with EventStream(token, base_url=options.url, last_event_id=options.since) as stream:
        while left is None or left > 0:
            event = next(stream, None)
            if event is None:
                break
            _print(options, event.to_dict(), _line(event))
            left = None if left is None else left - 1
    return OK


def _print(options: argparse.Namespace, data: dict[str, Any], text: str) -> None:
    print(json.dumps(data, ensure_ascii=False, default=str) if options.json else text, flush=True)


def _sentence(sent: Notification) -> str:
    number = "–" if sent.id is None else sent.id
    when = f" {sent.created_at:%Y-%m-%d %H:%M:%S}Z" if sent.created_at else ""
    why = f" ({sent.reason})" if sent.reason else ""
    alarm = f" ({_alarm_state(sent.alarm)})" if sent.alarm else ""
    return f"{number}{when} {sent.status}{why} [{sent.source_app}] {sent.title}{alarm}"


def _alarm_state(alarm: Alarm | NotificationAlarm) -> str:
    by = f" by {alarm.acked_by.display_name}" if alarm.acked_by else ""
    return f"alarm {alarm.id} {alarm.state}{by}, {alarm.occurrences}×"


def _line(event: Event) -> str:
    if event.type == "notification":
        mark = "! " if event.get("priority") == "urgent" else ""
        text = f"{mark}[{event.get('source_app')}] {event.get('title')}"
        return f"{text} – {event.get('body')}" if event.get("body") else text
    if event.alarm is not None:
        mark = "! " if event.alarm.priority == "urgent" else ""
        return f"{mark}[{event.alarm.source_app}] {event.alarm.title} ({_alarm_state(event.alarm)})"
    if event.type == "new_message":
        return f"{event.get('sender_display_name') or event.get('sender')}: {event.get('body')}"
    fields = {name: value for name, value in event.data.items() if name != "type"}
    return f"({event.type}) {json.dumps(fields, ensure_ascii=False)}"
