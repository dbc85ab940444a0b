"""`testbed bench` as a user runs it: one short case for real, and what is left after it was interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.run.binaries import PROJECT, Lacking, find_program


@pytest.fixture
def runtime() -> Iterator[Path]:
    """Where the bench has its sockets: pytest's own directories have paths too long for them."""
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as directory:
        yield Path(directory)


def start(*arguments: str, scratch: Path) -> subprocess.Popen[str]:
    try:
        find_program("testbed-circulator")
    except Lacking as lacking:
        pytest.skip(str(lacking))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "emu"), "XDG_RUNTIME_DIR": str(scratch)}
    return subprocess.Popen(
        [sys.executable, "-m", "testbed", "bench", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=PROJECT,
    )  # fmt: skip


def descendants(scratch: Path) -> list[str]:
    """Processes that work in the scratch directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(scratch) in line:
            found.append(line)
    return found


def test_one_case_gives_figures_a_document_and_a_page(tmp_path: Path, runtime: Path) -> None:
    out = tmp_path / "out"
    bench = start(
        "rings", "--quick", "--noisy", "--pairs", "1", "--json", "--out", str(out), scratch=tmp_path
    )
    printed, said = bench.communicate(timeout=120)
    assert bench.returncode == 0, said
    result = json.loads(printed)
    measured = next(case for case in result["cases"] if case["subject"] == "switch-library")
    for figures in measured["figures"].values():
        assert figures["cycles_per_packet"] > 0 and figures["mpps"] > 0
    assert measured["ratio"]["pairs"] == 1
    assert json.loads((out / "bench.json").read_text()) == result
    assert (out / "bench.html").is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_bench_leaves_no_process_and_no_file(runtime: Path, number: signal.Signals) -> None:
    bench = start("rings", "--quick", "--noisy", scratch=runtime)
    assert bench.stderr is not None
    assert "pair 1" in bench.stderr.readline()
    bench.send_signal(number)
    _, said = bench.communicate(timeout=30)
    assert bench.returncode == 130, said
    assert "interrupted; this is what was measured so far" in said
    assert descendants(runtime) == []
    assert list(runtime.iterdir()) == []
