"""Cases come from the seed alone, are valid scenarios, and reach what they are meant to reach."""

from __future__ import annotations

from collections import Counter

import pytest
from testbed.fuzz import topology
from testbed.fuzz.finding import shapes
from testbed.fuzz.grammar import PROFILES, Profile, case
from testbed.scenario.load import build
from testbed.scenario.source import Source
from testbed.scenario.virtio_names import REQUESTS

MANY = 400


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_the_same_seed_makes_the_same_cases(profile: Profile) -> None:
    assert [case(7, n, profile) for n in range(50)] == [case(7, n, profile) for n in range(50)]


def test_another_seed_makes_other_cases() -> None:
    assert [case(7, n, PROFILES[0]) for n in range(20)] != [case(8, n, PROFILES[0]) for n in range(20)]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_case_is_a_valid_scenario(profile: Profile) -> None:
    steps = [step for n in range(MANY) for step in case(3, n, profile)]
    world = topology.document("every", "All of them at once.", profile, steps)
    assert len(build(Source("every.yaml", world)).cells[0].scenario.steps) > len(steps)


def test_a_few_hundred_cases_send_every_request_there_is() -> None:
    sent = Counter(
        step["send"].get("message")
        for n in range(MANY * 2)
        for step in case(1, n, PROFILES[0])
        if "send" in step
    )
    assert set(REQUESTS) - set(sent) == set()


@pytest.mark.parametrize(
    "shape",
    [
        "send cut",
        "send SET_LOG_BASE offset",
        "send SET_MEM_TABLE fds",
        "send SET_INFLIGHT_FD num_queues",
        "chain on receives",
        "chain write",
        "chain indirect",
        "log",
        "resize",
        "chain head",
        "flip",
        "poke",
        "rings",
    ],
)
def test_a_few_hundred_cases_hold(shape: str) -> None:
    assert any(shape in shapes(case(1, n, PROFILES[0])) for n in range(MANY))
