"""What is left of a run in its surroundings once every actor has ended. Nothing should be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from testbed.run.places import Places


@dataclass
class Surroundings:
    """Constructed before anything is started; `left` tells what there is now that was not there then."""

    marker: str
    places: Places
    devices: frozenset[str] = field(default_factory=lambda: frozenset(_network_devices()))
    mounts: frozenset[str] = field(default_factory=lambda: frozenset(_mounts()))
    hugepages: frozenset[str] = field(default_factory=lambda: frozenset(_hugepage_files()))

    def left(self, orphaned: Callable[[Path], bool], devices: set[str]) -> dict[str, list[str]]:
        """`orphaned` tells sockets whose owner was killed by the scenario: nobody could remove those. `devices`: names
        of network devices that the scenario makes."""
        found = [path for path in self.places.sockets.rglob("*") if path.is_socket()]
        sockets = [str(path.relative_to(self.places.sockets)) for path in found if not orphaned(path)]
        return {
            "processes": sorted(_processes(self.marker)),
            "sockets": sorted(sockets),
            "mounts": sorted(set(_mounts()) - self.mounts),
            "hugepages": sorted(set(_hugepage_files()) - self.hugepages),
            "devices": sorted((set(_network_devices()) - self.devices) & devices),
        }


def _processes(marker: str) -> Iterator[str]:
    """Those with the run's marker in their environment."""
    wanted = f"TESTBED_RUN={marker}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                yield f"{(entry / 'comm').read_text().strip()} ({entry.name})"
        except OSError:
            continue  # gone meanwhile, or somebody else's


def _network_devices() -> list[str]:
    try:
        return os.listdir("/sys/class/net")
    except OSError:
        return []


def _mounts() -> Iterator[str]:
    """Mounts of file systems that our programs could make."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        if kind in ("hugetlbfs", "tmpfs"):
            yield f"{kind} {point}"


def _hugepage_files() -> Iterator[str]:
    """Files of DPDK processes in hugetlbfs, which hold their pages until they are removed."""
    for mount in _mounts():
        kind, _, point = mount.partition(" ")
        if kind == "hugetlbfs":
            try:
                yield from (f"{point}/{name}" for name in os.listdir(point) if "tb-" in name)
            except OSError:
                continue
