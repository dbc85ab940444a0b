"""progress: every flow that can move does, also after the last fault was healed. Always on.

A flow whose end or switch was broken and never healed cannot move and is left out. Nor is silence held against a flow
whose sender had nothing more to send.
"""

from __future__ import annotations

from testbed.check.compare import show_ns
from testbed.check.evidence import Document, Evidence, Fault, FlowEvidence
from testbed.check.result import CheckResult, Finding, failed, passed, unknown
from testbed.check.rules import Rules
from testbed.check.topology import touched

# A flow that sent for less than this after the last fault may have had no time to be delivered.
_GRACE_NS = 50_000_000
_RULE = "after_last_fault"


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    del rules
    results = []
    for flow in evidence.flows.values():
        if flow.rate_pps == 0:
            continue  # it was told to be silent
        finding = _judge(evidence, flow)
        results.append(CheckResult("progress", flow.name, (finding,), _measured(flow)))
    return results


def _measured(flow: FlowEvidence) -> Document:
    sender, receiver = flow.sender or {}, flow.receiver or {}
    return {"last_sent_ns": sender.get("last_ns"), "last_received_ns": receiver.get("last_ns")}


def _judge(evidence: Evidence, flow: FlowEvidence) -> Finding:
    if flow.receiver is None:
        return unknown(_RULE, f"{flow.sink} could not say whether {flow.name} moves: {flow.missing}")
    last = flow.receiver.get("last_ns") or 0
    if not flow.receiver.get("received"):
        return unknown(_RULE, f"{flow.name} never moved")
    if _unhealed(evidence, flow):
        return passed(_RULE, "not asked: a fault on its path was left unhealed")
    fault = _last_fault(evidence)
    if fault is None:
        return passed(_RULE, "no faults")
    healed = fault.end if fault.end is not None else fault.start
    if last > healed:
        return passed(_RULE, f"moved for {show_ns(last - healed)}", "moves")
    return _silent(flow, fault, healed)


def _silent(flow: FlowEvidence, fault: Fault, healed: int) -> Finding:
    what = f"{fault.kind} {', '.join(fault.targets)}".strip()
    sent = (flow.sender or {}).get("last_ns") or 0
    if flow.sender is not None and sent - healed < _GRACE_NS:
        reason = f"{flow.name} sent nothing after the last fault ({what}) was healed, so nobody knows whether it would move"
        return unknown(_RULE, reason, "silent", "moves")
    after = f", although it was sent for {show_ns(sent - healed)} longer" if flow.sender else ""
    reason = f"{flow.name} did not move again after the last fault ({what}) was healed{after}"
    return failed(_RULE, reason, "silent", "moves")


def _last_fault(evidence: Evidence) -> Fault | None:
    return max(evidence.faults, key=lambda f: f.start if f.end is None else f.end, default=None)


def _unhealed(evidence: Evidence, flow: FlowEvidence) -> bool:
    path = touched(evidence, flow)
    return any(fault.end is None and path & set(fault.targets) for fault in evidence.faults)
