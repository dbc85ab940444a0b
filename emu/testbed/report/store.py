"""Evidence on disk, so that a report can be drawn, and a verdict reached again, long after the run.

In the run's directory: history.jsonl holds the events of all cells, in the order of time; each cell's directory holds
evidence.json with everything else. `testbed.check.judge(load_evidence(...))` repeats the judgement.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testbed.check.evidence import (
    Call,
    Event,
    Evidence,
    Fault,
    FlowEvidence,
    LogLook,
    PagesLook,
    ProcessExit,
    ResourceSample,
    Step,
    SwitchEvidence,
)

HISTORY = "history.jsonl"
EVIDENCE = "evidence.json"


class ReportError(Exception):
    """A file of the report could not be written or read; str() is one line that says which and why."""


def write_text(path: Path, text: str) -> None:
    """Whole or not at all: a full disk leaves the file that was there before."""
    scratch = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise ReportError(f"cannot write {path}: {error.strerror or error}") from error


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ReportError(f"cannot read {path}: {error.strerror or error}") from error


def dump_evidence(evidence: Evidence) -> str:
    """Everything but the events."""
    document = {
        field.name: getattr(evidence, field.name)
        for field in dataclasses.fields(evidence)
        if field.name != "events"
    }
    return json.dumps(document, default=_plain, separators=(",", ":")) + "\n"


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return str(value)


def history_lines(cell: int, events: list[Event]) -> Iterator[str]:
    for event in sorted(events, key=lambda event: event.t):
        own = {"cell": cell, "t": event.t, "actor": event.actor, "name": event.name}
        fields = {key: value for key, value in event.fields.items() if key not in own}
        yield json.dumps({**own, **fields}, default=str, separators=(",", ":"))


def load_history(run_dir: Path) -> dict[int, list[Event]]:
    """Events by cell. A last line that was cut off (the run was killed) is left out."""
    events: dict[int, list[Event]] = {}
    for line in read_text(run_dir / HISTORY).splitlines():
        try:
            fields = json.loads(line)
            cell, t, actor, name = (fields.pop(key) for key in ("cell", "t", "actor", "name"))
        except (ValueError, KeyError):
            continue
        events.setdefault(cell, []).append(Event(t, actor, name, fields))
    return events


def load_evidence(path: Path, events: list[Event]) -> Evidence:
    try:
        document = json.loads(read_text(path))
        document["faults"] = [_fault(entry) for entry in document["faults"]]
        document["flows"] = {name: _flow(entry) for name, entry in document["flows"].items()}
        document["switches"] = [SwitchEvidence(**entry) for entry in document["switches"]]
        document["resources"] = [ResourceSample(**entry) for entry in document["resources"]]
        document["calls"] = [Call(**entry) for entry in document["calls"]]
        document["exits"] = [ProcessExit(**entry) for entry in document["exits"]]
        document["pages"] = [_pages(entry) for entry in document["pages"]]
        document["logs"] = [_log(entry) for entry in document["logs"]]
        document["steps"] = [Step(**entry) for entry in document["steps"]]
        return Evidence(**document, events=events)
    except (ValueError, KeyError, TypeError) as error:
        raise ReportError(f"{path} is no evidence of a run: {error}") from error


def _fault(entry: dict[str, Any]) -> Fault:
    return Fault(**{**entry, "targets": tuple(entry["targets"]), "ports": tuple(entry["ports"])})


def _pages(entry: dict[str, Any]) -> PagesLook:
    return PagesLook(**{**entry, "rings": tuple(entry["rings"])})


def _log(entry: dict[str, Any]) -> LogLook:
    return LogLook(**{**entry, "missing": tuple(entry["missing"]), "named": tuple(entry["named"])})


def _flow(entry: dict[str, Any]) -> FlowEvidence:
    return FlowEvidence(**{**entry, "snapshots": tuple(entry["snapshots"])})
