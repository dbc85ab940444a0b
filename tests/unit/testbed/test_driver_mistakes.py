"""Mistakes around driver frontends: one line each, with the place and how to mend it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scenario_texts import complaint, with_line, with_steps
from testbed.scenario.load import parse_scenario
from testbed.scenario.topology import Driver
from testbed.scenario.virtio_names import FEATURES, PROTOCOL_FEATURES, REQUESTS

WIRE = Path(__file__).parents[3] / "vdev" / "wire"

TOPOLOGY = [
    ("size: 100", "size: 100 is no power of two (virtio 1.2, 2.7: Split Virtqueues)"),
    ("without: [mrg_rxbuff]",
     "without[0]: no feature 'mrg_rxbuff'; did you mean 'MRG_RXBUF'?; write one like mrg_rxbuf, or `bit 42`"),
    ("with_protocol: [log]", "with_protocol[0]: no protocol feature 'log'; write one like mrg_rxbuf, or `bit 42`"),
    ("connect: later", "connect: 'later' is not known here; write by itself or by hand"),
    ("backing: disk", "backing: 'disk' is not known here; write memfd or file"),
    ("sealed: true, backing: file", "sealed: only a memfd can be sealed; leave out `backing: file`"),
    ("memory: 64M, regions: [{gpa: 0, size: 16M}]", "regions: stands in place of `memory`; leave one of them out"),
    ("regions: [{gpa: 0x1x, size: 16M}]", "regions[0].gpa: '0x1x' is no size; write one like 256M or 1G"),
    ("features: 0x10000000000000000", "features: '18446744073709551616' does not fit into 64 bits"),
    ("rings: {2: {used: 4096}}", "rings: there is no virtqueue 2; 1 pairs are 0 to 1"),
    ("queues: 4", "queues: 4 queue pairs are more than port p1 has (1)"),
]  # fmt: skip


def with_driver(options: str, steps: str = "") -> str:
    text = with_steps(*([steps] if steps else ["run: 1s"]))
    return with_line("f1: {type: virtio-user, port: p1}", f"f1: {{type: driver, port: p1{options}}}", text)


@pytest.mark.parametrize(("options", "expected"), TOPOLOGY)
def test_a_mistake_in_a_drivers_options_is_one_line_with_its_place(options: str, expected: str) -> None:
    assert complaint(with_driver(f", {options}")) == f"x.yaml:10: frontends.f1.{expected}"


STEPS = [
    ("send: {from: f0, message: SET_OWNER}",
     "send.from: 'f0' is no driver; give it `type: driver`, or name one of those that are"),
    ("send: {from: f9, message: SET_OWNER}", "send.from: no driver frontend 'f9'; there are f1"),
    ("send: {from: f1}", "send: sends either `message: NAME` or `bytes: ...`"),
    ("send: {from: f1, message: SET_LOGBASE}", "send.message: no message 'SET_LOGBASE'"),
    ("send: {from: f1, message: SET_VRING_NUM, payload: {index: 0, nmu: 2}}",
     "send.payload: unknown key 'nmu'; did you mean 'num'?; there are index, num, hex"),
    ("send: {from: f1, message: SET_LOG_BASE, fds: [memfd]}", "send.fds[0]: no descriptor 'memfd'"),
    ("send: {from: f1, bytes: 0x0}", "send.bytes: "),
    ("send: {from: f1, bytes: \"xy\"}",
     "send.bytes: 'xy' is no row of octets; write two hexadecimal digits for each, in quotes"),
    ("send: {from: f1, message: SET_OWNER, expect: gone}", "send.expect: 'gone' is not known here; write answered"),
    ("handshake: {on: f1, stop_after: SET_VRING}", "handshake.stop_after: no message 'SET_VRING'"),
    ("handshake: f0", "handshake: 'f0' is no driver"),
    ("chain: {on: f1, descriptors: []}", "chain.descriptors: is empty"),
    ("chain: {on: f1, descriptors: [{addr: buff0}]}", "chain.descriptors[0].addr: 'buff0' is no address; write a number, "
     "or one like buf0, buf0+12, desc1, avail1, used1+2, region0.end-1"),
    ("poke: {on: f1, at: buf0.end, bytes: ff}", "poke.at: 'buf0.end' is no address"),
    ("flip: {on: f1, at: buf0, values: [\"00\", \"0000\"]}", "flip.values: have to be equally long, 1 to 8 octets"),
    ("resize: {on: f1, fd: table, size: 0}", "resize.fd: no descriptor 'table'; there are none"),
    ("block: {on: f1, fd: bell}", "block.fd: no descriptor 'bell'; there are none"),
    ("virtqueue: {on: f1, queue: 1, posting: false}",
     "virtqueue.posting: virtqueue 1 sends; receive buffers are posted on even ones"),
    ("log: {on: f1, do: toggle}", "log.do: toggles how often and how long? write `every: 50ms, for: 2s`"),
    ("log: {on: f1, do: on, every: 5ms, for: 1s}", "log.every: `on` is done once; write `toggle` or `exchange`"),
    ("log: {on: f1, do: exchange, every: 5ms}", "log.do: `every` and `for` go together"),
    ("virtqueue: {on: f1, queue: 1}", "virtqueue: changes one thing: `enabled` or `posting`"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "expected"), STEPS)
def test_a_mistake_in_a_drivers_step_is_one_line_with_its_place(step: str, expected: str) -> None:
    line = complaint(with_driver("", step))
    assert line.startswith(f"x.yaml:14: steps[0].{expected}"), line


def test_a_drivers_options_become_those_of_the_program() -> None:
    options = ', without: [mrg_rxbuf], connect: by hand, memory: 64M, features: "0x100000000", answer: 300ms'
    spec = parse_scenario(with_driver(options)).cells[0].scenario.frontends["f1"]
    assert isinstance(spec, Driver)
    document = spec.document()
    assert {key: document[key] for key in ("without", "auto", "memory", "features", "answer_ms")} == {
        "without": ["MRG_RXBUF"],
        "auto": False,
        "memory": 64 << 20,
        "features": "0x100000000",
        "answer_ms": 300,
    }
    assert not {"type", "port", "connect", "answer"} & document.keys()


@pytest.mark.parametrize(
    ("header", "array", "known"),
    [
        ("vhost_user_names.hpp", "kRequestNames", set(REQUESTS) | {"NONE"}),
        ("vhost_user_names.hpp", "kProtocolFeatureNames", PROTOCOL_FEATURES),
        ("virtio_features.hpp", "kFeatureNames", FEATURES),
    ],
)
def test_the_names_are_those_of_the_program(header: str, array: str, known: frozenset[str]) -> None:
    _, _, rest = (WIRE / header).read_text().partition(f"{array} = ")
    assert (
        set(re.findall(r'"([A-Z0-9_]+)"', rest.partition("};" if "names" in header else "});")[0])) == known
    )
