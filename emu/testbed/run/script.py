"""Going through steps, one after the other, and keeping a record of how each of them went."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.check.evidence import Step
from testbed.run.actors.base import ActorError
from testbed.run.history import History
from testbed.run.rpc import RpcFailure
from testbed.run.steps.base import Step as ScenarioStep
from testbed.run.steps.context import StepFailed
from testbed.run.watcher import Watcher

if TYPE_CHECKING:
    from testbed.run.steps.context import Run

_STEPS_ON_RECORD = 600  # a thousand repetitions are not read one by one


class Script:
    """`last_action` is the position in the history at which the last step that was no wait began."""

    def __init__(self, history: History, watcher: Watcher) -> None:
        self.last_action = 0
        self._history = history
        self._watcher = watcher
        self._depth = 0

    async def run(self, run: Run, steps: Sequence[ScenarioStep]) -> None:
        """StepFailed with the first step that did not come true; those after it are not done."""
        for step in steps:
            await self._step(run, step)

    async def _step(self, run: Run, step: ScenarioStep) -> None:
        text, depth, start = step.text(), self._depth, time.monotonic_ns()
        if step.kind not in ("wait", "label"):
            self.last_action = len(self._history.events)
        self._watcher.step_begins(text, depth)
        place, error, finished = self._record(Step(text, start, None)), "", False
        self._depth += 1
        try:
            await step.execute(run)
            finished = True
        except (ActorError, RpcFailure) as failure:
            error = str(failure)
            raise StepFailed(f"{text}: {failure}") from None
        except StepFailed as failure:
            error = str(failure)
            raise
        finally:
            self._depth -= 1
            end = time.monotonic_ns()
            if place is not None:
                self._history.steps[place] = Step(text, start, end if finished or error else None, error)
            self._watcher.step_ends(text, depth, (end - start) / 1e9, error)

    def _record(self, step: Step) -> int | None:
        if len(self._history.steps) >= _STEPS_ON_RECORD:
            return None
        self._history.steps.append(step)
        return len(self._history.steps) - 1
