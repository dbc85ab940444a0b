"""The terminal while a scenario runs: what was done above, what happens now below."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from testbed.run.live_workers import Work, told, work_of
from testbed.run.plain import PlainWatcher

if TYPE_CHECKING:
    from testbed.check.result import CellResult
    from testbed.run.cell import Cell
    from testbed.run.flows import FlowState

_MOST_FLOWS = 12
_MOST_WORKERS, _MOST_QUEUES = 8, 4
_BETWEEN_NS = 900 * 10**6  # of two looks at what workers do
_SILENT_NS = 400 * 10**6  # a little more than the time between samples


class LiveWatcher(PlainWatcher):
    """tick() redraws; it is called on the event loop, so that nothing changes while it looks."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live: Live | None = None
        self._cell: Cell | None = None
        self._doing: dict[int, str] = {}
        self._rates: dict[str, tuple[int, int, int, float, float]] = {}
        self._counters: dict[str, dict[str, Any]] = {}  # of each switch, some time ago
        self._work: dict[str, list[Work]] = {}

    def cell_begins(self, cell: Cell, number: int, count: int) -> None:
        super().cell_begins(cell, number, count)
        self._cell, self._doing, self._rates = cell, {}, {}
        self._counters, self._work = {}, {}
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def phase(self, text: str) -> None:
        self._doing = {0: text}

    def step_begins(self, text: str, depth: int) -> None:
        super().step_begins(text, depth if depth == 0 else 99)
        self._doing = {level: told for level, told in self._doing.items() if level < depth} | {depth: text}

    def cell_ends(self, cell: Cell, result: CellResult) -> None:
        self.close()
        super().cell_ends(cell, result)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def tick(self) -> None:
        if self._live is not None and self._cell is not None:
            self._live.update(self._picture(self._cell), refresh=True)

    def _picture(self, cell: Cell) -> RenderableType:
        seconds = time.monotonic() - self._start
        now = Text(f"{seconds:8.1f}  ", style="dim")
        now.append(" > ".join(self._doing.values()), style="bold cyan")
        parts: list[RenderableType] = [now]
        faults = ", ".join(fault.text for fault in cell.faults.open[:4])
        if faults:
            parts.append(Text(f"          broken: {faults}", style="red"))
        down = [f"{actor.name} {actor.state}" for actor in cell.cast.all.values() if not actor.answers]
        if down:
            parts.append(Text(f"          {', '.join(down[:4])}", style="yellow"))
        return Group(*parts, self._flows(cell), self._workers(cell))

    def _workers(self, cell: Cell) -> Table:
        """Who polls what, and how busy it keeps him; of switches with several workers or queues."""
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=8)
        for name, switch in cell.cast.switches.items():
            work = self._work_of(name, switch.counters)
            if len(work) < 2 and sum(len(one.shares) for one in work) <= len(cell.cast.frontends):
                continue
            several = f"{name} " if len(cell.cast.switches) > 1 else ""
            for one in work[:_MOST_WORKERS]:
                label = Text(f"{several}worker {one.worker}", style="dim")
                table.add_row("", label, f"{one.busy:.0%} busy", told(one, _MOST_QUEUES))
        return table

    def _work_of(self, name: str, counters: dict[str, Any]) -> list[Work]:
        before = self._counters.setdefault(name, counters)
        if counters.get("t", 0) < before.get("t", 0):  # another life
            self._counters[name] = counters
        elif counters.get("t", 0) - before.get("t", 0) > _BETWEEN_NS:
            self._work[name] = work_of(before, counters)
            self._counters[name] = counters
        return self._work.get(name, [])

    def _flows(self, cell: Cell) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=8)
        for _ in range(5):
            table.add_column(justify="right")
        states = list(cell.flows.states.values())
        if states:
            table.add_row(
                *(
                    Text(word, style="dim")
                    for word in ("", "flow", "sent/s", "received/s", "sent", "received")
                )
            )
        for state in states[:_MOST_FLOWS]:
            table.add_row("", *self._row(state))
        if len(states) > _MOST_FLOWS:
            table.add_row("", f"and {len(states) - _MOST_FLOWS} more")
        return table

    def _row(self, state: FlowState) -> list[RenderableType]:
        sent_rate, received_rate = self._rate(state)
        silent = state.started and time.monotonic_ns() - state.moved[1] > _SILENT_NS
        style = "yellow" if silent else "green" if state.started else "dim"
        return [
            Text(state.plan.name, style=style),
            si(sent_rate),
            Text("silent", style="bold yellow") if silent else Text(si(received_rate)),
            f"{state.sent:,}",
            f"{state.received:,}",
        ]

    def _rate(self, state: FlowState) -> tuple[float, float]:
        """Smoothed over the last few samples."""
        t, sent, received, sent_rate, received_rate = self._rates.get(
            state.plan.name, (state.sampled_ns, state.sent, state.received, 0.0, 0.0)
        )
        span = (state.sampled_ns - t) / 1e9
        if span > 0.05:
            sent_rate = 0.5 * sent_rate + 0.5 * max(0, state.sent - sent) / span
            received_rate = 0.5 * received_rate + 0.5 * max(0, state.received - received) / span
            t, sent, received = state.sampled_ns, state.sent, state.received
        self._rates[state.plan.name] = (t, sent, received, sent_rate, received_rate)
        return sent_rate, received_rate


def si(number: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.2f} {unit}"
    return f"{number:.0f}"
