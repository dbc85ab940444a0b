"""The layer that runs tests in sanitizer builds: what it calls, and that a failure is one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from testbed.run import exits, sanitizers
from testbed.run.sanitizers import SANITIZERS, commands, environment, run_sanitizers

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("sanitizer", SANITIZERS, ids=lambda sanitizer: sanitizer.preset)
def test_what_is_named_exists(sanitizer: sanitizers.Sanitizer) -> None:
    known = "".join(path.read_text() for path in (ROOT / "tests/unit").glob("*/CMakeLists.txt"))
    assert set(sanitizer.tests) <= set(re.findall(r"add_test\(NAME (\w+) ", known))
    assert f'"name": "{sanitizer.preset}"' in (ROOT / "CMakePresets.json").read_text()
    assert [name for name in sanitizer.scenarios if not (ROOT / "scenarios" / f"{name}.yaml").exists()] == []


def test_a_finding_ends_the_process_whatever_else_a_person_asked_for() -> None:
    told = environment("asan", {"UBSAN_OPTIONS": "verbosity=1"})
    assert told["UBSAN_OPTIONS"] == "halt_on_error=1:print_stacktrace=1:verbosity=1"
    assert told["TESTBED_BUILD"] == "asan"


def test_what_follows_a_failure_is_not_run_and_the_layer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def fails_to_build(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command[0])
        return subprocess.CompletedProcess(command, int(command[0] == "ninja"))

    monkeypatch.setattr(subprocess, "run", fails_to_build)
    assert run_sanitizers(SANITIZERS[:1]) == [exits.FAILED]
    assert ran == ["cmake", "ninja"]


def test_no_test_found_is_a_failure() -> None:
    assert all("--no-tests=error" in command for command in commands(SANITIZERS[0]) if command[0] == "ctest")
