"""The table that `testbed bench` prints, drawn from its document."""

from __future__ import annotations

import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from testbed.bench.document import document
from testbed.bench.model import Case

WIDTH = 110  # of a table that goes to a file
COLUMNS = ("load", "subject", "cycles", "Mpps", "Gbit/s", "burst", "ratio (95 %)", "rejected")


def show(cases: list[Case], console: Console | None = None) -> None:
    print_document(document(cases), console or _console())


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def print_document(result: dict[str, Any], console: Console) -> None:
    unicode = console.encoding.lower().startswith("utf")
    table = Table(box=box.SIMPLE_HEAD if unicode else box.ASCII2, pad_edge=False, show_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("load", "subject") else "right", no_wrap=True)
    for case in result["cases"]:
        for row in rows(case):
            table.add_row(*row)
    console.print(table)
    console.print(
        "\ncycles: busy TSC cycles per packet; ratio: of these; >: the generator was the limit, not the subject",
        style="dim",
    )
    for name, about in result["subjects"].items():
        console.print(f"{name}: {about}", style="dim")
    for line in remarks(result):
        console.print(line, soft_wrap=True, markup=False)


def remarks(result: dict[str, Any]) -> list[str]:
    """What has no figures and why, and why blocks were rejected: each reason once."""
    lines = [
        f"not supported: {case['subject']}: {case['unsupported']}"
        for case in result["cases"]
        if "unsupported" in case
    ]
    lines += [f"rejected: {reason}" for case in result["cases"] for reason in case["rejected"]]
    return list(dict.fromkeys(lines))


def rows(case: dict[str, Any]) -> list[tuple[str, ...]]:
    name, rejected = case["load"]["name"], str(len(case["rejected"]) or "")
    if "unsupported" in case:
        return [(name, case["subject"], "not supported")]
    found: list[tuple[str, ...]] = []
    for subject, figures in case["figures"].items():
        ours = subject == case["subject"]
        more = ">" if figures["generator_is_the_limit"] else ""
        found.append(
            (
                name if ours else "",
                subject,
                f"{figures['cycles_per_packet']:.1f}",
                f"{more}{figures['mpps']:.2f}",
                f"{more}{figures['gbps']:.1f}",
                f"{figures['packets_per_burst'] or ''}",
                ratio_text(case["ratio"]) if ours else "",
                rejected if ours else "",
            )
        )
    return found or [(name, case["subject"], "all disturbed", "", "", "", "", rejected)]


def ratio_text(ratio: dict[str, Any] | None) -> str:
    if ratio is None:
        return ""
    if ratio["low"] is None:
        return f"{ratio['value']:.2f}"
    return f"{ratio['value']:.2f} ({ratio['low']:.2f}..{ratio['high']:.2f})"
