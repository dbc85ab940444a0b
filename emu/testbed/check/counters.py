"""counter: one of the switch's counters has a value: {port: p2, name: drop_runt, value: 14}.

`port` or `brick` says whose; without either it is one of the totals. drop_REASON stands for an entry of `drops`. Lives
of the switch are added up; a life that was cut short counted at least what its last sample says.
"""

from __future__ import annotations

from testbed.check.compare import Comparison, parse
from testbed.check.evidence import Document, Evidence, SwitchEvidence
from testbed.check.result import CheckResult, Finding, unknown
from testbed.check.rules import Rules, judge_value
from testbed.check.topology import switches_of

_DROP = "drop_"


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    return [_check_one(evidence, body) for body in rules.bodies("counter")]


def _owner(evidence: Evidence, body: Document) -> tuple[str, str, str]:
    """(switch actor or empty for any, section, name in it)."""
    for key, section in (("port", "ports"), ("brick", "bricks")):
        if key in body:
            actor, _, name = str(body[key]).rpartition(".")
            return (
                (actor if actor in switches_of(evidence.topology) else ""),
                section,
                name if actor else str(body[key]),
            )
    return str(body.get("switch", "")), "totals", ""


def _read(life: SwitchEvidence, section: str, owner: str, name: str) -> int | None:
    document = life.counters.get(section, {})
    if owner:
        document = document.get(owner)
    if document is None:
        return None
    if name.startswith(_DROP):
        return int(document.get("drops", {}).get(name.removeprefix(_DROP), 0))
    value = document.get(name)
    return None if value is None else int(value)


def _check_one(evidence: Evidence, body: Document) -> CheckResult:
    actor, section, owner = _owner(evidence, body)
    name = str(body["name"])
    subject = f"{owner or section} {name}"
    wanted = parse(body.get("value", ">= 1"))
    lives = [life for life in evidence.switches if not actor or life.actor == actor]
    values = [value for life in lives if (value := _read(life, section, owner, name)) is not None]
    if not values:
        reason = f"no switch told of a counter {subject}"
        return CheckResult("counter", subject, (unknown("value", reason, None, str(wanted)),))
    seen = sum(values)
    finding = _judge(subject, seen, wanted, whole=all(life.final for life in lives))
    return CheckResult("counter", subject, (finding,), {"value": seen, "lives": values})


def _judge(subject: str, seen: int, wanted: Comparison, whole: bool) -> Finding:
    """A count that is not whole is a lower bound: it can prove that there were enough, or too many, and nothing else."""
    enough = wanted.op in (">=", ">") and wanted.holds(seen)
    too_many = wanted.op in ("<=", "<", "==", "..") and seen > max(wanted.bound, wanted.high)
    if whole or enough or too_many:
        return judge_value("value", seen, wanted, f"{subject} is {seen}, wanted {wanted}")
    reason = f"{subject} is at least {seen}, wanted {wanted}: the switch was killed, and what it counted last is gone"
    return unknown("value", reason, seen, str(wanted))
