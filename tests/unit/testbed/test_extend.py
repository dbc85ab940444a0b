"""`extends`: what several scenarios share is written once, and a mistake is told in the file that made it."""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed.scenario.listing import list_scenarios
from testbed.scenario.load import load_scenario
from testbed.scenario.mistakes import ScenarioError
from testbed.scenario.topology import VirtioUser

BASE = """\
switch:
  bricks: {lan: {type: switch}}
  ports:
    p0: {type: vhost, role: client, to: lan}
    p1: {type: vhost, role: client, to: lan}
frontends:
  f0: {type: virtio-user, port: p0}
  f1: {type: virtio-user, port: p1}
flows:
  there: {from: f0, to: f1, rate: 5kpps}
expect:
  - flow: {lost: 0}
"""
OWN = """\
name: own
about: It adds to the other file.
extends: base.yaml
"""


def written(directory: Path, own: str = OWN, base: str = BASE) -> Path:
    (directory / "base.yaml").write_text(base)
    path = directory / "own.yaml"
    path.write_text(own)
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        load_scenario(path)
    return [str(mistake) for mistake in error.value.mistakes]


def test_what_the_other_file_says_holds(tmp_path: Path) -> None:
    (cell,) = load_scenario(written(tmp_path)).cells
    assert set(cell.scenario.frontends) == {"f0", "f1"}
    assert len(cell.scenario.expect) == 1


def test_mappings_are_merged_and_what_is_written_here_wins(tmp_path: Path) -> None:
    own = OWN + "frontends:\n  f1: {ring: packed}\n  f2: {type: virtio-user, port: p2}\n"
    own += "switch:\n  ports:\n    p2: {type: vhost, to: lan}\nflows:\n  there: {rate: 1kpps}\n"
    (cell,) = load_scenario(written(tmp_path, own)).cells
    f1 = cell.scenario.frontends["f1"]
    assert isinstance(f1, VirtioUser)
    assert (f1.port, f1.ring) == ("p1", "packed")
    assert set(cell.scenario.frontends) == {"f0", "f1", "f2"}
    assert cell.scenario.flows["there"].from_ == "f0"
    assert cell.scenario.flows["there"].rate is not None


def test_expectations_add_up_and_other_lists_take_the_others_place(tmp_path: Path) -> None:
    own = OWN + "steps:\n  - run: 1s\nexpect:\n  - flow: {name: there, duplicated: 0}\n"
    path = written(tmp_path, own, BASE + "steps:\n  - run: 2s\n  - run: 3s\n")
    (cell,) = load_scenario(path).cells
    assert len(cell.scenario.expect) == 2
    assert len(cell.scenario.steps) == 1


def test_values_of_the_matrix_reach_the_other_file(tmp_path: Path) -> None:
    base = BASE.replace("port: p1}", 'port: p1, ring: "{ring}"}')
    cells = load_scenario(written(tmp_path, OWN + "matrix: {ring: [split, packed]}\n", base)).cells
    assert [cell.scenario.frontends["f1"].plain()["ring"] for cell in cells] == ["split", "packed"]


def test_a_mistake_is_told_with_the_file_and_line_that_made_it(tmp_path: Path) -> None:
    (told,) = mistakes(written(tmp_path, base=BASE.replace("f1: {type", "f1: {prot: x, type")))
    assert told.startswith(f"{tmp_path}/base.yaml:8: frontends.f1.prot: unknown key 'prot'")
    (told,) = mistakes(written(tmp_path, OWN + "frontends:\n  f1: {prot: p1}\n"))
    assert told.startswith(f"{tmp_path}/own.yaml:5: frontends.f1.prot: unknown key 'prot'")
    (told,) = mistakes(written(tmp_path, OWN + "expect:\n  - flow: {lots: 0}\n"))
    assert told.startswith(f"{tmp_path}/own.yaml:5: expect[1].flow.lots: unknown key 'lots'")


def test_a_file_that_is_not_there_is_a_mistake_of_the_line_that_names_it(tmp_path: Path) -> None:
    path = written(tmp_path, OWN.replace("base.yaml", "bass.yaml"))
    assert mistakes(path) == [f"{path}:3: extends: there is no such file: {tmp_path}/bass.yaml"]
    (told,) = mistakes(written(tmp_path, OWN.replace("base.yaml", "[base.yaml]")))
    assert told.startswith(f"{path}:3: extends: has to be a file")


def test_a_file_that_is_extended_extends_none(tmp_path: Path) -> None:
    (told,) = mistakes(written(tmp_path, base=BASE + "extends: own.yaml\n"))
    assert told.startswith(f"{tmp_path}/base.yaml:13: extends: a file that others extend extends none itself")


def test_the_list_names_directories_with_scenarios_and_not_those_with_shared_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("parts", "more"):
        (tmp_path / name).mkdir()
    (tmp_path / "parts" / "base.yaml").write_text(BASE)
    (tmp_path / "more" / "own.yaml").write_text(OWN)
    (tmp_path / "own.yaml").write_text(BASE + "name: own\nabout: It runs.\n")
    assert list_scenarios(tmp_path) == 0
    told = capsys.readouterr().out
    assert f"more/  [1 more]\n    testbed list {tmp_path}/more\n" in told
    assert "parts/" not in told
