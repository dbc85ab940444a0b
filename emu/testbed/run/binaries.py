"""Where the programs are: one function, one place that knows the build tree."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]

PROGRAMS = {
    "testbed-switch": "core",
    "testbed-switch-sabotaged": "tests/sabotage",
    "testbed-load": "emu/load",
    "testbed-driver": "emu/driver",
    "testbed-circulator": "emu/bench",
    "testbed-limits": "emu/bench",
    "testbed-instructions": "emu/load",
    "testbed-inprocess": "emu/load",
    "testbed-agent": "emu/guest",
    "testbed-proxy": "emu/proxy",
}


class Lacking(Exception):
    """This machine lacks something; str() is one line that says what, and the command that supplies it."""


def build_directory() -> Path:
    """$TESTBED_BUILD (a directory, or a preset's name), else the release build."""
    return _directory(os.environ.get("TESTBED_BUILD") or "release")


def find_program(name: str) -> Path:
    """Raises Lacking. $TESTBED_SWITCH_BUILD is where the switch comes from when it is another build than its peers'."""
    build = build_directory()
    if name == "testbed-switch" and (elsewhere := os.environ.get("TESTBED_SWITCH_BUILD")):
        build = _directory(elsewhere)
    places = [build / PROGRAMS[name] / name, build / name, build / "bin" / name]
    if name == "testbed-agent":  # linked statically, which sanitizers do not: their builds have none
        places.append(PROJECT / "build" / "release" / PROGRAMS[name] / name)
    for place in places:
        if os.access(place, os.X_OK) and place.is_file():
            return place
    raise Lacking(f"{name} is not in {build}; mend it with: ./testbed build")


def _directory(build: str) -> Path:
    return Path(build) if "/" in build else PROJECT / "build" / build
