"""The package: built, installed into an empty environment, and used as in the README."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from .deployment import Deployment

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def run(*command: str | Path, **environment: str) -> str:
    path = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    proxies = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    done = subprocess.run(
        [str(part) for part in command],
        env={**path, **proxies, **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the sdist, and the wheel from it, as `python -m build` does. Returns their folder."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


def create_environment(folder: Path) -> Path:
    """Creates an empty virtual environment. Returns the folder of its programs."""
    venv.create(folder, with_pip=True)
    return folder / "bin"


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "hub_messenger_client/py.typed" in names
    assert "hub_messenger_client/_sync/calls.py" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"hub_messenger_client"}
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inner = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "pyproject.toml", "scripts/unasync.py", "tests/satellite.py"} <= inner


@pytest.mark.timeout(300)
def test_the_quick_start_works_in_an_empty_environment(built: Path, tmp_path: Path, running: Deployment) -> None:
    programs = create_environment(tmp_path / "venv")
    (wheel,) = built.glob("*.whl")
    run(programs / "pip", "install", "--quiet", wheel)
    installed = run(programs / "pip", "list", "--format", "freeze")
    assert "httpx==" in installed
    english = re.search(r"^## Quick start$.*?^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    german = re.search(r"^## Kurzanleitung$.*?^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert english is not None
    assert german is not None
    assert re.fullmatch(r"\d+ (sent|pending)\n", run(programs / "python", "-c", english[1], **running.environment))
    run(programs / "python", "-c", german[1].replace("/var/lib", str(tmp_path)), **running.environment)
    (send, *_) = re.findall(r"^(hub-messenger send .*)$", README, re.MULTILINE)
    assert "Maschine gestoppt" in run("bash", "-c", f"{programs}/{send}", **running.environment)
    assert [entry.title for entry in running.sent_by("meine-app")] == [
        "Schicht gestartet",
        "Maschine CNC-01 gestoppt",
        "Bitte CNC-01 prüfen",
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("arguments", [["-e", str(ROOT)], [f"hub-messenger-client @ file://{ROOT}"]])
def test_both_ways_to_install_of_the_integration_guide_work(
    arguments: list[str], tmp_path: Path, running: Deployment
) -> None:
    programs = create_environment(tmp_path / "venv")
    run(programs / "pip", "install", "--quiet", *arguments)
    call = "MessengerClient().notify(source_app='i', title='t', wait=0)"
    code = f"from hub_messenger_client import MessengerClient; print({call}.id)"
    assert run(programs / "python", "-c", code, **running.environment).strip().isdigit()
