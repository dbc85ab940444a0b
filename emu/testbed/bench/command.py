"""The `testbed bench` command: a table for people, a document for programs."""

from __future__ import annotations

import asyncio
import json
import sys

from testbed.bench.compare import Case, compare
from testbed.bench.subjects import SUBJECTS

CASES = {
    "switch": lambda: [Case("split", 64), Case("packed", 64), Case("split", 1518)],
    "quick": lambda: [Case("split", 64)],
}


def run(names: list[str], as_json: bool = False, blocks: int = 2) -> int:
    """Exit status: 0 measured, 2 an unknown name, 3 something is missing."""
    unknown = [name for name in names if name not in CASES]
    if unknown:
        print(f"bench: no benchmark '{unknown[0]}'; there are {', '.join(CASES)}", file=sys.stderr)
        return 2
    cases = [case for name in names or ["switch"] for case in CASES[name]()]
    try:
        asyncio.run(compare(cases, blocks, lambda line: print(f"bench: {line}", file=sys.stderr)))
    except FileNotFoundError as missing:
        print(f"bench: {missing}", file=sys.stderr)
        return 3
    print(json.dumps(document(cases), indent=1) if as_json else table(cases))
    return 0


def document(cases: list[Case]) -> dict[str, object]:
    return {
        "format": 1,
        "cases": [
            {"name": c.name, "ring": c.ring, "size": c.size, "mpps": c.mpps, "ratio": round(c.ratio, 3),
             "subject": c.subject, "against": c.against, "rejected_blocks": c.rejected}
            for c in cases
        ],
    }  # fmt: skip


def table(cases: list[Case]) -> str:
    lines = [f"{'load':<16}{'subject':<14}{'Mpps':>8}  {'against':<14}{'Mpps':>8}{'ratio':>8}"]
    for case in cases:
        lines.append(
            f"{case.name:<16}{case.subject:<14}{case.median(case.subject):>8.2f}  "
            f"{case.against:<14}{case.median(case.against):>8.2f}{case.ratio:>8.2f}"
            + (f"  ({case.rejected} disturbed blocks repeated)" if case.rejected else "")
        )
    used = {name for case in cases for name in (case.subject, case.against)}
    lines += ["", *(f"{name}: {SUBJECTS[name].about}" for name in sorted(used))]
    return "\n".join(lines)
