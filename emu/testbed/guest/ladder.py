"""Ending a process, politely at first: rungs are tried in order until it is gone. The last one cannot fail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """`ask` asks the process to end (it may fail or hang: that costs its time only); it has `within_s` to be gone."""

    name: str
    ask: Callable[[], Awaitable[None]]
    within_s: float


async def descend(gone: asyncio.Event, rungs: Sequence[Rung]) -> str:
    """Tries the rungs until `gone` is set. Returns the name of the one that did it, "" when it was gone before.
    TimeoutError when even the last did not."""
    if gone.is_set():
        return ""
    for rung in rungs:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rung.within_s):
                await _ask(rung, gone)
                await gone.wait()
        if gone.is_set():
            return rung.name
    raise TimeoutError(f"still there after {', '.join(rung.name for rung in rungs)}")


async def _ask(rung: Rung, gone: asyncio.Event) -> None:
    """Runs until the request was made, failed, or is pointless."""
    asking = asyncio.ensure_future(rung.ask())
    waiting = asyncio.ensure_future(gone.wait())
    try:
        await asyncio.wait({asking, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (asking, waiting):
            task.cancel()
        await asyncio.gather(asking, waiting, return_exceptions=True)
