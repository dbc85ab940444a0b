"""One cell as the page shows it: (what the template prints, what the script draws). Evidence may be missing."""

from __future__ import annotations

import statistics
from typing import Any

from testbed.check.anatomy import PARTS
from testbed.check.compare import show_ns
from testbed.check.evidence import Evidence
from testbed.report.history_view import events_view, sessions_view, steps_view
from testbed.report.model import Cell, Check, Outage
from testbed.report.series import flow_series, latency_curve

Document = dict[str, Any]

FLOW_COLUMNS = ("sent", "received", "lost", "outside outages", "dup", "reord", "corrupt", "misdel", "outages", "longest",
                "p50", "p99", "p99.9", "max")  # fmt: skip
# Outages that are shown before the rest is folded away.
_SHOWN = 12
_MANY = 5


def matrix_title(matrix: Document) -> str:
    return ", ".join(f"{key} {value}" for key, value in matrix.items()) or "The run"


def cell_view(cell: Cell, evidence: Evidence | None, problem: str) -> tuple[Document, Document]:
    view: Document = {
        "title": matrix_title(cell.matrix),
        "verdict": cell.verdict,
        "reason": cell.reason,
        "problem": problem,
        "took": f"{cell.duration_s:.1f} s",
        "longest": _longest(cell.outages),
        "flow_rows": [_flow_row(check, evidence) for check in cell.checks if check.checker == "flow"],
        "outages": _outage_groups(cell.outages),
        "parts": [name for name in PARTS if any(p.name == name for o in cell.outages for p in o.parts)],
        "bad": [_check(check) for check in cell.checks if check.verdict != "passed"],
        "passed": [_check(check) for check in cell.checks if check.verdict == "passed"],
        **steps_view(cell, evidence),
        **sessions_view(evidence),
        **events_view(evidence),
    }
    picture = _picture(cell, evidence)
    view["charts"] = [
        {"name": flow["name"], "path": flow["path"], "points": len(flow["t"])} for flow in picture["flows"]
    ]
    view["curves"] = [flow["name"] for flow in picture["flows"] if flow["curve"]]
    view["has_curves"] = bool(view["curves"])
    return view, picture


def _picture(cell: Cell, evidence: Evidence | None) -> Document:
    flows = [] if evidence is None else list(evidence.flows.values())
    return {
        "flows": [
            {
                "name": flow.name,
                "path": f"{flow.source} → {flow.sink}",
                "curve": latency_curve(flow),
                **(flow_series(evidence, flow) if evidence else {}),
            }
            for flow in flows
        ],
        "faults": [
            {"from": fault.start_ms / 1e3, "to": None if fault.end_ms is None else fault.end_ms / 1e3}
            for fault in cell.faults
        ],
        "outages": [
            {
                "flow": outage.flow,
                "from": outage.start_ms / 1e3,
                "to": (outage.start_ms + outage.duration_ms) / 1e3,
                "label": show_ns(outage.duration_ms * 1e6),
            }
            for outage in cell.outages
        ],
    }


def _longest(outages: list[Outage]) -> str:
    return show_ns(max(outage.duration_ms for outage in outages) * 1e6) if outages else "–"


def _flow_row(check: Check, evidence: Evidence | None) -> Document:
    measured, flow = check.measured, evidence.flows.get(check.subject) if evidence else None
    latency = measured.get("latency_us") or {}
    outages = measured.get("outages_ms") or []
    counts = (
        "sent",
        "received",
        "lost",
        "lost_outside_outages",
        "duplicated",
        "reordered",
        "corrupted",
        "misdelivered",
    )
    times = [show_ns(latency[key] * 1e3) if key in latency else "–" for key in ("p50", "p99", "p999", "max")]
    longest = show_ns(max(outages) * 1e6) if outages else "–"
    return {
        "name": check.subject,
        "path": f"{flow.source} → {flow.sink}" if flow else "",
        "verdict": check.verdict,
        "known": check.known,
        "cells": [*(_number(measured.get(key)) for key in counts), len(outages), longest, *times],
    }


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if isinstance(value, int) else str(value)


def _check(check: Check) -> Document:
    rows = [
        {
            "rule": finding.rule.replace("_", " "),
            "verdict": finding.verdict,
            "measured": _short(finding.measured),
            "expected": finding.expected,
        }
        for finding in sorted(check.findings, key=lambda finding: finding.verdict == "passed")
    ]
    empty = [{"rule": "–", "verdict": check.verdict, "measured": "–", "expected": ""}]
    return {
        **check.model_dump(include={"checker", "subject", "verdict", "reason", "known"}),
        "rows": rows or empty,
    }


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "–" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 160 else text[:157] + "..."


def _outage_groups(outages: list[Outage]) -> list[Document]:
    """The longest ones, those of many by their median, and the rest folded away."""
    rows = sorted(outages, key=lambda outage: -outage.duration_ms)
    first = [_outage(row) for row in sorted(rows[:_SHOWN], key=lambda row: row.start_ms)]
    if len(rows) >= _MANY:
        first.append(_median(rows))
    groups: list[Document] = [{"rows": first, "fold": False}] if first else []
    if len(rows) > _SHOWN:
        rest = sorted(rows[_SHOWN:], key=lambda row: row.start_ms)
        groups.append({"rows": [_outage(row) for row in rest], "fold": True})
    return groups


def _outage(outage: Outage) -> Document:
    start, length = outage.start_ms / 1e3, outage.duration_ms / 1e3
    margin = max(0.4 * length, 0.02)
    return {
        "flow": outage.flow,
        "at": f"{start:.3f} s",
        "took": show_ns(outage.duration_ms * 1e6) + (" (open)" if outage.open else ""),
        "fault": outage.fault or "none",
        "parts": _parts([(part.name, part.ms) for part in outage.parts], outage.duration_ms),
        "zoom": f"{start - margin:.4f},{start + length + margin:.4f}",
    }


def _parts(parts: list[tuple[str, float]], whole: float) -> list[Document]:
    described = []
    for name, ms in parts:
        told = f"{name.replace('_', ' ')}: {show_ns(ms * 1e6)}"
        label = show_ns(ms * 1e6) if whole and ms / whole > 0.09 else ""
        described.append({"name": name, "ms": round(ms, 4), "told": told, "label": label})
    return described


def _median(rows: list[Outage]) -> Document:
    """Each part's median on its own: they need not add up to the median outage."""
    by_part = {
        name: statistics.median([sum(p.ms for p in row.parts if p.name == name) for row in rows])
        for name in PARTS
    }
    parts = [(name, ms) for name, ms in by_part.items() if ms > 0]
    return {
        "flow": f"median of {len(rows)}",
        "at": "",
        "took": show_ns(statistics.median(row.duration_ms for row in rows) * 1e6),
        "fault": "",
        "parts": _parts(parts, sum(ms for _, ms in parts)),
        "zoom": "",
    }
