"""Live migration between two QEMU processes: the order of things, and what memory is held against."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, cast

import pytest
from testbed.guest.qemu import Guest, GuestError
from testbed.guest.transfer import PAGE, Transfer, TransferFailed, differing_pages, memory_of


class FakeGuest:
    """Answers query-migrate with one status after the other, and writes down what else it is told."""

    heard = running = True
    pid = 0

    def __init__(self, name: str, *statuses: str) -> None:
        self.name = name
        self.statuses = list(statuses)
        self.told: list[str] = []

    async def qmp(self, execute: str, arguments: Any = None, timeout: float = 5.0) -> Any:
        if execute != "query-migrate":
            self.told.append(execute)
            return {}
        return {"status": self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]}


def transfer(source: FakeGuest, target: FakeGuest, directory: Path) -> tuple[Transfer, list[str]]:
    events: list[str] = []
    made = Transfer(
        cast(Guest, source), cast(Guest, target), directory, lambda name, **fields: events.append(name)
    )
    return made, events


async def run(made: Transfer, seconds: float = 5.0) -> None:
    await made.run(time.monotonic_ns() + round(seconds * 1e9), 300)


async def test_the_destination_runs_only_after_both_stood_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FakeGuest("g1", "setup", "active", "pre-switchover", "device", "completed")
    target = FakeGuest("g1", "active", "completed")
    made, events = transfer(source, target, tmp_path)
    monkeypatch.setattr(made, "_compare", lambda: target.told.append("compared"))
    await run(made)
    assert source.told[-2:] == ["migrate", "migrate-continue"]
    assert target.told == ["compared", "cont", "announce-self"]
    assert events == ["migration.stopped"]
    assert made.arrived
    assert list(made.moments) == ["until_stop", "last_copy", "compare", "start_rings"]
    assert list(made.moments.values()) == sorted(made.moments.values())
    assert sum(made.report["downtime"].values()) <= made.report["downtime_us"]


@pytest.mark.parametrize(("end", "told"), [("failed", "failed"), ("cancelled", "was cancelled")])
async def test_one_that_does_not_arrive_never_runs_there(tmp_path: Path, end: str, told: str) -> None:
    source, target = FakeGuest("g1", "active", end), FakeGuest("g1", "active")
    made, _ = transfer(source, target, tmp_path)
    with pytest.raises(TransferFailed, match=f"g1: the migration {told}"):
        await run(made)
    assert target.told == [] and not made.arrived


async def test_one_that_is_called_off_before_qemu_knows_of_it_does_not_happen(tmp_path: Path) -> None:
    source, target = FakeGuest("g1", "active", "cancelled"), FakeGuest("g1", "active")
    made, _ = transfer(source, target, tmp_path)
    await made.cancel()
    with pytest.raises(TransferFailed, match="was cancelled"):
        await run(made)
    assert source.told[-2:] == ["migrate", "migrate_cancel"]


async def test_one_that_is_called_off_before_the_destination_is_there_does_not_begin(tmp_path: Path) -> None:
    source, target = FakeGuest("g1", "active"), FakeGuest("g1", "active")
    target.heard = False
    made, _ = transfer(source, target, tmp_path)
    await made.cancel()
    with pytest.raises(TransferFailed, match="was cancelled"):
        await run(made)
    assert "migrate" not in source.told


async def test_one_that_does_not_end_is_given_up_in_time(tmp_path: Path) -> None:
    made, _ = transfer(FakeGuest("g1", "active"), FakeGuest("g1", "active"), tmp_path)
    with pytest.raises(TransferFailed, match="is not pre-switchover in time"):
        await run(made, 0.05)


def test_pages_that_differ_are_found_wherever_they_lie(tmp_path: Path) -> None:
    octets = bytearray(3 * (1 << 20) + 2 * PAGE)
    (tmp_path / "here").write_bytes(octets)
    assert differing_pages(tmp_path / "here", tmp_path / "here") == []
    for page in (0, 256, 769):
        octets[page * PAGE + 7] = 1
    (tmp_path / "there").write_bytes(octets)
    assert differing_pages(tmp_path / "here", tmp_path / "there") == [0, 256, 769]
    (tmp_path / "short").write_bytes(octets[:-PAGE])
    with pytest.raises(GuestError, match="not equally large"):
        differing_pages(tmp_path / "here", tmp_path / "short")


def test_the_memory_of_a_process_is_its_memory_backend() -> None:
    descriptor = os.memfd_create("memory-backend-memfd")
    try:
        assert memory_of(os.getpid()).name == str(descriptor)
    finally:
        os.close(descriptor)
