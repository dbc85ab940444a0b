"""What the language means: cells, values, steps as they are written in logs, and the schema editors use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scenario_texts import PAIR, with_line, with_steps
from testbed.run.graph import dot
from testbed.run.steps.registry import STEPS
from testbed.scenario import schema
from testbed.scenario.load import load_scenario, parse_scenario
from testbed.scenario.mistakes import ScenarioError
from testbed.scenario.model import Scenario, needs
from testbed.scenario.topology import LinkPort, VirtioUser

ROOT = Path(__file__).parents[3]
SCENARIOS = ROOT / "scenarios"
SHIPPED = sorted([*SCENARIOS.glob("*.yaml"), *SCENARIOS.glob("hostile/*.yaml")])


def only(text: str) -> Scenario:
    (cell,) = parse_scenario(text).cells
    return cell.scenario


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_scenario_that_ships_is_correct_and_named_after_its_file(path: Path) -> None:
    file = load_scenario(path)
    assert file.name == path.stem
    up = "../" * len(path.relative_to(ROOT).parents[:-1])
    schema_line = f"# yaml-language-server: $schema={up}emu/testbed/scenario/scenario.schema.json\n"
    assert path.read_text().startswith(schema_line)


def test_every_hostile_scenario_attacks_p2_and_holds_the_others_whole() -> None:
    for path in sorted(SCENARIOS.glob("hostile/*.yaml")):
        (scenario, *_) = [cell.scenario for cell in load_scenario(path).cells]
        assert scenario.frontends["a2"].port == "p2", path.name
        kept = [rule for entry in scenario.expect if (rule := entry.untouched) is not None]
        assert {name for rule in kept for name in rule.flows} == {"victim", "back"}, path.name
        assert any(rule.lost is not None for rule in kept), path.name


def test_the_committed_json_schema_is_that_of_the_models() -> None:
    committed = ROOT / "emu" / "testbed" / "scenario" / "scenario.schema.json"
    assert json.loads(committed.read_text()) == json.loads(schema.json_schema()), (
        "generate it anew: python -m testbed.scenario.schema > emu/testbed/scenario/scenario.schema.json"
    )


def test_the_json_schema_knows_every_step_and_refers_to_what_it_has() -> None:
    document = schema.build()
    kinds = {next(iter(step["required"])) for step in document["$defs"]["Step"]["anyOf"]}
    assert kinds == set(STEPS)
    references = set(_references(document))
    assert references <= {f"#/$defs/{name}" for name in document["$defs"]}


def test_a_range_stands_for_as_many_ports_frontends_and_flows() -> None:
    scenario = only(
        """\
name: many
about: Pairs.
let: {first: 4}
switch:
  ports:
    "p[0..7]": {type: vhost, role: client}
frontends:
  "f[0..7]": {type: driver, port: "p{i}", size: 64}
flows:
  "to[2..3]": {from: "f{i}", to: "f{i+4}", rate: 1kpps, macs: "{first}"}
