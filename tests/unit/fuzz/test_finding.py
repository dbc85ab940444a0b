"""The file of a finding is a scenario with its steps in it, and says what they break."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_cases import message
from testbed.fuzz.finding import LEAK_TIMES, Finding, shapes, write
from testbed.fuzz.grammar import PROFILES, Profile, Steps, case
from testbed.fuzz.known import known_of
from testbed.fuzz.oracle import Violation
from testbed.fuzz.topology import Target
from testbed.run.backends import DpdkTestpmd, TestbedSwitch
from testbed.run.steps.base import Step
from testbed.scenario.load import load_scenario

LIBRARY = Target(TestbedSwitch(), "library")


def written(tmp_path: Path, steps: Steps, kind: str = "died") -> list[Step]:
    finding = Finding(Violation(kind, "the backend ended with SIGSEGV"), PROFILES[0], steps, 12, True)
    path = write(finding, tmp_path, "finding-1", 5)
    assert "case 12" in path.read_text()
    loaded = load_scenario(path)
    assert loaded.name == "finding-1"
    return loaded.cells[0].scenario.steps


def test_the_file_holds_the_steps_between_a_beginning_and_an_end(tmp_path: Path) -> None:
    steps = written(
        tmp_path, [{"handshake": {"on": "attacker"}}, message("RESET_DEVICE", payload={"hex": "0012"})]
    )
    kinds = [step.kind for step in steps]
    sent = next(index for index, step in enumerate(steps) if "RESET_DEVICE" in step.text())
    assert kinds[:3] == ["handshake", "wait", "hang_up"]
    assert kinds[sent - 1] == "handshake"
    assert kinds[sent + 1 : sent + 3] == ["send", "hang_up"]
    assert kinds[-1] == "wait"


def test_octets_that_look_like_numbers_survive_the_file(tmp_path: Path) -> None:
    for octets in ("0000", "1e10", "123456", "00e1"):
        steps = written(tmp_path, [{"connect": "attacker"}, message("SET_OWNER", payload={"hex": octets})])
        sent = next(step for step in steps if "SET_OWNER" in step.text())
        assert sent.model_dump()["payload"] == {"hex": octets}


def test_a_leak_is_repeated_until_a_checker_cannot_miss_it(tmp_path: Path) -> None:
    steps = written(tmp_path, [message("SET_LOG_FD")], "leak")
    repeat = next(step for step in steps if step.kind == "repeat")
    assert repeat.model_dump()["times"] == LEAK_TIMES


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_case_survives_its_file(tmp_path: Path, profile: Profile) -> None:
    everything = [step for number in range(80) for step in case(4, number, profile)]
    assert len(written(tmp_path, everything)) >= len(everything)


def test_shapes_tell_cases_of_one_kind_apart_from_others() -> None:
    first = [message("SET_LOG_BASE", payload={"offset": 4096}), {"run": "2ms"}]
    same = [
        message("GET_FEATURES"),
        message("SET_LOG_BASE", payload={"offset": 1, "size": 2}, need_reply=True),
    ]
    other = [message("SET_LOG_BASE", payload={"size": 2})]
    assert shapes(first) <= shapes(same)
    assert not shapes(first) <= shapes(other)


def test_a_receive_chain_that_is_shorter_than_a_header_is_told_apart() -> None:
    def chain(queue: int, length: int) -> Steps:
        return [
            {"chain": {"on": "attacker", "queue": queue, "descriptors": [{"len": length}, {"len": 2048}]}}
        ]

    assert "chain runt" in shapes(chain(0, 11))
    assert "chain runt" not in shapes(chain(0, 12)) | shapes(chain(1, 11))


def test_what_is_known_of_the_switch_is_not_all_that_is_tried() -> None:
    known = [entry.shapes for entry in known_of(LIBRARY)]
    cases = [shapes(case(1, number, PROFILES[0])) for number in range(400)]
    left = [odd for odd in cases if not any(shape <= odd for shape in known)]
    assert len(left) > 0.6 * len(cases)
    assert any({"chain on receives", "chain write"} <= odd for odd in left)


def test_what_the_library_is_known_for_is_tried_on_rings_of_our_own_and_on_other_backends() -> None:
    assert known_of(LIBRARY)
    assert known_of(Target(TestbedSwitch(), "ring")) == ()
    assert known_of(Target(DpdkTestpmd())) == ()


def test_the_file_says_who_walked_the_rings_when_the_run_did(tmp_path: Path) -> None:
    finding = Finding(Violation("died", ""), PROFILES[0], [message("SET_OWNER")], 1, True, "ring")
    cell = load_scenario(write(finding, tmp_path, "finding-1", 5)).cells[0]
    assert cell.scenario.all_switches()["switch"].datapath == "ring"
