"""`testbed test sanitizers`: the unit tests, and scenarios, on builds with AddressSanitizer and with ThreadSanitizer.

Not part of `testbed test`: each is a first build of its own. In a sanitizer build a finding ends the process, so that a
test fails by its status; what a scenario has shown, sanitized.py says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.run import exits
from testbed.run.binaries import PROJECT
from testbed.run.places import new_run_directory
from testbed.run.sanitized import complaints

# What the programs ask of each sanitizer's runtime. A person's own settings come last and win.
RUNTIME = {
    "ASAN_OPTIONS": "strict_string_checks=1:detect_invalid_pointer_pairs=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "LSAN_OPTIONS": f"suppressions={PROJECT / 'ci' / 'lsan.supp'}:print_suppressions=0",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}
_SLOWEST_TEST_S = 300
# Sessions that come and go, memory that changes hands, and everything a hostile peer does.
_SCENARIOS = ("smoke", "reconnect", "hostile/*")
_PEERS = ("testbed-load", "testbed-driver")


@dataclass(frozen=True)
class Sanitizer:
    preset: str
    tests: tuple[str, ...]  # of ctest; the program of `x` is test_x, but for fuzz targets
    peers: str  # the build that the switch's peers in scenarios come from
    scenarios: tuple[str, ...] = _SCENARIOS  # patterns of files in scenarios/


SANITIZERS = (
    Sanitizer(
        "asan",
        tests=(
            *("base", "core", "vdev", "ring", "nic", "flow", "proxy", "load", "driver"),
            *("fuzz_gate_rules", "fuzz_ring"),
        ),
        peers="asan",
    ),
    # Where there are threads that share: workers, control, the library's own. A driver under this sanitizer takes a second
    # for each look at its guest's memory, which one thread compares; its threads are looked at by its unit tests.
    Sanitizer("tsan", tests=("base", "core", "vdev", "ring", "nic", "driver"), peers="release"),
)


def environment(sanitizer: Sanitizer, given: dict[str, str]) -> dict[str, str]:
    merged = {name: ":".join(filter(None, (wanted, given.get(name)))) for name, wanted in RUNTIME.items()}
    builds = {"TESTBED_BUILD": sanitizer.peers, "TESTBED_SWITCH_BUILD": sanitizer.preset}
    return {**given, **merged, **builds, "TESTBED_NO_SETUP": "1"}


def commands(sanitizer: Sanitizer) -> list[list[str]]:
    """In order; none is run after one that failed."""
    build, peers = (str(PROJECT / "build" / name) for name in (sanitizer.preset, sanitizer.peers))
    chosen = f"^({'|'.join(sanitizer.tests)})$"
    tests = [test if test.startswith("fuzz_") else f"test_{test}" for test in sanitizer.tests]
    return [
        *(["cmake", "--preset", preset] for preset in sorted({sanitizer.preset, sanitizer.peers})),
        ["ninja", "-C", build, *tests, "testbed-switch"],
        ["ninja", "-C", peers, *_PEERS],
        [
            *("ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error"),
            *("--timeout", str(_SLOWEST_TEST_S), "-R", chosen),
        ],
    ]


def scenario_files(sanitizer: Sanitizer) -> list[Path]:
    scenarios = PROJECT / "scenarios"
    return [path for name in sanitizer.scenarios for path in sorted(scenarios.glob(f"{name}.yaml"))]


def run_sanitizers(chosen: Sequence[Sanitizer] = SANITIZERS) -> list[int]:
    return [_run(sanitizer) for sanitizer in chosen]


def _run(sanitizer: Sanitizer) -> int:
    told = environment(sanitizer, dict(os.environ))
    for command in commands(sanitizer):
        status = subprocess.run(command, cwd=PROJECT, env=told).returncode
        if status:
            print(f"{sanitizer.preset}: {command[0]} failed", file=sys.stderr)
            return exits.FAILED
    return _run_scenarios(sanitizer, told)


def _run_scenarios(sanitizer: Sanitizer, told: dict[str, str]) -> int:
    """Their own verdicts are about a build that is fast; what counts here is found in their reports and logs."""
    out = new_run_directory(f"sanitizers-{sanitizer.preset}", None)
    files = scenario_files(sanitizer)
    run = [sys.executable, "-m", "testbed", "run", "--keep-going", "--out", str(out), *map(str, files)]
    with (out / "run.txt").open("w") as said:
        status = subprocess.run(run, cwd=PROJECT, env=told, stdout=said, stderr=said).returncode
    if status not in (exits.PASSED, exits.FAILED, exits.UNKNOWN):
        print(f"{sanitizer.preset}: the scenarios ended with {status}: {out / 'run.txt'}", file=sys.stderr)
        return status
    found = [line for file in files for line in complaints(out / file.stem)]
    for line in found:
        print(f"{sanitizer.preset}: {line}", file=sys.stderr)
    print(f"{sanitizer.preset}: {len(files)} scenarios, {len(found)} complaints: {out}")
    if not found:
        shutil.rmtree(out)
    return exits.FAILED if found else exits.PASSED