"""
    )
    assert list(scenario.ports()) == [f"p{i}" for i in range(8)]
    assert [frontend.port for frontend in scenario.frontends.values()] == [f"p{i}" for i in range(8)]
    assert {name: (flow.from_, flow.to, flow.macs) for name, flow in scenario.flows.items()} == {
        "to2": ("f2", "f6", 4),
        "to3": ("f3", "f7", 4),
    }


def _references(document: object) -> list[str]:
    if isinstance(document, dict):
        own = [document["$ref"]] if isinstance(document.get("$ref"), str) else []
        return own + [ref for value in document.values() for ref in _references(value)]
    if isinstance(document, list):
        return [ref for value in document for ref in _references(value)]
    return []


WRITTEN = [
    ("run: 1500ms", "run: 1.5s"),
    ("label: after the crash", "label: after the crash"),
    ("kill: switch", "kill: switch"),
    ("kill: [f0, f1]", "kill: [f0, f1]"),
    ("start: all", "start: all"),
    ("restart: {target: switch, graceful: false}", "restart: switch (SIGKILL)"),
    ("restart: switch", "restart: switch"),
    ("wait: {flows: {probe: moving}, within: 2s}", "wait: flows probe moving (within 2s)"),
    ("wait: {ports: up, event: {name: session.up, port: p0}}",
     "wait: ports up and event session.up (port p0) (within 10s)"),
    ("wait: {received: {probe: 9}}", "wait: 9 of probe received (within 10s)"),
    ("apply: {switch: {workers: {p0: [0, 1]}, assignment: cycles}}",
     "apply: p0 to workers 0, 1; assignment cycles"),
    ("wait: {event: switch.ready}", "wait: event switch.ready (within 10s)"),
    ("set: {flow: probe, rate: 50kpps}", "set: probe to 50000 packets/s"),
    ("apply: {switch: {ports: {p9: {type: vhost, to: lan}}, remove: [p1]}}", "apply: add p9; remove p1"),
    ("disconnect: p0", "disconnect: p0"),
    ("queues: {frontend: f0, count: 1}", "queues: {frontend: f0, count: 1}"),
    ("repeat: {times: 20, steps: [{kill: switch}, {start: switch}]}", "repeat: 20 times 2 steps"),
    ("parallel: [[{run: 1s}], [{run: 2s}]]", "parallel: 2 branches"),
    ("random: {for: 60s, every: 1s..3s, of: [{kill: switch, weight: 3}, {stop: f1}], then: heal}",
     "random: 2 faults for 60s"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "text"), WRITTEN)
def test_a_step_is_told_as_a_person_would_write_it(written: str, text: str) -> None:
    (step,) = only(with_steps(written)).steps
    assert step.text() == text


def test_weights_stand_beside_the_steps_of_random() -> None:
    (step,) = only(with_steps("random: {for: 9s, every: 1s, of: [{kill: f0, weight: 3}, {stop: f1}]}")).steps
    assert step.weights == [3, 1]  # type: ignore[attr-defined]


def test_a_matrix_value_keeps_its_type_where_it_stands_alone() -> None:
    text = 'matrix: {n: [1, 2]}\nlet: {label: "round {n}"}\n' + with_line(
        "port: p1}", 'port: p1, queues: "{n}"}'
    )
    text = text.replace("p1: {type: vhost, role: client", "p1: {type: vhost, queues: 2, role: client")
    text = text.replace("  - run: 200ms", '  - label: "{label}"')
    cells = parse_scenario(text).cells
    assert [cell.scenario.frontends["f1"].queues for cell in cells] == [1, 2]
    assert [cell.scenario.steps[1].text() for cell in cells] == ["label: round 1", "label: round 2"]


def test_except_leaves_cells_out_wherever_it_is_written() -> None:
    for head in (
        "matrix: {ring: [split, packed]}\nexcept: [{ring: packed, because: no}]\n",
        "matrix: {ring: [split, packed], except: [{ring: packed, because: no}]}\n",
    ):
        file = parse_scenario(head + PAIR)
        assert [cell.cell for cell in file.cells] == [{"ring": "split"}]
        assert [(entry.cell, entry.because) for entry in file.left_out] == [({"ring": "packed"}, "no")]


def test_cells_are_selected_by_key_and_value_and_unknown_ones_are_named() -> None:
    file = parse_scenario(
        "matrix: {ring: [split, packed], n: [1, 2]}\nexcept: [{n: 2, ring: packed, because: no}]\n" + PAIR
    )
    assert [cell.cell for cell in file.select({"n": "1"})] == [
        {"ring": "split", "n": 1},
        {"ring": "packed", "n": 1},
    ]
    for wanted, message in (
        ({"rng": "split"}, "no axis 'rng'; there are n, ring; did you mean 'ring'?"),
        ({"n": "3"}, "no value of n '3'; there are 1, 2"),
        ({"n": "2", "ring": "packed"}, "is left out by the scenario: no"),
    ):
        with pytest.raises(ScenarioError, match=message.replace("?", r"\?")):
            file.select(wanted)


def test_vector_paths_choose_the_features_they_need() -> None:
    packed = only(with_line("port: p1}", "port: p1, ring: packed, vectorized: true}")).frontends["f1"]
    split = only(with_line("port: p1}", "port: p1, vectorized: true}")).frontends["f1"]
    assert isinstance(packed, VirtioUser)
    assert isinstance(split, VirtioUser)
    assert (packed.mergeable, packed.in_order) == (False, True)
    assert (split.mergeable, split.in_order) == (False, False)


def test_ports_that_steps_add_may_be_named_by_steps_and_expectations() -> None:
    text = with_steps("apply: {switch: {ports: {p9: {type: vhost, to: lan}}}}", "disconnect: p9")
    assert "p9" in only(text).names().ports


def test_several_switches_have_ports_with_their_names_in_front() -> None:
    text = (
        PAIR.replace("switch:\n", "switches:\n  a:\n")
        .replace("  bricks", "    bricks")
        .replace("  ports", "    ports")
    )
    text = text.replace("    p0: {type: vhost", "      p0: {type: vhost").replace(
        "    p1: {type: vhost", "      p1: {type: vhost"
    )
    text = text.replace("port: p0", "port: a.p0").replace("port: p1", "port: a.p1")
    scenario = only(text)
    assert set(scenario.ports()) == {"a.p0", "a.p1"}
    assert scenario.split_port("a.p1") == ("a", "p1")


def test_what_a_scenario_needs_is_known_without_running_it() -> None:
    assert needs(only(PAIR)) == []
    assert needs(only(with_line("f1: {type: virtio-user", "f1: {type: qemu"))) == ["QEMU"]


def test_the_topology_can_be_drawn() -> None:
    drawn = dot(only(PAIR))
    for line in ('"f0" -- "switch/p0"', '"switch/p0" -- "switch/lan"', 'label="probe"'):
        assert line in drawn


LINKED = """\
name: x
about: Linked.
switches:
  a: {ports: {up: {type: link, peer: b.up}}}
  b: {ports: {up: {type: link, peer: a.up}}}
"""


def test_of_the_two_ends_of_a_link_one_listens() -> None:
    scenario = only(LINKED)
    ends = {name: switch.ports["up"] for name, switch in scenario.switches.items()}
    roles = {name: end.document(f"{name}.up") for name, end in ends.items() if isinstance(end, LinkPort)}
    assert roles == {"a": {"type": "link", "role": "server"}, "b": {"type": "link", "role": "client"}}


def test_both_ends_of_a_link_name_each_other() -> None:
    for wrong, message in (
        ("peer: b.uq", "no link port of another switch 'b.uq'; there are b.up; did you mean 'b.up'"),
        ("peer: a.up", "no link port of another switch 'a.up'; there are b.up"),
    ):
        with pytest.raises(ScenarioError, match=message):
            parse_scenario(LINKED.replace("peer: b.up", wrong))
    third = LINKED + "  c: {ports: {up: {type: link, peer: b.up}}}\n"
    with pytest.raises(ScenarioError, match=r"peer: the peer of b\.up is a\.up, not this port"):
        parse_scenario(third)
