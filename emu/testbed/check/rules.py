"""What a scenario asks for: the written expectations, and the rules that hold without being written.

`allow` loosens a rule of the second kind: {duplicated: "<= 32", because: ...}, for all flows or for those it lists.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from testbed.check.compare import Comparison, Kind, parse
from testbed.check.result import Finding, Verdict

Document = dict[str, Any]

# Rules that fail every scenario when the count is not 0. The first three are counted for each flow.
ALWAYS_PER_FLOW = ("corrupted", "misdelivered", "duplicated")
# Those of driver frontends, counted for each.
ALWAYS_PER_FRONTEND = ("stray", "unreturned", "ring_faults", "incomplete", "event_words", "unasked")
ALWAYS = (*ALWAYS_PER_FLOW, *ALWAYS_PER_FRONTEND, "leaks", "unaccounted", "unanswered", "deaths")

_ZERO = parse(0)
_ANY = Comparison(">=", 0.0, text="any")


class ExpectationError(ValueError):
    """An expectation that cannot be judged; str() says why."""


def limit(value: object) -> Comparison:
    """A comparison, or the word `any`."""
    return _ANY if value == "any" else parse(value)


def names(value: object) -> list[str]:
    """One name or a list of them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Iterable):
        return [str(item) for item in value]
    raise ExpectationError(f"{value!r} is no name and no list of names")


@dataclass(frozen=True)
class Rules:
    """The `expect` list of a scenario, one document each: {"flow": {...}}, {"conserved": true}, {"allow": {...}}."""

    expectations: list[Document]

    def written(self, kind: str) -> list[Any]:
        """The bodies of all expectations of a kind, as written."""
        return [document[kind] for document in self.expectations if kind in document]

    def bodies(self, kind: str) -> list[Document]:
        """The same where a body is a mapping; others (`leaks: none`) say nothing but that the rule is meant."""
        return [body for body in self.written(kind) if isinstance(body, dict)]

    def allowed(self, rule: str, flow: str = "", frontend: str = "") -> Comparison:
        """How much of what an always-on rule forbids may happen: nothing, unless `allow` says otherwise."""
        for body in self.bodies("allow"):
            flows, frontends = body.get("flows", body.get("flow")), body.get("frontends")
            meant = (flows is None or flow in names(flows)) and (
                frontends is None or frontend in names(frontends)
            )
            if rule in body and meant:
                wanted = limit(body[rule])
                # A bare number allows that many; it does not demand them.
                return replace(wanted, op="<=") if wanted.op == "==" else wanted
        return _ZERO


def misfit(rule: str, wanted: Comparison, *kinds: Kind) -> Finding | None:
    """What to say of a comparison in the wrong unit: it would compare packets with nanoseconds. 0 is 0 in all of them."""
    if wanted.kind in kinds or (wanted.kind == "number" and wanted.bound == 0 and wanted.op != ".."):
        return None
    return Finding(
        rule, "unknown", None, str(wanted), f"'{wanted}' is nothing that {rule} can be held against"
    )


def judge_value(rule: str, value: float, wanted: Comparison, reason: str, shown: Any = None) -> Finding:
    """A finding for a number that was seen. `reason` is what to say when the comparison does not hold."""
    verdict: Verdict = "passed" if wanted.holds(value) else "failed"
    return Finding(
        rule, verdict, value if shown is None else shown, str(wanted), "" if verdict == "passed" else reason
    )
