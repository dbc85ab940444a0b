"""A running guest moves from one QEMU process to another by live migration.

The source stops before the switch-over, the destination does not start by itself: while both stand still their memories are
compared, octet for octet. Then the destination runs.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testbed.guest.qemu import Guest, GuestError
from testbed.run.rpc import Document

PAGE = 4096
_CHUNK = 1 << 20
_NAMED = 16
_LOOK_AGAIN_S = 0.005  # QEMU's events say when a state changes, its replies what it is
_ENDED = ("completed", "failed", "cancelled")
_ANNOUNCE = {
    "initial": 50,
    "max": 550,
    "rounds": 5,
    "step": 100,
}  # ms: what QEMU does by itself after a migration
# What ends when, in the words of check/anatomy.py, and how long that took.
_MOMENTS = ("until_stop", "last_copy", "compare", "start_rings")
_PARTS = ("transfer_us", "compare_us", "start_us")


class TransferFailed(Exception):
    """The guest runs where it was. One line."""


def incoming(guest: str, sockets: Path) -> tuple[str, ...]:
    """Arguments of the process that the guest will go on in; it waits for `cont`."""
    return "-incoming", f"unix:{_place(guest, sockets)}", "-S"


def _place(guest: str, sockets: Path) -> Path:
    return sockets / f"{guest}.migration"


class Transfer:
    """`tell` gets an event's name and fields. `report` is that of docs/protocol.md, as far as it is known."""

    def __init__(
        self, source: Guest, target: Guest, sockets: Path, tell: Callable[..., None], bandwidth: int = 0
    ) -> None:
        self._source = source
        self._target = target
        self._socket = _place(source.name, sockets)
        self._tell = tell
        self._bandwidth = bandwidth
        self._began = time.monotonic_ns()
        self._cancelled = False
        self.report: Document = {"rounds": [], "differing": [], "differing_pages": 0}
        self.arrived = False  # nothing is missing at the destination
        self.moments: dict[str, int] = {}  # of the switch-over

    async def run(self, deadline: int, downtime_ms: int) -> None:
        """Until the guest runs at the destination. TransferFailed, and then it runs at the source."""
        try:
            await self._listening(deadline)
            await self._prepare(downtime_ms)
            await self._source.qmp("migrate", {"uri": f"unix:{self._socket}"})
            if self._cancelled:  # before there was anything that QEMU could have cancelled
                await self.cancel()
            await self._until(self._source, ("pre-switchover",), deadline)
            stopped = time.monotonic_ns()
            self._tell("migration.stopped")
            await self._source.qmp("migrate-continue", {"state": "pre-switchover"})
            status = await self._until(self._source, ("completed",), deadline)
            await self._until(self._target, ("completed",), deadline)
            moved = time.monotonic_ns()
            await asyncio.to_thread(self._compare)
            compared = time.monotonic_ns()
            self.arrived = True
            await self._target.qmp("cont")
            # It has done so already: while nobody listened, because both stood still.
            await self._target.qmp("announce-self", _ANNOUNCE)
            self._account(status, [stopped, moved, compared, time.monotonic_ns()])
        except GuestError as error:
            raise TransferFailed(str(error).splitlines()[0]) from None
        finally:
            self._socket.unlink(missing_ok=True)

    async def cancel(self) -> None:
        """Nothing when it is over."""
        self._cancelled = True
        await self._source.qmp("migrate_cancel")

    async def _listening(self, deadline: int) -> None:
        """The destination speaks once it has met its backend."""
        while not self._target.heard:
            if self._cancelled:
                raise TransferFailed(f"{self._source.name}: the migration was cancelled")
            if not self._target.running or time.monotonic_ns() > deadline:
                raise TransferFailed(
                    f"{self._target.name}: the process at the destination is not there in time"
                )
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _prepare(self, downtime_ms: int) -> None:
        wanted = [{"capability": name, "state": True} for name in ("pause-before-switchover", "events")]
        await self._source.qmp("migrate-set-capabilities", {"capabilities": wanted})
        limits = {"downtime-limit": downtime_ms, "max-bandwidth": self._bandwidth or 1 << 40}
        await self._source.qmp("migrate-set-parameters", limits)

    async def _until(self, guest: Guest, wanted: tuple[str, ...], deadline: int) -> Document:
        while time.monotonic_ns() < deadline:
            status: Document = await guest.qmp("query-migrate", timeout=20.0)
            state = str(status.get("status", "none"))
            if state in wanted:
                return status
            if state in _ENDED:
                why = status.get("error-desc", "")
                raise TransferFailed(f"{self._source.name}: the migration {_told(state)} {why}".rstrip())
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise TransferFailed(f"{self._source.name}: the migration is not {wanted[0]} in time")

    def _account(self, status: Document, moments: list[int]) -> None:
        ram: dict[str, Any] = status.get("ram") or {}
        self.moments = dict(zip(_MOMENTS, moments, strict=True))
        parts = zip(_PARTS, itertools.pairwise(moments), strict=True)
        self.report |= {
            "rounds": [{}] * int(ram.get("dirty-sync-count", 0)),
            "pages": int(ram.get("normal", 0)) + int(ram.get("duplicate", 0)),
            "downtime_us": (moments[-1] - moments[0]) // 1000,
            "downtime": {part: (end - start) // 1000 for part, (start, end) in parts},
            "total_us": (moments[-1] - self._began) // 1000,
        }

    def _compare(self) -> None:
        here, there = memory_of(self._source.pid), memory_of(self._target.pid)
        pages = differing_pages(here, there)
        self.report["compared_pages"] = here.stat().st_size // PAGE
        self.report["differing_pages"] = len(pages)
        self.report["differing"] = [page * PAGE for page in pages[:_NAMED]]


def _told(state: str) -> str:
    return {"completed": "ended too early", "cancelled": "was cancelled"}.get(state, "failed")


def memory_of(pid: int) -> Path:
    """The file of a QEMU's memory backend. GuestError."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        if "memory-backend-memfd" in os.readlink(descriptor):
            return descriptor
    raise GuestError(f"process {pid} has no memory backend of its own")


def differing_pages(here: Path, there: Path) -> list[int]:
    """Numbers of the pages in which two equally long files differ. Read, not mapped: that would fill their holes."""
    with open(here, "rb", buffering=0) as one, open(there, "rb", buffering=0) as other:
        size = os.fstat(one.fileno()).st_size
        if size != os.fstat(other.fileno()).st_size:
            raise GuestError("the two memories are not equally large")
        first, second = bytearray(_CHUNK), bytearray(_CHUNK)
        pages: list[int] = []
        for start in range(0, size, _CHUNK):
            _fill(one.fileno(), first, start, size)
            _fill(other.fileno(), second, start, size)
            if first != second:
                differing = (page for page in range(len(first) // PAGE) if _differs(first, second, page))
                pages += [start // PAGE + page for page in differing]
        return pages


def _fill(fd: int, buffer: bytearray, start: int, size: int) -> None:
    """With the file's octets from `start` on; the last part may be a shorter one."""
    del buffer[size - start :]
    if os.preadv(fd, [buffer], start) != len(buffer):
        raise GuestError("a memory became shorter while it was read")


def _differs(first: bytearray, second: bytearray, page: int) -> bool:
    part = slice(page * PAGE, (page + 1) * PAGE)
    return first[part] != second[part]
