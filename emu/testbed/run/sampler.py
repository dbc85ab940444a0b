"""Looks at everything about ten times a second: counters of switches, counts of flows; more often while somebody waits."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.run.actors.base import Actor
from testbed.run.actors.frontend import Frontend
from testbed.run.actors.proxy import ProxyActor
from testbed.run.actors.switch import SwitchActor
from testbed.run.rpc import RpcFailure

if TYPE_CHECKING:
    from testbed.run.cell import Cell

_PERIOD_S = 0.1
_HURRIED_S = 0.015
_BETWEEN_SNAPSHOTS_NS = 250 * 10**6
_SETTLED_NS = 500 * 10**6


@dataclass(frozen=True)
class Baseline:
    size: int  # sessions
    since: int


class Sampler:
    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._waiting = 0
        self._wanted = asyncio.Event()
        self._stopping = False
        self._snapshot_due = False
        self._last_snapshot = 0
        self._baselines: dict[str, Baseline] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._snapshots: asyncio.Task[None] | None = None
        self._judged = [
            name for entry in cell.scenario.expect if entry.kind == "untouched" for _, name in entry.flows()
        ]

    def start(self) -> None:
        """Each actor has a task of its own: a slow one delays nobody else."""
        work = self._cell.world.background
        self._tasks = [work(self._follow(a), f"sample {a.name}") for a in self._cell.cast.all.values()]
        self._snapshots = work(self._take_due_snapshots(), "snapshots")
        self._tasks.append(self._snapshots)

    async def stop(self) -> None:
        """A call under way gets its answer first, or its deadline passes: one that nobody answers is no small thing."""
        self._stopping = True
        self._wanted.set()
        if self._snapshots is not None:
            self._snapshots.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    @contextlib.contextmanager
    def hurry(self) -> Iterator[None]:
        """While somebody waits for what a sample would show."""
        self._waiting += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()

    def want_snapshot(self) -> None:
        self._snapshot_due = True

    async def snapshot(self) -> None:
        """Histograms of the flows that an `untouched` names."""
        self._snapshot_due, self._last_snapshot = False, time.monotonic_ns()
        if self._judged:
            await self._cell.flows.snapshot(self._judged)

    async def flush_snapshot(self) -> None:
        if self._snapshot_due:
            await self.snapshot()

    async def _follow(self, actor: Actor) -> None:
        while not self._stopping:
            if actor.answers:
                with contextlib.suppress(RpcFailure):
                    await self._sample(actor)
            await self._pace()

    async def sample_once(self, actor: Actor) -> None:
        """RpcFailure"""
        if isinstance(actor, SwitchActor):
            await actor.sample()
        elif isinstance(actor, Frontend):
            await self._cell.flows.sample(actor)

    async def baseline(self, actor: Actor) -> None:
        """What it holds before the steps; where a step starts something, when that is connected for the first time.

        A session is up some messages before the last descriptor of its handshake has come: it is looked at again while
        it settles, unless something is broken meanwhile.
        """
        size, now = self._size(actor), time.monotonic_ns()
        known = self._baselines.get(actor.name)
        if not actor.answers:
            return
        if known is None or size > known.size:
            self._baselines[actor.name] = Baseline(size, now)
        elif size < known.size or now - known.since > _SETTLED_NS or self._broken_since(known.since):
            return
        await actor.sample_resources("before")

    def _broken_since(self, since: int) -> bool:
        return any(fault.start > since for fault in self._cell.faults.all)

    def _size(self, actor: Actor) -> int:
        """How many sessions it has: each costs descriptors and mappings that are no leak."""
        cell = self._cell
        if isinstance(actor, ProxyActor):
            return len(actor.sessions)
        if isinstance(actor, SwitchActor):
            return sum(
                cell.is_port_up(cell.port_of(end.name)) for end in self._ends_of(actor) if end.connects
            )
        return int(cell.is_port_up(cell.port_of(actor.name)))

    def _ends_of(self, switch: Actor) -> list[Frontend]:
        """Those that are driven by hand are gone at the end, and with them what they cost."""
        cell = self._cell
        ends = cell.cast.frontends.values()
        return [end for end in ends if cell.scenario.split_port(cell.port_of(end.name))[0] == switch.name]

    async def _sample(self, actor: Actor) -> None:
        await self.baseline(actor)
        await self.sample_once(actor)
        self._cell.faults.look()
        await self._cell.flows.start_ready()

    async def _pace(self) -> None:
        """A tenth of a second, or less as soon as somebody is in a hurry."""
        if self._waiting:
            await asyncio.sleep(_HURRIED_S)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PERIOD_S):
                await self._wanted.wait()

    async def _take_due_snapshots(self) -> None:
        while True:
            await asyncio.sleep(_PERIOD_S)
            old_enough = time.monotonic_ns() - self._last_snapshot > _BETWEEN_SNAPSHOTS_NS
            if self._snapshot_due and old_enough and not self._cell.faults.any_open:
                await self.snapshot()
