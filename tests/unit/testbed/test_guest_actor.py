"""The actor of a QEMU guest: what it makes of what happens to the guest. No QEMU is started."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from testbed.check.evidence import Event
from testbed.guest.command import GuestOptions
from testbed.run.actors.base import World
from testbed.run.actors.frontend import Arm
from testbed.run.actors.guest import GuestActor
from testbed.run.history import History
from testbed.run.places import Places

PANIC = "[    1.662297] Kernel panic - not syncing: System is deadlocked on memory"


async def guest_that_panics(directory: Path, up: bool, console: list[str]) -> GuestActor:
    async with asyncio.TaskGroup() as tasks:
        world = World(History(), Places(directory, directory), tasks, "test")
        options = GuestOptions("g1", directory / "g1.sock", "client", "02:00:00:00:00:01")
        guest = GuestActor(options, cast(Any, None), cast(Any, None), world, cast(Arm, None))
        guest.up = up
        guest._take(Event(1, "g1", "guest.panicked", {"console_tail": console}))
        return guest


@pytest.mark.parametrize(
    ("console", "because"),
    [
        (
            ["[    1.0] fine", PANIC, "[    1.7] Call Trace:"],
            "Kernel panic - not syncing: System is deadlocked",
        ),
        ([], "its kernel panicked"),
    ],
)
async def test_nobody_waits_for_a_guest_that_panicked_before_it_was_ready(
    tmp_path: Path, console: list[str], because: str
) -> None:
    guest = await guest_that_panics(tmp_path, up=False, console=console)
    assert guest.failure.startswith(f"did not come up: {because}")


async def test_a_guest_that_panics_later_is_for_the_checkers(tmp_path: Path) -> None:
    assert (await guest_that_panics(tmp_path, up=True, console=[PANIC])).failure == ""
