"""How runs end: by Ctrl-C, by SIGKILL, one after the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from scenario_texts import PAIR, with_line, with_steps
from testbed.run.command import RunOptions, run
from testbed.scenario.load import load_jobs

ROOT = Path(__file__).parents[3]


def started(doubles: Path, tmp_path: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A run of thirty seconds, and the pids of its processes once they are up."""
    path = tmp_path / "pair.yaml"
    path.write_text(with_steps("run: 30s"))
    command = [sys.executable, "-m", "testbed", "run", str(path), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emu")}
    runner = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert runner.stdout is not None
    for line in runner.stdout:
        if "run: 30s" in line:
            break
    return runner, children(runner.pid)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in _state(pid)]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def gone_within(pids: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pids)


def test_an_interrupt_ends_everything_and_says_so(doubles: Path, tmp_path: Path) -> None:
    runner, pids = started(doubles, tmp_path)
    assert len(pids) == 3
    runner.send_signal(signal.SIGINT)
    output, _ = runner.communicate(timeout=20)
    assert runner.returncode == 130
    assert "interrupted: ending what was started" in output
    assert gone_within(pids, 1)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["verdict"] == "unknown"


def test_nothing_survives_the_runners_own_sigkill(doubles: Path, tmp_path: Path) -> None:
    runner, pids = started(doubles, tmp_path)
    assert len(pids) == 3
    runner.kill()
    runner.wait(timeout=10)
    if runner.stdout is not None:
        runner.stdout.close()
    assert gone_within(pids, 5)


def test_a_second_file_is_not_run_after_a_failure_unless_asked(doubles: Path, tmp_path: Path) -> None:
    failing, passing = tmp_path / "a.yaml", tmp_path / "b.yaml"
    failing.write_text(with_line("lost: 0", "received: 0").replace("name: pair", "name: a"))
    passing.write_text(PAIR.replace("name: pair", "name: b"))
    jobs = load_jobs([failing, passing], {})
    assert run(jobs, RunOptions(out=tmp_path / "one")) == 1
    assert not (tmp_path / "one" / "b").exists()
    assert run(jobs, RunOptions(out=tmp_path / "two", keep_going=True)) == 1
    assert (tmp_path / "two" / "b" / "report.json").exists()
