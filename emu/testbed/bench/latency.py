"""How long packets take at a part of the load: numbered, stamped, paced, one way, by a testbed-load that never sleeps.

100 % is the rate at which that generator's packets came through the yardstick: the same rate for every subject of a case.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from testbed.bench.child import answers, child
from testbed.bench.generator import CONNECT_S, frontend
from testbed.bench.machine import Watch
from testbed.bench.model import Latency, Load
from testbed.bench.subjects import SUBJECTS
from testbed.bench.subjects.base import GENERATOR_CPU
from testbed.run.binaries import find_program
from testbed.run.places import scratch
from testbed.run.rpc import RpcClient, connect

FLOW = 1
MORE_THAN_ANY = 40e6  # packets a second
MOST_LOST = 0.005  # of what was sent: beyond it the load was no load that the subject carries


class Probe:
    """One flow from the first frontend to the second."""

    def __init__(self, pid: int, client: RpcClient, load: Load) -> None:
        self.pid = pid
        self._client = client
        self._load = load

    async def send(self, rate_pps: float, seconds: float) -> dict[str, Any]:
        """What the flow's report says after so long at this rate."""
        ends = [f"02:00:00:{number:02x}:00:01" for number in range(2)]
        sizes = [{"min": self._load.size, "max": self._load.size, "weight": 1}]
        streams = self._load.macs
        await self._client.call(
            "flow.expect", {"flow": FLOW, "frontend": "f1", "mac": ends[1], "streams": streams}
        )
        order = {"flow": FLOW, "frontend": "f0", "rate_pps": rate_pps, "sizes": sizes, "streams": streams}
        await self._client.call("flow.send", order | {"src": ends[0], "dst": ends[1]})
        await self._client.call("flow.start", {"flow": FLOW})
        await asyncio.sleep(seconds)
        await self._client.call("flow.stop", {"flow": FLOW})
        await asyncio.sleep(0.02)  # what is under way arrives
        report = await self._client.call("flow.report", {"flow": FLOW})
        result: dict[str, Any] = report[str(FLOW)]
        return result


@asynccontextmanager
async def probing(load: Load, directory: Path, sockets: list[Path]) -> AsyncIterator[Probe]:
    control = directory / "load.ctl"
    command: list[str | Path] = [find_program("testbed-load"), "--control", control, "--dir", directory]
    command += ["--cpu", str(GENERATOR_CPU), "--busy-poll", "--memory-mb", "96"]
    up = asyncio.Event()

    def heard(event: dict[str, Any]) -> None:
        if event["name"] == "frontend.link" and event["up"]:
            up.set()

    async with child("load", command, directory) as process:
        await process.until("its control socket", lambda: answers(control))
        async with await connect(str(control), name="load", on_event=heard) as client:
            await client.call("events.subscribe", {"since": 1})
            for number, path in enumerate(sockets):
                up.clear()
                await client.call("frontend.add", frontend(load, number, path), timeout=CONNECT_S)
                try:
                    await asyncio.wait_for(up.wait(), CONNECT_S)
                except TimeoutError:
                    raise RuntimeError(f"frontend {number} came to no link within {CONNECT_S:g} s") from None
            yield Probe(process.pid, client, load)


@asynccontextmanager
async def started(subject: str, load: Load) -> AsyncIterator[tuple[Probe, Watch]]:
    with scratch() as directory:
        sockets = [directory / f"s{number}" for number in range(2)]
        async with (
            SUBJECTS[subject].start(directory, sockets) as worker,
            probing(load, directory, sockets) as probe,
        ):
            await probe.send(1000, 0.1)  # addresses are learnt, caches filled
            yield probe, Watch([worker.pid, probe.pid])


async def full_rate(subject: str, load: Load, seconds: float) -> float:
    """Packets a second of the probing generator that come through."""
    async with started(subject, load) as (probe, _):
        report = await probe.send(MORE_THAN_ANY, seconds)
        receiver = report["receiver"]
        duration_ns = receiver["last_ns"] - receiver["first_ns"]
        return float(receiver["received"] * 1e9 / duration_ns) if duration_ns else 0.0


async def latencies(
    subject: str, load: Load, rates: dict[int, float], seconds: float
) -> tuple[dict[int, Latency], str]:
    """By per cent of the load, and what disturbed them."""
    async with started(subject, load) as (probe, watch):
        found = {percent: latency(await probe.send(rate, seconds), rate) for percent, rate in rates.items()}
        return found, watch.disturbance()


def latency(report: dict[str, Any], rate_pps: float) -> Latency:
    sender, receiver = report["sender"], report["receiver"]
    sent = sender["sent"] + sender["blocked"] + sender["skipped"]
    percentiles = receiver["latency_ns"]
    return Latency(
        rate_pps=rate_pps,
        p50_us=percentiles["p50"] / 1000,
        p99_us=percentiles["p99"] / 1000,
        p999_us=percentiles["p999"] / 1000,
        carried=receiver["received"] > (1 - MOST_LOST) * sent > 0,
    )
