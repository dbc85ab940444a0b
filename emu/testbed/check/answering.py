"""answering: every control call got an answer within its deadline, also while something was broken. Always on.

An error is an answer. Calls to an actor that was itself killed or stopped while the call was under way are not counted:
the dead do not answer, and that is nobody's fault but the fault's.
"""

from __future__ import annotations

from testbed.check.compare import parse, show_ns
from testbed.check.evidence import Call, Document, Evidence
from testbed.check.result import CheckResult, Finding, unknown
from testbed.check.rules import Rules, judge_value

# Faults after which a process cannot answer until it is healed.
_SILENCING = frozenset({"kill", "stop", "restart", "shutdown", "reboot", "reset", "reload"})


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    """One result for each actor that was asked anything."""
    actors = sorted({call.actor for call in evidence.calls})
    return [_check_actor(evidence, actor, rules) for actor in actors]


def _check_actor(evidence: Evidence, actor: str, rules: Rules) -> CheckResult:
    calls = [call for call in evidence.calls if call.actor == actor and not _silenced(evidence, call)]
    late = [call for call in calls if _is_late(call)]
    allowed = rules.allowed("unanswered")
    finding: Finding = judge_value("unanswered", len(late), allowed, "; ".join(map(_tell, late[:5])))
    findings = [finding, *_written(calls, actor, rules)]
    return CheckResult("answering", actor, tuple(findings), _measured(calls, late))


def _is_late(call: Call) -> bool:
    return call.end is None or call.end - call.start > call.deadline_ns


def _silenced(evidence: Evidence, call: Call) -> bool:
    end = call.end if call.end is not None else call.start + call.deadline_ns
    return any(
        fault.kind in _SILENCING
        and call.actor in fault.targets
        and call.start <= (evidence.end if fault.end is None else fault.end)
        and end >= fault.start
        for fault in evidence.faults
    )


def _tell(call: Call) -> str:
    when = " during a fault" if call.during_fault else ""
    limit = show_ns(call.deadline_ns)
    if call.end is None:
        return f"{call.actor} did not answer {call.method} within {limit}{when}"
    return (
        f"{call.actor} took {show_ns(call.end - call.start)} to answer {call.method}{when}, and had {limit}"
    )


def _slowest(calls: list[Call]) -> Call | None:
    return max(
        (call for call in calls if call.end is not None), key=lambda c: (c.end or 0) - c.start, default=None
    )


def _measured(calls: list[Call], late: list[Call]) -> Document:
    slowest = _slowest(calls)
    return {
        "calls": len(calls),
        "late": len(late),
        "during_faults": sum(1 for call in calls if call.during_fault),
        "slowest_ms": round(((slowest.end or 0) - slowest.start) / 1e6, 3) if slowest else None,
        "slowest": slowest.method if slowest else None,
    }


def _written(calls: list[Call], actor: str, rules: Rules) -> list[Finding]:
    """`answering: {within: "<= 100ms"}`, for all actors or for `actor`."""
    findings = []
    for body in rules.bodies("answering"):
        if body.get("actor", actor) != actor or "within" not in body:
            continue
        wanted, slowest = parse(body["within"]), _slowest(calls)
        if slowest is None:
            findings.append(unknown("within", f"{actor} answered no call at all", None, str(wanted)))
            continue
        took = (slowest.end or 0) - slowest.start
        reason = f"{actor} took {show_ns(took)} to answer {slowest.method}, wanted {wanted}"
        findings.append(judge_value("within", took, wanted, reason, show_ns(took)))
    return findings
