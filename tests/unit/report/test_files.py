"""report.json, junit.xml, history.jsonl, evidence.json: what other programs read."""

from __future__ import annotations

import dataclasses
import errno
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from asserting import result
from made_guest import with_guest
from made_run import KILL, expecting, reconnect, with_flow
from testbed.check import Evidence, judge
from testbed.check.evidence import Event, LogLook
from testbed.report import Environment, ReportError, RunWriter, load_report
from testbed.report.schema import COMMITTED, json_schema
from testbed.report.store import load_evidence, load_history
from written import HOSTILE, failing, run


def test_report_json_is_format_1_to_the_letter(tmp_path: Path) -> None:
    run(tmp_path, reconnect(), accelerator="tcg")
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["format"] == 1
    assert document["scenario"] == "reconnect"
    assert document["verdict"] == "passed"
    assert (document["seed"], document["backend"]) == (7, "testbed-switch")
    assert {"accelerator", "hugepages", "dpdk", "qemu", "steal_percent"} <= document["environment"].keys()
    cell = document["cells"][0]
    assert cell["matrix"] == {"role": "client", "ring": "split"}
    assert cell["duration_s"] == 6.0
    check = next(check for check in cell["checks"] if check["checker"] == "flow")
    assert (check["subject"], check["verdict"]) == ("probe", "passed")
    promised = "sent received lost duplicated reordered corrupted misdelivered outages_ms latency_us".split()
    assert set(promised) <= check["measured"].keys()
    assert {"p50", "p99", "p999"} <= check["measured"]["latency_us"].keys()
    assert cell["outages"][0]["parts"][0] == {"name": "noticed", "ms": 11.6}


def test_the_command_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    assert run(tmp_path, reconnect()).command == "./testbed run 'my scenarios/reconnect.yaml' --seed 7"


def test_the_committed_schema_is_that_of_the_model() -> None:
    assert COMMITTED.read_text() == json_schema(), "python -m testbed.report.schema > " + COMMITTED.name


def test_unknown_fields_are_refused_where_the_format_is_fixed(tmp_path: Path) -> None:
    run(tmp_path, reconnect())
    document = json.loads((tmp_path / "report.json").read_text())
    document["colour"] = "red"
    (tmp_path / "report.json").write_text(json.dumps(document))
    with pytest.raises(ReportError, match="no report of format 1"):
        load_report(tmp_path)


def with_guest_and_log() -> Evidence:
    logged = LogLook("d3", 0, 1, "end", True, written=3, missing=(7,), missing_pages=1)
    return dataclasses.replace(with_guest(), logs=[logged])


def test_what_was_written_can_be_judged_again_to_the_same_verdict(tmp_path: Path) -> None:
    for number, evidence in enumerate((reconnect(), failing(), with_guest_and_log())):
        run(tmp_path / str(number), evidence)
        events = load_history(tmp_path / str(number))[0]
        again = load_evidence(tmp_path / str(number) / "cell-01" / "evidence.json", events)
        assert judge(again) == judge(evidence)


def test_history_is_one_document_a_line_in_order_of_time_and_no_field_hides_an_events_name(
    tmp_path: Path,
) -> None:
    clashing = Event(KILL, "switch", "session.message", {"name": "GET_FEATURES", "t": 5, "port": "p0"})
    evidence = dataclasses.replace(reconnect(), events=[*reconnect().events, clashing])
    run(tmp_path, evidence, reconnect())
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert {line["cell"] for line in lines} == {0, 1}
    first = [line["t"] for line in lines if line["cell"] == 0]
    assert first == sorted(first)
    assert any(line["name"] == "session.message" and line["t"] == KILL for line in lines)


def test_a_history_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    run(tmp_path, reconnect())
    path = tmp_path / "history.jsonl"
    path.write_text(path.read_text()[:-20])
    assert len(load_history(tmp_path)[0]) == len(reconnect().events) - 1


