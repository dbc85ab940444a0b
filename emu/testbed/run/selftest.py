"""`testbed test`: this project's own tests, a layer at a time. What the machine lacks is skipped by the tests, by name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

from testbed.run import exits
from testbed.run.binaries import PROJECT, build_directory
from testbed.run.sanitizers import run_sanitizers

_DAILY = ("unit", "property", "e2e")
LAYERS = (*_DAILY, "sanitizers", "all")
_STYLE = (
    ("mypy", "--strict", "emu/testbed"),
    ("ruff", "check", "-q", "emu", "tests"),
    ("ruff", "format", "-q", "--check", "emu", "tests"),
)


# What is run on `datapath: library` besides: whatever depends on who walks the rings, and what is known of that library.
_ON_THE_LIBRARY = (
    *("smoke", "reconnect", "driver-basics", "dirty-log", "migration", "tcp-offloads"),
    *(
        f"hostile/{attack}-*"
        for attack in ("avail", "chain", "flip", "indirect", "packed", "receive", "send")
    ),
    *("hostile/log-offset", "hostile/memory-again", "hostile/memory-shrunk", "hostile/notifier-*"),
)


def run_tests(layer: str) -> int:
    chosen = _DAILY if layer == "all" else (layer,)
    results = [(name, time.monotonic(), _PARTS[name]()) for name in chosen]
    for name, _, statuses in results:
        print(f"{name}: {'passed' if not any(statuses) else 'failed'}")
    found = [status for _, _, statuses in results for status in statuses]
    return exits.worst(found)


def _unit() -> list[int]:
    ctest = [
        "ctest",
        "--test-dir",
        str(build_directory()),
        "--output-on-failure",
        "-j",
        str(os.cpu_count() or 1),
    ]
    style = [[sys.executable, "-m", *words] for words in _STYLE]
    return [*map(_status, style), _status(ctest), _pytest("tests/unit")]


def _property() -> list[int]:
    return [_pytest("tests/property")]


def _e2e() -> list[int]:
    from testbed.run.command import RunOptions, run
    from testbed.scenario.load import load_jobs

    scenarios = PROJECT / "scenarios"
    paths = [*sorted(scenarios.glob("*.yaml")), *sorted((scenarios / "hostile").glob("*.yaml"))]
    statuses = [run(load_jobs(paths, {}), RunOptions(keep_going=True))]
    other = [path for pattern in _ON_THE_LIBRARY for path in sorted(scenarios.glob(f"{pattern}.yaml"))]
    statuses.append(run(load_jobs(other, {}, "library"), RunOptions(keep_going=True, datapath="library")))
    if any((PROJECT / "tests" / "e2e").glob("test_*.py")):
        statuses.append(_pytest("tests/e2e"))
    return statuses


def _pytest(folder: str) -> int:
    return _status([sys.executable, "-m", "pytest", folder])


def _status(command: list[str]) -> int:
    """0 or 1: how a tool tells its failures apart is its own affair."""
    try:
        return exits.FAILED if subprocess.run(command, cwd=PROJECT).returncode else exits.PASSED
    except FileNotFoundError:
        print(f"testbed test: {command[0]} is missing; mend it with: ./testbed doctor", file=sys.stderr)
        return exits.LACKING
    except KeyboardInterrupt:
        return exits.INTERRUPTED


_PARTS: dict[str, Callable[[], list[int]]] = {
    "unit": _unit,
    "property": _property,
    "e2e": _e2e,
    "sanitizers": run_sanitizers,
}
