"""Latencies of two subjects in turn, AB BA, at the same rates."""

from __future__ import annotations

from collections.abc import Callable

from testbed.bench.blocks import BROKE, Plan, same_mode
from testbed.bench.latency import full_rate, latencies
from testbed.bench.machine import ping_pong
from testbed.bench.model import PERCENT, Latency, LatencyCase
from testbed.bench.subjects import NotSupported

Measured = dict[str, dict[int, Latency]]


async def fill(case: LatencyCase, plan: Plan, progress: Callable[[str], None]) -> None:
    try:
        progress(f"latency, {case.load.name}: what is 100 % of the load")
        case.full_pps = await _full(case, plan)
        rates = {percent: case.full_pps * percent / 100 for percent in PERCENT}
        for number in range(plan.pairs):
            order = [case.subject, case.against] if number % 2 == 0 else [case.against, case.subject]
            await _one_pair(case, order, rates, plan, progress)
    except NotSupported as why:
        case.unsupported = str(why)


async def _full(case: LatencyCase, plan: Plan) -> float:
    for _ in range(plan.tries - 1):
        try:
            return await full_rate(case.against, case.load, plan.sample_s)
        except BROKE as why:
            case.rejected.append(f"it broke: {why}")
    return await full_rate(case.against, case.load, plan.sample_s)


async def _one_pair(
    case: LatencyCase, order: list[str], rates: dict[int, float], plan: Plan, progress: Callable[[str], None]
) -> None:
    for _ in range(plan.tries):
        progress(f"latency, {case.load.name}: {order[0]} and {order[1]}")
        measured: Measured = {}
        try:
            measured, disturbed = await _measure(case, order, rates, plan)
        except BROKE as why:
            disturbed = f"it broke: {why}"
        if disturbed:
            case.rejected.append(disturbed)
            progress(f"rejected: {disturbed}")
        if measured and (not disturbed or plan.tolerant):
            case.pairs.append(measured)
            return


async def _measure(
    case: LatencyCase, order: list[str], rates: dict[int, float], plan: Plan
) -> tuple[Measured, str]:
    measured: Measured = {}
    ways = [await ping_pong()]
    for subject in order:
        measured[subject], disturbed = await latencies(subject, case.load, rates, plan.sample_s)
        if disturbed and not plan.tolerant:
            return measured, f"{subject}: {disturbed}"
        ways.append(await ping_pong())
    if not same_mode(*ways):
        return measured, "the machine changed its mode between the two"
    return measured, disturbed and f"{order[-1]}: {disturbed}"
