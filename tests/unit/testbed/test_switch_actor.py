"""The actor of testbed-switch: what is remembered of its counters while it ends. Its answers are made up here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from testbed.run.actors.base import World
from testbed.run.actors.switch import SwitchActor
from testbed.run.history import History
from testbed.run.places import Places
from testbed.run.rpc import RpcClosed


class Scripted(SwitchActor):
    """Answers `counters` from a list; when that is used up it has gone."""

    def __init__(self, world: World) -> None:
        super().__init__("switch", Path("none"), {"ports": {}, "bricks": {}, "edges": []}, world)
        self.samples: list[dict[str, Any]] = []

    async def call(self, method: str, params: Any = None, deadline_s: float = 1.0) -> Any:
        assert method == "counters"
        if not self.samples:
            raise RpcClosed("it has gone")
        return self.samples.pop(0)


def _counters(t: int, **received: int) -> dict[str, Any]:
    return {"t": t, "ports": {name: {"rx_packets": count} for name, count in received.items()}}


@pytest_asyncio.fixture
async def switch(tmp_path: Path) -> AsyncIterator[Scripted]:
    async with asyncio.TaskGroup() as tasks:
        yield Scripted(World(History(), Places(tmp_path, tmp_path), tasks, "test"))


async def test_the_last_counters_of_a_switch_outlive_its_ports(switch: Scripted) -> None:
    switch.samples = [_counters(1, p0=5), _counters(2, p0=9), _counters(3)]
    for _ in range(3):
        await switch.sample()
    assert switch.counters == _counters(2, p0=9)
    await switch.take_final()  # it has gone
    switch.record_life()
    (life,) = switch.world.history.switches
    assert life.counters == _counters(2, p0=9)
    assert not life.final


async def test_a_switch_that_never_had_a_port_is_sampled_all_the_same(switch: Scripted) -> None:
    switch.samples = [_counters(1), _counters(2)]
    await switch.sample()
    await switch.sample()
    assert switch.counters == _counters(2)


async def test_ports_that_change_are_taken_as_they_are(switch: Scripted) -> None:
    switch.samples = [_counters(1, p0=5), _counters(2, p1=1)]
    await switch.sample()
    await switch.take_final()
    (life,) = switch.world.history.switches
    assert life.counters == _counters(2, p1=1)
    assert life.final
