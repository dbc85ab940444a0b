"""The command line: what it says, where it says it, and with which status it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scenario_texts import PAIR, with_line

ROOT = Path(__file__).parents[3]


def testbed(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emu"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "testbed", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, timeout=60)


testbed.__test__ = False  # type: ignore[attr-defined]


def test_help_names_every_command_and_the_exit_statuses() -> None:
    shown = testbed("--help")
    assert shown.returncode == 0
    for command in (
        "run",
        "list",
        "doctor",
        "up",
        "bench",
        "test",
        "graph",
        "report",
        "resilience",
        "schema",
    ):
        assert f"\n  {command} " in shown.stdout
    assert "4 unknown" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "nothing.yaml"], "nothing.yaml: there is no such file; `testbed list` shows those that ship"),
        (["run", "smoke"], "smoke: there is no such file; did you mean scenarios/smoke.yaml?"),
        (["run", "scenarios"], "scenarios: is a directory; give a file, or list what is there: testbed list scenarios"),
        (["run", "scenarios/smoke.yaml", "--cell", "x"],
         "testbed: --cell x: write KEY=VALUE, for example --cell role=client"),
        (["run", "scenarios/smoke.yaml", "--cell", "x=1"], "testbed run: --cell x=1: no axis 'x'; there are none"),
        (["run", "scenarios/smoke.yaml", "--backend", "ovs"],
         "testbed run: --backend: no backend 'ovs'; there are dpdk-testpmd, ovs-dpdk, testbed-switch"),
        (["up", "scenarios/smoke.yaml", "--only", "f0"], "testbed up: --only f0: there is only `switch`"),
        (["test", "units"], "testbed test: no layer 'units'; there are unit, property, e2e, sanitizers, all"),
        (["list", "nowhere"], "testbed list: nowhere: there is no such directory"),
        (["graph", "scenarios/smoke.yaml", "-o", "x.bmp"],
         "testbed graph: x.bmp: no format 'bmp'; there are svg, png, pdf"),
        (["resilience", "nowhere"], "testbed resilience: no report.json at or below nowhere"),
        (["completion", "tcsh"], "testbed completion: no shell 'tcsh'; there are bash, zsh, fish"),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line_is_one_line_and_status_2(arguments: list[str], line: str) -> None:
    ended = testbed(*arguments)
    assert (ended.returncode, ended.stderr, ended.stdout) == (2, line + "\n", "")


def test_mistakes_of_all_files_are_told_before_anything_runs(tmp_path: Path) -> None:
    one, two, good = tmp_path / "one.yaml", tmp_path / "two.yaml", tmp_path / "good.yaml"
    one.write_text(with_line("to: f1", "to: g9"))
    two.write_text(with_line("kpps", "kps"))
    good.write_text(PAIR)
    ended = testbed("run", good, one, two, cwd=tmp_path)
    assert ended.returncode == 2
    assert [line.partition(": ")[0] for line in ended.stderr.splitlines()] == [f"{one}:12", f"{two}:12"]
    assert not (tmp_path / "runs").exists()


def test_list_tells_of_each_scenario_what_it_claims_and_needs(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(PAIR)
    (tmp_path / "bad.yaml").write_text("name: 1\n")
    ended = testbed("list", tmp_path)
    assert ended.returncode == 2
    assert "pair  [emulated only]\n    Two frontends on a switch." in ended.stdout
    assert "bad.yaml" in ended.stderr


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emu")}
    command = f"{sys.executable} -m testbed schema | head -c 10"
    ended = subprocess.run(
        command, shell=True, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60
    )
    assert ended.stderr == ""


def test_mistakes_are_told_without_importing_what_only_a_run_needs() -> None:
    code = (
        "import sys\n"
        "from testbed.scenario.load import load_scenario\n"
        "from pathlib import Path\n"
        "load_scenario(Path('scenarios/reconnect.yaml'))\n"
        "print([name for name in ('asyncio', 'plotly', 'jinja2', 'rich', 'qemu') if name in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "emu"), "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT
    )
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
