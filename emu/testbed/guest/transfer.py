"""A running guest moves from one QEMU process to another by live migration.

The source stops before the switch-over, the destination does not start by itself: while both stand still their memories are
compared, octet for octet. Then the destination runs.
"""

from __future__ import annotations

import asyncio
import mmap
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
        self.report: Document = {"rounds": [], "differing": [], "differing_pages": 0}

    async def run(self, deadline: int, downtime_ms: int) -> None:
        """Until the guest runs at the destination. TransferFailed, and then it runs at the source."""
        try:
            await self._listening(deadline)
            await self._prepare(downtime_ms)
            await self._source.qmp("migrate", {"uri": f"unix:{self._socket}"})
            await self._until(self._source, ("pre-switchover",), deadline)
            stopped = time.monotonic_ns()
            self._tell("migration.stopped")
            await self._source.qmp("migrate-continue", {"state": "pre-switchover"})
            status = await self._until(self._source, ("completed",), deadline)
            await self._until(self._target, ("completed",), deadline)
            moved = time.monotonic_ns()
            await asyncio.to_thread(self._compare)
            compared = time.monotonic_ns()
            await self._target.qmp("cont")
            self._account(status, stopped, moved, compared)
        except GuestError as error:
            raise TransferFailed(str(error).splitlines()[0]) from None
        finally:
            self._socket.unlink(missing_ok=True)

    async def cancel(self) -> None:
        """Nothing when it is over."""
        await self._source.qmp("migrate_cancel")

    async def _listening(self, deadline: int) -> None:
        """The destination speaks once it has met its backend."""
        while not self._target.heard:
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

    def _account(self, status: Document, stopped: int, moved: int, compared: int) -> None:
        now = time.monotonic_ns()
        ram: dict[str, Any] = status.get("ram") or {}
        self.report |= {
            "rounds": [{}] * int(ram.get("dirty-sync-count", 0)),
            "pages": int(ram.get("normal", 0)) + int(ram.get("duplicate", 0)),
            "downtime_us": (now - stopped) // 1000,
            "downtime": {
                "transfer_us": (moved - stopped) // 1000,
                "compare_us": (compared - moved) // 1000,
                "start_us": (now - compared) // 1000,
            },
            "total_us": (now - self._began) // 1000,
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
    """Numbers of the pages in which two equally long files differ."""
    with open(here, "rb") as one, open(there, "rb") as other:
        size = os.fstat(one.fileno()).st_size
        if size != os.fstat(other.fileno()).st_size:
            raise GuestError("the two memories are not equally large")
        with (
            mmap.mmap(one.fileno(), size, prot=mmap.PROT_READ) as first,
            mmap.mmap(other.fileno(), size, prot=mmap.PROT_READ) as second,
        ):
            return [
                page
                for start in range(0, size, _CHUNK)
                if first[start : start + _CHUNK] != second[start : start + _CHUNK]
                for page in range(start // PAGE, min(start + _CHUNK, size) // PAGE)
                if first[page * PAGE : (page + 1) * PAGE] != second[page * PAGE : (page + 1) * PAGE]
            ]
