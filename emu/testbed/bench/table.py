"""The table that `testbed bench` prints, drawn from its document."""

from __future__ import annotations

import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 140  # of a table that goes to a file
COLUMNS = ("load", "subject", "cycles", "Mpps", "Gbit/s", "burst", "of limit", "ratio (95 %)", "disturbed")
LATENCY_COLUMNS = ("latency, us", "subject", "10 %", "50 %", "90 %", "p99 at 50 %", "disturbed")
LEFT = ("load", "latency, us", "subject")
Row = tuple[str, ...]


def show(result: dict[str, Any], console: Console | None = None) -> None:
    out = console or Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    if result["cases"]:
        _print(out, COLUMNS, [row for case in result["cases"] for row in rows(case)])
    if result["latency"]:
        _print(out, LATENCY_COLUMNS, [row for case in result["latency"] for row in latency_rows(case)])
    for line in remarks(result):
        out.print(line, soft_wrap=True, markup=False, style="dim")


def _print(out: Console, columns: tuple[str, ...], found: list[Row]) -> None:
    unicode = out.encoding.lower().startswith("utf")
    table = Table(box=box.SIMPLE_HEAD if unicode else box.ASCII2, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in LEFT else "right", no_wrap=True)
    for row in found:
        table.add_row(*row)
    out.print(table)
    out.print()


def rows(case: dict[str, Any]) -> list[Row]:
    """One for the subject, one for its yardstick."""
    name, rejected = case["load"]["name"], str(len(case["rejected"]) or "")
    if "unsupported" in case:
        return [(name, case["subject"], "not supported")]
    found: list[Row] = []
    for subject, figures in case["figures"].items():
        ours = subject == case["subject"]
        more = ">" if figures["generator_is_the_limit"] else ""
        share = figures.get("share_of_limit")
        found.append(
            (
                name if ours else "",
                subject,
                f"{figures['cycles_per_packet']:.1f}",
                f"{more}{figures['mpps']:.2f}",
                f"{more}{figures['gbps']:.1f}",
                f"{figures['packets_per_burst'] or ''}",
                f"{100 * share:.0f} %" if share else "",
                ratio_text(case["ratio"]) if ours else "",
                rejected if ours else "",
            )
        )
    return found or [(name, case["subject"], "disturbed", "", "", "", "", "", rejected)]


def latency_rows(case: dict[str, Any]) -> list[Row]:
    name, rejected = case["load"]["name"], str(len(case["rejected"]) or "")
    if "figures" not in case:
        why = "not supported" if "unsupported" in case else "disturbed"
        return [(name, case["subject"], why, "", "", "", rejected)]
    found: list[Row] = []
    for subject, by_percent in case["figures"].items():
        ours = subject == case["subject"]
        cells = [percentiles_text(figures) for figures in by_percent.values()]
        ratio = ratio_text(case["ratio_p99"]["50"]) if ours else ""
        found.append((name if ours else "", subject, *cells, ratio, rejected if ours else ""))
    return found


def percentiles_text(figures: dict[str, Any]) -> str:
    text = " / ".join(f"{figures[name]:.3g}" for name in ("p50_us", "p99_us", "p999_us"))
    return text if figures["carried"] else f"({text})"


def ratio_text(ratio: dict[str, Any] | None) -> str:
    if ratio is None:
        return ""
    if ratio["low"] is None:
        return f"{ratio['value']:.2f}"
    return f"{ratio['value']:.2f} ({ratio['low']:.2f}..{ratio['high']:.2f})"


def remarks(result: dict[str, Any]) -> list[str]:
    """What the words of the tables mean, what has no figures and why, and why blocks were rejected: each reason once."""
    lines = [
        "cycles: busy TSC cycles per packet; ratio: of these; >: the generator was the limit, not the subject",
        "of limit: what the cache lines that must come over from the other CPU take at the least, of what it took",
    ]
    if result["latency"]:
        lines.append(
            "latency: p50 / p99 / p99.9 at a part of the rate that came through the yardstick; (): some did not"
        )
    lines += [f"{name}: {about}" for name, about in result["subjects"].items()]
    cases = result["cases"] + result["latency"]
    lines += [
        f"not supported: {case['subject']}: {case['unsupported']}" for case in cases if "unsupported" in case
    ]
    word = "disturbed, and counted" if result["tolerant"] else "rejected"
    lines += [f"{word}: {reason}" for case in cases for reason in case["rejected"]]
    return list(dict.fromkeys(lines))
