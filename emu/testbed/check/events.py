"""event: something happened as often as the scenario says: {name: session.refused, port: p2, count: 1}.

Every key but name, count and because has to match a field of the event (or its actor). Without a count: at least once.
"""

from __future__ import annotations

from testbed.check.compare import parse
from testbed.check.evidence import Document, Event, Evidence
from testbed.check.result import CheckResult
from testbed.check.rules import Rules, judge_value

_OWN_KEYS = frozenset({"name", "count", "because"})


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    return [_check_one(evidence, body) for body in rules.bodies("event")]


def matches(event: Event, wanted: Document) -> bool:
    fields = {"actor": event.actor, **event.fields}
    return event.name == wanted["name"] and all(
        fields.get(key) == value for key, value in wanted.items() if key not in _OWN_KEYS
    )


def _check_one(evidence: Evidence, body: Document) -> CheckResult:
    found = [event for event in evidence.events if matches(event, body)]
    wanted = parse(body.get("count", ">= 1"))
    where = ", ".join(f"{key} {value}" for key, value in body.items() if key not in _OWN_KEYS)
    subject = f"{body['name']} {where}".strip()
    times = [round((event.t - evidence.steps_start) / 1e6, 3) for event in found[:20]]
    at = f" (at {', '.join(f'{t:.0f}' for t in times[:5])} ms)" if times else ""
    reason = f"{subject} was seen {len(found)} times{at}, wanted {wanted}"
    finding = judge_value("count", len(found), wanted, reason)
    return CheckResult("event", subject, (finding,), {"count": len(found), "at_ms": times})
