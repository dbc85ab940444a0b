"""A case again, on processes that nothing has happened to: does it fail the same way?"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from testbed.check import judge
from testbed.fuzz.finding import LEAK_TIMES
from testbed.fuzz.grammar import ATTACKER, Profile, Steps
from testbed.fuzz.oracle import Oracle, Violation
from testbed.fuzz.stage import Played, Stage, stage
from testbed.fuzz.topology import Target
from testbed.run.actors.base import ActorError
from testbed.run.backends import Backend
from testbed.run.conduct import Interrupt, conduct
from testbed.run.rpc import RpcFailure
from testbed.run.steps.context import StepFailed
from testbed.run.watcher import Watcher
from testbed.scenario.load import load_jobs


async def attack(on: Stage, oracle: Oracle, steps: Steps, *, look: bool) -> tuple[Played, Violation | None]:
    """A case, and what it broke. `look`: also what stays broken, and may be found later."""
    played = await on.play(steps)
    found = await oracle.while_attacked()
    if found is None:
        with contextlib.suppress(StepFailed, RpcFailure, ActorError):
            await on.do([{"hang_up": ATTACKER}])
            await on.gone()
        found = await (oracle.after() if look else oracle.between())
    return played, found


class Replayer:
    """Goes on with the same processes as long as nothing is broken; starts others when something was."""

    def __init__(self, target: Target, profile: Profile, files: Path, most: int, seconds: float) -> None:
        self._target = target
        self._profile = profile
        self._files = files
        self._most = most
        self._deadline = time.monotonic() + seconds
        self._stage: tuple[Stage, Oracle] | None = None
        self._close: contextlib.AsyncExitStack = contextlib.AsyncExitStack()
        self.replays = 0
        self.done: Steps = []  # what could be done of the last case that failed

    def spent(self) -> bool:
        return self.replays >= self._most or time.monotonic() > self._deadline

    async def fails(self, steps: Steps, kind: str) -> bool:
        self.replays += 1
        on, oracle = await self._ready()
        for _ in range(LEAK_TIMES if kind == "mappings" else 1):
            played, found = await attack(on, oracle, steps, look=True)
            if found is not None:
                await self.aclose()
                if found.kind == kind:
                    self.done = played.done
                return found.kind == kind
        return False

    async def _ready(self) -> tuple[Stage, Oracle]:
        if self._stage is None:
            on = await self._close.enter_async_context(stage(self._target, self._profile, self._files))
            oracle = Oracle(on)
            await oracle.begin()
            self._stage = (on, oracle)
        return self._stage

    async def aclose(self) -> None:
        self._stage = None
        await self._close.aclose()


async def verdict_of(file: Path, backend: Backend, files: Path, interrupt: Interrupt) -> tuple[str, str]:
    """What `testbed run` says of a file: the verdict, and the first reason."""
    job = load_jobs([file], {})[0]
    _, evidence = await conduct(job.cells[0], job.file.seed, backend, None, files, Watcher(), interrupt)
    result = judge(evidence)
    return result.verdict, result.reason
