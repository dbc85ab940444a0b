from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

PROGRAMS = {
    "core/testbed-switch": "switch",
    "emu/load/testbed-load": "load",
    "emu/load/testbed-inprocess": "inprocess",
}
DOUBLES = Path(__file__).with_name("doubles.py")


@pytest.fixture
def doubles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build directory in which every program is a stand-in."""
    build = tmp_path / "build"
    for place, kind in PROGRAMS.items():
        program = build / place
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{DOUBLES}" {kind} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("TESTBED_BUILD", str(build))
    return build
