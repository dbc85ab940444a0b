"""Exit statuses of the `testbed` command. Others rely on them."""

from __future__ import annotations

from collections.abc import Iterable

PASSED = 0
FAILED = 1
MISTAKE = 2  # the scenario or the command line is wrong
LACKING = 3  # this machine lacks something
UNKNOWN = 4
INTERRUPTED = 130

OF_VERDICT = {"passed": PASSED, "failed": FAILED, "unknown": UNKNOWN}
_WORST_FIRST = (INTERRUPTED, MISTAKE, FAILED, UNKNOWN, LACKING, PASSED)


def worst(statuses: Iterable[int]) -> int:
    found = set(statuses)
    return next((status for status in _WORST_FIRST if status in found), PASSED)
