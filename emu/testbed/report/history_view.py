"""The history of a cell as tables: steps and faults, vhost-user messages by session, and all other events."""

from __future__ import annotations

import json
from typing import Any

from testbed.check.compare import show_ns
from testbed.check.evidence import Event, Evidence
from testbed.report.model import Cell

Document = dict[str, Any]

MESSAGES = ("session.message", "driver.message")  # as the switch saw them, and as a driver did
# What a page of twenty cells can hold and still open at once; the rest stays in history.jsonl.
MAX_STEPS, MAX_SESSIONS, MAX_MESSAGES, MAX_EVENTS = 200, 24, 120, 600


def at(evidence: Evidence, t: int) -> str:
    return f"{(t - evidence.steps_start) / 1e9:.4f} s"


def steps_view(cell: Cell, evidence: Evidence | None) -> Document:
    if evidence is None:
        return {"steps": [], "steps_left_out": 0}
    first, last = evidence.steps_start, evidence.end
    rows = [("step", step.text, step.start, step.end, step.error) for step in evidence.steps]
    rows += [
        (
            "fault",
            f"fault: {fault.kind} {', '.join(fault.targets or fault.ports)}",
            fault.start,
            fault.end,
            "",
        )
        for fault in evidence.faults
    ]
    rows.sort(key=lambda row: (row[2], row[0] == "fault"))
    whole = max(1, last - first)
    shown = [
        {
            "kind": kind,
            "text": text,
            "at": at(evidence, start),
            "took": "–" if end is None else show_ns(end - start),
            "error": error,
            "left": round(100 * max(0, start - first) / whole, 3),
            "width": round(100 * ((last if end is None else end) - start) / whole, 3),
        }
        for kind, text, start, end, error in rows[:MAX_STEPS]
    ]
    return {"steps": shown, "steps_left_out": max(0, len(rows) - MAX_STEPS)}


def sessions_view(evidence: Evidence | None) -> Document:
    """The last sessions of all ports; earlier ones are rarely what one looks for."""
    events = [] if evidence is None else [event for event in evidence.events if event.name in MESSAGES]
    sessions: dict[tuple[str, str, Any], list[Event]] = {}
    for event in events:
        key = (event.actor, str(event.fields.get("port", "")), event.fields.get("session"))
        sessions.setdefault(key, []).append(event)
    latest = sorted(sessions.items(), key=lambda item: item[1][0].t)[-MAX_SESSIONS:]
    shown = [_session(evidence, key, messages) for key, messages in latest] if evidence else []
    return {"sessions": shown, "sessions_left_out": max(0, len(sessions) - MAX_SESSIONS)}


def _session(evidence: Evidence, key: tuple[str, str, Any], messages: list[Event]) -> Document:
    actor, port, session = key
    took = show_ns(messages[-1].t - messages[0].t)
    more = f", the first {MAX_MESSAGES} of them" if len(messages) > MAX_MESSAGES else ""
    start = at(evidence, messages[0].t)
    where = f"{actor} port {port}" if port else actor
    title = f"{where}, session {session}: {len(messages)} messages in {took}, from {start}{more}"
    before = [messages[0], *messages]
    rows = [_message(evidence, event, earlier) for event, earlier in zip(messages, before, strict=False)]
    return {"title": title, "messages": rows[:MAX_MESSAGES]}


def _message(evidence: Evidence, event: Event, earlier: Event) -> Document:
    fields = event.fields
    reply = fields.get("reply_us")
    return {
        "at": at(evidence, event.t),
        "after": show_ns(event.t - earlier.t),
        "n": fields.get("n", ""),
        "dir": fields.get("dir", ""),
        "name": fields.get("message") or f"request {fields.get('request', '?')}",
        "size": fields.get("size", ""),
        "fds": fields.get("fds") or "",
        "reply": "" if reply is None else show_ns(float(reply) * 1e3),
    }


def events_view(evidence: Evidence | None) -> Document:
    """Everything but messages. When there are too many, the beginning and the end are kept."""
    events = [] if evidence is None else [event for event in evidence.events if event.name not in MESSAGES]
    left_out = max(0, len(events) - MAX_EVENTS)
    if left_out:
        events = events[: MAX_EVENTS // 2] + events[-MAX_EVENTS // 2 :]
    shown = [_event(evidence, event) for event in events] if evidence else []
    return {"events": shown, "events_left_out": left_out}


def _event(evidence: Evidence, event: Event) -> Document:
    details = ", ".join(f"{key} {_value(value)}" for key, value in event.fields.items() if key != "seq")
    details = details if len(details) <= 300 else details[:297] + "..."
    return {"at": at(evidence, event.t), "actor": event.actor, "name": event.name, "details": details}


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
