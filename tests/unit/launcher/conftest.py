"""A copy of the launcher in a tree of its own, with stand-ins for every program it calls. Each call is written down."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PYTHON = """#!/bin/sh
echo "python $*" >> "$CALLS"
case "$*" in
  "-m venv --clear "*)
    mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && chmod +x "$4/bin/python"
    [ -z "$DIE_IN_VENV" ] || kill -KILL $PPID
    echo "executable = $(readlink -f "$4/bin/python")" > "$4/pyvenv.cfg" ;;
  *"pip install"*) [ -z "$WAIT_IN_PIP" ] || { : > "$WAIT_IN_PIP"; exec sleep 60; } ;;
esac
"""
CMAKE = """#!/bin/sh
echo "cmake $*" >> "$CALLS"
for build; do :; done
mkdir -p "$build" && echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" > "$build/CMakeCache.txt" && : > "$build/build.ninja"
"""
NINJA = """#!/bin/sh
echo "ninja $*" >> "$CALLS"
case "$*" in *" -n "*) [ -f "$2/built" ] && echo "ninja: no work to do." ;; *) : > "$2/built" ;; esac
true
"""
DPKG_QUERY = """#!/bin/sh
[ -n "$NONE_INSTALLED" ] || sed -n 's/^\\([a-z0-9][^ ]*\\) .*/installed \\1/p' "$TREE/ci/packages"
"""
REFUSES = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
echo "E: the network is down"
exit 100
"""


@dataclass
class Tree:
    path: Path
    programs: Path
    calls_file: Path

    def environment(self, **more: str) -> dict[str, str]:
        own = {
            "CALLS": str(self.calls_file),
            "TREE": str(self.path),
            "TESTBED_PYTHON": str(self.programs / "python"),
        }
        return {"PATH": f"{self.programs}:{os.environ['PATH']}"} | own | more

    def start(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.path / "testbed", *words], env=self.environment(**environment), cwd="/", capture_output=True,
            text=True, stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip

    def begin(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """In a process group of its own, where Ctrl-C is what it is at a terminal."""
        return subprocess.Popen(
            [self.path / "testbed", *words], env=self.environment(**environment), start_new_session=True, text=True,
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def calls(self) -> list[str]:
        """Since the last time."""
        made = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        return made


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path / "a tree", tmp_path / "bin", tmp_path / "calls")
    shutil.copytree(ROOT / "ci", made.path / "ci")
    shutil.copy(ROOT / "testbed", made.path)
    made.programs.mkdir()
    stand_ins = {"python": PYTHON, "cmake": CMAKE, "ninja": NINJA, "dpkg-query": DPKG_QUERY}
    stand_ins |= dict.fromkeys(("dpkg", "apt-get", "sudo"), REFUSES)
    for name, text in stand_ins.items():
        (made.programs / name).write_text(text)
        (made.programs / name).chmod(0o755)
    return made
