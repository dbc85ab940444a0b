"""features: what a frontend and the switch had agreed on is agreed on again after a reconnect. Always on.

A frontend that lives on has its driver running with the features of the first session; a backend that offers less the next
time leaves it with rings it reads differently. A frontend (or a guest's driver) that was itself started anew may choose
anew. LOG_ALL comes and goes with every migration and is none of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from testbed.check.evidence import Document, Event, Evidence
from testbed.check.result import CheckResult, Finding, failed, passed
from testbed.check.rules import Rules
from testbed.check.topology import RESETTING, frontends_of, port_of

_LOG_ALL = 1 << 26


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    """One result for each frontend that had more than one session."""
    del rules
    results = []
    for frontend in frontends_of(evidence.topology):
        agreed = list(_sessions(evidence, frontend))
        if len(agreed) > 1:
            finding = _judge(evidence, frontend, agreed)
            results.append(CheckResult("features", frontend, (finding,), _measured(agreed)))
    return results


def _sessions(evidence: Evidence, frontend: str) -> Iterator[Event]:
    """The last agreement of each session: a guest's firmware negotiates first, and its kernel then."""
    place = port_of(evidence.topology, frontend)
    last: Event | None = None
    for event in evidence.events:
        if event.name != "session.negotiated" or (event.actor, event.fields.get("port")) != place:
            continue
        if last is not None and not _same_session(evidence, last, event):
            yield last
        last = event
    if last is not None:
        yield last


def _same_session(evidence: Evidence, first: Event, second: Event) -> bool:
    if first.fields.get("session") != second.fields.get("session"):
        return False
    # Each life of a switch counts its sessions from 1.
    return not any(
        event.name == "process.started" and event.actor == second.actor and first.t < event.t < second.t
        for event in evidence.events
    )


def _bits(event: Event) -> int:
    return int(str(event.fields.get("negotiated", "0")), 0) & ~_LOG_ALL


def _judge(evidence: Evidence, frontend: str, agreed: list[Event]) -> Finding:
    for before, after in pairwise(agreed):
        lost = _bits(before) & ~_bits(after)
        if lost and not _renewed(evidence, frontend, before.t, after.t):
            was = set(before.fields.get("names", [])) - set(after.fields.get("names", []))
            what = ", ".join(sorted(was)) or hex(lost)
            reason = f"{frontend} had {what} in one session and not in the next, and was not started anew"
            return failed("kept", reason, hex(_bits(after)), hex(_bits(before)))
    return passed("kept", len(agreed), "in all sessions")


def _renewed(evidence: Evidence, frontend: str, begin: int, end: int) -> bool:
    return any(
        fault.kind in RESETTING
        and frontend in fault.targets
        and begin < (fault.end or end)
        and fault.start < end
        for fault in evidence.faults
    )


def _measured(agreed: list[Event]) -> Document:
    return {"sessions": len(agreed), "names": agreed[-1].fields.get("names", [])}
