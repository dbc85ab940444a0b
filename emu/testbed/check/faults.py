"""faults: whatever was armed on a socket did happen. A fault that found no message to act on has tested nothing."""

from __future__ import annotations

from testbed.check.evidence import Evidence
from testbed.check.result import CheckResult, passed, unknown
from testbed.check.rules import Rules


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    """Always on, in files that arm faults: `happened`."""
    del rules
    armed: dict[tuple[str, int], str] = {}
    fired: set[tuple[str, int]] = set()
    disarmed: set[tuple[str, int]] = set()
    for event in evidence.events:
        match event.name:
            case "fault.armed":
                armed[event.fields["port"], event.fields["fault"]] = event.fields["kind"]
            case "proxy.fault":
                fired.add((event.fields["leg"], event.fields["fault"]))
            case "fault.disarmed":
                disarmed |= {key for key in armed if key[0] == event.fields["port"]}
    if not armed:
        return []
    idle = [f"{armed[key]} on {key[0]}" for key in armed if key not in fired and key not in disarmed]
    measured = {"armed": len(armed), "happened": len(fired & armed.keys()), "disarmed": len(disarmed - fired)}
    if idle:
        reason = f"{', '.join(idle)} never happened: no such message passed, so nothing was tested"
        finding = unknown("happened", reason, len(fired), "all")
    else:
        finding = passed("happened", len(fired), "all")
    return [CheckResult("faults", "sockets", (finding,), measured)]
