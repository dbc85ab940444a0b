"""Mistakes in the file as such, in its matrix and its templates: one line each."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario_texts import PAIR, complaint, with_line
from testbed.scenario.load import load_scenario, parse_scenario
from testbed.scenario.mistakes import ScenarioError

YAML = [
    ("", "x.yaml: the file is empty; a scenario starts with `name:` and `about:`"),
    ("# nothing\n", "x.yaml: the file is empty; a scenario starts with `name:` and `about:`"),
    ("- a\n", "x.yaml:1: a scenario is a mapping that starts with `name:` and `about:`"),
    ("name: [a\n", "x.yaml:2: this is no YAML: "),
    ("name: a\n\tabout: b\n", "x.yaml:2: this is no YAML: "),
    (PAIR + "flows: {}\n", "x.yaml:18: flows: is there twice; the first is in line 11"),
    (with_line("p0: {type: vhost", "p0: &x {type: vhost").replace("p1: {type", "p1: {<<: *x, type"),
     "x.yaml:7: switch.ports.p1: merge keys (<<) are not part of the language; use `let:`"),
    ("name: !python/object:os.system x\n", "x.yaml:1: name: the tag !python/object:os.system is not part of the language"),
    ("a: &a [*a]\n", "x.yaml:1: "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), YAML)
def test_what_is_no_scenario_file_is_told_in_one_line(text: str, expected: str) -> None:
    assert complaint(text).startswith(expected)


def from_file(path: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    return str(caught.value)


def test_a_frontend_and_a_port_cannot_have_one_name() -> None:
    text = with_line("  f0: {type", "  p1: {type").replace("from: f0", "from: p1")
    assert complaint(text) == "x.yaml:9: frontends.p1: 'p1' is a port already; names are unique"


def test_a_file_that_is_not_there_a_directory_and_other_encodings_are_told_in_one_line(
    tmp_path: Path,
) -> None:
    latin, there = tmp_path / "latin.yaml", tmp_path / "there.yaml"
    latin.write_bytes("name: x\nabout: caf\u00e9\n".encode("latin-1"))
    there.write_text(PAIR)
    assert (
        from_file(tmp_path)
        == f"{tmp_path}: is a directory; give a file, or list what is there: testbed list {tmp_path}"
    )
    assert from_file(latin) == f"{latin}:2: is not UTF-8; save it as UTF-8"
    assert from_file(tmp_path / "there") == f"{tmp_path}/there: there is no such file; did you mean {there}?"
    assert "there is no such file" in from_file(tmp_path / "nothing.yaml")


MATRIX = [
    ("matrix: {ring: split}\n", "x.yaml:1: matrix.ring: has to be a list of values: ring: [a, b]"),
    ("matrix: [a]\n", "x.yaml:1: matrix: has to be a mapping: {role: [client, server]}"),
    ("matrix: {ring: [a, a]}\n", "x.yaml:1: matrix.ring[1]: 'a' is there twice"),
    ("matrix: {ring: [a]}\nexcept: [{ring: b, because: x}]\n",
     "x.yaml:2: except[0].ring: 'b' is no value of ring; there are a"),
    ("matrix: {ring: [a]}\nexcept: [{role: b, because: x}]\n", "x.yaml:2: except[0].role: no axis 'role'; there are ring"),
    ("matrix: {ring: [a]}\nexcept: [{ring: a}]\n",
     'x.yaml:2: except[0]: says which cells are left out and why: {role: client, because: "..."}'),
    ("matrix: {ring: [a]}\nexcept: [{ring: a, because: x}]\n", "x.yaml:1: matrix: every cell is left out by `except`"),
    ("let: {ring: 1}\nmatrix: {ring: [a]}\n", "x.yaml:1: let.ring: 'ring' is in the matrix already"),
    ("let: [1]\n", "x.yaml:1: let: has to be a mapping: {rate: 20kpps}"),
]  # fmt: skip


@pytest.mark.parametrize(("head", "expected"), MATRIX)
def test_a_mistake_in_the_matrix_is_one_line_with_its_place(head: str, expected: str) -> None:
    assert complaint(head + PAIR) == expected


def test_an_unknown_template_names_what_there_is() -> None:
    text = "matrix: {ring: [split]}\n" + with_line("port: p1}", 'port: p1, ring: "{rng}"}')
    assert complaint(text) == (
        "x.yaml:11: frontends.f1.ring: no value 'rng' in `let:` or `matrix:`; did you mean 'ring'?; there are ring "
        "(write {{rng}} for braces)"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('"q[5..3]": {type: vhost}', "switch.ports.q[5..3]: [5..3] is no range of 1 to 1024 numbers"),
        (
            '"q[0..9999]": {type: vhost}',
            "switch.ports.q[0..9999]: [0..9999] is no range of 1 to 1024 numbers",
        ),
        ('"p[0..1]": {type: vhost}', "switch.ports.p[0..1]: 'p[0..1]' becomes 'p0', which is there already"),
    ],
)
def test_a_range_that_is_none_is_told_with_its_place(line: str, expected: str) -> None:
    text = with_line("p1: {type: vhost, role: client, to: lan}", f"p1: {{type: vhost}}\n    {line}")
    assert expected in complaint(text)


def test_only_numbers_can_be_added_to() -> None:
    text = with_line("rate: 1kpps", 'rate: "{fast+1}"').replace("switch:", "let: {fast: 1kpps}\nswitch:", 1)
    assert "'fast' is 1kpps, to which 1 cannot be added" in complaint(text)


def test_a_template_without_quotes_is_explained() -> None:
    text = "matrix: {ring: [split]}\n" + with_line("port: p1}", "port: p1, ring: {ring}}")
    assert complaint(text) == (
        'x.yaml:11: frontends.f1.ring: put it in quotes: "{ring}" (without them YAML reads a mapping)'
    )


def test_a_mistake_that_only_some_cells_have_names_one_of_them() -> None:
    text = "matrix: {ring: [split, round]}\n" + with_line("port: p1}", 'port: p1, ring: "{ring}"}')
    assert complaint(text) == (
        "x.yaml:11: frontends.f1.ring: 'round' is not known here; write split or packed (in the cell ring=round)"
    )


def test_several_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(with_line("to: f1", "to: g9").replace("name: probe", "name: prob"), "x.yaml")
    assert [mistake.line for mistake in caught.value.mistakes] == [12, 17]
