"""A guest whose chains are posted by hand: one frontend of testbed-driver, and what came back from its backend."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from by_hand import HEADER, Chain, Variant, table_octets
from testbed.run.process import ManagedProcess
from testbed.run.rpc import RpcClient, connect

READY_S = 30.0
QUIET_S = 2.0
# In a guest's scratch memory.
_BUFFERS, _TABLES = 0, 900_000
_PEEK = 65536


class Program:
    """A process of ours and its control socket."""

    def __init__(self, name: str, directory: Path, sockets: Path, command: Sequence[str | Path]) -> None:
        self._name, self._directory, self._sockets, self._command = name, directory, sockets, command
        self._process = ManagedProcess(name)
        self._client: RpcClient | None = None
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Program:
        control = self._sockets / f"{self._name}.ctl"
        control.unlink(missing_ok=True)
        with (self._directory / f"{self._name}.log").open("ab") as log:
            self._process.spawn([*self._command, "--control", control, "--dir", self._sockets], log)
        async with asyncio.timeout(READY_S):
            while self._client is None:
                try:
                    self._client = await connect(str(control), name=self._name, on_event=self._take)
                except (FileNotFoundError, ConnectionRefusedError):
                    assert not await self._process.ended(0.003), f"{self._name}: {self._process.status}"
        self._client.start()
        await self.call("events.subscribe", since=1)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()
        self._process.kill()
        assert await self._process.ended(10)

    def count(self, name: str, port: str) -> int:
        return sum(event["name"] == name and event.get("port") == port for event in self.events)

    async def until(self, name: str, port: str, times: int) -> None:
        """That many such events have come in its life."""
        async with asyncio.timeout(READY_S):
            while self.count(name, port) < times:
                self._changed.clear()
                await self._changed.wait()

    def _take(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self._changed.set()

    async def call(self, method: str, **params: Any) -> Any:
        assert self._client is not None
        return await self._client.call(method, params, 10)


@dataclass
class Posted:
    """Chains in a guest's memory."""

    parts: list[list[tuple[int, int]]] = field(default_factory=list)  # (address, length), by chain
    # A chain that came back while others are posted leaves its token to them.
    by_token: dict[int, list[int]] = field(default_factory=dict)
    octets: int = 0  # of the scratch area
    refused: str = ""  # there was no room for all of them

    def came_back(self, token: int) -> int:
        """The chain; -1: none has that token."""
        waiting = self.by_token.get(token)
        return waiting.pop(0) if waiting else -1


class Guest:
    """One frontend of the driver."""

    def __init__(self, driver: Program, name: str, mac: bytes, variant: Variant) -> None:
        self.name, self.mac, self.variant = name, mac, variant
        self._driver = driver
        self._scratch = 0
        self._taken = [0, 0]  # chains, by vring

    async def do(self, method: str, **params: Any) -> Any:
        return await self._driver.call(f"driver.{method}", frontend=self.name, **params)

    async def begin(self, path: Path) -> None:
        mac = ":".join(f"{octet:02x}" for octet in self.mac)
        options = {**self.variant.options(), "auto": False, "interrupts": False, "hello": False}
        added = await self._driver.call(
            "frontend.add", name=self.name, path=str(path), role="client", mac=mac, **options
        )
        self._scratch = added["scratch"]["gpa"]
        await self.do("queues", vring=0, posting=False)

    async def meet(self, switch: Program) -> None:
        """A session, of which the switch says as well that it is up."""
        before = switch.count("session.up", self.name)
        await self.do("connect", within_ms=5000)
        assert (await self.do("handshake"))["complete"]
        await switch.until("session.up", self.name, before + 1)

    async def leave(self, switch: Program) -> None:
        before = switch.count("session.down", self.name)
        await self.do("disconnect")
        await switch.until("session.down", self.name, before + 1)

    async def post(self, vring: int, chains: Sequence[Chain], content: Sequence[bytes] = ()) -> Posted:
        """`content`: of the chains that are to be sent."""
        posted, memory, tables = Posted(), b"", b""
        calls, writable = [], not content
        for number, chain in enumerate(chains):
            at, parts = self._scratch + _BUFFERS + posted.octets, []
            for length in chain.parts:
                parts.append((at, length))
                at += length
            posted.parts.append(parts)
            posted.octets += (chain.length + 63) // 64 * 64
            assert posted.octets <= _TABLES
            if content:
                memory += content[number].ljust(posted.octets - len(memory), b"\0")
            descriptors = [{"addr": where, "len": length, "write": writable} for where, length in parts]
            if chain.indirect:
                table = table_octets(self.variant.ring == "packed", parts, writable)
                address = self._scratch + _TABLES + len(tables)
                tables += table
                descriptors = [{"addr": address, "len": len(table), "indirect": True}]
            calls.append(
                self.do("chain", vring=vring, descriptors=descriptors, kick=number + 1 == len(chains))
            )
        memory = memory or b"\xa5" * posted.octets  # what is not written shows
        if memory:
            await self.do("poke", gpa=self._scratch + _BUFFERS, bytes=memory.hex())
        if tables:
            await self.do("poke", gpa=self._scratch + _TABLES, bytes=tables.hex())
        for number, answer in enumerate(await asyncio.gather(*calls, return_exceptions=True)):
            if isinstance(answer, BaseException):
                posted.refused = str(answer)
                continue
            posted.by_token.setdefault(answer["token"], []).append(number)
        return posted

    async def returned(self, vring: int, posted: Posted) -> list[dict[str, Any]]:
        """The chains that came back, in that order. As many as were posted, unless they do not come."""
        deadline = time.monotonic() + QUIET_S
        while True:
            ring = next(r for r in (await self.do("rings", vring=vring))["rings"])
            fresh = ring["taken"] - self._taken[vring]
            if fresh >= len(posted.parts) or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.001)  # the guest's own thread takes them: no event says so
        self._taken[vring] = ring["taken"]
        back: list[dict[str, Any]] = ring["returned"][-fresh:] if fresh else []
        return back

    async def frames(self, posted: Posted) -> list[dict[str, Any]]:
        """What lies in the receive buffers that came back: all of their octets, written or not."""
        back = await self.returned(0, posted)
        memory = b""
        for begin in range(0, posted.octets, _PEEK):
            length = min(_PEEK, posted.octets - begin)
            piece = await self.do("peek", gpa=self._scratch + _BUFFERS + begin, length=length)
            memory += bytes.fromhex(piece["bytes"])
        found = []
        for entry in back:
            number, octets = posted.came_back(entry["token"]), b""
            for address, length in posted.parts[number] if number >= 0 else []:
                begin = address - self._scratch - _BUFFERS
                octets += memory[begin : begin + length]
            single = not self.variant.mergeable
            found.append(
                {"chain": number, "length": entry["length"], "octets": octets.hex(), "single": single}
            )
        return found

    async def send(
        self, frames: Sequence[bytes], chains: Sequence[Chain]
    ) -> tuple[Posted, list[dict[str, Any]]]:
        """And what came back of it."""
        posted = await self.post(1, chains, [bytes(HEADER) + frame for frame in frames])
        back = await self.returned(1, posted)
        return posted, [{"chain": posted.came_back(e["token"]), "length": e["length"]} for e in back]

    async def last_words(self) -> dict[str, Any]:
        """Where its rings stopped, and what was wrong with them."""
        bases = (await self.do("stop"))["bases"]
        return {"bases": bases, "faults": {r["kind"]: r["faults"] for r in (await self.do("rings"))["rings"]}}
