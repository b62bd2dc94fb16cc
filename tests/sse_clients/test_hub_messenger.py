"""`hub-messenger.js` in Node and in Chromium: restarts, tokens, and proxies that hold streams back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Opener
from harness.fronts import front
from harness.reading import FOLDER, Reader, node
from harness.relay import Relay
from harness.service import Router, hub_token, is_open, wait_until

MODULE = FOLDER.parent.parent / "shared/hub_messenger_js/hub-messenger.js"
QUICK = {"openTimeout": 2_000, "streamAgainAfter": 1_000, "maxDelay": 4_000}
"""Shorter times than the defaults."""
WHERE = ["Node", "Chromium"]


@pytest.fixture
def nginx(restarting: Router, tmp_path: Path) -> Iterator[str]:
    """The address of an nginx before the router that a test may stop."""
    with front("nginx", tmp_path / "nginx", restarting.port) as url:
        yield url


def subscribe(opener: Opener, where: str, url: str, tokens: list[str] | None = None, **options: object) -> Reader:
    """Subscribes with the module: in Node from its file, in a page from the service."""
    module = MODULE.as_uri() if where == "Node" else f"{url.removesuffix('/api/v1')}/client/hub-messenger.js"
    tokens = tokens or [hub_token("mueller")]
    return opener(f"hub-messenger ({where})", url, module=module, tokens=tokens, **{**QUICK, **options})


def sent(router: Router, *titles: str) -> list[str]:
    """Sends notifications. Returns their titles."""
    for title in titles:
        router.notify(title)
    return list(titles)


def wait_titles(reader: Reader, titles: list[str]) -> None:
    """Waits until exactly these titles have arrived, in this order."""
    reader.wait(f"{titles[-1]}", lambda reader: titles[-1] in reader.titles)
    assert reader.titles == titles


@pytest.mark.parametrize("where", [*WHERE, "a page of the same origin"])
def test_the_module_loses_and_repeats_nothing_over_a_restart_behind_a_proxy_with_502(
    where: str, service: Router, restarting: Router, nginx: str, opener: Opener
) -> None:
    page = {"page": f"{nginx}/page"} if where == "a page of the same origin" else {}
    reader = subscribe(opener, "Chromium" if page else where, nginx, **page)
    reader.wait_state("live")
    titles = sent(service, "before")
    wait_titles(reader, titles)
    seen = len(reader.states)
    restarting.stop()
    titles += sent(service, "while away 1", "while away 2")
    # The 502 has no CORS header: a page of another origin may not read it.
    reason = "unreachable" if where == "Chromium" else "status_502"
    reader.wait("offline", lambda reader: ("offline", reason) in reader.states[seen:])
    restarting.start()
    wait_until("the router is back", lambda: is_open(restarting.port))
    reader.wait_state("live", seen)
    titles += sent(restarting, "after")
    wait_titles(reader, titles)
    assert reader.asked == [False], "the token was valid all the time"


@pytest.mark.parametrize("where", WHERE)
def test_the_module_renews_an_expired_token(where: str, service: Router, opener: Opener) -> None:
    # The first token is refused, the second one expires during the stream.
    tokens = [hub_token("mueller", lives=-3600), hub_token("mueller", lives=-24), hub_token("mueller")]
    reader = subscribe(opener, where, service.url, tokens)
    reader.wait_state("live")
    titles = sent(service, "with the second token")
    wait_titles(reader, titles)
    reader.wait("it gets a third token", lambda reader: len(reader.asked) == 3)
    reader.wait("it is live again", lambda reader: [state for state, _ in reader.states].count("live") == 2)
    titles += sent(service, "with the third token")
    wait_titles(reader, titles)
    assert reader.asked == [False, True, True]
    assert [state for state, _ in reader.states] == ["connecting", "live", "connecting", "live"]


def test_a_page_of_the_service_streams_with_the_session_cookie_and_without_a_token(
    service: Router, restarting: Router, nginx: str, opener: Opener
) -> None:
    page = f"{nginx}/page"
    reader = subscribe(opener, "Chromium", nginx, page=page, credentials="same-origin")
    reader.wait_state("unauthorized")
    reader.wait_state("live")
    titles = sent(service, "by cookie")
    wait_titles(reader, titles)
    seen = len(reader.states)
    restarting.stop()
    titles += sent(service, "while away, by cookie")
    restarting.start()
    reader.wait_state("live", seen)
    wait_titles(reader, titles)
    assert reader.asked == [], "no token was asked for"
    assert [line["session"] for line in reader.lines if "session" in line] == [200]
    source = opener("EventSource (Chromium)", f"{nginx}/api/v1/events/stream", page=page)
    source.wait_connected()


@pytest.mark.parametrize("where", WHERE)
def test_the_module_is_unauthorized_after_a_second_refusal_and_retries_later(
    where: str, service: Router, opener: Opener
) -> None:
    refused = hub_token("mueller", lives=-3600)
    reader = subscribe(opener, where, f"{service.url}/api/v1", [refused, refused, hub_token("mueller")])
    reader.wait_state("unauthorized")
    assert ("unauthorized", "token_expired") in reader.states
    reader.wait_state("live")
    wait_titles(reader, sent(service, f"signed in again ({where})"))


@pytest.mark.parametrize("where", WHERE)
def test_the_module_polls_behind_a_proxy_that_holds_streams_back(
    where: str, fronts: dict[str, str], service: Router, opener: Opener
) -> None:
    reader = subscribe(opener, where, f"{fronts['nginx']}/buffering", streamAgainAfter=60_000)
    reader.wait_state("polling")
    assert ("live", "streaming") not in reader.states
    titles = sent(service, f"polled 1 ({where})")
    wait_titles(reader, titles)
    titles += sent(service, f"polled 2 ({where})", f"polled 3 ({where})")
    wait_titles(reader, titles)


@pytest.mark.parametrize("where", WHERE)
def test_the_module_returns_to_streaming_when_it_works(
    where: str, relay: Relay, service: Router, opener: Opener
) -> None:
    relay.holds_streams = True
    reader = subscribe(opener, where, relay.url)
    reader.wait_state("polling")
    titles = sent(service, "polled")
    wait_titles(reader, titles)
    relay.holds_streams = False
    reader.wait_state("live")
    titles += sent(service, "streamed 1", "streamed 2")
    wait_titles(reader, titles)
    relay.cut()
    titles += sent(service, "after a cut")
    wait_titles(reader, titles)


def test_the_module_reopens_a_silent_stream(relay: Relay, service: Router, opener: Opener) -> None:
    reader = subscribe(opener, "Node", relay.url, silenceTimeout=3_000)
    reader.wait_state("live")
    titles = sent(service, "received")
    wait_titles(reader, titles)
    relay.holds_streams = True
    titles += sent(service, "held back")
    reader.wait("it detects silence", lambda reader: ("offline", "silent") in reader.states)
    relay.holds_streams = False
    wait_titles(reader, titles)


@pytest.mark.parametrize("where", WHERE)
def test_the_module_reconnects_at_once_after_a_change_of_the_role(where: str, service: Router, opener: Opener) -> None:
    user, now = f"changing-{where.lower()}", time.time()
    reader = subscribe(opener, where, service.url, [hub_token(user, role="user", issued_at=now - 100)])
    reader.wait_state("live")
    seen = len(reader.states)
    service.sign_in(hub_token(user, role="viewer", issued_at=now - 50))
    reader.wait("role_changed", lambda reader: any(one.event["type"] == "role_changed" for one in reader.messages))
    reader.wait_state("live", seen)
    wait_titles(reader, sent(service, f"after the change ({where})"))
    assert reader.states[seen:] == [("connecting", "ended"), ("live", "streaming")]


def test_the_module_delivers_reset_at_a_gap(service: Router, opener: Opener) -> None:
    reader = subscribe(opener, "Node", service.url, lastEventId="999999999")
    reader.wait("reset", lambda reader: any(one.event["type"] == "reset" for one in reader.messages))
    (reset,) = [one.event for one in reader.messages if one.event["type"] == "reset"]
    assert reset["reason"] == "unknown_position"
    wait_titles(reader, sent(service, "after the gap"))


def test_the_module_agrees_with_its_types() -> None:
    compiler = FOLDER / "node_modules/typescript/bin/tsc"
    options = ["--noEmit", "--strict", "--allowJs", "--checkJs", "--target", "es2022", "--module", "esnext"]
    options += ["--moduleResolution", "bundler", "--lib", "es2023,dom,dom.iterable", "--types", ""]
    files = [f"{MODULE}", f"{FOLDER / 'readers/usage.ts'}"]
    checked = subprocess.run([node(), compiler, *options, *files], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
