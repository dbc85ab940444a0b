"""The `testbed bench` command: a table for people, a document for programs."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from testbed.bench.blocks import Plan, fill
from testbed.bench.cases import BENCHES
from testbed.bench.cases import QUICK as QUICK_BENCHES
from testbed.bench.document import AnyCase, document
from testbed.bench.generator import MOST_MEMORY_MB
from testbed.bench.latency_blocks import fill as fill_latencies
from testbed.bench.machine import Limits, limits
from testbed.bench.model import Case, LatencyCase
from testbed.bench.page import write_page
from testbed.bench.table import show
from testbed.report.environment import probe_environment
from testbed.run import exits
from testbed.run.binaries import Lacking
from testbed.run.hugepages import why_none
from testbed.run.rpc import RpcFailure
from testbed.scenario.mistakes import unknown_name

QUICK = Plan(pairs=2, warm_up_s=0.3, sample_s=0.25, samples=2)


@dataclass(frozen=True)
class BenchOptions:
    names: tuple[str, ...] = ()
    as_json: bool = False
    quick: bool = False
    pairs: int | None = None
    tolerant: bool = False
    out: Path | None = None

    def plan(self) -> Plan:
        plan = QUICK if self.quick else Plan()
        return replace(plan, pairs=self.pairs or plan.pairs, tolerant=self.tolerant)


def bench(options: BenchOptions) -> int:
    """Exit status: 0 measured, 2 an unknown name, 3 something is missing, 4 a case without one undisturbed pair."""
    for name in options.names:
        if name not in BENCHES:
            print(f"testbed bench: {unknown_name('bench', name, BENCHES)}", file=sys.stderr)
            return exits.MISTAKE
    names = options.names or (QUICK_BENCHES if options.quick else tuple(BENCHES))
    cases = [case for name in names for case in BENCHES[name]()]
    if why := why_none(MOST_MEMORY_MB):
        print(f"testbed bench: {why}; the frontends' memory is in small pages", file=sys.stderr)
        for case in cases:
            case.load = replace(case.load, small_pages=isinstance(case, Case))
    progress = Progress(len(cases))
    try:
        asyncio.run(_until_told_to_stop(_measure(cases, options.plan(), progress)))
    except asyncio.CancelledError:
        print("testbed bench: interrupted; this is what was measured so far", file=sys.stderr)
        measured = [case for case in cases if case.pairs or case.unsupported]
        _write(document(measured, progress.limits, environment(), options.tolerant), options)
        return exits.INTERRUPTED
    except Lacking as lacking:
        print(f"testbed bench: {lacking}", file=sys.stderr)
        return exits.LACKING
    except (RuntimeError, RpcFailure) as failure:
        print(f"testbed bench: {failure}", file=sys.stderr)
        return exits.UNKNOWN
    _write(document(cases, progress.limits, environment(), options.tolerant), options)
    whole = all(case.pairs or case.unsupported for case in cases)
    return exits.PASSED if whole else exits.UNKNOWN


async def _until_told_to_stop(work: Coroutine[Any, Any, None]) -> None:
    """Also when nobody is at a terminal: what was started ends, what was taken goes back."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


async def _measure(cases: list[AnyCase], plan: Plan, progress: Progress) -> None:
    progress.limits = await limits({case.load.size for case in cases})
    for number, case in enumerate(cases, 1):
        progress.case = number
        if isinstance(case, LatencyCase):
            await fill_latencies(case, plan, progress)
        else:
            await fill(case, plan, progress)


class Progress:
    """How far it is: one line for every pair, on standard error."""

    def __init__(self, cases: int) -> None:
        self.case = 0
        self.limits: Limits | None = None
        self._cases = cases
        self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        passed = int(time.monotonic() - self._began)
        print(f"bench: {passed // 60}:{passed % 60:02d} [{self.case}/{self._cases}] {line}", file=sys.stderr)


def environment() -> dict[str, Any]:
    """The machine, as in report.json."""
    found: dict[str, Any] = probe_environment().model_dump(mode="json")
    return found


def _write(result: dict[str, Any], options: BenchOptions) -> None:
    text = json.dumps(result, indent=1)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "bench.json").write_text(text + "\n")
        print(f"bench: {options.out / 'bench.json'}, {write_page(result, options.out)}", file=sys.stderr)
    if options.as_json:
        print(text)
    else:
        show(result)
