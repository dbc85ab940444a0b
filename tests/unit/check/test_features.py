"""features: agreed on again after a reconnect, unless the frontend itself was started anew."""

from __future__ import annotations

from dataclasses import replace

from asserting import result
from made_run import DOWN, KILL, expecting, reconnect
from testbed.check import CheckResult, judge
from testbed.check.evidence import Event, Evidence, Fault

MS = 1_000_000
INDIRECT, LOG_ALL, VERSION_1 = 1 << 28, 1 << 26, 1 << 32


def _agreed(t: int, session: int, features: int) -> Event:
    names = [
        name for name, bit in (("RING_INDIRECT_DESC", INDIRECT), ("VERSION_1", VERSION_1)) if features & bit
    ]
    fields = {"port": "p0", "session": session, "negotiated": hex(features), "names": names}
    return Event(t, "switch", "session.negotiated", fields)


def _judged(*events: Event, faults: list[Fault] | None = None) -> CheckResult | None:
    evidence: Evidence = expecting(reconnect())
    others = [event for event in evidence.events if event.name != "session.negotiated"]
    evidence = replace(evidence, events=sorted([*others, *events], key=lambda event: event.t))
    evidence = evidence if faults is None else replace(evidence, faults=faults)
    if "features" not in {check.checker for check in judge(evidence).checks}:
        return None
    return result(judge(evidence), "features", "f0")


BEFORE = _agreed(KILL - 1000 * MS, 1, VERSION_1 | INDIRECT)


def test_a_feature_missing_from_the_next_session_fails_and_is_named() -> None:
    for session in (1, 2):  # of the next life of the switch, or of the same
        found = _judged(BEFORE, _agreed(DOWN[1], session, VERSION_1))
        assert found is not None and found.broken == ("kept",)
        assert "f0 had RING_INDIRECT_DESC in one session and not in the next" in found.reason


def test_the_same_features_or_more_pass_and_log_all_counts_for_neither() -> None:
    for features in (VERSION_1 | INDIRECT, VERSION_1 | INDIRECT | LOG_ALL, VERSION_1 | INDIRECT | 1):
        found = _judged(
            _agreed(KILL - 1000 * MS, 1, VERSION_1 | INDIRECT | LOG_ALL), _agreed(DOWN[1], 2, features)
        )
        assert found is not None and found.verdict == "passed"


def test_a_frontend_that_was_started_anew_may_choose_anew() -> None:
    faults = [Fault("restart", ("f0",), KILL, DOWN[1])]
    found = _judged(BEFORE, _agreed(DOWN[1], 2, VERSION_1), faults=faults)
    assert found is not None and found.verdict == "passed"


def test_of_several_agreements_in_a_session_the_last_one_counts() -> None:
    firmware = _agreed(KILL - 1500 * MS, 1, VERSION_1)
    assert _judged(firmware, BEFORE) is None
