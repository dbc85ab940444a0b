"""From evidence to a verdict: runs every checker, guards against those that crash, and applies `known`.

A checker is a pure function (evidence, rules) -> results. The order here is the order of the report.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace

from testbed.check import (
    answering,
    conserved,
    counters,
    dirty_log,
    events,
    exits,
    faults,
    features,
    flow,
    guest,
    leaks,
    migration,
    misdelivery,
    pages,
    progress,
    queues,
    rings,
    steps,
    untouched,
)
from testbed.check.anatomy import anatomies
from testbed.check.evidence import Evidence
from testbed.check.result import CellResult, CheckResult, Document, failed, passed, unknown
from testbed.check.rules import Rules, names

Checker = Callable[[Evidence, Rules], list[CheckResult]]

CHECKERS: dict[str, Checker] = {
    "steps": steps.check,
    "faults": faults.check,
    "flow": flow.check,
    "progress": progress.check,
    "queues": queues.check,
    "untouched": untouched.check,
    "misdelivery": misdelivery.check,
    "conserved": conserved.check,
    "pages": pages.check,
    "rings": rings.check,
    "dirty_log": dirty_log.check,
    "migration": migration.check,
    "guest": guest.check,
    "features": features.check,
    "answering": answering.check,
    "exits": exits.check,
    "leaks": leaks.check,
    "event": events.check,
    "counter": counters.check,
}

# Keys of `expect` that change how others are judged.
MODIFIERS = frozenset({"allow", "known"})


def judge(evidence: Evidence) -> CellResult:
    """Never raises: what cannot be judged is unknown, with the reason."""
    rules = Rules(evidence.expectations)
    results: list[CheckResult] = []
    for name, checker in CHECKERS.items():
        results += _guarded(name, checker, evidence, rules)
    results += _unjudged(rules)
    results = _apply_known(results, evidence, rules)
    anatomy, problems = _anatomy(evidence)
    return CellResult(evidence.cell, (*results, *problems), (evidence.end - evidence.start) / 1e9, anatomy)


def _anatomy(evidence: Evidence) -> tuple[tuple[Document, ...], list[CheckResult]]:
    found: list[Document] = []

    def collect(evidence: Evidence, rules: Rules) -> list[CheckResult]:
        del rules
        found.extend(anatomies(evidence))
        return []

    problems = _guarded("anatomy", collect, evidence, Rules([]))
    return tuple(found), problems


def _guarded(name: str, checker: Checker, evidence: Evidence, rules: Rules) -> list[CheckResult]:
    try:
        return checker(evidence, rules)
    # A checker that crashes must never make a run green, nor hide what the others say.
    except Exception as error:  # noqa: BLE001
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"the checker crashed: {type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        return [CheckResult(name, "checker", (unknown("crashed", reason),))]


def _unjudged(rules: Rules) -> list[CheckResult]:
    """Expectations that no checker knows: they were asked for, so they cannot be passed over."""
    kinds = {key for document in rules.expectations for key in document}
    return [
        CheckResult(kind, "expectation", (unknown("known", f"no checker knows the expectation '{kind}'"),))
        for kind in sorted(kinds - CHECKERS.keys() - MODIFIERS)
    ]


def _matches(when: Document, evidence: Evidence) -> bool:
    datapath = evidence.topology.get("switch", {}).get("datapath")
    facts = {"backend": evidence.backend, "datapath": datapath, **evidence.cell}
    if evidence.backend != "testbed-switch":
        facts["datapath"] = "library"  # all others are built on it
    return all(
        facts.get(key) in (value if isinstance(value, list) else [value]) for key, value in when.items()
    )


def _covers(fails: list[str], result: CheckResult) -> bool:
    """`fails` names a checker, `checker subject`, or rules: then every broken rule has to be among them."""
    if result.checker in fails or f"{result.checker} {result.subject}" in fails:
        return True
    return set(result.broken) <= set(fails)


def _apply_known(results: list[CheckResult], evidence: Evidence, rules: Rules) -> list[CheckResult]:
    for body in rules.bodies("known"):
        if not _matches(body.get("when", {}), evidence):
            continue
        fails, because = names(body["fails"]), str(body.get("because", "no reason was given"))
        hit = [r.verdict == "failed" and _covers(fails, r) for r in results]
        results = [replace(r, known=because) if h else r for r, h in zip(results, hit, strict=True)]
        results.append(_surprise(fails, because, any(hit)))
    return results


def _surprise(fails: list[str], because: str, happened: bool) -> CheckResult:
    what = ", ".join(fails)
    if happened:
        return CheckResult("known", what, (passed("fails", "failed", "failed"),))
    reason = f"{what} was expected to fail ({because}) and did not: take the `known` out, or find out why it passes"
    return CheckResult("known", what, (failed("fails", reason, "passed", "failed"),))
