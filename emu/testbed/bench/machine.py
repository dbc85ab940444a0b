"""The machine under the bench: what its two CPUs allow, and whether somebody else was at work meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from testbed.bench.model import Load
from testbed.bench.subjects.base import GENERATOR_CPU, SUBJECT_CPU
from testbed.run.binaries import find_program

# Lines of the rings that come over for every frame, on both sides of the switch: of a split ring's descriptors (16 octets:
# four on a line), avail (2 octets) and used (8 octets) entries.
RING_LINES = 2 * (1 / 4 + 1 / 32 + 1 / 8)
BURST = 32  # frames that share one look at an index, at the best


@dataclass(frozen=True)
class Limits:
    """testbed-limits' figures, in TSC cycles: of a line's way to the other CPU, and of frames by octets."""

    ping_pong: float
    tsc_hz: float
    frames: dict[int, dict[str, float]]

    def cycles_per_packet(self, load: Load) -> float:
        """The floor for a switch that copies once, by what must come over to its CPU for a frame:

        the rings' lines; the line of the header that it writes and the receiver reads; once in a burst, for each side, an
        index that a guest has just written. A frame that the guests touch is fetched from the one and claims the other's
        buffer (the copying itself counts once), and so is the header it came with; one they do not touch stays here.
        """
        line, frame = self.frames[64], self.frames[load.size]
        fetch, claim = max(line["fetch"] - line["local"], 0.0), max(line["claim"] - line["local"], 0.0)
        moving = RING_LINES * fetch + claim + 2 * self.ping_pong / BURST
        if not load.touched:
            return moving + frame["local"]
        return moving + fetch + frame["fetch"] + frame["claim"] - frame["local"]


async def _measure(*arguments: str) -> dict[str, object]:
    program = find_program("testbed-limits")
    command = [str(program), "--here", str(SUBJECT_CPU), "--there", str(GENERATOR_CPU), *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise RuntimeError("testbed-limits failed")
    document: dict[str, object] = json.loads(output)
    return document


async def ping_pong() -> float:
    document = await _measure("--budget-ms", "10")
    return float(str(document["ping_pong"]))


async def limits(sizes: set[int]) -> Limits:
    wanted = sorted(sizes | {64})
    asked = ",".join(str(size) for size in wanted)
    document = await _measure("--budget-ms", "10", "--sizes", asked)
    frames = document["frames"]
    assert isinstance(frames, dict)
    by_size = {size: frames[str(size)] for size in wanted}
    return Limits(float(str(document["ping_pong"])), float(str(document["tsc_hz"])), by_size)


class Watch:
    """What others did to us since this was made: CPU time that the hypervisor gave away, and time in which threads of `pids`
    could have run and did not."""

    MOST_STOLEN = 0.01
    MOST_WAITED = 0.02

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self._before = self._sample()

    def _sample(self) -> tuple[int, int, int, int]:
        fields = [int(word) for word in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
        return fields[7], sum(fields), sum(_waited_ns(pid) for pid in self._pids), time.monotonic_ns()

    def disturbance(self) -> str:
        """Empty when the machine was ours. The eighth number of /proc/stat is steal (proc(5))."""
        now = self._sample()
        stolen, total, waited, passed = (at - before for at, before in zip(now, self._before, strict=True))
        if total and stolen / total > self.MOST_STOLEN:
            return f"the hypervisor took {100 * stolen / total:.0f} % of the CPU time"
        if waited / passed > self.MOST_WAITED:
            return f"other programs took {100 * waited / passed:.0f} % of the time"
        return ""


def _waited_ns(pid: int) -> int:
    """How long the threads of a process stood in a run queue: the second number of schedstat."""
    waited = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            waited += int(path.read_text().split()[1])
    return waited
