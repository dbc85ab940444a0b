"""Made-up runs, written to disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from made_run import expecting, reconnect, with_flow
from testbed.check import judge
from testbed.check.evidence import Evidence
from testbed.report import Environment, RunReport, RunWriter

HOSTILE = "<script>alert('x')</script>&\x1b[31m\x00"


def run(run_dir: Path, *cells: Evidence, **finish: Any) -> RunReport:
    writer = RunWriter(
        run_dir,
        scenario="reconnect",
        about="It comes back.",
        seed=7,
        backend="testbed-switch",
        command=["./testbed", "run", "my scenarios/reconnect.yaml", "--seed", "7"],
        environment=Environment(dpdk="22.11.11", qemu="7.2.22", cpu="a CPU", cores=2, memory_mb=24105),
    )
    for evidence in cells:
        writer.add(evidence, judge(evidence))
    return writer.finish(**finish)


def failing() -> Evidence:
    return with_flow(expecting(reconnect()), "probe", receiver={"duplicated": 14})
