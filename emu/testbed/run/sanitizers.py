"""`testbed test sanitizers`: the unit tests, and scenarios, on builds with AddressSanitizer and with ThreadSanitizer.

Not part of `testbed test`: each is a first build of its own. In a sanitizer build a finding ends the process, so that a
test fails by its status and a scenario by the death of a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from testbed.run import exits
from testbed.run.binaries import PROJECT

# What the programs ask of each sanitizer's runtime. A person's own settings come last and win.
RUNTIME = {
    "ASAN_OPTIONS": "strict_string_checks=1:detect_invalid_pointer_pairs=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


@dataclass(frozen=True)
class Sanitizer:
    preset: str
    tests: tuple[str, ...]  # of ctest; the program of `x` is test_x
    programs: tuple[str, ...]
    scenarios: tuple[
        str, ...
    ]  # what memory errors may hide in: sessions that come and go, memory that changes hands


SANITIZERS = (
    Sanitizer(
        "asan",
        tests=("base", "core", "vdev", "nic", "flow", "proxy", "load", "driver"),
        programs=("testbed-switch", "testbed-load", "testbed-driver", "testbed-proxy", "testbed-inprocess"),
        scenarios=("smoke", "two-switches", "hot-ports"),
    ),
    # Where there are threads that share: workers, control, the library's own.
    Sanitizer("tsan", tests=("base", "core", "vdev", "nic"), programs=(), scenarios=()),
)


def environment(preset: str, given: dict[str, str]) -> dict[str, str]:
    merged = {name: ":".join(filter(None, (wanted, given.get(name)))) for name, wanted in RUNTIME.items()}
    return {**given, **merged, "TESTBED_BUILD": preset, "TESTBED_NO_SETUP": "1"}


def commands(sanitizer: Sanitizer) -> list[list[str]]:
    """In order; none is run after one that failed."""
    build = str(PROJECT / "build" / sanitizer.preset)
    chosen = f"^({'|'.join(sanitizer.tests)})$"
    targets = [*(f"test_{test}" for test in sanitizer.tests), *sanitizer.programs]
    all_of_it = [
        ["cmake", "--preset", sanitizer.preset],
        ["ninja", "-C", build, *targets],
        ["ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error", "-R", chosen],
    ]
    files = [str(PROJECT / "scenarios" / f"{name}.yaml") for name in sanitizer.scenarios]
    if files:
        all_of_it.append([sys.executable, "-m", "testbed", "run", "--keep-going", *files])
    return all_of_it


def run_sanitizers(chosen: Sequence[Sanitizer] = SANITIZERS) -> list[int]:
    return [_run(sanitizer) for sanitizer in chosen]


def _run(sanitizer: Sanitizer) -> int:
    told = environment(sanitizer.preset, dict(os.environ))
    for command in commands(sanitizer):
        status = subprocess.run(command, cwd=PROJECT, env=told).returncode
        if status:
            print(f"{sanitizer.preset}: {command[0]} failed", file=sys.stderr)
            return exits.FAILED
    return exits.PASSED
