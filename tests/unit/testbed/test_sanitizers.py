"""The layer that runs tests in sanitizer builds: what it calls, and that a failure is one."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from testbed.run import exits, sanitizers
from testbed.run.sanitized import complaints
from testbed.run.sanitizers import SANITIZERS, commands, environment, run_sanitizers, scenario_files

ROOT = Path(__file__).parents[3]
Document = dict[str, Any]


@pytest.mark.parametrize("sanitizer", SANITIZERS, ids=lambda sanitizer: sanitizer.preset)
def test_what_is_named_exists(sanitizer: sanitizers.Sanitizer) -> None:
    made = "".join(path.read_text() for path in (ROOT / "tests").glob("**/CMakeLists.txt"))
    known = {*re.findall(r"add_test\(NAME (\w+) ", made)}
    known |= {f"fuzz_{target}" for target in re.findall(r"tb_fuzz_target\((\w+) ", made)}
    assert set(sanitizer.tests) <= known
    assert f'"name": "{sanitizer.preset}"' in (ROOT / "CMakePresets.json").read_text()
    names = {file.stem for file in scenario_files(sanitizer)}
    assert {"smoke", "reconnect", "memory-shrunk"} <= names
    assert len(names) == len(scenario_files(sanitizer))  # each has a directory of its own


def test_a_finding_ends_the_process_whatever_else_a_person_asked_for() -> None:
    told = environment(SANITIZERS[0], {"UBSAN_OPTIONS": "verbosity=1"})
    assert told["UBSAN_OPTIONS"] == "halt_on_error=1:print_stacktrace=1:verbosity=1"
    assert told["TESTBED_SWITCH_BUILD"] == "asan"


def test_what_follows_a_failure_is_not_run_and_the_layer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def fails_to_build(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command[0])
        return subprocess.CompletedProcess(command, int(command[0] == "ninja"))

    monkeypatch.setattr(subprocess, "run", fails_to_build)
    assert run_sanitizers(SANITIZERS[:1]) == [exits.FAILED]
    assert ran == ["cmake", "ninja"]


def test_no_test_found_is_a_failure() -> None:
    assert all("--no-tests=error" in command for command in commands(SANITIZERS[0]) if command[0] == "ctest")


# -- What a scenario in such a build has shown
def check(checker: str, rule: str, verdict: str = "failed") -> Document:
    finding = {"rule": rule, "verdict": verdict, "reason": f"{rule} is wrong"}
    return {
        "checker": checker, "subject": "p0", "verdict": verdict, "reason": finding["reason"], "findings": [finding]
    }  # fmt: skip


def shown(run: Path, *checks: Document, verdict: str = "failed", log: str = "") -> list[str]:
    cell = {
        "matrix": {"ring": "split"},
        "verdict": verdict,
        "reason": "steps: it hung",
        "checks": list(checks),
    }
    (run / "cell-01").mkdir(exist_ok=True)
    (run / "cell-01" / "switch.log").write_text(log)
    (run / "report.json").write_text(json.dumps({"scenario": "smoke", "cells": [cell]}))
    return complaints(run)


@pytest.mark.parametrize(
    ("checker", "rule"), [("untouched", "p99"), ("leaks", "mappings"), ("flow", "lost"), ("counter", "value")]
)
def test_being_slow_is_no_complaint(tmp_path: Path, checker: str, rule: str) -> None:
    assert shown(tmp_path, check(checker, rule)) == []


@pytest.mark.parametrize(
    ("checker", "rule"),
    [
        ("leaks", "fds"),
        ("flow", "corrupted"),
        ("pages", "stray"),
        ("exits", "ended"),
        ("answering", "unanswered"),
    ],
)
def test_what_has_nothing_to_do_with_speed_is_one(tmp_path: Path, checker: str, rule: str) -> None:
    assert shown(tmp_path, check("untouched", "rate"), check(checker, rule)) == [
        f"smoke ring=split: {checker} p0: {rule} is wrong"
    ]


def test_what_could_not_be_found_out_is_one(tmp_path: Path) -> None:
    assert len(shown(tmp_path, check("pages", "stray", "unknown"), verdict="unknown")) == 1
    assert shown(tmp_path, verdict="unknown") == ["smoke ring=split: unknown: steps: it hung"]


def test_no_report_is_one_and_so_is_one_of_nothing(tmp_path: Path) -> None:
    assert "no report" in complaints(tmp_path)[0]
    (tmp_path / "report.json").write_text(json.dumps({"scenario": "smoke", "cells": []}))
    assert complaints(tmp_path) == ["smoke: nothing was run"]


@pytest.mark.parametrize(
    "line",
    [
        "==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x602",
        "==1==ERROR: LeakSanitizer: detected memory leaks",
        "WARNING: ThreadSanitizer: data race (pid=1)",
        "vdev/gate/rules.cpp:3:7: runtime error: signed integer overflow",
    ],
)
def test_a_report_in_any_log_is_one_whatever_the_verdict(tmp_path: Path, line: str) -> None:
    (found,) = shown(tmp_path, verdict="passed", log=f"EAL: hello\n{line}\n    #0 here\n")
    assert line in found
    assert "#0 here" in found


def run_of_scenarios(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, rule: str) -> int:
    """What becomes of a sanitizer whose builds and tests pass, and whose scenarios end so."""
    monkeypatch.chdir(tmp_path)

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if "run" in command:
            out = Path(command[command.index("--out") + 1])
            for file in command[command.index("--out") + 2 :]:
                (out / Path(file).stem).mkdir()
                shown(out / Path(file).stem, check("leaks", rule))
            return subprocess.CompletedProcess(command, status)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return run_sanitizers(SANITIZERS[1:])[0]


def test_scenarios_that_failed_for_being_slow_are_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run_of_scenarios(monkeypatch, tmp_path, exits.FAILED, "mappings") == exits.PASSED
    assert list((tmp_path / "runs").iterdir()) == []  # nobody needs them


def test_a_complaint_fails_the_layer_and_its_run_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run_of_scenarios(monkeypatch, tmp_path, exits.PASSED, "fds") == exits.FAILED
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_scenarios_that_could_not_be_run_are_told_as_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run_of_scenarios(monkeypatch, tmp_path, exits.LACKING, "mappings") == exits.LACKING
