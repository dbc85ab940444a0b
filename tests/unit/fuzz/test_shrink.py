"""The shrinker finds what is needed and nothing else, on oracles that are made up."""

from __future__ import annotations

from made_cases import MadeOracle, message
from testbed.fuzz.grammar import PROFILES, Steps, case
from testbed.fuzz.shrink import shrink, simpler_steps

NOISE = [message("GET_FEATURES"), message("SET_OWNER"), {"run": "2ms"}]


def names(steps: Steps) -> list[object]:
    return [step["send"]["message"] for step in steps if "send" in step]


async def test_two_steps_that_need_each_other_are_all_that_is_left() -> None:
    steps = [*NOISE, message("SET_LOG_BASE"), *NOISE, *NOISE, message("SET_FEATURES"), *NOISE]
    oracle = MadeOracle(lambda case: {"SET_LOG_BASE", "SET_FEATURES"} <= {*names(case)})
    assert names(await shrink(steps, oracle.fails, oracle.spent)) == ["SET_LOG_BASE", "SET_FEATURES"]


async def test_what_a_step_says_is_reduced_to_what_matters() -> None:
    given = message(
        "SET_LOG_BASE",
        payload={"size": 1 << 40, "offset": 1 << 19},
        fds=["memfd 64", "pipe"],
        need_reply=True,
    )
    oracle = MadeOracle(lambda case: any((s["send"].get("payload") or {}).get("offset", 0) > 0 for s in case))
    assert await shrink([given], oracle.fails, oracle.spent) == [
        message("SET_LOG_BASE", payload={"offset": 1})
    ]


async def test_a_chain_loses_the_descriptors_that_do_not_matter() -> None:
    chain = {"addr": "buf0", "len": 64, "write": True}
    bad = {"addr": "region0.end-1", "len": 2048, "write": True}
    steps: Steps = [{"chain": {"on": "attacker", "queue": 0, "descriptors": [chain, chain, bad, chain]}}]
    oracle = MadeOracle(
        lambda case: any(
            one.get("addr") == "region0.end-1" and one.get("len", 0) > 1
            for one in case[0]["chain"]["descriptors"]
        )
    )
    (smaller,) = await shrink(steps, oracle.fails, oracle.spent)
    (left,) = smaller["chain"]["descriptors"]
    assert left["addr"] == "region0.end-1"
    assert left["len"] == 2


async def test_the_result_fails_when_the_budget_is_spent_in_the_middle() -> None:
    steps = [*NOISE, *NOISE, message("RESET_DEVICE"), *NOISE]
    for most in range(12):
        oracle = MadeOracle(lambda case: "RESET_DEVICE" in names(case), most)
        smaller = await shrink(steps, oracle.fails, oracle.spent)
        assert "RESET_DEVICE" in names(smaller)
        assert oracle.asked <= most


async def test_a_case_that_needs_all_of_itself_stays() -> None:
    steps = [message("SET_OWNER"), message("RESET_DEVICE")]
    oracle = MadeOracle(lambda case: case == steps)
    assert await shrink(steps, oracle.fails, oracle.spent) == steps


def test_simpler_steps_are_never_the_same_and_always_come_to_an_end() -> None:
    for number in range(60):
        for step in case(5, number, PROFILES[0]):
            assert all(simpler != step for simpler in simpler_steps(step))


async def test_whatever_the_grammar_makes_shrinks_to_a_single_bare_step() -> None:
    for number in range(40):
        steps = case(9, number, PROFILES[1])
        oracle = MadeOracle(lambda case: len(case) > 0)
        smaller = await shrink(steps, oracle.fails, oracle.spent)
        assert len(smaller) == 1
        assert oracle.asked < 2000
