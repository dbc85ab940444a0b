"""Ending a process, politely at first: rungs are tried in order until it is gone. The last one cannot fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """`ask` asks the process to end. From then on it has `within_s` to be gone, the asking included; when asking fails (any
    exception) or says that it was in vain (False), the next rung follows at once."""

    name: str
    ask: Callable[[], Awaitable[bool]]
    within_s: float


async def descend(gone: asyncio.Event, rungs: Sequence[Rung]) -> str:
    """Tries the rungs until `gone` is set. Returns the name of the one that did it, "" when it was gone before.
    TimeoutError when even the last did not."""
    if gone.is_set():
        return ""
    for rung in rungs:
        asking = asyncio.ensure_future(_ask(rung))
        waiting = asyncio.ensure_future(gone.wait())
        try:
            async with asyncio.timeout(rung.within_s):
                await asyncio.wait({asking, waiting}, return_when=asyncio.FIRST_COMPLETED)
                if gone.is_set() or await asking:
                    await waiting
        except TimeoutError:
            pass
        finally:
            asking.cancel()
            waiting.cancel()
            await asyncio.gather(asking, waiting, return_exceptions=True)
        if gone.is_set():
            return rung.name
    raise TimeoutError(f"still there after {', '.join(rung.name for rung in rungs)}")


async def first_of(events: Sequence[asyncio.Event], within_s: float) -> None:
    """Until one of them is set, or it has taken so long."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _ask(rung: Rung) -> bool:
    try:
        return await rung.ask()
    except Exception:  # noqa: BLE001 - whatever is wrong with asking, there is a next rung
        return False