@pytest.mark.parametrize(
    ("cells", "finish", "verdict"),
    [
        ([], {}, "unknown"),
        (["good"], {}, "passed"),
        (["good", "bad"], {}, "failed"),
        (["good"], {"interrupted": "Ctrl-C"}, "unknown"),
        (["bad"], {"interrupted": "Ctrl-C"}, "failed"),
    ],
)
def test_the_verdict_of_a_run(tmp_path: Path, cells: list[str], finish: dict[str, str], verdict: str) -> None:
    made = {"good": reconnect(), "bad": failing()}
    report = run(tmp_path, *(made[name] for name in cells), **finish)
    assert report.verdict == verdict
    assert bool(report.reason) == (verdict != "passed")


def test_each_cell_is_on_disk_before_the_next_and_until_then_nothing_is_green(tmp_path: Path) -> None:
    writer = RunWriter(
        tmp_path, scenario="s", about="", seed=1, backend="b", command=["x"], environment=Environment()
    )
    assert load_report(tmp_path).verdict == "unknown"
    writer.add(reconnect(), judge(reconnect()), directory="role=client")
    report = load_report(tmp_path)
    assert (len(report.cells), report.verdict) == (1, "unknown")
    assert (tmp_path / "role=client" / "evidence.json").is_file()


def test_junit_has_each_check_as_a_case_and_tells_failures_errors_and_skips_apart(tmp_path: Path) -> None:
    known = {"known": {"when": {}, "fails": "corrupted", "because": "a known bug"}}
    flow = with_flow(expecting(reconnect(), known), "probe", receiver={"corrupted": 1})
    flow = with_flow(flow, "echo", receiver=None, missing="g1 is gone")
    writer = RunWriter(
        tmp_path, scenario="s", about="", seed=1, backend="b", command=["x"], environment=Environment()
    )
    for evidence in (flow, failing()):
        writer.add(evidence, judge(evidence))
    writer.skip({"role": "server"}, "needs hugepages")
    writer.finish()
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["role=client,ring=split"] * 2 + ["role=server"]
    failures = [failure.get("message") or "" for failure in root.iter("failure")]
    assert len(failures) == 1
    assert "14 packets of probe were duplicated" in failures[0]
    skipped = [entry.get("message") for entry in root.iter("skipped")]
    assert skipped == ["known failure: a known bug", "needs hugepages"]
    assert any("g1 is gone" in (error.get("message") or "") for error in root.iter("error"))
    for element in (root, *suites):
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        assert element.get("failures") == str(len(list(element.iter("failure"))))
    assert all(
        case.get("classname") and case.get("name") and case.get("time") for case in root.iter("testcase")
    )


def test_names_no_xml_can_hold_do_not_break_the_file(tmp_path: Path) -> None:
    evidence = dataclasses.replace(reconnect(), cell={HOSTILE: HOSTILE}, aborted=HOSTILE)
    run(tmp_path, evidence)
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert "<script>" in (root.findall("testsuite")[0].get("name") or "")


def test_numbers_json_cannot_hold_become_null(tmp_path: Path) -> None:
    evidence = with_flow(reconnect(), "probe", receiver={"reordered": float("nan")})
    run(tmp_path, evidence)
    assert "NaN" not in (tmp_path / "report.json").read_text()
    assert result(judge(evidence), "flow", "probe").verdict == "passed"


def test_a_directory_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"cannot write .*history\.jsonl"):
        run(tmp_path / "file", reconnect())


def test_a_full_disk_is_told_and_leaves_the_last_whole_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RunWriter(
        tmp_path, scenario="s", about="", seed=1, backend="b", command=["x"], environment=Environment()
    )

    def full(self: Path, *args: object, **kwargs: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ReportError, match=r"evidence.json: No space left on device"):
        writer.add(reconnect(), judge(reconnect()))
    monkeypatch.undo()
    assert load_report(tmp_path).verdict == "unknown"
    assert not list(tmp_path.rglob("*.partial"))
