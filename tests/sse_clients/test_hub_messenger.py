"""`hub-messenger.js` in Node and in Chromium: restarts, tokens, and proxies that hold streams back."""

from __future__ import annotations

import subprocess
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
"""Times for tests: an attempt is given up, and made again, sooner."""
WHERE = ["Node", "Chromium"]


@pytest.fixture
def nginx(restarting: Router, tmp_path: Path) -> Iterator[str]:
    """An nginx before the router that a test may stop."""
    with front("nginx", tmp_path / "nginx", restarting.port) as url:
        yield url


def follow(opener: Opener, where: str, url: str, tokens: list[str] | None = None, **options: object) -> Reader:
    """Follows with the module: in Node as a file, in a page as the service serves it."""
    module = MODULE.as_uri() if where == "Node" else f"{url.removesuffix('/api/v1')}/client/hub-messenger.js"
    tokens = tokens or [hub_token("mueller")]
    return opener(f"hub-messenger ({where})", url, module=module, tokens=tokens, **{**QUICK, **options})


def sent(router: Router, *titles: str) -> list[str]:
    """Sends notifications; returns their titles."""
    for title in titles:
        router.notify(title)
    return list(titles)


def wait_titles(reader: Reader, titles: list[str]) -> None:
    """Waits until exactly these titles have come, in this order."""
    reader.wait(f"{titles[-1]}", lambda reader: titles[-1] in reader.titles)
    assert reader.titles == titles


@pytest.mark.parametrize("where", [*WHERE, "a page of the same origin"])
def test_a_restart_behind_a_proxy_that_answers_502_loses_and_repeats_nothing(
    where: str, service: Router, restarting: Router, nginx: str, opener: Opener
) -> None:
    page = {"page": f"{nginx}/page"} if where == "a page of the same origin" else {}
    reader = follow(opener, "Chromium" if page else where, nginx, **page)
    reader.wait_state("live")
    titles = sent(service, "before")
    wait_titles(reader, titles)
    seen = len(reader.states)
    restarting.stop()
    titles += sent(service, "while away 1", "while away 2")
    # The 502 has no header of CORS: a page of another origin may not read it.
    reason = "unreachable" if where == "Chromium" else "status_502"
    reader.wait("offline", lambda reader: ("offline", reason) in reader.states[seen:])
    restarting.start()
    wait_until("the router is back", lambda: is_open(restarting.port))
    reader.wait_state("live", seen)
    titles += sent(restarting, "after")
    wait_titles(reader, titles)
    assert reader.asked == [False], "the token was good all the time"


@pytest.mark.parametrize("where", WHERE)
def test_an_expired_token_is_renewed(where: str, service: Router, opener: Opener) -> None:
    # The first one is refused, the second one ends while the stream lives.
    tokens = [hub_token("mueller", lives=-3600), hub_token("mueller", lives=-24), hub_token("mueller")]
    reader = follow(opener, where, service.url, tokens)
    reader.wait_state("live")
    titles = sent(service, "with the second token")
    wait_titles(reader, titles)
    reader.wait("a third token is asked for", lambda reader: len(reader.asked) == 3)
    reader.wait("it is live again", lambda reader: [state for state, _ in reader.states].count("live") == 2)
    titles += sent(service, "with the third token")
    wait_titles(reader, titles)
    assert reader.asked == [False, True, True]
    assert [state for state, _ in reader.states] == ["connecting", "live", "connecting", "live"]


@pytest.mark.parametrize("where", WHERE)
def test_a_token_that_is_refused_again_is_said_and_asked_for_later(where: str, service: Router, opener: Opener) -> None:
    refused = hub_token("mueller", lives=-3600)
    reader = follow(opener, where, f"{service.url}/api/v1", [refused, refused, hub_token("mueller")])
    reader.wait_state("unauthorized")
    assert ("unauthorized", "token_expired") in reader.states
    reader.wait_state("live")
    wait_titles(reader, sent(service, f"signed in again ({where})"))


@pytest.mark.parametrize("where", WHERE)
def test_behind_a_proxy_that_holds_streams_back_it_polls(
    where: str, fronts: dict[str, str], service: Router, opener: Opener
) -> None:
    reader = follow(opener, where, f"{fronts['nginx']}/buffering", streamAgainAfter=60_000)
    reader.wait_state("polling")
    assert ("live", "streaming") not in reader.states
    titles = sent(service, f"polled 1 ({where})")
    wait_titles(reader, titles)
    titles += sent(service, f"polled 2 ({where})", f"polled 3 ({where})")
    wait_titles(reader, titles)


@pytest.mark.parametrize("where", WHERE)
def test_it_returns_to_streaming_as_soon_as_that_works(
    where: str, relay: Relay, service: Router, opener: Opener
) -> None:
    relay.holds_streams = True
    reader = follow(opener, where, relay.url)
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


def test_a_stream_that_falls_silent_is_opened_again(relay: Relay, service: Router, opener: Opener) -> None:
    reader = follow(opener, "Node", relay.url, silenceTimeout=3_000)
    reader.wait_state("live")
    titles = sent(service, "heard")
    wait_titles(reader, titles)
    relay.holds_streams = True
    titles += sent(service, "held back")
    reader.wait("silence is noticed", lambda reader: ("offline", "silent") in reader.states)
    relay.holds_streams = False
    wait_titles(reader, titles)


def test_a_gap_is_passed_on(service: Router, opener: Opener) -> None:
    reader = follow(opener, "Node", service.url, lastEventId="999999999")
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
