"""The measured part of docs/performance.md, drawn from docs/performance.json:

./testbed bench --out DIR && cp DIR/bench.json docs/performance.json && python -m testbed.bench.markdown
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from testbed.bench.page import facts
from testbed.bench.table import COLUMNS, LATENCY_COLUMNS, latency_rows, remarks, rows
from testbed.run.binaries import PROJECT

DOCUMENT = PROJECT / "docs" / "performance.json"
PAGE = PROJECT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def render(result: dict[str, Any]) -> str:
    parts = [", ".join(f"{key} {value}" for key, value in facts(result)) + "."]
    if result["cases"]:
        parts.append(_table(COLUMNS, [row for case in result["cases"] for row in rows(case)]))
    if result["latency"]:
        parts.append(
            _table(LATENCY_COLUMNS, [row for case in result["latency"] for row in latency_rows(case)])
        )
    parts.append("\n".join(f"- {line}" for line in remarks(result)))
    return "\n\n".join(parts) + "\n"


def _table(columns: tuple[str, ...], found: list[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns)]
    lines += [row + ("",) * (len(columns) - len(row)) for row in found]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def with_measured(page: str, result: dict[str, Any]) -> str:
    """The page with its measured part drawn anew. ValueError when it has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN.strip()} ... {END.strip()}")
    return before + begin + render(result) + end + after


def main(document: Path = DOCUMENT, page: Path = PAGE) -> None:
    page.write_text(with_measured(page.read_text(), json.loads(document.read_text())))


if __name__ == "__main__":
    main()
