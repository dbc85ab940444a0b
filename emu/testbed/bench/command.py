"""The `testbed bench` command: a table for people, a document for programs."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, replace

from testbed.bench.blocks import Plan, fill
from testbed.bench.cases import BENCHES
from testbed.bench.cases import QUICK as QUICK_BENCHES
from testbed.bench.document import document
from testbed.bench.model import Case
from testbed.bench.table import show
from testbed.run import exits
from testbed.run.binaries import Lacking
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

    def plan(self) -> Plan:
        plan = QUICK if self.quick else Plan()
        return replace(plan, pairs=self.pairs or plan.pairs, tolerant=self.tolerant)


def bench(options: BenchOptions) -> int:
    """Exit status: measured, an unknown name, something is missing or broke, interrupted."""
    for name in options.names:
        if name not in BENCHES:
            print(f"testbed bench: {unknown_name('bench', name, BENCHES)}", file=sys.stderr)
            return exits.MISTAKE
    names = options.names or (QUICK_BENCHES if options.quick else tuple(BENCHES))
    cases = [case for name in names for case in BENCHES[name]()]
    try:
        asyncio.run(_measure(cases, options.plan()))
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except Lacking as lacking:
        print(f"testbed bench: {lacking}", file=sys.stderr)
        return exits.LACKING
    except (RuntimeError, RpcFailure) as failure:
        print(f"testbed bench: {failure}", file=sys.stderr)
        return exits.UNKNOWN
    if options.as_json:
        print(json.dumps(document(cases), indent=1))
    else:
        show(cases)
    return exits.PASSED


async def _measure(cases: list[Case], plan: Plan) -> None:
    for case in cases:
        await fill(case, plan, lambda line: print(f"bench: {line}", file=sys.stderr))
