"""The runner on stand-ins for the programs: what it starts it ends, and what it says is what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scenario_texts import PAIR, with_steps
from testbed.run.command import RunOptions, run
from testbed.scenario.load import load_jobs


class Outcome:
    def __init__(self, status: int, directory: Path) -> None:
        self.status = status
        self.directory = directory
        self.report: dict[str, Any] = json.loads((directory / "report.json").read_text())
        self.evidence: dict[str, Any] = json.loads((directory / "cell-01" / "evidence.json").read_text())

    def check(self, checker: str, subject: str) -> dict[str, Any]:
        (found,) = [
            c for c in self.report["cells"][0]["checks"] if (c["checker"], c["subject"]) == (checker, subject)
        ]
        return dict(found)


@pytest.fixture
def play(doubles: Path, tmp_path: Path) -> Any:
    def go(text: str, **options: Any) -> Outcome:
        path = tmp_path / "pair.yaml"
        path.write_text(text)
        status = run(load_jobs([path], {}), RunOptions(out=tmp_path / "out", **options))
        return Outcome(status, tmp_path / "out")

    return go


def test_a_scenario_that_holds_passes_and_leaves_every_file_of_a_run(play: Any) -> None:
    outcome = play(PAIR)
    assert outcome.status == 0
    assert outcome.report["verdict"] == "passed"
    for name in (
        "report.json",
        "report.html",
        "junit.xml",
        "history.jsonl",
        "scenario.yaml",
        "cell-01/switch.log",
    ):
        assert (outcome.directory / name).is_file(), name
    assert not (outcome.directory / "cell-01" / "s").exists(), "sockets are gone"


def test_every_process_is_in_the_history_from_spawn_to_exit(play: Any) -> None:
    outcome = play(PAIR)
    history = [json.loads(line) for line in (outcome.directory / "history.jsonl").read_text().splitlines()]
    for actor in ("switch", "f0", "f1"):
        own = [event["name"] for event in history if event["actor"] == actor]
        assert own.index("process.spawned") < own.index("process.started") < own.index("process.exited")
    assert [entry["status"] for entry in outcome.evidence["exits"]] == ["exit 0"] * 3


def test_a_kill_and_a_start_are_one_fault_that_ends_when_flows_move_again(play: Any) -> None:
    outcome = play(
        with_steps(
            "wait: {flows: moving}", "kill: switch", "start: switch", "wait: {flows: moving}", "run: 300ms"
        )
    )
    (fault,) = outcome.evidence["faults"]
    assert (fault["kind"], fault["targets"]) == ("kill", ["switch"])
    assert fault["start"] < fault["end"] < outcome.evidence["end"]
    assert [entry["status"] for entry in outcome.evidence["exits"] if entry["actor"] == "switch"] == [
        "SIGKILL",
        "exit 0",
    ]
    assert outcome.status == 0


def test_a_fault_that_nobody_heals_has_no_end(play: Any) -> None:
    outcome = play(with_steps("wait: {flows: moving}", "kill: f1", "run: 100ms"))
    (fault,) = outcome.evidence["faults"]
    assert fault["end"] is None


def test_a_stopped_process_goes_on_at_the_end_without_being_told(play: Any) -> None:
    outcome = play(with_steps("wait: {flows: moving}", "stop: f1", "run: 100ms"))
    (fault,) = outcome.evidence["faults"]
    assert fault["kind"] == "stop"
    assert fault["end"] is not None
    assert outcome.check("flow", "probe")["measured"]["received"] > 0


def test_a_restart_is_one_fault(play: Any) -> None:
    outcome = play(
        with_steps("wait: {flows: moving}", "restart: switch", "wait: {flows: moving}", "run: 200ms")
    )
    assert [fault["kind"] for fault in outcome.evidence["faults"]] == ["restart"]
    assert [entry["status"] for entry in outcome.evidence["exits"] if entry["actor"] == "switch"] == [
        "exit 0",
        "exit 0",
    ]


def test_a_frontend_that_comes_back_is_given_its_flows_again(play: Any) -> None:
    outcome = play(
        with_steps("wait: {flows: moving}", "kill: f1", "start: f1", "wait: {flows: moving}", "run: 200ms")
    )
    assert outcome.evidence["flows"]["probe"]["receiver_incarnations"] == 2
    assert outcome.evidence["flows"]["probe"]["sender_incarnations"] == 1


def test_nothing_is_started_before_the_steps_where_the_scenario_says_so(play: Any) -> None:
    text = with_steps("start: f1", "start: switch", "start: all", "wait: {flows: moving}", "run: 200ms")
    outcome = play("start: none\n" + text)
    assert outcome.status == 0, outcome.report["reason"]
    spawned = [
        event for event in map(json.loads, (outcome.directory / "history.jsonl").read_text().splitlines())
        if event["name"] == "process.spawned"
    ]  # fmt: skip
    assert [event["actor"] for event in spawned] == ["f1", "switch", "f0"]
    assert all(event["t"] >= outcome.evidence["steps_start"] for event in spawned)


def test_steps_inside_repeat_and_parallel_and_random_are_done(play: Any) -> None:
    outcome = play(
        with_steps(
            "wait: {flows: moving}",
            "repeat: {times: 3, steps: [{disconnect: p0}, {wait: {ports: {p0: up}}}]}",
            "parallel: [[{label: one}], [{label: two}]]",
            "random: {for: 400ms, every: 50ms..60ms, of: [{stop: f1}], then: heal}",
        ),
        seed=7,
    )
    kinds = [fault["kind"] for fault in outcome.evidence["faults"]]
    assert kinds[:3] == ["disconnect"] * 3
    assert set(kinds[3:]) == {"stop"}
    assert outcome.report["seed"] == 7


def test_ports_are_added_and_removed_while_flows_go_on(play: Any) -> None:
    add = "apply: {switch: {ports: {p9: {type: vhost, to: lan}}}}"
    text = with_steps("wait: {flows: moving}", add, "apply: {switch: {remove: [p9]}}", "run: 100ms")
    text = (
        text
        + "expect: [{event: {name: port.added, port: p9, count: 1}}, {event: {name: port.removed, count: 1}}]\n"
    )
    outcome = play(text)
    assert outcome.status == 0, outcome.report["reason"]
    assert [fault["ports"] for fault in outcome.evidence["faults"]] == [["p9"], ["p9"]]


def test_a_wait_that_is_not_answered_fails_with_what_was_missing(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOUBLE_MISBEHAVE", "no sessions")
    monkeypatch.setattr("testbed.run.conduct.CONNECTED_S", 0.1)
    outcome = play(with_steps("wait: {ports: up, within: 300ms}", "run: 5s"))
    assert outcome.status == 1
    reason = outcome.report["cells"][0]["reason"]
    assert "port p0 is not up (switch is up, f0 is up) within 0.3 s" in reason
    assert [step["text"] for step in outcome.evidence["steps"]] == ["wait: ports up (within 0.3s)"], (
        "no step after it"
    )


def test_a_program_that_cannot_start_fails_with_its_last_words(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOUBLE_MISBEHAVE", "die at start")
    outcome = play(PAIR)
    assert outcome.status == 1
    assert (
        "switch ended with exit 1: double: cannot start: no such thing"
        in outcome.report["cells"][0]["reason"]
    )


def test_a_switch_that_does_not_answer_is_caught(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOUBLE_MISBEHAVE", "mute")
    monkeypatch.setattr("testbed.run.actors.base.CALL_DEADLINE_S", 0.2)
    outcome = play(PAIR)
    assert outcome.check("answering", "switch")["verdict"] == "failed"


def test_steps_that_take_longer_than_the_scenario_allows_end(play: Any) -> None:
    outcome = play("timeout: 200ms\n" + with_steps("run: 30s"))
    assert outcome.status == 1
    assert "the steps took longer than 0.2 s" in outcome.report["cells"][0]["reason"]


def test_frontends_in_the_switchs_process_come_and_go_with_it(play: Any) -> None:
    text = with_steps(
        "wait: {flows: moving}", "kill: switch", "start: switch", "wait: {flows: moving}", "run: 100ms"
    )
    text = text.replace("port: p0}", "port: p0, placement: in-process}")
    text = text.replace("port: p1}", "port: p1, placement: in-process}")
    outcome = play(text)
    assert outcome.status == 0, outcome.report["reason"]
    assert {entry["actor"] for entry in outcome.evidence["exits"]} == {"switch"}
    assert outcome.evidence["flows"]["probe"]["sender_incarnations"] == 2


def test_a_frontend_changes_its_queues_while_it_runs(play: Any) -> None:
    text = with_steps("wait: {flows: moving}", "queues: {frontend: f0, count: 2}", "wait: {flows: moving}")
    text = text.replace("role: client", "role: client, queues: 2").replace(
        "port: p0}", "port: p0, queues: 2}"
    )
    outcome = play(text)
    assert outcome.status == 0, outcome.report["reason"]
    assert [fault["kind"] for fault in outcome.evidence["faults"]] == ["queues"]


def test_a_cell_that_is_left_out_is_named_with_its_reason(play: Any) -> None:
    outcome = play("matrix: {n: [1, 2]}\nexcept: [{n: 2, because: it cannot}]\n" + PAIR)
    assert outcome.report["skipped"] == [{"matrix": {"n": 2}, "reason": "it cannot"}]


def test_a_missing_program_is_named_with_the_command_that_supplies_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TESTBED_BUILD", str(tmp_path / "empty"))
    (tmp_path / "pair.yaml").write_text(PAIR)
    assert run(load_jobs([tmp_path / "pair.yaml"], {}), RunOptions(out=tmp_path / "out")) == 3
    assert capsys.readouterr().err == (
        f"pair: testbed-switch is not in {tmp_path}/empty; mend it with: ./testbed build\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_run_directory_that_cannot_be_written_is_one_line(
    doubles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pair.yaml").write_text(PAIR)
    (tmp_path / "taken").write_text("a file")
    assert run(load_jobs([tmp_path / "pair.yaml"], {}), RunOptions(out=tmp_path / "taken" / "x")) == 3
    line = capsys.readouterr().err
    assert line.startswith(f"pair: {tmp_path}/taken/x cannot be written: ")
    assert line.count("\n") == 1


def test_sockets_find_a_short_path_when_the_run_directory_has_a_long_one(play: Any, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    path = tmp_path / "pair.yaml"
    path.write_text(PAIR)
    assert run(load_jobs([path], {}), RunOptions(out=deep)) == 0


def test_json_goes_to_standard_output_alone(play: Any, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = play(PAIR, as_json=True)
    assert json.loads(capsys.readouterr().out) == outcome.report
