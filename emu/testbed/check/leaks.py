"""leaks: what a process holds returns to where it was, and nothing of the run is left when it is over. Always on.

Two measures. Each process is sampled before the first step and again when every fault is healed and the flows are
silent; whatever grew by more than its tolerance leaked. A process that was started anew is held against its own
predecessor: the same configuration in the same state costs the same. And of the surroundings (processes, sockets,
mounts, hugepages, devices) nothing may be left at the end, by name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from testbed.check.evidence import Document, Evidence, ResourceSample
from testbed.check.result import CheckResult, Finding, failed, passed, unknown
from testbed.check.rules import Rules, judge_value, limit
from testbed.check.topology import by_hand, frontends_of

# What may be more afterwards without being a leak.
TOLERANCE = {
    # One control connection more, when the runner's second is open at the moment of sampling.
    "fds": 1,
    # Every thread is made at start-up, in all programs.
    "threads": 0,
    # glibc maps an arena when two threads first contend and keeps it, and a stack stays cached after its thread: both
    # come in pairs and end at 8 arenas a core. A leaked mapping of guest memory or of a ring comes once per session,
    # region or port, and scenarios that look for leaks repeat those tens to thousands of times.
    "mappings": 16,
    # A burst under way in one worker: the counters of a pool are read while others use it.
    "mbufs_in_use": 32,
}
# rss_kb is not judged: without hugepages every page of a pool counts from the first time a packet lies in it.

_LOG_AND_INFLIGHT, _NAMED = 2, 16

SURROUNDINGS = ("processes", "sockets", "mounts", "hugepages", "devices")
_RUNNER = "testbed"


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    tolerance = {**TOLERANCE, **_written(rules)}
    results = [_check_process(evidence, actor, tolerance, rules) for actor in _actors(evidence)]
    return [*results, _check_surroundings(evidence, rules)]


def _written(rules: Rules) -> dict[str, float]:
    """`leaks: {fds: "<= 3"}` sets tolerances; `leaks: none` says what holds anyhow."""
    return {
        key: limit(value).bound
        for body in rules.bodies("leaks")
        for key, value in body.items()
        if key in TOLERANCE
    }


def _actors(evidence: Evidence) -> list[str]:
    return sorted({sample.actor for sample in evidence.resources} - {_RUNNER})


def _sample(evidence: Evidence, actor: str, label: str) -> ResourceSample | None:
    found = [sample for sample in evidence.resources if sample.actor == actor and sample.label == label]
    return found[-1] if found else None


def _baseline(evidence: Evidence, actor: str) -> ResourceSample | None:
    """The last sample, when its sessions had settled; but packets are counted from the quietest moment on: no session holds
    any, and what leaks with the first ones would be taken for a part of it."""
    last = _sample(evidence, actor, "before")
    counts = [
        int(sample.resources["mbufs_in_use"])
        for sample in evidence.resources
        if (sample.actor, sample.label) == (actor, "before") and "mbufs_in_use" in sample.resources
    ]
    if last is None or not counts:
        return last
    return replace(last, resources={**last.resources, "mbufs_in_use": min(counts)})


def _gone(evidence: Evidence, actor: str) -> bool:
    """It was ended on purpose and not started again, so that there is nobody to ask."""
    return any(fault.end is None and actor in fault.targets for fault in evidence.faults)


def _check_process(evidence: Evidence, actor: str, tolerance: dict[str, float], rules: Rules) -> CheckResult:
    before, after = _baseline(evidence, actor), _sample(evidence, actor, "after")
    if before is None or after is None:
        if after is None and _gone(evidence, actor):
            return CheckResult("leaks", actor, (passed("after", "ended on purpose"),))
        which = "after" if before else "before"
        reason = f"what {actor} held {which} the steps is not known: no sample could be had"
        return CheckResult("leaks", actor, (unknown(which, reason),))
    findings = [
        _grown(before, after, key, tolerance[key] + _granted(evidence, actor, key), rules)
        for key in TOLERANCE
        if key in before.resources and key in after.resources
    ]
    if not findings:
        return CheckResult("leaks", actor, (unknown("after", f"{actor} tells of nothing that can leak"),))
    return CheckResult("leaks", actor, tuple(findings), _measured(before, after))


def _granted(evidence: Evidence, actor: str, key: str) -> float:
    """What a frontend holds afterwards by its nature."""
    spec = frontends_of(evidence.topology).get(actor)
    if spec is None:
        return 0
    # virtio_user frees sent mbufs when it next sends: up to a ring of them lie in each queue of an idle frontend.
    if key == "mbufs_in_use":
        return float(int(spec.get("queues") or 1) * int(spec.get("queue_size") or 256))
    # A driver keeps its log, its in-flight area, and the descriptors that steps gave a name.
    if key == "fds" and spec.get("type") == "driver":
        return _LOG_AND_INFLIGHT + (_NAMED if by_hand(evidence, actor) else 0)
    return 0


def _grown(
    before: ResourceSample, after: ResourceSample, key: str, tolerance: float, rules: Rules
) -> Finding:
    first, last = int(before.resources[key]), int(after.resources[key])
    expected = f"<= {first + int(tolerance)}"
    if last - first <= tolerance or rules.allowed("leaks").holds(last - first):
        return passed(key, last, expected)
    anew = "" if before.pid == after.pid else ", and it was started anew in between"
    reason = f"{before.actor} had {first} {key} before the steps and {last} after them{anew}"
    return failed(key, reason, last, expected)


def _measured(before: ResourceSample, after: ResourceSample) -> Document:
    keys = [key for key in after.resources if key in before.resources]
    return {key: [before.resources[key], after.resources[key]] for key in keys}


def _check_surroundings(evidence: Evidence, rules: Rules) -> CheckResult:
    end = _sample(evidence, _RUNNER, "end")
    if end is None:
        reason = "nobody looked for what was left when all had ended"
        return CheckResult("leaks", "surroundings", (unknown("left", reason),))
    left = {key: [str(name) for name in end.resources.get(key, [])] for key in SURROUNDINGS}
    findings = [_left(key, found, rules) for key, found in left.items()]
    return CheckResult(
        "leaks", "surroundings", tuple(findings), {key: found for key, found in left.items() if found}
    )


def _left(kind: str, found: list[str], rules: Rules) -> Finding:
    kinds = [f"{name} ({count} times)" if count > 1 else name for name, count in Counter(found).items()]
    shown = ", ".join(kinds[:5]) + (f" and {len(kinds) - 5} other" if len(kinds) > 5 else "")
    return judge_value(
        kind, len(found), rules.allowed("leaks"), f"{len(found)} {kind} of the run were left: {shown}"
    )
