"""Log records as notifications."""

from __future__ import annotations

import logging
import logging.config
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_messenger_client import ConfigurationError, MessengerClient, MessengerHandler

from .conftest import eventually
from .loopback import Service, fails, slow

Make = Callable[..., tuple[logging.Logger, MessengerHandler]]


@pytest.fixture
def make(configured: Service) -> Iterator[Make]:
    """Makes loggers with a handler, and removes it after the test."""
    made: list[tuple[logging.Logger, MessengerHandler]] = []

    def make(name: str = "app", **options: Any) -> tuple[logging.Logger, MessengerHandler]:
        logger = logging.getLogger(name)
        handler = MessengerHandler(**{"source_app": "app", **options})
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        made.append((logger, handler))
        return logger, handler

    yield make
    for logger, handler in made:
        logger.removeHandler(handler)
        handler.close()


def test_an_error_becomes_a_notification(configured: Service, make: Make) -> None:
    logger, handler = make()
    logger.warning("not this")
    logger.error("pump %d is dry\nsecond line", 7)
    handler.flush()
    assert (
        configured.accepted[0]
        | {
            "source_app": "app",
            "title": "ERROR app: pump 7 is dry",
            "body": "second line",
            "event_type": "log",
            "priority": "normal",
            "target_type": "general",
        }
        == configured.accepted[0]
    )
    assert len(configured.accepted) == 1


