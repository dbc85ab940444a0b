"""What machine this is, as far as it bears on a result. Nothing here raises: what cannot be found out stays empty."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from testbed.report.model import Environment

PROJECT = Path(__file__).resolve().parents[3]

_TIMEOUT_S = 5.0


def output_of(*command: str) -> str:
    """What a command prints; empty when it is missing, fails or takes too long."""
    try:
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=PROJECT
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip()


def read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def first_number(text: str) -> int:
    match = re.search(r"\d+", text)
    return int(match[0]) if match else 0


def hugepages_total() -> int:
    return first_number(_meminfo("HugePages_Total"))


def memory_mb(key: str = "MemTotal") -> int:
    return first_number(_meminfo(key)) // 1024


def _meminfo(key: str) -> str:
    match = re.search(rf"^{key}:\s*(.*)$", read("/proc/meminfo"), re.MULTILINE)
    return match[1] if match else ""


def cpu_model() -> str:
    match = re.search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo"), re.MULTILINE)
    return match[1] if match else platform.machine()


def dpdk_version() -> str:
    """Of the library the programs are built against; the package's own number has more digits than pkg-config's."""
    packaged = output_of("dpkg-query", "-W", "-f", "${Version}", "libdpdk-dev")
    return packaged.partition("-")[0].partition("~")[0] or output_of("pkg-config", "--modversion", "libdpdk")


def qemu_version() -> str:
    match = re.search(r"version (\S+)", output_of("qemu-system-x86_64", "--version"))
    return match[1] if match else ""


def git_revision() -> str:
    revision = output_of("git", "rev-parse", "--short=12", "HEAD")
    changed = revision and output_of("git", "status", "--porcelain", "--untracked-files=no")
    return f"{revision}-dirty" if changed else revision


def load_average() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def probe_environment(accelerator: str = "") -> Environment:
    return Environment(
        accelerator=accelerator,
        hugepages=hugepages_total() > 0,
        dpdk=dpdk_version(),
        qemu=qemu_version(),
        kernel=platform.release(),
        cpu=cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=memory_mb(),
        load_average=load_average(),
        steal_percent=None,
        git=git_revision(),
        root=os.geteuid() == 0,
    )


class StealMeter:
    """Share of CPU time that the hypervisor gave to others since construction: the first suspect of a slow run.

    Source: the `cpu` line of /proc/stat; the eighth number is steal, 9 and 10 are contained in 1 and 2 (proc(5)).
    """

    def __init__(self) -> None:
        self._before = self._sample()

    @staticmethod
    def _sample() -> tuple[int, int]:
        numbers = [int(word) for word in read("/proc/stat").partition("\n")[0].split()[1:9]]
        return (sum(numbers), numbers[7]) if len(numbers) == 8 else (0, 0)

    def percent(self) -> float | None:
        total, steal = (now - before for now, before in zip(self._sample(), self._before, strict=True))
        return round(100.0 * steal / total, 2) if total > 0 else None
