"""Scenario by backend: what holds where, as a page of Markdown, from the report.json of any number of runs.

    testbed run scenarios/*.yaml --keep-going --backend ovs-dpdk --out runs/ovs     (and so on, for each backend)
    testbed resilience runs/ovs runs/ours ... --out docs/resilience.md

Our switch has a column for each datapath. Of several runs of one scenario on one backend the last counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testbed.report.html import REPORT, load_report
from testbed.report.model import Cell, RunReport
from testbed.report.store import ReportError

OURS = "testbed-switch"
FIRST = (f"{OURS}, library", f"{OURS}, ring", "dpdk-testpmd", "ovs-dpdk")
HEAD = """# What survives what, and on which backend

Each scenario is one claim (`testbed list` tells them). **holds**: it was kept in every cell of the matrix, with the
longest silence of any flow; **fails**: it was not, and the first reason stands below; *not supported*: the backend cannot
be asked that. A failure is of the claim as the scenario words it, with the limits it sets. Drawn by `testbed resilience`
from reports of runs; not edited.
"""


@dataclass
class Place:
    """One scenario on one backend."""

    started: str = ""
    cells: list[Cell] = field(default_factory=list)
    not_supported: str = ""

    @property
    def verdict(self) -> str:
        verdicts = {cell.verdict for cell in self.cells}
        order = ("failed", "unknown", "passed")
        return next((verdict for verdict in order if verdict in verdicts), "")

    @property
    def text(self) -> str:
        match self.verdict:
            case "passed":
                return f"**holds**{self._silence()}"
            case "failed":
                bad = sum(cell.verdict == "failed" for cell in self.cells)
                return "**fails**" + (f" in {bad} of {len(self.cells)} cells" if len(self.cells) > 1 else "")
            case "unknown":
                return "unknown"
        return "*not supported*" if self.not_supported else ""

    def _silence(self) -> str:
        longest = max((outage.duration_ms for cell in self.cells for outage in cell.outages), default=0.0)
        return f", {longest:.0f} ms" if longest else ""

    @property
    def note(self) -> str:
        """Why it does not hold; empty when it does."""
        bad = next((cell for cell in self.cells if cell.verdict == self.verdict != "passed"), None)
        return bad.reason if bad else self.not_supported if not self.cells else ""


Table = dict[str, dict[str, Place]]  # by scenario, by column


def read_reports(places: Sequence[Path]) -> list[RunReport]:
    """Every report.json at or below these. Raises ReportError when there is none, or one cannot be read."""
    found = [path for place in places for path in sorted(place.rglob(REPORT))]
    if not found:
        raise ReportError(f"no {REPORT} at or below {', '.join(map(str, places))}")
    return [load_report(path.parent) for path in found]


def table_of(reports: Iterable[RunReport]) -> Table:
    table: Table = {}
    for report in sorted(reports, key=lambda report: report.started):
        row = table.setdefault(report.scenario, {})
        cells: dict[str, list[Cell]] = {}
        for cell in report.cells:
            cells.setdefault(_column(report, cell), []).append(cell)
        for column, those in cells.items():
            row[column] = Place(report.started, those)
        if not report.cells and report.skipped:
            row[report.backend] = Place(report.started, not_supported=report.skipped[0].reason)
    return dict(sorted(table.items()))


def _column(report: RunReport, cell: Cell) -> str:
    return f"{report.backend}, {cell.datapath}" if cell.datapath else report.backend


def render(table: Table) -> str:
    seen = {column for row in table.values() for column in row}
    columns = [column for column in FIRST if column in seen] + sorted(seen - set(FIRST))
    lines = [HEAD, "| scenario | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for scenario, row in table.items():
        texts = [row[column].text if column in row else "" for column in columns]
        lines.append(f"| {scenario} | " + " | ".join(texts) + " |")
    notes = [
        f"- {scenario}, {column}: {row[column].note}"
        for scenario, row in table.items()
        for column in columns
        if column in row and row[column].note
    ]
    return "\n".join([*lines, *(["", "## Why not", *notes] if notes else [])]) + "\n"
