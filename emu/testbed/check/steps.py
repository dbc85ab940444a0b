"""steps: the scenario ran to its end. What was not run cannot have held."""

from __future__ import annotations

from testbed.check.evidence import Evidence
from testbed.check.result import CheckResult, failed, passed, unknown
from testbed.check.rules import Rules


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    del rules
    done = sum(1 for step in evidence.steps if step.end is not None and not step.error)
    measured = {"steps": len(evidence.steps), "done": done}
    if not evidence.aborted:
        finding = passed("finished", True, "true")
    elif evidence.aborted_by == "step":
        finding = failed("finished", f"the steps ended early: {evidence.aborted}", False, "true")
    else:
        finding = unknown(
            "finished", f"the steps ended early ({evidence.aborted_by}): {evidence.aborted}", False, "true"
        )
    return [CheckResult("steps", "scenario", (finding,), measured)]
