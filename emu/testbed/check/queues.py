"""queues: every queue pair of a frontend that a flow uses carries packets, in its own counts and in the switch's.

Where the switch was started anew its last life counts: a queue that moved only before the crash was left behind. A
queue pair is used when a flow of this frontend has streams enough to reach it.
"""

from __future__ import annotations

from testbed.check.evidence import Document, Evidence, FlowEvidence
from testbed.check.result import CheckResult, Finding, failed, passed, unknown
from testbed.check.rules import Rules, names
from testbed.check.topology import frontends_of, port_counters, port_of


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    """Only what is written: {frontend: f0, all: moving}."""
    return [
        _check_frontend(evidence, frontend)
        for body in rules.bodies("queues")
        for frontend in names(body.get("frontend", list(frontends_of(evidence.topology))))
    ]


def _check_frontend(evidence: Evidence, frontend: str) -> CheckResult:
    reports = [
        (flow, _report(flow, frontend))
        for flow in evidence.flows.values()
        if frontend in (flow.source, flow.sink)
    ]
    missing = [flow.missing for flow, report in reports if report is None]
    if not reports or missing:
        reason = (
            f"{frontend} could not say what its queues did: {missing[0]}"
            if missing
            else f"no flow uses {frontend}"
        )
        return CheckResult("queues", frontend, (unknown("all", reason, None, "moving"),))
    packets = _added([report.get("queues", []) for _, report in reports if report])
    count = _configured(evidence, frontend, len(packets))
    packets += [0] * (count - len(packets))
    findings = [_judge_own(frontend, packets), *_judge_switch(evidence, frontend, count)]
    return CheckResult("queues", frontend, tuple(findings), {"packets": packets})


def _report(flow: FlowEvidence, frontend: str) -> Document | None:
    return flow.sender if flow.source == frontend else flow.receiver


def _configured(evidence: Evidence, frontend: str, seen: int) -> int:
    status = evidence.endpoints.get(frontend, {})
    asked = frontends_of(evidence.topology).get(frontend, {}).get("queues") or 1
    return max(seen, int(status.get("queues") or asked))


def _added(lists: list[list[int]]) -> list[int]:
    total = [0] * max((len(numbers) for numbers in lists), default=0)
    for numbers in lists:
        for index, number in enumerate(numbers):
            total[index] += number
    return total


def _judge_own(frontend: str, packets: list[int]) -> Finding:
    still = [index for index, count in enumerate(packets) if count == 0]
    if not still:
        return passed("all", packets, "moving")
    reason = f"queue pairs {', '.join(map(str, still))} of {frontend} carried nothing ({packets})"
    return failed("all", reason, packets, "moving")


def _judge_switch(evidence: Evidence, frontend: str, count: int) -> list[Finding]:
    """The switch's view of the same queues, since it was last started."""
    place = port_of(evidence.topology, frontend)
    lives = list(port_counters(evidence, *place)) if place else []
    if place is None or not lives:
        return []
    _, counters = lives[-1]
    queues = counters.get("queues", [])
    moved = [queue.get("rx_packets", 0) + queue.get("tx_packets", 0) for queue in queues[:count]]
    still = [index for index in range(count) if index >= len(moved) or moved[index] == 0]
    if not still:
        return [passed("in_switch", moved, "moving")]
    since = " since the switch was last started" if len(lives) > 1 else ""
    reason = f"queue pairs {', '.join(map(str, still))} of port {place[1]} carried nothing{since} ({moved})"
    return [failed("in_switch", reason, moved, "moving")]