def test_a_critical_record_is_urgent_and_its_traceback_is_in_the_body(configured: Service, make: Make) -> None:
    logger, handler = make()
    try:
        raise ValueError("no pressure")
    except ValueError:
        logger.critical("stopped", exc_info=True)
    handler.flush()
    (sent,) = configured.accepted
    assert sent["priority"] == "urgent"
    assert "Traceback" in sent["body"]
    assert sent["body"].endswith("ValueError: no pressure")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"target_user": "mueller"}, {"target_type": "dm", "target_user": "mueller"}),
        ({"entity": ("machine", 42)}, {"target_type": "entity_room", "entity_type": "machine", "entity_id": 42}),
    ],
)
def test_a_handler_sends_to_a_user_or_an_entity(
    configured: Service, make: Make, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    logger, handler = make(**options)
    logger.error("x")
    handler.flush()
    assert configured.accepted[0] | expected == configured.accepted[0]


def test_long_texts_keep_their_beginning_and_their_end(configured: Service, make: Make) -> None:
    logger, handler = make()
    logger.error("%s", "a" * 30_000 + "z" * 30_000)
    handler.flush()
    (sent,) = configured.accepted
    assert len(sent["title"]) == 500
    assert len(sent["body"]) == 20_000
    assert sent["body"].startswith("aaa")
    assert sent["body"].endswith("zzz")


def test_repetitions_become_one_message_that_counts_them(configured: Service, make: Make) -> None:
    logger, _ = make(window=0.3)
    for number in range(500):
        logger.error("failure number %d", number)
    eventually(lambda: len(configured.accepted) == 2)
    assert configured.titles[0] == "ERROR app: failure number 0"
    assert configured.titles[1] == "[499 times more in less than 1 s] ERROR app: failure number 499"
    time.sleep(0.8)
    assert len(configured.accepted) == 2
    logger.error("failure number 0")
    eventually(lambda: len(configured.accepted) == 3)


def test_a_flood_of_one_place_is_one_message_for_each_window(configured: Service, make: Make) -> None:
    logger, _ = make(window=0.2)
    ends = time.monotonic() + 1.1
    count = 0
    while time.monotonic() < ends:
        logger.error("again")
        count += 1
        time.sleep(0.002)
    assert count > 100
    assert 3 <= len(configured.accepted) <= 8


def flood(logger: logging.Logger, count: int, level: int = logging.ERROR) -> None:
    """Logs `count` records, each from another place in the code."""
    for number in range(count):
        logger.handle(logger.makeRecord(logger.name, level, "file.py", number, "from %d", (number,), None))


def test_records_above_the_rate_are_counted_and_the_count_is_sent(configured: Service, make: Make) -> None:
    logger, _ = make(window=0.3, rate_limit=5)
    flood(logger, 50)
    eventually(lambda: len(configured.accepted) == 6)
    assert configured.titles[:5] == [f"ERROR app: from {n}" for n in range(5)]
    assert configured.titles[5] == "45 further log messages of app were not sent one by one"


def test_urgent_messages_have_a_reserve(configured: Service, make: Make) -> None:
    logger, handler = make(rate_limit=3)
    flood(logger, 20)
    logger.critical("fire")
    handler.flush()
    assert "CRITICAL app: fire" in configured.titles


def test_logging_never_waits_for_the_service(configured: Service, make: Make) -> None:
    configured.always = slow(2.0)
    logger, handler = make(rate_limit=100_000, capacity=20)
    started = time.monotonic()
    flood(logger, 1000)
    assert time.monotonic() - started < 1.0
    assert handler._suppressed >= 900
    started = time.monotonic()
    handler.close()
    assert time.monotonic() - started < 6.0


def test_logging_never_raises(configured: Service, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bad:
        def __str__(self) -> str:
            raise RuntimeError("cannot be shown")

    logger, handler = make("app.alone")
    monkeypatch.setattr(logger, "propagate", False)  # pytest's own handler does raise
    logger.error("%s", Bad())
    logger.error("%d %d", 1)
    assert handler.dropped == 2
    assert handler.last_error is not None
    logger.error("good")
    handler.flush()
    assert configured.titles == ["ERROR app.alone: good"]


def test_a_refused_message_is_counted_and_the_count_is_sent_later(configured: Service, make: Make) -> None:
    client = MessengerClient(retries=0)
    logger, handler = make(client=client, window=0.3)
    configured.script.append(fails(503))
    logger.error("lost")
    eventually(lambda: handler.failed == 1)
    assert handler.last_error is not None
    eventually(lambda: configured.titles == ["1 further log messages of app were not sent one by one"])
    client.close()


def test_log_records_of_the_sending_itself_are_not_sent(configured: Service) -> None:
    root = logging.getLogger()
    handler = MessengerHandler(source_app="app", level=logging.DEBUG, window=0.05, rate_limit=10_000)
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        logging.getLogger("app").error("once")
        time.sleep(0.5)
        handler.flush()
        assert configured.titles == ["ERROR app: once"]
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()


def test_close_sends_the_counts(configured: Service, make: Make) -> None:
    logger, handler = make()
    for _ in range(3):
        logger.error("again")
    handler.close()
    assert configured.titles == ["ERROR app: again", "[2 times more in less than 1 s] ERROR app: again"]


def test_threads_may_log_at_once(configured: Service, make: Make) -> None:
    logger, handler = make(window=60, rate_limit=10_000, capacity=10_000)
    threads = [threading.Thread(target=flood, args=(logger, 50)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.close()
    assert len([title for title in configured.titles if title.startswith("ERROR")]) == 50
    assert len([title for title in configured.titles if title.startswith("[3 times more")]) == 50


def test_a_forked_process_logs_and_does_not_repeat_its_parents_records(configured: Service, make: Make) -> None:
    configured.always = slow(0.3)
    logger, handler = make()
    logger.error("parent")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            logger.error("child")
            handler.flush()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    handler.flush()
    assert sorted(configured.titles) == ["ERROR app: child", "ERROR app: parent"]


def test_a_handler_is_configured_by_a_dictionary_as_in_django(configured: Service) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"long": {"format": "%(name)s says: %(message)s"}},
            "handlers": {
                "messenger": {
                    "class": "hub_messenger_client.MessengerHandler",
                    "source_app": "fertigungs-app",
                    "level": "WARNING",
                    "formatter": "long",
                    "target_user": "mueller",
                }
            },
            "loggers": {"django.request": {"handlers": ["messenger"]}},
        }
    )
    logger = logging.getLogger("django.request")
    (handler,) = logger.handlers
    logger.warning("slow")
    handler.close()
    logger.removeHandler(handler)
    assert configured.accepted[0]["body"] == "django.request says: slow"


def test_records_of_one_template_are_one_alarm_that_stays_open(configured: Service, make: Make) -> None:
    logger, handler = make("plant.pump", alarms=True)
    for number in range(3):
        logger.error("pump %d is dry", number)
    logger.critical("pump 7 burns")
    handler.close()
    sent = [(entry["title"], entry["dedup_key"], entry["priority"]) for entry in configured.accepted]
    assert sent == [
        ("ERROR plant.pump: pump 0 is dry", "plant.pump: pump %d is dry", "normal"),
        ("CRITICAL plant.pump: pump 7 burns", "plant.pump: pump 7 burns", "urgent"),
        ("[2 times more in less than 1 s] ERROR plant.pump: pump 2 is dry", "plant.pump: pump %d is dry", "normal"),
    ]
    assert all("resolve_after_seconds" not in entry for entry in configured.accepted)
    assert [alarm.state for alarm in configured.alarms.states.values()] == ["active_ack", "active_ack"]


def test_an_alarm_of_a_record_may_count_as_over_after_a_while(configured: Service, make: Make) -> None:
    logger, handler = make(alarms=True, resolve_after=3600, entity=("machine", 42))
    logger.error("pump is dry")
    handler.flush()
    assert configured.accepted[0]["resolve_after_seconds"] == 3600


def test_records_are_no_alarms_by_default(configured: Service, make: Make) -> None:
    logger, handler = make(resolve_after=3600)
    logger.error("pump is dry")
    handler.flush()
    assert configured.alarms.states == {}
    assert "resolve_after_seconds" not in configured.accepted[0]


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("two\nlines\0 and  spaces", "app: two lines and spaces"),
        ("file \udcff", "app: file ?"),
        ("", "app:"),
        (ValueError("no pressure"), "app: no pressure"),
    ],
)
def test_every_template_makes_a_name_that_the_service_accepts(
    configured: Service, make: Make, template: Any, key: str
) -> None:
    logger, handler = make(alarms=True)
    logger.error(template)
    handler.flush()
    assert configured.accepted[0]["dedup_key"] == key
    assert "\0" not in configured.accepted[0]["title"]


