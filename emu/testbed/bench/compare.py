"""Blocks in ABBA order, the same generator for both, the ratio of neighbouring blocks.

Absolute figures drift here from minute to minute; neighbours share a mode of the machine. A block in which the
hypervisor took the CPU away (steal) is repeated, and said.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from testbed.bench.subjects import GENERATOR_CPU, SUBJECTS, NamedSubject
from testbed.bench.testpmd import Testpmd, TestpmdOptions, mac, virtio_user_devices

WARM_UP_S, SAMPLE_S, SAMPLES = 1.0, 1.0, 3
MAX_STEAL = 0.01  # share of the block's CPU time
MAX_TRIES = 3


@dataclass
class Case:
    """One line of the table: two subjects under one load."""

    ring: str
    size: int
    subject: str = "switch"
    against: str = "testpmd-io"
    mpps: dict[str, list[float]] = field(default_factory=dict)
    rejected: int = 0

    @property
    def name(self) -> str:
        return f"{self.ring} {self.size} B"

    def median(self, subject: str) -> float:
        return statistics.median(self.mpps[subject])

    @property
    def ratio(self) -> float:
        """Median over neighbouring pairs of blocks: packets switched by `subject` for one by `against`."""
        pairs = zip(self.mpps[self.subject], self.mpps[self.against], strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)


def cpu_ticks() -> tuple[int, int]:
    """(steal, all) ticks of all CPUs since boot: proc(5), first line of /proc/stat."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[7], sum(fields)


async def measure(subject: NamedSubject, ring: str, size: int) -> float:
    """Mpps that arrive back at the generator, both directions together; the median of SAMPLES."""
    with tempfile.TemporaryDirectory(prefix="tb-") as scratch:
        directory = Path(scratch)
        sockets = [directory / f"s{i}" for i in range(2)]
        forward = [
            "--forward-mode=io",
            f"--txpkts={size}",
            f"--eth-peer=0,{mac(1)}",
            f"--eth-peer=1,{mac(0)}",
        ]
        options = TestpmdOptions(
            "generator", GENERATOR_CPU, virtio_user_devices(sockets, ring), tuple(forward)
        )
        async with subject.start(directory, sockets), Testpmd(options, directory) as generator:
            await generator.command("start tx_first 32")
            assert generator.telemetry is not None
            loop = asyncio.get_running_loop()
            await asyncio.sleep(WARM_UP_S)  # the measured thing is time itself
            rates = []
            for _ in range(SAMPLES):
                start, before = loop.time(), generator.telemetry.packets_received(2)
                await asyncio.sleep(SAMPLE_S)
                rates.append((generator.telemetry.packets_received(2) - before) / (loop.time() - start) / 1e6)
            return statistics.median(rates)


async def undisturbed(case: Case, subject: NamedSubject) -> float:
    for _ in range(MAX_TRIES):
        steal, total = cpu_ticks()
        mpps = await measure(subject, case.ring, case.size)
        steal_after, total_after = cpu_ticks()
        if (steal_after - steal) <= MAX_STEAL * (total_after - total):
            break
        case.rejected += 1
    if mpps == 0:
        raise RuntimeError(f"{subject.name}: no packet came through ({case.name})")
    return mpps


async def compare(cases: list[Case], blocks: int, progress: Callable[[str], None]) -> None:
    """Fills the cases' figures. `blocks` per subject and case, in ABBA order."""
    for case in cases:
        order = [case.subject, case.against, case.against, case.subject] * ((blocks + 1) // 2)
        for number, name in enumerate(order):
            progress(f"{case.name}: block {number + 1} of {len(order)}: {name}")
            mpps = await undisturbed(case, SUBJECTS[name])
            case.mpps.setdefault(name, []).append(mpps)
