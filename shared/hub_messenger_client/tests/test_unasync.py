"""The generator of the sync twin."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "unasync.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("unasync", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


unasync = load()
SOURCE = "async def a() -> None:\n    await b()\n"
TWIN = "def a() -> None:\n    b()\n"
RULES = [(r"\basync def\b", "def"), (r"\bawait ", "")]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "_async", tmp_path / "_sync"
    source.mkdir()
    (source / "a.py").write_text(SOURCE)
    return source, target


def test_the_twin_in_the_repository_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_written_twin_passes_the_check(folders: tuple[Path, Path]) -> None:
    assert unasync.run(*folders, RULES, check=False) == 0
    assert (folders[1] / "a.py").read_text() == unasync.NOTICE + TWIN
    assert unasync.run(*folders, RULES, check=True) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda twin: (twin / "a.py").write_text("edited"),
        lambda twin: (twin / "a.py").write_text((twin / "a.py").read_text() + "more\n"),
        lambda twin: (twin / "a.py").unlink(),
        lambda twin: (twin / "left_over.py").write_text(""),
    ],
)
def test_the_check_finds_every_difference_and_changes_nothing(folders: tuple[Path, Path], change: object) -> None:
    assert unasync.run(*folders, RULES, check=False) == 0
    change(folders[1])  # type: ignore[operator]
    before = {path.name: path.read_text() for path in folders[1].iterdir()}
    assert unasync.run(*folders, RULES, check=True) == 1
    assert {path.name: path.read_text() for path in folders[1].iterdir()} == before


def test_writing_removes_left_over_files(folders: tuple[Path, Path]) -> None:
    folders[1].mkdir()
    (folders[1] / "left_over.py").write_text("")
    assert unasync.run(*folders, RULES, check=False) == 0
    assert [path.name for path in folders[1].iterdir()] == ["a.py"]


def test_a_rule_that_changes_nothing_is_an_error(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rules = [*RULES, (r"\basync match\b", "match")]
    assert unasync.run(*folders, rules, check=False) == 1
    assert "async match" in capsys.readouterr().err
    assert unasync.run(*folders, rules, check=True) == 1
