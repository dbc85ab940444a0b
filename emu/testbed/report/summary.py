"""The end of a run on the terminal: what held, what did not and why, and where the rest is written.

Fits 80 columns and uses more where there are more. Without a terminal there is no colour, and where the encoding has no
box characters, ASCII.
"""

from __future__ import annotations

import re
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.check.compare import show_ns
from testbed.report.html import HTML
from testbed.report.model import Cell, Check, Outage, RunReport

_STYLES = {"passed": "green", "failed": "bold red", "unknown": "yellow", "skipped": "dim"}
_MARKS = {"passed": "✓", "failed": "✗", "unknown": "?", "skipped": "-", "known": "!"}
_ASCII_MARKS = {"passed": "ok", "failed": "FAIL", "unknown": "?", "skipped": "-", "known": "known"}
# Flows are listed one by one for so many cells; beyond, each cell is a line.
_FEW_CELLS = 2
_WIDE = 110
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def print_summary(report: RunReport, run_dir: Path | None = None, console: Console | None = None) -> None:
    _Summary(console or Console(highlight=False)).show(report, run_dir)


class _Summary:
    def __init__(self, console: Console) -> None:
        self.console = console
        self.unicode = console.encoding.lower().startswith("utf")
        self.wide = console.width >= _WIDE

    def show(self, report: RunReport, run_dir: Path | None) -> None:
        self.console.print()
        if len(report.cells) > _FEW_CELLS:
            self.console.print(self._cells(report.cells))
        else:
            for cell in report.cells:
                self._flows(cell, titled=len(report.cells) > 1)
        for cell in report.cells:
            self._problems(cell, titled=len(report.cells) > 1)
        for entry in report.skipped:
            self._line("skipped", f"{_title(entry.matrix)}: skipped: {entry.reason}")
        self._longest(report)
        self._verdict(report)
        self._where(report, run_dir)

    def _mark(self, verdict: str) -> str:
        return (_MARKS if self.unicode else _ASCII_MARKS)[verdict]

    def _line(self, verdict: str, text: str) -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        style = _STYLES.get(verdict, "yellow")
        grid.add_row(Text(self._mark(verdict), style=style), Text(_ascii(text, self.unicode)))
        self.console.print(grid)

    def _table(self, *columns: tuple[str, str]) -> Table:
        table = Table(box=box.SIMPLE_HEAD if self.unicode else box.ASCII2, pad_edge=False, show_edge=False)
        for name, justify in columns:
            table.add_column(name, justify="right" if justify == "r" else "left", overflow="fold")
        return table

    def _cells(self, cells: list[Cell]) -> Table:
        columns = [("cell", "l"), ("", "l"), ("took", "r"), ("lost", "r"), ("longest outage", "r")]
        table = self._table(*columns, *([("p99", "r"), ("sent", "r")] if self.wide else []))
        for cell in cells:
            flows = [check.measured for check in cell.checks if check.checker == "flow"]
            p99 = [flow["latency_us"]["p99"] for flow in flows if (flow.get("latency_us") or {}).get("p99")]
            row = [
                _title(cell.matrix),
                f"{cell.duration_s:.1f} s",
                _sum(flows, "lost"),
                _longest(cell.outages),
            ]
            more = [show_ns(max(p99) * 1e3) if p99 else "-", _sum(flows, "sent")] if self.wide else []
            table.add_row(
                Text(_ascii(row[0], self.unicode)), self._verdict_text(cell.verdict), *row[1:], *more
            )
        return table

    def _verdict_text(self, verdict: str) -> Text:
        return Text(f"{self._mark(verdict)} {verdict}" if self.unicode else verdict, style=_STYLES[verdict])

    def _flows(self, cell: Cell, *, titled: bool) -> None:
        flows = [check for check in cell.checks if check.checker == "flow" and check.measured]
        if not flows:
            return
        if titled:
            self.console.print(Text(_title(cell.matrix), style="bold"))
        columns = [
            ("flow", "l"),
            ("", "l"),
            ("sent", "r"),
            ("received", "r"),
            ("lost", "r"),
            ("outage", "r"),
            ("p99", "r"),
        ]
        wide = [("outside", "r"), ("dup", "r"), ("reord", "r"), ("p50", "r"), ("p99.9", "r"), ("max", "r")]
        table = self._table(*columns, *(wide if self.wide else []))
        for check in flows:
            table.add_row(*self._flow_row(check))
        self.console.print(table)

    def _flow_row(self, check: Check) -> list[Text | str]:
        measured = check.measured
        latency = measured.get("latency_us") or {}
        shown = {
            key: show_ns(latency[key] * 1e3) if key in latency else "-"
            for key in ("p50", "p99", "p999", "max")
        }
        outages = measured.get("outages_ms") or []
        longest = show_ns(max(outages) * 1e6) if outages else "-"
        counts = [_count(measured.get(key)) for key in ("sent", "received", "lost")]
        row: list[Text | str] = [
            Text(check.subject),
            self._verdict_text(check.verdict),
            *counts,
            longest,
            shown["p99"],
        ]
        if self.wide:
            row += [_count(measured.get(key)) for key in ("lost_outside_outages", "duplicated", "reordered")]
            row += [shown["p50"], shown["p999"], shown["max"]]
        return row

    def _problems(self, cell: Cell, *, titled: bool) -> None:
        where = f"{_title(cell.matrix)}: " if titled else ""
        for check in cell.checks:
            what = f"{where}{check.checker} {check.subject}"
            if check.known and check.verdict == "failed":
                self._line("known", f"{what}: known failure ({check.known}): {check.reason}")
            elif check.verdict != "passed":
                self._line(check.verdict, f"{what}: {check.reason}")

    def _longest(self, report: RunReport) -> None:
        outages = [outage for cell in report.cells for outage in cell.outages]
        if not outages:
            return
        longest = max(outages, key=lambda outage: outage.duration_ms)
        parts = " + ".join(
            f"{part.name.replace('_', ' ')} {show_ns(part.ms * 1e6)}" for part in longest.parts
        )
        after = f" after {longest.fault}" if longest.fault else ""
        open_ = " and not over" if longest.open else ""
        text = f"longest outage: {longest.flow}{after}: {show_ns(longest.duration_ms * 1e6)}{open_} = {parts}"
        self.console.print(Text(_ascii(text, self.unicode), style="dim"))

    def _verdict(self, report: RunReport) -> None:
        counts = {verdict: sum(1 for cell in report.cells if cell.verdict == verdict) for verdict in _STYLES}
        counts["skipped"] = len(report.skipped)
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        line = Text(f"{report.scenario} {report.verdict}", style=_STYLES[report.verdict])
        cells = f" ({told})" if len(report.cells) + len(report.skipped) > 1 else ""
        line.append(f"{cells} in {report.duration_s:.1f} s", style="default not bold")
        self.console.print(line)

    def _where(self, report: RunReport, run_dir: Path | None) -> None:
        """Paths and commands are copied from here, so they are never wrapped."""
        if run_dir is not None:
            self.console.print(Text(f"report: {run_dir / HTML}"), soft_wrap=True)
        if report.verdict != "passed" and report.command:
            self.console.print(Text(f"repeat: {report.command}"), soft_wrap=True)


def _title(matrix: dict[str, object]) -> str:
    return " ".join(f"{key}={value}" for key, value in matrix.items()) or "only cell"


def _ascii(text: str, unicode: bool) -> str:
    """Reasons quote consoles and peers: what could move a terminal's cursor is shown, not obeyed."""
    text = _CONTROL.sub("?", text)
    return text if unicode else text.encode("ascii", "replace").decode()


def _count(value: object) -> str:
    return "-" if value is None else str(value)


def _sum(flows: list[dict[str, object]], key: str) -> str:
    return str(sum(value for flow in flows if isinstance(value := flow.get(key), int)))


def _longest(outages: list[Outage]) -> str:
    return show_ns(max(outage.duration_ms for outage in outages) * 1e6) if outages else "-"
