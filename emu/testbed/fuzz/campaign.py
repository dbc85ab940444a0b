"""A fuzz run: case after case until the time is over; what is found is repeated, shrunk, written down, and not looked for
again."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from testbed.fuzz import grammar
from testbed.fuzz.finding import LEAKS, Finding, shapes, write
from testbed.fuzz.grammar import PROFILES, Profile, Steps
from testbed.fuzz.known import known_of
from testbed.fuzz.oracle import Oracle, Violation
from testbed.fuzz.replay import Replayer, attack, verdict_of
from testbed.fuzz.shrink import Fails, shrink
from testbed.fuzz.stage import Seen, Stage, stage
from testbed.fuzz.topology import Target
from testbed.run.actors.base import ActorError
from testbed.run.conduct import Interrupt
from testbed.run.rpc import RpcFailure
from testbed.run.steps.context import StepFailed

# Then everything is started anew, and another kind of guest attacks.
CASES_A_STAGE = 256
# After so many cases everything is looked at that stays broken; in replays after each. A look takes longer than a case.
LOOK_EVERY = 8
_REPLAYS, _SHRINK_S = 100, 40.0
# Of leaks so many are told: where descriptors that no message should carry are kept, every message shows it.
_MOST_LEAKS = 2
_TRIES = 3
NOT_UP = (StepFailed, ActorError, RpcFailure)
_EARLIER = 5  # cases before the last look that may have had a part in what is broken at this one


@dataclass(frozen=True)
class Kept:
    """A finding that was written down. `verdict`: what `testbed run` says of its file."""

    finding: Finding
    file: Path
    verdict: str
    reason: str


@dataclass
class Tally:
    """What there is to tell, at any time."""

    seed: int
    seconds: float
    start: float = field(default_factory=time.monotonic)
    cases: int = 0
    skipped: int = 0  # about something that was found already
    known: Counter[str] = field(default_factory=Counter)  # passed over, by reason
    steps: int = 0
    seen: Seen = field(default_factory=Counter)
    kept: list[Kept] = field(default_factory=list)
    doing: str = ""

    @property
    def left_s(self) -> float:
        return max(0.0, self.start + self.seconds - time.monotonic())

    @property
    def rate(self) -> float:
        """Cases a second, everything included."""
        return self.cases / max(time.monotonic() - self.start, 0.001)


class View:
    """What a person sees. This one says nothing; progress.py does."""

    def changed(self, tally: Tally) -> None:
        """Something is different, or some milliseconds have passed."""

    def found(self, kept: Kept) -> None: ...


class Campaign:
    """`most`: it ends after so many findings. `directory`: where findings and logs go."""

    def __init__(self, target: Target, tally: Tally, directory: Path, most: int, view: View) -> None:
        self.tally = tally
        self.interrupt = Interrupt()
        self.judging = False  # `interrupt` is what ends it; else its task may be cancelled
        self._target = target
        self._directory = directory
        self._most = most
        self._view = view
        self._found: list[frozenset[str]] = []
        self._known = known_of(target)
        self._number = 0

    @property
    def _over(self) -> bool:
        tally = self.tally
        return not tally.left_s or len(tally.kept) >= self._most or self.interrupt.pressed > 0

    async def run(self) -> None:
        """StepFailed, ActorError, RpcFailure: the backend does not come up, again and again."""
        turn, failures = 0, 0
        while not self._over:
            profile = PROFILES[turn % len(PROFILES)]
            turn += 1
            self._say(f"starting ({profile.name})")
            try:
                found = await self._turn(profile)
                failures = 0
            except NOT_UP as failure:
                failures += 1
                if failures == _TRIES:
                    raise
                self._say(f"starting again: {failure}")
                continue
            if found is not None:
                await self._keep(profile, *found)

    async def _turn(self, profile: Profile) -> tuple[list[Steps], Violation] | None:
        """Cases until something is broken, with those that may have broken it; None when nothing was."""
        async with stage(self._target, profile, self._directory / "stage") as on:
            oracle = Oracle(on)
            await oracle.begin()
            self._say(f"attacker: {profile.name}")
            earlier: list[Steps] = []
            for _ in range(0, CASES_A_STAGE, LOOK_EVERY):
                played, violation = await self._cases(on, oracle, profile)
                if violation is not None and not self._is_enough(violation):
                    return [*earlier, *played], violation
                if violation is not None:
                    await oracle.begin()
                if self._over:
                    return None
                earlier = played[-_EARLIER:]
        return None

    async def _cases(
        self, on: Stage, oracle: Oracle, profile: Profile
    ) -> tuple[list[Steps], Violation | None]:
        """Some, fewer when the time is over, and then a look."""
        played: list[Steps] = []
        for left in reversed(range(LOOK_EVERY)):
            done, violation = await self._case(on, oracle, self._next(profile), left)
            played.append(done)
            if violation is not None:
                return played, violation
            if self._over and left:
                return played, await oracle.after()
        return played, None

    def _is_enough(self, violation: Violation) -> bool:
        kinds = [kept.finding.violation.kind for kept in self.tally.kept]
        return violation.kind in LEAKS and kinds.count(violation.kind) >= _MOST_LEAKS

    def _next(self, profile: Profile) -> Steps:
        while True:
            steps = grammar.case(self.tally.seed, self._number, profile)
            self._number += 1
            odd = shapes(steps)
            about = next((known for known in self._known if known.shapes <= odd), None)
            if about is not None:
                self.tally.known[about.because] += 1
            elif any(found <= odd for found in self._found):
                self.tally.skipped += 1
            else:
                return steps

    async def _case(
        self, on: Stage, oracle: Oracle, steps: Steps, left: int
    ) -> tuple[Steps, Violation | None]:
        """`left`: cases before the next look; 0: it belongs to this one."""
        played, violation = await attack(on, oracle, steps, look=not left)
        tally = self.tally
        tally.cases += 1
        tally.steps += len(played.done)
        tally.seen += played.seen
        self._view.changed(tally)
        return played.done, violation

    # -- What was found
    async def _keep(self, profile: Profile, played: list[Steps], violation: Violation) -> None:
        case = self._number - 1
        self._say(f"case {case}: {violation.kind}: {violation.detail}; repeating it")
        replayer = Replayer(self._target, profile, self._directory / "replay", _REPLAYS, _SHRINK_S)
        async with contextlib.aclosing(replayer):
            steps = await self._repeated(replayer, played, violation.kind)
            if steps is not None:
                self._say(f"case {case}: {violation.kind}; shrinking {len(steps)} steps")
                with contextlib.suppress(*NOT_UP):  # what is known by then is a case that failed
                    await shrink(steps, self._asking(replayer, violation.kind), replayer.spent)
                steps = replayer.done
        finding = Finding(
            violation, profile, steps or played[-1], case, steps is not None, self._target.datapath
        )
        await self._write(finding)

    def _asking(self, replayer: Replayer, kind: str) -> Fails:
        async def ask(steps: Steps) -> bool:
            self._view.changed(self.tally)
            return await replayer.fails(steps, kind)

        return ask

    async def _repeated(self, replayer: Replayer, played: list[Steps], kind: str) -> Steps | None:
        """One of the cases, the last one first, or all of them: whichever breaks the same on fresh processes."""
        everything = [step for steps in played for step in [*steps, {"hang_up": grammar.ATTACKER}]]
        for steps in (*[played[-1]] * _TRIES, *reversed(played[:-1]), *[everything] * _TRIES):
            with contextlib.suppress(*NOT_UP):
                if await replayer.fails(steps, kind):
                    return steps
        return None

    async def _write(self, finding: Finding) -> None:
        kind = "finding" if finding.reproduced else "unrepeated"
        name = f"{kind}-{len(self.tally.kept) + 1}"
        file = write(finding, self._directory, name, self.tally.seed)
        self._say(f"{name}: running its file")
        self.judging = True
        try:
            verdict, reason = await verdict_of(
                file, self._target.backend, self._directory / name, self.interrupt
            )
        finally:
            self.judging = False
        kept = Kept(finding, file, verdict, reason)
        self.tally.kept.append(kept)
        if odd := shapes(finding.steps):
            self._found.append(odd)
        self._view.found(kept)

    def _say(self, text: str) -> None:
        self.tally.doing = text
        self._view.changed(self.tally)
