"""Blocks in ABBA order: each subject started anew, warmed up, sampled; and which of them count.

Absolute figures drift here by a factor of two within minutes, and with them everything between two CPUs: neighbours in time
are compared, when a cache line took equally long to the other CPU before, between and after them.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from testbed.bench.generator import Generator, circulating
from testbed.bench.machine import Watch, ping_pong
from testbed.bench.model import Block, Case, Load, Pair, Sample
from testbed.bench.subjects import SUBJECTS, NotSupported, Worker
from testbed.run.places import scratch
from testbed.run.rpc import RpcFailure

MOVING_S = 10.0
BROKE = (RuntimeError, RpcFailure, TimeoutError)  # a program, not the machine: tried again, and told
SAME_MODE = 1.35  # two ping-pongs further apart than this: another mode of the machine


@dataclass(frozen=True)
class Plan:
    """How long, and how often. `tolerant`: blocks of a disturbed machine count, and are marked."""

    pairs: int = 4
    warm_up_s: float = 0.6
    sample_s: float = 0.4
    samples: int = 3
    tries: int = 3  # of a pair, before the case goes on with fewer
    tolerant: bool = False


def same_mode(*cycles: float) -> bool:
    return max(cycles) <= SAME_MODE * min(cycles)


def mean_of(samples: list[Sample]) -> Sample:
    """Field by field the median: one sample in which something happened does not count."""
    names = Sample.__dataclass_fields__
    return Sample(**{name: statistics.median(getattr(sample, name) for sample in samples) for name in names})


async def sample(worker: Worker, generator: Generator, seconds: float) -> Sample:
    turns, work = await generator.turns(), await worker.work()
    await asyncio.sleep(seconds)  # the measured thing is time itself
    turns_after, work_after = await generator.turns(), await worker.work()
    done = work_after.since(work)
    tsc = turns_after.tsc - turns.tsc
    passed = turns_after.packets - turns.packets
    return Sample(
        mpps=passed * turns.tsc_hz / tsc / 1e6,
        cycles=done.cycles / done.packets if done.packets else 0.0,
        burst=done.packets / done.bursts if done.bursts else 0.0,
        busy=min(1.0, done.cycles / tsc),
        generator_busy=(turns_after.busy_cycles - turns.busy_cycles) / tsc,
    )


async def measure(subject: str, load: Load, plan: Plan) -> tuple[Sample, str]:
    """The figures, and what disturbed them. NotSupported, RuntimeError, RpcFailure."""
    with scratch() as directory:
        sockets = [directory / f"s{number}" for number in range(2)]
        async with (
            SUBJECTS[subject].start(directory, sockets) as worker,
            circulating(load, directory, sockets) as generator,
        ):
            await generator.moving(MOVING_S)
            await asyncio.sleep(plan.warm_up_s * (1 if load.macs == 1 else 2))  # caches of flows fill
            refills = (await generator.turns()).refills
            watch = Watch([worker.pid, generator.pid])
            samples = [await sample(worker, generator, plan.sample_s) for _ in range(plan.samples)]
            disturbance = watch.disturbance()
            if (await generator.turns()).refills > refills:
                disturbance = "all frames were lost on the way, and new ones sent"
            elif lost := await generator.stop():
                disturbance = disturbance or f"{lost} frames were lost on the way: fewer went round"
    if not all(each.mpps for each in samples):
        raise RuntimeError(f"{subject}: no packet came through ({load.name})")
    return mean_of(samples), disturbance


async def block(subject: str, load: Load, plan: Plan) -> Block:
    before = await ping_pong()
    figures, disturbed = await measure(subject, load, plan)
    after = await ping_pong()
    if not disturbed and not same_mode(before, after):
        disturbed = f"the machine changed its mode: a cache line took {before:.0f}, then {after:.0f} cycles"
    return Block(subject, (before, after), figures, disturbed)


def judge(pair: Pair) -> str:
    """Why a pair does not count; empty when it does."""
    for each in (pair.first, pair.second):
        if each.disturbed:
            return f"{each.subject}: {each.disturbed}"
    if not same_mode(*pair.first.ping_pong, *pair.second.ping_pong):
        return "the machine changed its mode between the two"
    return ""


async def measure_pair(order: list[str], load: Load, plan: Plan) -> tuple[Pair | None, str]:
    """The pair, None when it does not count, and why not. A pair whose first block is spoilt is not gone on with."""
    first = await block(order[0], load, plan)
    if first.disturbed and not plan.tolerant:
        return None, f"{first.subject}: {first.disturbed}"
    pair = Pair(first, await block(order[1], load, plan))
    disturbed = judge(pair)
    return (None if disturbed and not plan.tolerant else pair), disturbed


async def fill(case: Case, plan: Plan, progress: Callable[[str], None]) -> None:
    """Adds the pairs of a case, in the order AB BA AB BA..."""
    for number in range(plan.pairs):
        order = [case.subject, case.against] if number % 2 == 0 else [case.against, case.subject]
        for _ in range(plan.tries):
            progress(f"{case.load.name}: {order[0]} and {order[1]}, pair {number + 1} of {plan.pairs}")
            try:
                pair, disturbed = await measure_pair(order, case.load, plan)
            except NotSupported as why:
                case.unsupported = str(why)
                return
            except BROKE as why:
                pair, disturbed = None, f"it broke: {why}"
            if disturbed:
                case.rejected.append(disturbed)
                progress(f"rejected: {disturbed}")
            if pair:
                case.pairs.append(pair)
                break