def test_long_templates_with_one_beginning_are_different_alarms(configured: Service, make: Make) -> None:
    logger, handler = make(alarms=True)
    for end in ("a", "b"):
        logger.error(f"{'%s' * 300}{end}", *["x"] * 300)  # noqa: G004 - a template
    handler.flush()
    keys = [entry["dedup_key"] for entry in configured.accepted]
    assert [len(key) for key in keys] == [255, 255]
    assert len(set(keys)) == 2


def test_a_wrong_resolve_after_is_reported_when_the_handler_is_made(
    configured: Service, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    _, handler = make(alarms=True, resolve_after=5)
    assert "resolve_after must be whole seconds from 60 to 2592000" in capsys.readouterr().err
    assert isinstance(handler.last_error, ConfigurationError)


def test_a_body_that_repeats_the_title_is_left_out(configured: Service, make: Make) -> None:
    logger, handler = make()
    logger.error("pump is dry")
    handler.flush()
    assert configured.accepted[0]["title"] == "ERROR app: pump is dry"
    assert configured.accepted[0]["body"] is None


def test_an_unconfigured_handler_warns_once_and_writes_records_to_stderr(
    configured: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = MessengerHandler()
    assert "source_app is missing" in capsys.readouterr().err
    handler.close()
    monkeypatch.delenv("MESSENGER_SERVICE_URL")
    handler = MessengerHandler(source_app="app")
    assert "MESSENGER_SERVICE_URL" in capsys.readouterr().err
    assert isinstance(handler.last_error, ConfigurationError)
    handler.handle(logging.makeLogRecord({"msg": "pump is dry", "levelname": "ERROR", "levelno": 40, "name": "app"}))
    assert capsys.readouterr().err == "hub-messenger: ERROR app: pump is dry\n"
    handler.close()


def test_a_refused_message_is_written_to_stderr(
    configured: Service, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    client = MessengerClient(retries=0)
    logger, handler = make(client=client)
    configured.always = fails(503)
    logger.error("pump is dry")
    eventually(lambda: handler.failed == 1)
    assert "not sent: ERROR app: pump is dry (503" in capsys.readouterr().err
    client.close()


def test_a_message_that_waits_at_close_is_written_to_stderr(
    configured: Service, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.always = slow(30.0)
    logger, handler = make()
    logger.error("first")
    logger.critical("second")
    handler.close()
    err = capsys.readouterr().err
    assert "ERROR app: first" in err
    assert "CRITICAL app: second" in err


def test_an_application_starts_without_a_spool_that_cannot_be_written(
    configured: Service, make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    logger, handler = make(spool_dir=tmp_path / "file" / "spool")
    assert "without a spool" in capsys.readouterr().err
    logger.error("x")
    handler.flush()
    assert configured.titles == ["ERROR app: x"]


@pytest.mark.parametrize("spool", [False, True])
def test_a_script_that_logs_without_configuration_ends_without_a_traceback(tmp_path: Path, spool: bool) -> None:
    options = {"class": "hub_messenger_client.MessengerHandler", **({"spool_dir": str(tmp_path)} if spool else {})}
    script = f"""
import logging, logging.config
logging.config.dictConfig({{"version": 1, "handlers": {{"m": {options!r}}}, "root": {{"handlers": ["m"]}}}})
logging.error("pump is dry")
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MESSENGER_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert "MESSENGER_SERVICE_URL" in done.stderr
    assert done.stderr.splitlines()[-1] == "hub-messenger: ERROR root: pump is dry"
    assert "Traceback" not in done.stderr
