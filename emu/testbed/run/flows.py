"""The flows of a cell while it runs: given to the frontends in each of their lives, started, followed, asked at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.check.evidence import Event, FlowEvidence
from testbed.run.actors.frontend import Frontend
from testbed.run.flow_plan import PlannedFlow, members
from testbed.run.flow_report import FlowReports
from testbed.run.history import History
from testbed.run.rpc import RpcFailure


@dataclass
class FlowState:
    """One flow. `moved` holds the last span in which the receiver's count grew."""

    plan: PlannedFlow
    rate_pps: float | None
    started: bool = False
    senders: int = 0  # lives of each end that were given the flow
    receivers: int = 0
    sent: int = 0
    received: int = 0
    sampled_ns: int = 0
    moved: tuple[int, int] = (0, 0)
    snapshots: list[dict[str, Any]] = field(default_factory=list)

    def moved_after(self, t: int) -> bool:
        return self.moved[0] >= t


class Flows:
    """`run` is the number that all probes of this cell carry; `ready` says whether a flow's path is there."""

    def __init__(
        self,
        planned: list[PlannedFlow],
        frontends: Mapping[str, Frontend],
        history: History,
        run: int,
        ready: Callable[[PlannedFlow], bool],
    ) -> None:
        self.states = {flow.name: FlowState(flow, flow.rate_pps) for flow in planned}
        self._frontends = frontends
        self._history = history
        self._run = run
        self._ready = ready
        self._begun = False
        self._by_number = {flow.number: flow.name for flow in planned}
        history.on_event.append(self._follow)

    def named(self, groups: Iterable[str]) -> list[FlowState]:
        plans = [state.plan for state in self.states.values()]
        return [self.states[flow.name] for flow in members(plans, list(groups))]

    # -- A frontend's life
    async def arm(self, frontend: str) -> None:
        """Gives a frontend all its flows. RpcFailure."""
        for state in self.states.values():
            if state.plan.sink == frontend:
                await self._expect(state)
                state.receivers += 1
        for state in self.states.values():
            if state.plan.source == frontend:
                await self._send(state)
                state.senders += 1

    async def _expect(self, state: FlowState) -> None:
        sink, _ = self._ends(state)
        state.received, state.sampled_ns = 0, 0
        await sink.call("flow.expect", state.plan.expect(self._run, sink.flow_end))

    async def _send(self, state: FlowState) -> None:
        _, source = self._ends(state)
        document = state.plan.send(self._run, source.flow_end)
        if state.rate_pps is not None:
            document["rate_pps"] = state.rate_pps
        state.sent = 0
        await source.call("flow.send", document)
        if state.started:
            await source.call("flow.start", {"flow": state.plan.number})

    def _ends(self, state: FlowState) -> tuple[Frontend, Frontend]:
        return self._frontends[state.plan.sink], self._frontends[state.plan.source]

    # -- Starting and stopping
    async def begin(self) -> None:
        """From now on a flow starts as soon as both its ends are connected for the first time."""
        self._begun = True
        await self.start_ready()

    async def start_ready(self) -> None:
        for state in self.states.values():
            if self._begun and not state.started and self._can_start(state):
                state.started = True
                source = self._frontends[state.plan.source]
                try:
                    await source.call("flow.start", {"flow": state.plan.number})
                except RpcFailure:
                    state.started = not source.running

    def _can_start(self, state: FlowState) -> bool:
        """The session of a port is up before its frontend has posted a buffer: the link is what the frontend says itself."""
        sink, source = self._ends(state)
        return all(end.answers and end.linked for end in (sink, source)) and self._ready(state.plan)

    async def stop(self) -> None:
        """Receivers first, so that they do not take the end for an outage."""
        self._begun = False
        for ends in ("sink", "source"):
            for name in dict.fromkeys(getattr(state.plan, ends) for state in self.states.values()):
                if self._frontends[name].answers:
                    try:
                        await self._frontends[name].call("flow.stop", {})
                    except RpcFailure:
                        continue

    async def set_rate(self, groups: Iterable[str], rate_pps: float) -> None:
        """RpcFailure"""
        for state in self.named(groups):
            state.rate_pps = rate_pps
            change = {"flow": state.plan.number, "rate_pps": rate_pps}
            for end in self._ends(state):
                if end.answers:
                    await end.call("flow.set", change)

    # -- Following
    async def sample(self, frontend: Frontend) -> None:
        """The counts that this end knows. RpcFailure."""
        before = time.monotonic_ns()
        counts: dict[str, Any] = await frontend.call("flow.counts")
        for number, count in counts.items():
            name = self._by_number.get(int(number))
            if name is None:
                continue
            state = self.states[name]
            if state.plan.source == frontend.name:
                state.sent = int(count.get("sent", state.sent))
            if state.plan.sink == frontend.name:
                self._received(state, int(count.get("received", 0)), before)
        self._history.changed()

    def _received(self, state: FlowState, received: int, asked_ns: int) -> None:
        if received > state.received and state.sampled_ns:
            state.moved = (state.sampled_ns, asked_ns)
        state.received, state.sampled_ns = received, time.monotonic_ns()
        self._history.samples.append(
            {"t": state.sampled_ns, "flow": state.plan.name, "sent": state.sent, "received": received}
        )

    def _follow(self, event: Event) -> None:
        if event.name == "frontend.link":
            self._link_changed(event)
        if event.name != "flow.moving":
            return
        flow = event.fields.get("flow")
        name = self._by_number.get(flow, "") if isinstance(flow, int) else str(flow)
        state = self.states.get(name)
        if state is not None:
            state.moved = max(state.moved, (event.t, event.t))

    def _link_changed(self, event: Event) -> None:
        """A frontend in the switch's process is told of by the switch."""
        name = event.actor if event.actor in self._frontends else str(event.fields.get("frontend"))
        if name in self._frontends:
            self._frontends[name].linked = bool(event.fields.get("up"))

    async def snapshot(self, groups: Iterable[str]) -> None:
        """The receivers' histograms as they stand, for the blast radius."""
        for state in self.named(groups):
            sink = self._frontends[state.plan.sink]
            if not sink.answers:
                continue
            t = time.monotonic_ns()
            try:
                report = await sink.call("flow.report", {"flow": state.plan.number})
            except RpcFailure:
                continue
            receiver = report.get(str(state.plan.number), {}).get("receiver") or {}
            if "latency" in receiver:
                state.snapshots.append({"t": t, "latency": receiver["latency"]})

    # -- The end
    def evidence(self, reports: FlowReports) -> dict[str, FlowEvidence]:
        found: dict[str, FlowEvidence] = {}
        for name, state in self.states.items():
            plan = state.plan
            sender, sender_missing = reports.of(plan.source, plan, "sender")
            receiver, receiver_missing = reports.of(plan.sink, plan, "receiver")
            error = max(self._frontends[end].clock_error_ns for end in (plan.source, plan.sink))
            found[name] = FlowEvidence(
                name=name,
                source=plan.source,
                sink=plan.sink,
                flow_id=plan.number,
                rate_pps=state.rate_pps,
                sender=sender,
                receiver=receiver,
                missing="; ".join(filter(None, (sender_missing, receiver_missing))),
                clock_error_ns=error,
                sender_incarnations=max(1, state.senders),
                receiver_incarnations=max(1, state.receivers),
                snapshots=tuple(state.snapshots),
            )
        return found
