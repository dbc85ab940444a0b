"""migration: a guest that moved arrived whole, was never in two places, and the network learnt where it is. Always on.

identical   pages of the two memories that differed at the switch-over: written at the source and not logged
overlap     the destination's rings ran before the source's had stopped (GET_VRING_BASE answered), as both gates saw it
announced   migrations after which no switch noticed that the guest's address had moved
failed      migrations that failed; unfinished ones count. `failed`, `cancelled`, `completed`: how often
downtime    from the stop of the rings at the source to all of them running at the destination
total       of the whole migration
rounds      of copying while the rings ran

What the flows lost is for `flow` to say, and how long they may be silent; how long they were is measured here, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from testbed.check.evidence import Document, Event, Evidence
from testbed.check.losses import outages_of
from testbed.check.result import CheckResult, Finding, passed, unknown
from testbed.check.rules import Rules, judge_value, limit, names
from testbed.check.topology import address_block, frontends_of

_ENDS = {"completed", "cancelled", "failed"}
_ANNOUNCED_WITHIN_NS = 2_000_000_000


@dataclass
class Move:
    """One migration: asked for at `start`, from a port to another."""

    frontend: str
    source: str
    target: str
    start: int
    state: str = "unfinished"
    end: int = 0
    switched: int = 0
    report: Document = field(default_factory=dict)


def moves_of(evidence: Evidence, frontend: str | None = None) -> list[Move]:
    moves: list[Move] = []
    open_: dict[str, Move] = {}
    for event in sorted(evidence.events, key=lambda event: event.t):
        if event.name == "migration.asked":
            fields = event.fields
            open_[event.actor] = Move(event.actor, str(fields["from"]), str(fields["to"]), event.t)
            moves.append(open_[event.actor])
            continue
        move = open_.get(event.actor)
        kind = event.name.removeprefix("migration.")
        if move is None or kind == event.name:
            continue
        if kind == "switched":
            move.switched = event.t
        elif kind in _ENDS:
            move.state, move.end, move.report = kind, event.t, event.fields
    return [move for move in moves if frontend in (None, move.frontend)]


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    moved = dict.fromkeys(move.frontend for move in moves_of(evidence))
    expected = dict.fromkeys(
        name
        for body in rules.bodies("migration")
        for name in (_frontends(body, evidence) if "frontend" in body else [])
        if name not in moved
    )
    never = [
        CheckResult("migration", name, (unknown("completed", f"{name} never migrated"),)) for name in expected
    ]
    if rules.bodies("migration") and not moved and not never:
        never = [CheckResult("migration", "guests", (unknown("completed", "no guest migrated"),))]
    return [*(_check_guest(evidence, name, rules) for name in moved), *never]


def _frontends(body: Document, evidence: Evidence) -> list[str]:
    wanted = body.get("frontend")
    if wanted is not None:
        return names(wanted)
    return [
        name
        for name, spec in frontends_of(evidence.topology).items()
        if spec.get("type") in ("driver", "qemu")
    ]


def _check_guest(evidence: Evidence, guest: str, rules: Rules) -> CheckResult:
    moves = moves_of(evidence, guest)
    done = [move for move in moves if move.state == "completed"]
    wanted: Document = {}
    for body in rules.bodies("migration"):
        if guest in _frontends(body, evidence):
            wanted |= {key: value for key, value in body.items() if key not in ("frontend", "identical")}
    findings = [
        *_identical(guest, done),
        _count("overlap", [told for move in done if (told := _overlap(evidence, move))]),
        _count("announced", [told for move in done if (told := _silent(evidence, move))]),
        *_how_often(guest, moves, wanted),
        *_costs(done, wanted),
    ]
    return CheckResult("migration", guest, tuple(findings), _measured(evidence, moves))


def _count(rule: str, told: list[str]) -> Finding:
    return judge_value(rule, len(told), limit(0), "; ".join(told[:3]))


def _identical(guest: str, done: list[Move]) -> Iterator[Finding]:
    if not done:
        return
    compared = sum(int(move.report.get("compared_pages", 0)) for move in done)
    if not compared:
        yield unknown("identical", f"no page of {guest} was compared")
        return
    differing = sum(int(move.report.get("differing_pages", 0)) for move in done)
    first: list[int] = next((m.report["differing"] for m in done if m.report.get("differing_pages")), [])
    where = ", ".join(f"{int(address):#x}" for address in first[:8])
    reason = f"{differing} pages of {guest} arrived with other octets than they had, written and not logged: {where}"
    yield judge_value("identical", differing, limit(0), reason)


def _messages(evidence: Evidence, port: str, since: int, until: int) -> list[Event]:
    switch, dot, name = port.partition(".")
    actor, port_name = (switch, name) if dot else ("switch", port)
    return [
        event
        for event in evidence.events
        if event.actor == actor
        and event.name == "session.message"
        and event.fields.get("port") == port_name
        and event.fields.get("dir") == "frontend"
        and since <= event.t <= until
    ]


def _overlap(evidence: Evidence, move: Move) -> str:
    """Why the two sides may have run at the same time; empty: they did not."""
    stops = [
        event.t + 1000 * int(event.fields.get("reply_us") or 0)
        for event in _messages(evidence, move.source, move.start, move.end)
        if event.fields.get("message") == "GET_VRING_BASE"
    ]
    starts = [
        event.t
        for event in _messages(evidence, move.target, move.start, move.end)
        if event.fields.get("message") == "SET_VRING_KICK"
    ]
    if not stops or not starts:
        missing = f"{move.source} no GET_VRING_BASE" if not stops else f"{move.target} no SET_VRING_KICK"
        return f"the gate of {missing} has seen, so nobody knows who ran when"
    if min(starts) < max(stops):
        late = (max(stops) - min(starts)) / 1e6
        return f"rings of {move.frontend} were started at {move.target} {late:.3f} ms before they stopped at {move.source}"
    return ""


def _silent(evidence: Evidence, move: Move) -> str:
    """Why no switch can know where the guest is now."""
    own = address_block(evidence.topology, move.frontend)
    until = (move.switched or move.end) + _ANNOUNCED_WITHIN_NS
    for event in evidence.events:
        moved = event.name == "fdb.moved" and str(event.fields.get("mac", "")).startswith(own)
        if moved and move.start <= event.t <= until:
            return ""
    return f"no switch noticed that {move.frontend} had moved to {move.target}"


def _how_often(guest: str, moves: list[Move], wanted: Document) -> Iterator[Finding]:
    failed = [move for move in moves if move.state in ("failed", "unfinished")]
    why = "; ".join(dict.fromkeys(str(move.report.get("error", "it did not end")) for move in failed))
    yield judge_value("failed", len(failed), limit(wanted.get("failed", 0)), f"{guest} did not arrive: {why}")
    for state in ("completed", "cancelled"):
        if state in wanted:
            number = sum(1 for move in moves if move.state == state)
            yield judge_value(
                state, number, limit(wanted[state]), f"{number} migrations of {guest} were {state}"
            )
    if not moves:
        yield passed("completed", 0)


def _costs(done: list[Move], wanted: Document) -> Iterator[Finding]:
    for rule, key in (("downtime", "downtime_us"), ("total", "total_us")):
        if rule in wanted:
            if not done:
                yield unknown(rule, "no migration was completed")
                continue
            worst = max(int(move.report.get(key, 0)) for move in done) * 1000
            shown = f"{worst / 1e6:.1f} ms"
            yield judge_value(rule, worst, limit(wanted[rule]), f"the {rule} was {shown}", shown)
    if "rounds" in wanted and done:
        worst = max(len(move.report.get("rounds", [])) for move in done)
        yield judge_value("rounds", worst, limit(wanted["rounds"]), f"it took {worst} rounds")


def _measured(evidence: Evidence, moves: list[Move]) -> Document:
    return {
        "migrations": [
            {
                "from": move.source,
                "to": move.target,
                "state": move.state,
                "rounds": len(move.report.get("rounds", [])),
                **{
                    key: move.report[key]
                    for key in ("pages", "downtime_us", "downtime", "total_us", "differing_pages", "error")
                    if key in move.report
                },
                "outages_ms": _outages(evidence, move),
            }
            for move in moves
        ]
    }


def _outages(evidence: Evidence, move: Move) -> Document:
    """The longest silence of each flow of the guest that has to do with it."""
    until = (move.switched or move.end) + _ANNOUNCED_WITHIN_NS
    longest = {
        flow.name: max(
            (o.end - o.start for o in outages_of(evidence, flow) if o.end >= move.start and o.start <= until),
            default=0,
        )
        for flow in evidence.flows.values()
        if move.frontend in (flow.source, flow.sink) and flow.receiver is not None
    }
    return {name: round(length / 1e6, 3) for name, length in longest.items()}
