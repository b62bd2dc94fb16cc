"""The command line."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub_messenger_client.cli import main

from .loopback import Exchange, Service, fails

Run = Any


@pytest.fixture
def run(configured: Service, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_send_reaches_everybody_by_default(configured: Service, run: Run) -> None:
    code, out, err = run("send", "--title", "Schicht gestartet")
    assert (code, err) == (0, "")
    assert out == "1 2026-01-31 12:00:00Z sent [hub-messenger] Schicht gestartet\n"
    assert configured.requests[0].json["target_type"] == "general"


def test_send_reaches_the_room_of_an_entity_urgently(configured: Service, run: Run) -> None:
    assert run("send", "--title", "t", "--room", "machine:42", "--urgent", "--app", "mes")[0] == 0
    sent = configured.requests[0].json
    assert (sent["entity_type"], sent["entity_id"], sent["priority"], sent["source_app"]) == (
        "machine",
        42,
        "urgent",
        "mes",
    )


def test_send_accepts_every_option(configured: Service, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("line 1\nline 2"))
    options = [
        "--title",
        "t",
        "--to",
        "mueller",
        "--body",
        "-",
        "--priority",
        "urgent",
        "--event-type",
        "e",
        "--tenant",
        "7",
    ]
    assert run("send", *options, "--key", "k", "--wait", "0", "--timeout", "5", "--retries", "0")[0] == 0
    (request,) = configured.requests
    assert request.key == "k"
    assert request.query == {"wait": ["0"]}
    assert request.json == {
        "source_app": "hub-messenger",
        "event_type": "e",
        "title": "t",
        "body": "line 1\nline 2",
        "target_type": "dm",
        "target_user": "mueller",
        "priority": "urgent",
        "tenant_id": 7,
    }


def test_send_reaches_the_apps_room_and_an_entity_with_a_text_id(configured: Service, run: Run) -> None:
    run("send", "--title", "t", "--service")
    code, out, _ = run("send", "--title", "t", "--room", "line:A-1", "--json")
    assert code == 0
    assert configured.requests[0].json["target_type"] == "service_room"
    assert configured.requests[1].json["entity_id"] == "A-1"
    assert json.loads(out)["id"] == 2


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (fails(422, "invalid_target", errors=[{"pointer": "/title", "message": "is bad"}]), 3),
        (fails(404, "not_found"), 3),
        (fails(409, "state_conflict"), 3),
        (fails(401, "missing_service_token"), 4),
        (fails(403, "invalid_service_token"), 4),
        (fails(503, "database_unavailable"), 5),
        (fails(429, "rate_limited", retry_after=99), 5),
        (fails(418), 1),
    ],
)
def test_the_exit_code_depends_on_the_error(configured: Service, run: Run, failure: Any, code: int) -> None:
    configured.always = failure
    found, out, err = run("send", "--title", "t", "--retries", "0")
    assert (found, out) == (code, "")
    assert err.startswith("hub-messenger: ")


def test_send_triggers_an_alarm_and_the_commands_for_it_follow(configured: Service, run: Run) -> None:
    options = ["--dedup-key", "press-7:oil", "--ack-required", "--ack-expires-after", "3600", "--priority", "high"]
    options += ["--resolve-after", "900", "--occurred-at", "2026-01-31T13:00:00+01:00", "--room", "machine:7"]
    code, out, _ = run("send", "--title", "oil", *options)
    assert (code, out) == (0, "1 2026-01-31 12:00:00Z sent [hub-messenger] oil (alarm 1 active_unack, 1×)\n")
    sent = configured.requests[0].json
    assert (sent["priority"], sent["ack_required"], sent["ack"]) == ("high", True, {"expires_after_seconds": 3600})
    assert (sent["resolve_after_seconds"], sent["occurred_at"]) == (900, "2026-01-31T12:00:00Z")
    assert "active_unack, 1×" in run("update", "press-7:oil", "--title", "1.9 bar", "--room", "machine:7")[1]
    assert configured.requests[1].json["entity_id"] == 7
    assert "press-7:oil (alarm 1 active_ack, 1×)" in run("ack", "press-7:oil", "--key", "k")[1]
    assert configured.requests[2].key == "k"
    assert "press-7:oil (alarm 1 normal, 1×)" in run("resolve", "press-7:oil")[1]
    code, out, _ = run("resolve", "press-7:oil")
    assert code == 0
    assert "ignored (no_open_alarm)" in out
    code, out, _ = run("cancel", "press-7:oil", "--json")
    assert (code, json.loads(out)["alarm"]["state"]) == (0, "normal")


def test_a_resolve_is_spooled_and_printed_by_the_name_of_its_alarm(
    configured: Service, run: Run, tmp_path: Path
) -> None:
    configured.stop()
    code, out, _ = run("resolve", "press-7:oil", "--retries", "0", "--spool-dir", str(tmp_path))
    assert code == 0
    assert " spooled (" in out
    assert out.endswith("[hub-messenger] press-7:oil\n")
    configured.start()
    configured.always = fails(422, "invalid_request")
    run("spool", str(tmp_path), "--flush", "20")
    assert "press-7:oil: 422" in run("spool", str(tmp_path), "--dead")[1]


def test_a_missing_configuration_is_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESSENGER_SERVICE_TOKEN")
    code, _, err = run("send", "--title", "t")
    assert code == 2
    assert "MESSENGER_SERVICE_TOKEN" in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["send"],
        ["send", "--title", "t", "--room", "machine"],
        ["send", "--title", "t", "--to", "a", "--service"],
        ["send", "--title", "t", "--dedup-key", "k", "--occurred-at", "2026-01-31T12:00:00"],
        ["send", "--title", "t", "--dedup-key", "k", "--occurred-at", "yesterday"],
        ["resolve"],
        ["update", "k"],
    ],
)
def test_wrong_arguments_are_exit_code_2(run: Run, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("arguments", [["--help"], ["send", "--help"], ["tail", "--help"]])
def test_help_lists_variables_and_exit_codes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "MESSENGER_SERVICE_URL" in text
    assert "exit codes:" in text


def test_send_spools_an_undelivered_notification_and_spool_flushes_it(
    configured: Service, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESSENGER_SPOOL_DIR", str(tmp_path))
    configured.stop()
    code, out, _ = run("send", "--title", "t", "--retries", "0", "--json")
    assert code == 0
    assert json.loads(out)["status"] == "spooled"
    assert run("spool", "--flush", "0.2", "--json")[0] == 5
    configured.start()
    code, out, _ = run("spool", "--flush", "20", "--json")
    assert code == 0
    assert json.loads(out)["sent"] == 1
    assert configured.titles == ["t"]


def test_spool_prints_refused_notifications(configured: Service, run: Run, tmp_path: Path) -> None:
    configured.stop()
    run("send", "--title", "wrong", "--retries", "0", "--spool-dir", str(tmp_path))
    configured.start()
    configured.always = fails(422, "invalid_request")
    assert run("spool", str(tmp_path), "--flush", "20")[0] == 0
    code, out, _ = run("spool", str(tmp_path), "--dead", "--json")
    assert code == 0
    assert json.loads(out)["request"]["title"] == "wrong"
    out = run("spool", str(tmp_path))[1]
    assert "refused: 1" in out
    assert "wrong: 422" in out


def test_a_missing_spool_is_exit_code_2(run: Run, tmp_path: Path) -> None:
    assert run("spool")[0] == 2
    assert run("spool", str(tmp_path / "none"))[0] == 2


def test_common_options_may_stand_before_the_command(configured: Service, run: Run) -> None:
    entry = {"id": 42, "source_app": "a", "title": "t", "status": "sent"}
    configured.routes["/api/v1/notifications/42"] = lambda exchange: exchange.answer(200, entry)
    code, out, _ = run("--json", "get", "42")
    assert (code, json.loads(out)["id"]) == (0, 42)
    assert run("--url", configured.url, "--timeout", "5", "get", "42", "--json")[0] == 0


def test_errors_name_the_option_of_the_command_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESSENGER_SERVICE_URL")
    for arguments in (("send", "--title", "t"), ("get", "1"), ("tail",)):
        monkeypatch.setenv("MESSENGER_USER_TOKEN", "jwt")
        code, _, err = run(*arguments)
        assert code == 2
        assert "--url" in err
        assert "base_url" not in err


def test_log_and_get_print_stored_notifications(configured: Service, run: Run) -> None:
    entry = {"id": 5, "source_app": "a", "title": "t", "status": "pending", "reason": "homeserver_unavailable"}
    configured.routes["/api/v1/notifications/log"] = lambda exchange: exchange.answer(200, [entry, entry])
    configured.routes["/api/v1/notifications/5"] = lambda exchange: exchange.answer(200, entry)
    code, out, _ = run("log", "--app", "a", "--limit", "2", "--offset", "0")
    assert (code, out) == (0, "5 pending (homeserver_unavailable) [a] t\n" * 2)
    code, out, _ = run("get", "5", "--json")
    assert (code, json.loads(out)["status"]) == (0, "pending")


ALARM = {
    "id": 7,
    "source_app": "mes",
    "title": "oil",
    "priority": "urgent",
    "state": "active_ack",
    "occurrences": 12,
}


def stream(exchange: Exchange) -> None:
    events = [
        {"type": "connected", "cursor": 1},
        {"type": "notification", "source_app": "mes", "title": "halt", "body": "E-401", "priority": "urgent"},
        {"type": "new_message", "sender_display_name": "Max", "body": "Hallo!"},
        {"type": "reset", "reason": "expired"},
        {"type": "alarm", "alarm": {**ALARM, "acked_by": {"display_name": "Max"}}},
    ]
    exchange.send_response(200)
    exchange.send_header("Content-Type", "text/event-stream")
    exchange.send_header("Connection", "close")
    exchange.end_headers()
    exchange.close_connection = True
    for number, event in enumerate(events):
        exchange.wfile.write(f"id: {number}\ndata: {json.dumps(event)}\n\n".encode())


def test_tail_prints_events(configured: Service, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configured.routes["/api/v1/events/stream"] = stream
    monkeypatch.setenv("MESSENGER_USER_TOKEN", "jwt")
    code, out, _ = run("tail", "-n", "4", "--since", "9")
    assert code == 0
    assert out.splitlines() == [
        "! [mes] halt – E-401",
        "Max: Hallo!",
        '(reset) {"reason": "expired"}',
        "! [mes] oil (alarm 7 active_ack by Max, 12×)",
    ]
    assert configured.requests[0].headers["last-event-id"] == "9"
    (tmp_path / "token").write_text("from file\n".replace(" ", "-"))
    code, out, _ = run("tail", "-n", "1", "--json", "--token-file", str(tmp_path / "token"))
    assert json.loads(out) == {
        "id": "1",
        "type": "notification",
        "source_app": "mes",
        "title": "halt",
        "body": "E-401",
        "priority": "urgent",
    }
    assert configured.requests[-1].headers["authorization"] == "Bearer from-file"


def test_tail_without_a_token_is_exit_code_2(run: Run) -> None:
    code, _, err = run("tail")
    assert code == 2
    assert "MESSENGER_USER_TOKEN" in err


def shell(service: Service) -> dict[str, str]:
    return {
        **os.environ,
        "MESSENGER_SERVICE_URL": service.url,
        "MESSENGER_USER_TOKEN": "jwt",
        "PYTHONWARNINGS": "error",
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_tail_ends_at_an_interrupt(configured: Service, number: signal.Signals) -> None:
    configured.routes["/api/v1/events/stream"] = stream
    command = [sys.executable, "-m", "hub_messenger_client", "tail"]
    process = subprocess.Popen(
        command, env=shell(configured), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("! [mes]")
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_tail_into_head_ends_quietly(configured: Service) -> None:
    configured.routes["/api/v1/events/stream"] = stream
    line = f"{sys.executable} -m hub_messenger_client tail | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env=shell(configured),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stdout == "! [mes] halt – E-401\n"
    assert done.stderr == ""
