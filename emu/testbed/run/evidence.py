"""What a cell leaves for the checkers."""

from __future__ import annotations

from typing import Any

from testbed.check.evidence import Evidence
from testbed.run.cell import Cell
from testbed.run.flow_plan import expanded


def gather(cell: Cell, start: int, end: int, aborted: str, aborted_by: str) -> Evidence:
    planned = [state.plan for state in cell.flows.states.values()]
    expectations: list[dict[str, Any]] = [expanded(entry.plain(), planned) for entry in cell.scenario.expect]
    history = cell.history
    return Evidence(
        cell=dict(cell.axes),
        seed=cell.seed,
        backend=cell.backend.name,
        expectations=expectations,
        topology=cell.scenario.topology(),
        start=start,
        end=end,
        steps_start=cell.steps_start or end,
        events=history.events,
        faults=cell.faults.evidence(),
        flows=cell.flows.evidence(cell.reports),
        endpoints=cell.endpoints,
        switches=history.switches,
        resources=history.resources,
        calls=history.calls,
        exits=history.exits,
        samples=history.samples,
        pages=history.pages,
        logs=history.logs,
        aborted=aborted,
        aborted_by=aborted_by,
        steps=history.steps,
    )
