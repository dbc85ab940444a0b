"""bench.html: the picture, drawn from the document. One file that opens offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from testbed.bench.table import LATENCY_COLUMNS, latency_rows, ratio_text, remarks
from testbed.report.html import PAGE, templates_in
from testbed.report.store import read_text, write_text

HERE = Path(__file__).parent
HTML = "bench.html"


def write_page(result: dict[str, Any], directory: Path) -> Path:
    text = (
        templates_in(HERE)
        .get_template("page.html.j2")
        .render(
            style=Markup(read_text(PAGE / "style.css")),
            facts=facts(result),
            bars=bars(result),
            latency_columns=LATENCY_COLUMNS,
            latencies=[row for case in result["latency"] for row in latency_rows(case)],
            remarks=remarks(result),
        )
    )
    write_text(directory / HTML, text)
    return directory / HTML


def facts(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The machine, in words."""
    environment = result["environment"]
    entries = [
        ("machine", f"{environment['cpu']}, {environment['cores']} cores"),
        ("kernel", environment["kernel"]),
        ("DPDK", environment["dpdk"]),
        ("revision", environment["git"]),
    ]
    if limits := result.get("limits"):
        entries.append(("a cache line to the other CPU", f"{limits['ping_pong_cycles']} cycles"))
        entries.append(("TSC", f"{limits['tsc_ghz']} GHz"))
    return [(key, value) for key, value in entries if value]


def bars(result: dict[str, Any]) -> list[dict[str, Any]]:
    """One for every figure, in per cent of the slowest; a case's own subject is its first."""
    cases = [case for case in result["cases"] if case.get("figures")]
    most = max(
        (entry["cycles_per_packet"] for case in cases for entry in case["figures"].values()), default=1
    )
    found = []
    for case in cases:
        for subject, figures in case["figures"].items():
            first = subject == case["subject"]
            found.append(
                {
                    "load": case["load"]["name"] if first else "",
                    "subject": subject,
                    "first": first,
                    "width": round(100 * figures["cycles_per_packet"] / most, 2),
                    "limit": round(100 * figures.get("limit_cycles", 0) / most, 2),
                    "cycles": f"{figures['cycles_per_packet']:.1f}",
                    "mpps": f"{'>' if figures['generator_is_the_limit'] else ''}{figures['mpps']:.2f}",
                    "ratio": ratio_text(case["ratio"]) if first else "",
                }
            )
    return found
