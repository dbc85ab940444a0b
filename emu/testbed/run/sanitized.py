"""What a scenario in a sanitizer build has shown. Pure but for reading the run's directory.

Such a build is several times slower and maps memory of its own as it goes, so its scenarios are not judged by speed, by
what depends on speed (losses, counts per time), or by mappings. Everything else holds as always: nobody dies, nobody's
memory or packets are touched, nothing hangs for ever or is leaked. And no log holds a sanitizer's report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testbed.check.latency import PERCENTS

Document = dict[str, Any]

_REPORT = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ).*")
_LEAST_LINES = 12  # of a report, that say where
# By checker: rules that are about speed or address space; None: all of its rules are.
_NOT_JUDGED: dict[str, frozenset[str] | None] = {
    "untouched": None,
    "counter": None,
    "answering": frozenset({"within"}),
    "leaks": frozenset({"mappings"}),
    "flow": frozenset({"lost", "outage", "outages", "sent", "received", "blocked", *PERCENTS}),
}


def complaints(run: Path) -> list[str]:
    """A line or more each. A run without a report is one."""
    try:
        report = json.loads((run / "report.json").read_text())
    except (OSError, ValueError) as error:
        return [f"{run.name}: no report: {error}"]
    return [*_of_report(report), *_of_logs(run)]


def _of_report(report: Document) -> Iterator[str]:
    name = report["scenario"]
    if not report["cells"]:
        yield f"{name}: nothing was run"
    for cell in report["cells"]:
        where = " ".join([name, *(f"{key}={value}" for key, value in cell["matrix"].items())])
        judged = [
            check for check in cell["checks"] if check["verdict"] != "passed" and not check.get("known")
        ]
        if cell["verdict"] != "passed" and not judged:
            yield f"{where}: {cell['verdict']}: {cell['reason']}"
        for check in judged:
            yield from (f"{where}: {check['checker']} {check['subject']}: {why}" for why in _reasons(check))


def _reasons(check: Document) -> Iterator[str]:
    slow = _NOT_JUDGED.get(check["checker"], frozenset())
    if slow is None:
        return
    wrong = [finding for finding in check["findings"] if finding["verdict"] != "passed"]
    if not wrong:
        yield check["reason"]
    yield from (finding["reason"] for finding in wrong if finding["rule"] not in slow)


def _of_logs(run: Path) -> Iterator[str]:
    for log in sorted(run.rglob("*.log")):
        lines = log.read_text(errors="replace").splitlines()
        first = next((number for number, line in enumerate(lines) if _REPORT.search(line)), None)
        if first is not None:
            yield "\n".join([f"{log}:", *lines[first : first + _LEAST_LINES]])
