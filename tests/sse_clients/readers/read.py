"""Reads a stream with a Python library and prints each message as a line of JSON.

Usage: read.py LIBRARY URL [LAST_EVENT_ID]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator

Message = tuple[str, str]
"""The data and the id."""


def sseclient_py(url: str, headers: dict[str, str]) -> Iterator[Message]:
    """Reads with `requests` and `sseclient-py`."""
    import requests
    import sseclient

    response = requests.get(url, headers=headers, stream=True, timeout=60)
    for event in sseclient.SSEClient(response).events():
        yield event.data, event.id or ""


def iter_lines(url: str, headers: dict[str, str]) -> Iterator[Message]:
    """Reads lines of text with `requests` alone."""
    import requests

    response = requests.get(url, headers=headers, stream=True, timeout=60)
    return blocks(response.iter_lines(decode_unicode=True))


def urllib3_stream(url: str, headers: dict[str, str]) -> Iterator[Message]:
    """Reads chunks with `urllib3` alone."""
    import urllib3

    response = urllib3.PoolManager().request("GET", url, headers=headers, preload_content=False, timeout=60)

    def lines() -> Iterator[str]:
        incomplete = b""
        for chunk in response.stream():
            *complete, incomplete = (incomplete + chunk).split(b"\n")
            yield from (line.decode() for line in complete)

    return blocks(lines())


def httpx_sse(url: str, headers: dict[str, str]) -> Iterator[Message]:
    """Reads with `httpx` and `httpx-sse`."""
    import httpx
    import httpx_sse as sse

    with httpx.Client(timeout=60) as client, sse.connect_sse(client, "GET", url, headers=headers) as source:
        for event in source.iter_sse():
            yield event.data, event.id


async def aiohttp_sse_client(url: str, headers: dict[str, str]) -> None:
    """Reads with `aiohttp-sse-client`."""
    from aiohttp_sse_client import client as sse

    async with sse.EventSource(url, headers=headers) as source:
        async for event in source:
            report((event.data, event.last_event_id))


def blocks(lines: Iterable[str]) -> Iterator[Message]:
    """Assembles messages from lines, as the manuals of these libraries show it."""
    data, last_id = "", ""
    for line in lines:
        if line.startswith("data: "):
            data = line[6:]
        elif line.startswith("id: "):
            last_id = line[4:]
        elif not line:
            yield data, last_id
            data = ""


def report(message: Message) -> None:
    """Prints a message with the time of its arrival."""
    data, last_id = message
    print(json.dumps({"at": time.time(), "data": data, "id": last_id}), flush=True)


READERS: dict[str, Callable[[str, dict[str, str]], Iterator[Message]]] = {
    "requests + sseclient-py": sseclient_py,
    "requests.iter_lines": iter_lines,
    "urllib3": urllib3_stream,
    "httpx-sse": httpx_sse,
}


def main(library: str, url: str, last_event_id: str = "") -> None:
    """Reads until the stream ends."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    if library == "aiohttp-sse-client":
        asyncio.run(aiohttp_sse_client(url, headers))
        return
    for message in READERS[library](url, headers):
        report(message)


main(*sys.argv[1:])
