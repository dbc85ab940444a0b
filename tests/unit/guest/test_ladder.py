"""Ending a process: each rung gets its time, a rung that fails costs none, the last one is sure."""

from __future__ import annotations

import asyncio

import pytest
from testbed.guest.ladder import Rung, descend


class Process:
    """Ends when asked in one of the ways it hears."""

    def __init__(self, hears: str) -> None:
        self.hears = hears
        self.gone = asyncio.Event()
        self.asked: list[str] = []

    def rung(self, name: str, within_s: float = 0.05) -> Rung:
        async def ask() -> bool:
            self.asked.append(name)
            if name == self.hears:
                self.gone.set()
            return True

        return Rung(name, ask, within_s)


async def test_the_first_rung_that_works_is_the_last_one_tried() -> None:
    process = Process(hears="quit")
    rungs = [process.rung(name) for name in ("agent", "quit", "SIGTERM", "SIGKILL")]
    assert await descend(process.gone, rungs) == "quit"
    assert process.asked == ["agent", "quit"]


async def test_a_process_that_is_gone_is_not_asked() -> None:
    process = Process(hears="")
    process.gone.set()
    assert await descend(process.gone, [process.rung("agent")]) == ""
    assert process.asked == []


async def test_a_rung_that_cannot_ask_gives_way_at_once() -> None:
    process = Process(hears="SIGKILL")

    async def fail() -> bool:
        raise ConnectionError

    async def in_vain() -> bool:
        return False

    rungs = [Rung("agent", fail, 3600), Rung("quit", in_vain, 3600), process.rung("SIGKILL", 5)]
    async with asyncio.timeout(5):
        assert await descend(process.gone, rungs) == "SIGKILL"


async def test_asking_that_hangs_costs_its_time_only() -> None:
    process = Process(hears="SIGKILL")

    async def hang() -> bool:
        await asyncio.Event().wait()
        return True

    assert await descend(process.gone, [Rung("agent", hang, 0.01), process.rung("SIGKILL", 5)]) == "SIGKILL"


async def test_dying_while_being_asked_counts_for_that_rung() -> None:
    process = Process(hears="")

    async def die_without_answer() -> bool:
        process.gone.set()
        await asyncio.Event().wait()
        return True

    assert await descend(process.gone, [Rung("agent", die_without_answer, 5)]) == "agent"


async def test_a_process_that_survives_everything_is_an_error_that_names_the_rungs() -> None:
    process = Process(hears="")
    with pytest.raises(TimeoutError, match="agent, SIGKILL"):
        await descend(process.gone, [process.rung("agent", 0.01), process.rung("SIGKILL", 0.01)])
