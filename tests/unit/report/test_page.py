"""report.html and the terminal's table: what people read."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from made_flow import MS, SECOND
from made_run import KILL, START, STOP, expecting, reconnect, with_flow
from rich.console import Console
from testbed.check.evidence import Event, Evidence, Fault, Step
from testbed.report import ReportError, RunReport, load_report, print_summary, render_html
from testbed.report.environment import StealMeter, probe_environment
from testbed.report.series import COARSE_POINTS, FINE_POINTS, flow_series
from written import HOSTILE, failing, run


def page(run_dir: Path) -> str:
    return (run_dir / "report.html").read_text()


def data(run_dir: Path) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page(run_dir), re.DOTALL)
    assert match
    document: dict[str, Any] = json.loads(match[1])
    return document


def test_the_page_needs_nothing_from_anywhere(tmp_path: Path) -> None:
    run(tmp_path, reconnect(), failing())
    html = page(tmp_path)
    assert not re.findall(r'\b(?:src|href)="(?!#)[^"]*"', html)
    assert "@import" not in html
    assert "url(" not in html
    assert re.findall(r"https?://[^\s\"')]+", html) == ["https://github.com/leeoniya/uPlot"]  # in its comment


def test_it_says_what_was_claimed_found_and_how_to_repeat_it(tmp_path: Path) -> None:
    run(tmp_path, reconnect(), failing())
    html = page(tmp_path)
    for text in ("It comes back.", "14 packets of probe were duplicated", "--seed 7", "22.11.11", "103 ms", "kill: switch",
                 "SET_MEM_TABLE", "handshake", "flow.outage", "longest outage"):  # fmt: skip
        assert text in html, text


def test_nothing_a_run_says_can_become_markup(tmp_path: Path) -> None:
    evidence = reconnect()
    flows = {HOSTILE: dataclasses.replace(evidence.flows["probe"], name=HOSTILE), **evidence.flows}
    evidence = dataclasses.replace(
        evidence,
        flows=flows,
        cell={HOSTILE: HOSTILE},
        aborted=HOSTILE,
        events=[*evidence.events, Event(KILL, HOSTILE, HOSTILE, {HOSTILE: HOSTILE})],
        steps=[Step(HOSTILE, KILL, None, HOSTILE)],
        faults=[Fault(HOSTILE, (HOSTILE,), KILL, None)],
    )
    run(tmp_path, evidence)
    html = page(tmp_path)
    assert "<script>alert" not in html
    assert html.count("<script") == 3
    assert html.count("</script>") == 3
    assert any(flow["name"] == HOSTILE for flow in data(tmp_path)["cells"][0]["flows"])


def test_the_page_can_be_drawn_again_from_the_files_alone(tmp_path: Path) -> None:
    run(tmp_path, reconnect())
    before = page(tmp_path)
    (tmp_path / "report.html").unlink()
    assert render_html(tmp_path) == tmp_path / "report.html"
    assert page(tmp_path) == before


def test_lost_evidence_costs_the_pictures_and_not_the_page(tmp_path: Path) -> None:
    run(tmp_path, reconnect())
    (tmp_path / "cell-01" / "evidence.json").write_text("{")
    (tmp_path / "history.jsonl").unlink()
    render_html(tmp_path)
    assert "No pictures" in page(tmp_path)
    assert "103 ms" in page(tmp_path)


def test_a_directory_without_a_report_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"cannot read .*report\.json"):
        render_html(tmp_path)


def test_the_first_cell_that_did_not_pass_is_open(tmp_path: Path) -> None:
    run(tmp_path, reconnect(), failing(), failing())
    assert re.findall(r'id="cell-(\d)" data-cell="\d"( open)?', page(tmp_path)) == [
        ("0", ""),
        ("1", " open"),
        ("2", ""),
    ]


def _sum(series: dict[str, list[float]], key: str, width_s: float = 0.01) -> float:
    """Packets, from rates over stretches."""
    edges = [*series["t"], series["t"][-1] + width_s]
    return sum(rate * (b - a) for rate, a, b in zip(series[key], edges, edges[1:], strict=False))


def test_the_picture_has_every_packet() -> None:
    evidence = reconnect()
    series = flow_series(evidence, evidence.flows["probe"])
    assert _sum(series, "sent") == pytest.approx(7800, rel=0.01)
    assert _sum(series, "received") == pytest.approx(7593, rel=0.01)
    assert _sum(series, "lost") == pytest.approx(207, rel=0.01)
    assert max(value for value in series["peak_us"] if value) == pytest.approx(90, rel=0.1)


def _long() -> Evidence:
    """Eighty seconds at 10 ms a bin, one outage in the middle."""
    bins = 8000
    start = START // (10 * MS) * 10 * MS
    received = [0 if 4000 <= index < 4010 else 20 for index in range(bins)]
    sender = {"bins": {"start_ns": start, "width_ns": 10 * MS, "sent": [20] * bins}, "next": [bins * 20]}
    gone, back = start + 40 * SECOND, start + 40 * SECOND + 100 * MS
    receiver = {
        "bins": {
            "start_ns": start,
            "width_ns": 10 * MS,
            "received": received,
            "latency_max_ns": [9000] * bins,
        },
        "outages": [{"start_ns": gone, "end_ns": back}],
        "gaps": [{"stream": 0, "first": 1, "last": 200, "after_ns": gone, "before_ns": back}],
        "highest": [bins * 20 - 1],
    }
    return with_flow(reconnect(), "probe", sender=sender, receiver=receiver)


def test_a_long_run_is_thinned_out_but_not_where_it_matters() -> None:
    evidence = _long()
    series = flow_series(evidence, evidence.flows["probe"])
    assert len(series["t"]) <= FINE_POINTS + 2 * COARSE_POINTS
    assert sum(1 for rate in series["received"] if rate == 0) == 10  # every bin of the outage
    assert _sum(series, "sent") == pytest.approx(160_000, rel=0.01)
    assert _sum(series, "lost") == pytest.approx(200, rel=0.02)


def test_a_thousand_faults_do_not_blow_the_page_up() -> None:
    faults = [Fault("apply", ("switch",), START + k * 40 * MS, START + k * 40 * MS + MS) for k in range(1000)]
    evidence = dataclasses.replace(_long(), faults=faults)
    assert len(flow_series(evidence, evidence.flows["probe"])["t"]) <= FINE_POINTS + 4 * COARSE_POINTS


def test_ends_with_bins_of_different_width_share_one_grid() -> None:
    evidence = reconnect()
    bins = (evidence.flows["probe"].receiver or {})["bins"]
    wide = {
        "start_ns": bins["start_ns"] // (20 * MS) * 20 * MS,
        "width_ns": 20 * MS,
        "received": [sum(bins["received"][k : k + 2]) for k in range(0, len(bins["received"]), 2)],
        "latency_max_ns": [
            max(bins["latency_max_ns"][k : k + 2]) for k in range(0, len(bins["received"]), 2)
        ],
    }
    evidence = with_flow(evidence, "probe", receiver={"bins": wide})
    series = flow_series(evidence, evidence.flows["probe"])
    assert _sum(series, "sent", 0.02) == pytest.approx(7800, rel=0.01)


def test_what_no_report_covers_is_drawn_from_the_live_samples() -> None:
    samples = [
        {"t": START + k * 100 * MS, "flow": "probe", "sent": k * 200, "received": k * 190} for k in range(20)
    ]
    lost = dataclasses.replace(
        with_flow(reconnect(), "probe", sender=None, receiver=None, missing="gone"), samples=samples
    )
    series = flow_series(lost, lost.flows["probe"])
    assert series["sent"] == pytest.approx([2000.0] * 19)
    anew = dataclasses.replace(with_flow(reconnect(), "probe", sender_incarnations=2), samples=samples)
    assert flow_series(anew, anew.flows["probe"])["t"] == sorted(flow_series(anew, anew.flows["probe"])["t"])


def test_big_runs_still_make_a_page_that_opens(tmp_path: Path) -> None:
    events = [Event(START + k * MS, "switch", "fdb.moved", {"mac": "x", "k": k}) for k in range(5000)]
    big = dataclasses.replace(_long(), events=events)
    run(tmp_path, *[big] * 10)
    assert (tmp_path / "report.html").stat().st_size < 8 << 20
    assert "4400 more are in history.jsonl" in page(tmp_path)


def _printed(
    report: RunReport, width: int, encoding: str = "utf-8", run_dir: Path | None = None
) -> list[str]:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    print_summary(report, run_dir, Console(file=out, width=width, highlight=False))
    out.flush()
    return raw.getvalue().decode(encoding).splitlines()


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("cells", [1, 2, 6])
def test_the_summary_fits_the_terminal(tmp_path: Path, width: int, cells: int) -> None:
    report = run(tmp_path, *[failing(), reconnect(), failing()][:cells], *[reconnect()] * max(0, cells - 3))
    lines = _printed(report, width)
    assert all(len(line) <= width for line in lines)
    text = " ".join(" ".join(lines).split())
    assert "14 packets of probe were duplicated" in text
    assert "eal 67 ms" in text
    assert "reconnect failed" in text


def test_without_a_terminal_there_is_no_colour_and_paths_are_never_wrapped(tmp_path: Path) -> None:
    report = run(tmp_path, failing())
    deep = Path("/runs/" + "x" * 120)
    text = "\n".join(_printed(report, 80, run_dir=deep))
    assert "\x1b" not in text
    assert f"report: {deep}/report.html" in text
    assert "repeat: ./testbed run 'my scenarios/reconnect.yaml' --seed 7" in text


def test_where_the_encoding_has_no_boxes_ascii_does(tmp_path: Path) -> None:
    report = run(tmp_path, failing(), reconnect())
    assert all(line.isascii() for line in _printed(report, 80, "ascii"))


def test_a_hostile_name_cannot_drive_the_terminal(tmp_path: Path) -> None:
    report = run(tmp_path, dataclasses.replace(reconnect(), cell={"x": HOSTILE}, aborted=HOSTILE + "[red]"))
    text = "\n".join(_printed(report, 80))
    assert "\x1b" not in text
    assert "\x00" not in text


def test_known_failures_and_skips_are_named(tmp_path: Path) -> None:
    known = {"known": {"when": {}, "fails": "duplicated", "because": "replays a burst"}}
    report = run(tmp_path, expecting(failing(), known))
    assert report.verdict == "passed"
    assert "known failure (replays a burst)" in " ".join(_printed(report, 140))


def test_the_environment_of_this_machine_is_found() -> None:
    environment = probe_environment("tcg")
    assert environment.accelerator == "tcg"
    assert environment.kernel
    assert environment.cores >= 1
    assert environment.memory_mb > 0


def test_steal_is_a_share_of_the_time_since_the_meter_was_made() -> None:
    percent = StealMeter().percent()
    assert percent is None or 0 <= percent <= 100


def test_an_empty_run_can_be_shown(tmp_path: Path) -> None:
    report = run(tmp_path)
    assert "reconnect unknown" in "\n".join(_printed(report, 80))
    assert "no cell was run" in page(tmp_path)
    assert load_report(tmp_path) == report
    assert STOP > START
