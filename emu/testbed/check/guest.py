"""guest: what happened inside the guests that the scenario did not ask for.

Always on: a guest that dies, panics or reboots unasked counts as a death. A `guest` expectation counts what it names:
reboots (asked for or not), kernel_errors, link_changes (after the first step), panics, deaths.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from testbed.check.evidence import Document, Event, Evidence
from testbed.check.result import CheckResult, Finding, unknown
from testbed.check.rules import Rules, judge_value, limit, names
from testbed.check.topology import frontends_of

# Faults that end a guest's life: its next boot, and its death, were asked for.
_ENDING = frozenset({"kill", "restart", "shutdown", "reboot", "reset"})
_NOT_RULES = frozenset({"name", "because"})


@dataclass(frozen=True)
class _Guest:
    name: str
    boots: list[Event]
    spawned: int
    errors: list[Event]
    links: list[Event]
    ends: list[Event]  # guest.died and guest.panicked
    unasked: list[str]  # what it did by itself, in words

    @property
    def counts(self) -> dict[str, int]:
        return {
            "reboots": max(0, len(self.boots) - max(1, self.spawned)),
            "kernel_errors": len(self.errors),
            "link_changes": len(self.links),
            "panics": sum(1 for event in self.ends if event.name == "guest.panicked"),
            "deaths": len(self.unasked),
        }


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    guests = [name for name, spec in frontends_of(evidence.topology).items() if spec.get("type") == "qemu"]
    asked = {name for body in rules.bodies("guest") for name in names(body.get("name", guests))}
    strangers = sorted(asked - set(guests))
    results = [_check_guest(_look(evidence, name), rules, guests) for name in guests]
    return results + [
        CheckResult("guest", name, (unknown("name", f"there is no guest {name}"),)) for name in strangers
    ]


def _look(evidence: Evidence, name: str) -> _Guest:
    own = [event for event in evidence.events if event.actor == name]
    boots = [event for event in own if event.name == "agent.ready"]
    ends = [event for event in own if event.name in ("guest.died", "guest.panicked")]
    return _Guest(
        name=name,
        boots=boots,
        spawned=sum(1 for event in own if event.name == "process.spawned"),
        errors=[event for event in own if event.name == "kernel.error"],
        links=[event for event in own if event.name == "guest.link" and event.t >= evidence.steps_start],
        ends=ends,
        unasked=_unasked_boots(evidence, name, boots) + _unasked_ends(evidence, name, ends),
    )


def _asked(evidence: Evidence, name: str, after: int, until: int) -> bool:
    """Whether a fault of that time ended the guest's life."""
    return any(
        fault.kind in _ENDING and name in fault.targets and after <= fault.start <= until
        for fault in evidence.faults
    )


def _at(evidence: Evidence, event: Event) -> str:
    return f"{(event.t - evidence.steps_start) / 1e9:.3f} s after the first step"


def _unasked_boots(evidence: Evidence, name: str, boots: list[Event]) -> list[str]:
    return [
        f"{name} rebooted by itself, {_at(evidence, boot)}"
        for before, boot in itertools.pairwise(boots)
        if not _asked(evidence, name, before.t, boot.t)
    ]


def _unasked_ends(evidence: Evidence, name: str, ends: list[Event]) -> list[str]:
    told = []
    for end in ends:
        fault_over = any(
            fault.kind in _ENDING
            and name in fault.targets
            and fault.start <= end.t <= (evidence.end if fault.end is None else fault.end)
            for fault in evidence.faults
        )
        if end.name == "guest.panicked" or not (fault_over or end.fields.get("expected")):
            what = (
                "panicked"
                if end.name == "guest.panicked"
                else f"died ({end.fields.get('status', 'no status')})"
            )
            last = _last_words(end)
            told.append(f"{name} {what}, {_at(evidence, end)}" + (f": {last}" if last else ""))
    return told


def _last_words(end: Event) -> str:
    """What the kernel said, or the last lines of its console."""
    lines = [str(line).strip() for line in end.fields.get("console_tail", [])]
    text = str(end.fields.get("text", "")).strip() or " | ".join(line for line in lines if line)
    return text[-240:]


def _check_guest(guest: _Guest, rules: Rules, guests: list[str]) -> CheckResult:
    wanted = {"deaths": rules.allowed("deaths")}
    for body in rules.bodies("guest"):
        if guest.name in names(body.get("name", guests)):
            wanted |= {rule: limit(value) for rule, value in body.items() if rule not in _NOT_RULES}
    findings: list[Finding] = []
    if not guest.boots:
        findings.append(unknown("ready", f"{guest.name} was never ready", 0, ">= 1"))
    for rule, comparison in wanted.items():
        if rule not in guest.counts:
            findings.append(unknown(rule, f"guests have no rule '{rule}'", None, str(comparison)))
            continue
        value = guest.counts[rule]
        reason = (
            _reason(guest, rule) or f"{guest.name} had {value} {rule.replace('_', ' ')}, wanted {comparison}"
        )
        findings.append(judge_value(rule, value, comparison, reason))
    return CheckResult("guest", guest.name, tuple(findings), _measured(guest))


def _reason(guest: _Guest, rule: str) -> str:
    if rule == "deaths":
        return "; ".join(guest.unasked)
    if rule == "kernel_errors" and guest.errors:
        first = str(guest.errors[0].fields.get("text", "")).strip()
        return f"{guest.name}'s kernel told of {len(guest.errors)} errors, first: {first[:160]}"
    return ""


def _measured(guest: _Guest) -> Document:
    errors = [str(event.fields.get("text", ""))[:400] for event in guest.errors[:20]]
    return {"boots": len(guest.boots), **guest.counts, "errors": errors}
