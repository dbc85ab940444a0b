"""When does what a fault broke work again? One answer for each kind; conditions on the state, looked at after every
change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from testbed.run.faults import Works

if TYPE_CHECKING:
    from testbed.run.cell import Cell
    from testbed.run.flows import FlowState


class Recovery:
    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def of(self, kind: str, actor: str) -> Works:
        """The actor is up, the ports it is a side of are up, and flows that it is on the path of move again."""
        if kind == "exec":
            return lambda healed: True
        return lambda healed: self._is_back(actor) and self._flows_moved(self._flows_of(actor), healed)

    def of_session(self, port: str) -> Works:
        """There is a session again, and the flows over it move."""
        ends = [name for name in self._cell.cast.frontends if self._cell.port_of(name) == port]

        def works(healed: int) -> bool:
            flows = [state for end in ends for state in self._flows_of(end)]
            awaited = any(self._cell.cast.frontends[end].connects for end in ends)
            there = self._cell.is_port_up(port) or not awaited
            return there and self._flows_moved(flows, healed)

        return works

    def _is_back(self, actor: str) -> bool:
        cell = self._cell
        if not cell.cast.all[actor].answers:
            return False
        if actor in cell.cast.frontends:
            return not cell.cast.frontends[actor].connects or cell.is_port_up(cell.port_of(actor))
        mine = [
            cell.port_of(frontend.name)
            for frontend in cell.cast.frontends.values()
            if frontend.answers
            and frontend.connects
            and cell.scenario.split_port(cell.port_of(frontend.name))[0] == actor
        ]
        return all(cell.is_port_up(port) for port in mine)

    def _flows_of(self, actor: str) -> list[FlowState]:
        cell = self._cell
        if actor in cell.cast.frontends:
            ends = {actor}
        else:
            ends = {f for f in cell.cast.frontends if cell.scenario.split_port(cell.port_of(f))[0] == actor}
        return [state for state in cell.flows.states.values() if {state.plan.source, state.plan.sink} & ends]

    def _flows_moved(self, flows: Iterable[FlowState], since: int) -> bool:
        """Of those that were started, have something to send, and whose ends are both there."""
        return all(
            state.moved_after(since)
            for state in flows
            if state.started
            and state.rate_pps != 0
            and self._is_there(state.plan.source)
            and self._is_there(state.plan.sink)
        )

    def _is_there(self, frontend: str) -> bool:
        """A driver that a script took the session from has none until the script makes one."""
        actor = self._cell.cast.frontends[frontend]
        return actor.answers and (actor.connects or self._cell.is_port_up(self._cell.port_of(frontend)))
