"""The machine under the bench: what its two CPUs allow, and whether somebody else was at work meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from testbed.bench.subjects.base import GENERATOR_CPU, SUBJECT_CPU
from testbed.run.binaries import find_program

# Lines that have to come over for every frame besides those of the frame itself, on both sides of the switch: of a split
# ring's descriptors (16 octets: four on a line), avail (2 octets) and used (8 octets) entries.
RING_LINES = 2 * (1 / 4 + 1 / 32 + 1 / 8)
HEADER = 12  # struct virtio_net_hdr_mrg_rxbuf, in front of every frame
BURST = 32  # frames that share one look at an index, at the best


@dataclass(frozen=True)
class Limits:
    """testbed-limits' figures, in TSC cycles: of a line's way to the other CPU, and of frames by octets."""

    ping_pong: float
    tsc_hz: float
    frames: dict[int, dict[str, float]]

    def cycles_per_packet(self, size: int) -> float:
        """The floor for a switch that copies once: the frame is fetched from one guest and claims the other's buffer
        (their common part, the copying itself, counts once); ring lines come at the rate of a frame's; and once in a burst
        each side waits for an index that the guest has just written."""
        frame = self.frames[size]
        line = (self.frames[64]["fetch"] - self.frames[64]["local"]) * 64 / (64 + HEADER)
        payload = frame["fetch"] + frame["claim"] - frame["local"]
        return payload + RING_LINES * max(line, 0.0) + 2 * self.ping_pong / BURST


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
    asked = ",".join(str(size + HEADER) for size in wanted)
    document = await _measure("--budget-ms", "10", "--sizes", asked)
    frames = document["frames"]
    assert isinstance(frames, dict)
    by_size = {size: frames[str(size + HEADER)] for size in wanted}
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
