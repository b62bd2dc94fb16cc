"""Proxies before the service: nginx and Caddy as Debian packages them, and Express with `compression()`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .reading import FOLDER, node
from .service import free_port, is_open, wait_until

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    # Compresses streams, too, unless their headers forbid it.
    gzip on;
    gzip_proxied any;
    gzip_types text/event-stream application/json;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; }}
        # The default: a proxy that speaks HTTP/1.0.
        location /old/ {{ proxy_pass http://127.0.0.1:{upstream}/; }}
        # A proxy that holds everything back and ignores the headers of the service.
        location /buffering/ {{
            proxy_pass http://127.0.0.1:{upstream}/;
            proxy_buffering on;
            proxy_ignore_headers X-Accel-Buffering Cache-Control;
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
        }}
        # A page of the same origin as the service.
        location = /page {{ default_type text/html; return 200 "<!doctype html><title>page</title>"; }}
    }}
}}
"""

CADDY = """
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    encode gzip
    reverse_proxy 127.0.0.1:{upstream}
}}
"""


def program(name: str) -> str:
    """Returns the path of a system program. Fails the test if it is missing: no test skips silently."""
    found = shutil.which(name, path=os.environ["PATH"] + os.pathsep + "/usr/sbin")
    if found is None:
        pytest.fail(f"{name} is missing: `cargo xtask test --sse-only` installs it as root", pytrace=False)
    return found


def nginx(folder: Path, port: int, upstream: int) -> list[str]:
    """Returns the command that runs nginx."""
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    # If root starts nginx, its workers run as another user, who cannot reach this folder.
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    return [program("nginx"), "-e", "stderr", "-p", f"{folder}", "-c", f"{file}", *user]


def caddy(folder: Path, port: int, upstream: int) -> list[str]:
    """Returns the command that runs Caddy."""
    file = folder / "Caddyfile"
    file.write_text(CADDY.format(port=port, upstream=upstream))
    return [program("caddy"), "run", "--config", f"{file}", "--adapter", "caddyfile"]


def express(folder: Path, port: int, upstream: int) -> list[str]:
    """Returns the command that runs Express."""
    return [node(), f"{FOLDER / 'readers/express.mjs'}", str(port), str(upstream)]


FRONTS = {"nginx": nginx, "caddy": caddy, "express": express}


@contextmanager
def front(name: str, folder: Path, upstream: int) -> Iterator[str]:
    """Runs a proxy before the service. Yields its address."""
    port = free_port()
    folder.mkdir()
    log = folder / "log"
    environment = {**os.environ, "HOME": f"{folder}", "XDG_DATA_HOME": f"{folder}", "XDG_CONFIG_HOME": f"{folder}"}
    with log.open("wb") as output:
        command = FRONTS[name](folder, port, upstream)
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        wait_until(f"{name} listens", lambda: is_open(port) or process.poll() is not None)
        assert process.poll() is None, f"{name} has ended:\n{log.read_text()}"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
