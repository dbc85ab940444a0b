"""progress: every flow that can move does, after the last fault was healed, with each of its streams, and to the end. Always
on.

A flow whose end or switch was broken and never healed cannot move and is left out. Nor is silence held against a flow
whose sender had nothing more to send.
"""

from __future__ import annotations

from testbed.check.compare import show_ns
from testbed.check.evidence import Document, Evidence, Fault, FlowEvidence
from testbed.check.losses import tails_of
from testbed.check.result import CheckResult, Finding, failed, passed, unknown
from testbed.check.rules import Rules
from testbed.check.topology import touched

# A flow that sent for less than this after the last fault may have had no time to be delivered.
_GRACE_NS = 50_000_000
_RULE = "after_last_fault"
# A flow, or one of its streams, that is silent for longer than this at the end while it is sent was left behind.
_SILENCE_NS = 200_000_000
_FEW = 8  # packets that a burst of drops may take from the end of a slow stream


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    del rules
    results = []
    for flow in evidence.flows.values():
        if flow.rate_pps == 0:
            continue  # it was told to be silent
        findings = [_judge(evidence, flow)]
        if findings[0].verdict == "passed" and flow.sender is not None and not _unhealed(evidence, flow):
            findings += [_to_the_end(flow), _streams(flow)]
        results.append(CheckResult("progress", flow.name, tuple(findings), _measured(flow)))
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


def _to_the_end(flow: FlowEvidence) -> Finding:
    sender, receiver = flow.sender or {}, flow.receiver or {}
    silence = (sender.get("last_ns") or 0) - (receiver.get("last_ns") or 0) - flow.clock_error_ns
    limit = max(_SILENCE_NS, receiver.get("outage_threshold_ns") or 0)
    if silence <= limit:
        return passed("to_the_end", show_ns(max(0, silence)), f"<= {show_ns(limit)}")
    reason = f"{flow.name} was silent at the end, although it was sent for {show_ns(silence)} longer"
    return failed("to_the_end", reason, show_ns(silence), f"<= {show_ns(limit)}")


def _streams(flow: FlowEvidence) -> Finding:
    """A queue that is no longer served takes its streams along, while the flow as a whole goes on."""
    sender = flow.sender or {}
    counts = sender.get("next") or []
    took = (sender.get("last_ns") or 0) - (sender.get("first_ns") or 0)
    behind = [
        tail.stream
        for tail in tails_of(flow)
        if tail.count > _FEW and tail.count * took > _SILENCE_NS * counts[tail.stream]
    ]
    if not behind or len(behind) == len(counts):
        return passed("streams", len(counts), "all move")
    shown = ", ".join(map(str, behind[:8])) + (", ..." if len(behind) > 8 else "")
    reason = f"{len(behind)} of {len(counts)} streams of {flow.name} were left behind while the others moved: {shown}"
    return failed("streams", reason, len(counts) - len(behind), "all move")


def _last_fault(evidence: Evidence) -> Fault | None:
    return max(evidence.faults, key=lambda f: f.start if f.end is None else f.end, default=None)


def _unhealed(evidence: Evidence, flow: FlowEvidence) -> bool:
    path = touched(evidence, flow)
    return any(fault.end is None and path & set(fault.targets) for fault in evidence.faults)
