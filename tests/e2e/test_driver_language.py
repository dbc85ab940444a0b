"""Driver frontends in scenarios, against testbed-switch: hands-on steps, and checkers that see what they are for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WITHIN_S = 120

HEAD = """\
name: by-hand
about: A script drives d2; d0 and d1 are neighbours.
switch:
  bricks: {lan: {type: switch}}
  ports:
    p0: {type: vhost, role: server, to: lan}
    p1: {type: vhost, role: client, to: lan}
    p2: {type: vhost, role: server, to: lan}
frontends:
  d0: {type: driver, port: p0}
  d1: {type: driver, port: p1, ring: packed}
  d2: {type: driver, port: p2, connect: by hand, posting: false, answer: 2s}
flows:
  probe: {from: d0, to: d1, rate: 2kpps, size: 64..1500}
"""


pytestmark = pytest.mark.usefixtures("switch_and_driver")


def judged(
    tmp_path: Path, steps: list[str], expect: list[str] | None = None, datapath: str = "ring"
) -> dict[str, Any]:
    """The one cell of a run of HEAD with these steps."""
    lines = ["steps:", *(f"  - {step}" for step in ["wait: {flows: moving}", *steps, "run: 200ms"])]
    if expect:
        lines += ["expect:", *(f"  - {entry}" for entry in expect)]
    file = tmp_path / "by-hand.yaml"
    file.write_text(HEAD + "\n".join(lines) + "\n")
    done = subprocess.run(
        [
            sys.executable,
            *f"-m testbed run {file} --datapath {datapath} --out {tmp_path / 'out'} --json".split(),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "emu")},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert done.stdout, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    return dict(cell)


def check(cell: dict[str, Any], checker: str, subject: str) -> dict[str, Any]:
    return next(c for c in cell["checks"] if (c["checker"], c["subject"]) == (checker, subject))


def test_a_session_is_made_used_and_left_by_hand(tmp_path: Path) -> None:
    frame = "000000000000000000000000 ffffffffffff 020000000001 9000 " + "00" * 46
    cell = judged(
        tmp_path,
        [
            "handshake: {on: d2, stop_after: 3}",
            "handshake: {on: d2, stop_after: SET_VRING_ADDR}",
            "handshake: d2",
            "wait: {ports: {p2: up}}",
            "send: {from: d2, message: GET_FEATURES, expect: answered}",
            f'chain: {{on: d2, descriptors: [{{addr: buf0, len: 72}}], data: "{frame}", returned: true}}',
            "kick: {on: d2, queue: 1, times: 10}",
            "rings: {on: d2, fresh: true}",
            "hang_up: d2",
            "wait: {ports: {p2: down}}",
        ],
        ["event: {name: driver.up, actor: d2, count: 2}"],
    )
    assert cell["verdict"] == "passed", cell["checks"]


def test_what_the_backend_does_is_an_outcome_and_only_a_claim_that_fails_fails(tmp_path: Path) -> None:
    nonsense = 'send: {from: d2, bytes: "ff00000001000000 ffffff7f 00"%s}'
    cell = judged(tmp_path, ["handshake: d2", nonsense % "", nonsense % ", expect: disconnected"])
    assert cell["verdict"] == "passed", cell["checks"]
    cell = judged(tmp_path, ["handshake: d2", "send: {from: d2, message: GET_FEATURES, expect: refused}"])
    steps = check(cell, "steps", "scenario")
    assert (cell["verdict"], steps["verdict"]) == ("failed", "failed")
    assert "answered, wanted refused" in json.dumps(steps)


def test_a_write_that_no_buffer_explains_is_found_in_the_guest_it_happened_to(tmp_path: Path) -> None:
    """librte_vhost writes a whole header to a receive chain that begins with one octet (CVE-2026-86566)."""
    runt = "[{addr: buf1, len: 1, write: true}, {addr: buf2, len: 1, write: true}, {addr: buf3, len: 2048, write: true}]"
    known = "known: {when: {datapath: library}, fails: pages d2, because: runt chains}"
    steps = ["handshake: d2", f"chain: {{on: d2, queue: 0, descriptors: {runt}, times: 20}}", "run: 1500ms"]
    cell = judged(tmp_path, steps, [known], "library")
    pages = check(cell, "pages", "d2")
    assert (cell["verdict"], pages["verdict"]) == ("passed", "failed"), cell["checks"]
    assert "virtqueue 0 posted" in json.dumps(pages)
    assert [check(cell, "pages", guest)["verdict"] for guest in ("d0", "d1")] == ["passed", "passed"]


def test_what_a_guest_changes_itself_is_not_held_against_the_backend(tmp_path: Path) -> None:
    flip = 'flip: {on: d2, at: buf3+8, values: ["aa", "bb"]}'
    cell = judged(tmp_path, ["handshake: d2", flip, "run: 1100ms", 'poke: {on: d2, at: buf4, bytes: "01"}'])
    assert check(cell, "pages", "d2")["measured"]["looks"] >= 2
    assert cell["verdict"] == "passed", cell["checks"]


def test_the_guests_of_a_switch_that_died_are_clean(tmp_path: Path) -> None:
    again = "{wait: {flows: moving, within: 10s}}"
    steps = [f"repeat: {{times: 3, steps: [{{kill: switch}}, {{start: switch}}, {again}, {{run: 200ms}}]}}"]
    cell = judged(tmp_path, steps, ["pages: clean"])
    assert cell["verdict"] == "passed", cell["checks"]
    assert check(cell, "pages", "d1")["measured"]["looks"] >= 3
