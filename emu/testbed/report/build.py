"""From judged evidence to the model of report.json."""

from __future__ import annotations

import math
from typing import Any

from testbed.check.evidence import Evidence
from testbed.check.evidence import Fault as SeenFault
from testbed.check.result import CellResult, CheckResult, Verdict, worst
from testbed.check.topology import switches_of
from testbed.report.model import Cell, Check, Fault, Finding, Outage


def plain(value: Any) -> Any:
    """What JSON can say: no infinities (a broken division must not make the file unreadable), no tuples as keys."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | bool | type(None)) else str(value)


def _check(result: CheckResult) -> Check:
    findings = [
        Finding(
            rule=f.rule, verdict=f.verdict, measured=plain(f.measured), expected=f.expected, reason=f.reason
        )
        for f in result.findings
    ]
    return Check(
        checker=result.checker,
        subject=result.subject,
        verdict=result.verdict,
        measured=plain(result.measured),
        expected=result.expected,
        reason=result.reason,
        known=result.known,
        findings=findings,
    )


def _fault(evidence: Evidence, fault: SeenFault) -> Fault:
    end_ms = None if fault.end is None else (fault.end - evidence.steps_start) / 1e6
    start_ms = (fault.start - evidence.steps_start) / 1e6
    targets, ports = list(fault.targets), list(fault.ports)
    return Fault(kind=fault.kind, targets=targets, ports=ports, start_ms=start_ms, end_ms=end_ms)


def _datapath(evidence: Evidence) -> str:
    if evidence.backend != "testbed-switch":
        return ""
    return " and ".join(
        sorted(
            {switch["datapath"] for switch in switches_of(evidence.topology).values() if "datapath" in switch}
        )
    )


def build_cell(evidence: Evidence, result: CellResult, directory: str) -> Cell:
    return Cell(
        matrix=plain(result.cell),
        datapath=_datapath(evidence),
        verdict=result.verdict,
        reason=result.reason,
        duration_s=round(result.duration_s, 3),
        directory=directory,
        checks=[_check(check) for check in result.checks],
        outages=[Outage.model_validate(anatomy) for anatomy in result.anatomies],
        faults=[_fault(evidence, fault) for fault in evidence.faults],
    )


def run_verdict(cells: list[Cell], complete: bool) -> Verdict:
    """The worst of the cells; cells that were to run and did not leave it unknown at best."""
    verdicts: list[Verdict] = [cell.verdict for cell in cells]
    return worst(verdicts if complete else [*verdicts, "unknown"])
