"""What a person sees of a fuzz run: one line that changes in a terminal, a line now and then without one; a table at the
end."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from testbed.fuzz.campaign import Kept, Tally, View

_PLAIN_EVERY_S, _LIVE_EVERY_S = 5.0, 0.1
_OUTCOMES = ("answered", "refused", "sent", "silent", "disconnected", "wrong", "done")


class Progress(View):
    """Use as a context manager."""

    def __init__(self, console: Console, backend: str) -> None:
        self._console = console
        self._backend = backend
        self._told = 0.0
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    def changed(self, tally: Tally) -> None:
        now = time.monotonic()
        if now - self._told < (_LIVE_EVERY_S if self._live is not None else _PLAIN_EVERY_S):
            return
        self._told = now
        if self._live is not None:
            self._live.update(Text(status(tally)), refresh=True)
        else:
            self._console.print(escape(status(tally)), soft_wrap=True)

    def found(self, kept: Kept) -> None:
        finding = kept.finding
        what = f"{finding.violation.kind}: {finding.violation.detail}"
        self._console.print(f"[bold red]found[/] {escape(what)}", soft_wrap=True)
        how = "replay it with" if finding.reproduced else "it did not happen again; try"
        self._console.print(f"      {how}: {escape(replay_command(kept, self._backend))}", soft_wrap=True)
        for step in finding.steps:
            self._console.print(f"      - {escape(str(step))}", soft_wrap=True)
        if kept.verdict != "failed":
            self._console.print(f"      [yellow]its file {kept.verdict} when it was run[/]", soft_wrap=True)


def status(tally: Tally) -> str:
    """One line."""
    found = f"{len(tally.kept)} found"
    pairs = len(tally.seen)
    return (
        f"{tally.left_s:4.0f} s left  {tally.cases} cases  {tally.rate:.0f}/s  {found}  "
        f"{pairs} request-outcome pairs  {tally.doing}"
    )


def replay_command(kept: Kept, backend: str) -> str:
    chosen = "" if backend == "testbed-switch" else f" --backend {backend}"
    return f"./testbed run {kept.file}{chosen}"


def coverage(tally: Tally) -> dict[str, dict[str, int]]:
    """Outcomes by what was done; how much of a message left does not matter."""
    table: dict[str, dict[str, int]] = {}
    for (what, outcome), count in sorted(tally.seen.items()):
        name = what.partition(",")[0].removeprefix("send ")
        if name.startswith(("poke", "flip", "chain on", "virtqueue")):
            name = name.partition(" ")[0]
        row = table.setdefault(name, {})
        outcome = "done" if outcome in ("complete", "stopped") else outcome
        row[outcome] = row.get(outcome, 0) + count
    return table


def print_summary(tally: Tally, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("what was done", no_wrap=True)
    for outcome in _OUTCOMES:
        table.add_column(outcome, justify="right")
    for name, row in coverage(tally).items():
        table.add_row(name, *(str(row.get(outcome, "")) for outcome in _OUTCOMES))
    console.print(table, soft_wrap=True)
    for because, count in tally.known.items():
        console.print(f"known, and {count} cases about it passed over: {escape(because)}", soft_wrap=True)
    again = f", {tally.skipped} more were about what was found" if tally.skipped else ""
    found = f"{len(tally.kept)} found" if tally.kept else "nothing found"
    console.print(
        f"seed {tally.seed}: {tally.cases} cases, {tally.steps} steps, {tally.rate:.0f} cases/s{again}: {found}",
        soft_wrap=True,
    )


def as_document(tally: Tally, backend: str, *, interrupted: bool) -> dict[str, Any]:
    """--json, format 1."""
    return {
        "format": 1,
        "seed": tally.seed,
        "backend": backend,
        "seconds": tally.seconds,
        "interrupted": interrupted,
        "cases": tally.cases,
        "skipped": tally.skipped,
        "known": dict(tally.known),
        "steps": tally.steps,
        "cases_per_s": round(tally.rate, 1),
        "findings": [_finding(kept) for kept in tally.kept],
        "coverage": coverage(tally),
    }


def _finding(kept: Kept) -> dict[str, Any]:
    finding = kept.finding
    return {
        "kind": finding.violation.kind,
        "detail": finding.violation.detail,
        "file": str(kept.file),
        "case": finding.case,
        "attacker": finding.profile.name,
        "steps": finding.steps,
        "repeated": finding.reproduced,
        "verdict": kept.verdict,
        "reason": kept.reason,
    }
