"""What a run does beside attacking: it gives up when nothing comes up, and tells what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from made_cases import message
from testbed.fuzz.campaign import LOOK_EVERY, Campaign, Kept, Tally, View
from testbed.fuzz.finding import Finding
from testbed.fuzz.grammar import ATTACKER, PROFILES, Steps
from testbed.fuzz.oracle import Violation
from testbed.fuzz.progress import as_document, coverage, replay_command, status
from testbed.fuzz.stage import Played
from testbed.fuzz.topology import Target
from testbed.run.actors.base import ActorError
from testbed.run.backends import TestbedSwitch

FINDING = Finding(Violation("mute", "no answer"), PROFILES[0], [message("SET_OWNER")], 3, True)
KEPT = Kept(FINDING, Path("runs/x/finding-1.yaml"), "failed", "flow victim: stalled")


async def test_a_backend_that_never_comes_up_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = Campaign(Target(TestbedSwitch()), Tally(1, 60), tmp_path, 1, View())
    asked = []

    async def turn(profile: object) -> None:
        asked.append(profile)
        raise ActorError("switch ended with exit 1")

    monkeypatch.setattr(campaign, "_turn", turn)
    with pytest.raises(ActorError):
        await campaign.run()
    assert len(asked) == 3


def test_outcomes_are_counted_by_request_whatever_was_cut_off() -> None:
    tally = Tally(1, 60)
    tally.seen[("send SET_OWNER", "sent")] = 2
    tally.seen[("send SET_OWNER, 4 octets of it", "sent")] = 1
    tally.seen[("handshake", "complete")] = 1
    assert coverage(tally) == {"SET_OWNER": {"sent": 3}, "handshake": {"done": 1}}


def test_a_summary_names_the_file_and_what_running_it_says() -> None:
    tally = Tally(5, 60, kept=[KEPT])
    (finding,) = as_document(tally, "dpdk-testpmd", interrupted=False)["findings"]
    assert finding["kind"] == "mute"
    assert finding["file"] == "runs/x/finding-1.yaml"
    assert finding["verdict"] == "failed"
    assert "1 found" in status(tally)


def test_the_command_that_replays_names_the_backend_unless_it_is_ours() -> None:
    assert replay_command(KEPT, "testbed-switch") == "./testbed run runs/x/finding-1.yaml"
    assert replay_command(KEPT, "dpdk-testpmd").endswith("--backend dpdk-testpmd")


class Looks:
    """In place of an oracle: how often everything was looked at."""

    def __init__(self) -> None:
        self.times = 0

    async def after(self) -> None:
        self.times += 1


@pytest.fixture
def attacks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each case, whether everything is looked at after it. Cases do nothing."""
    looks: list[bool] = []

    async def attack(on: object, oracle: object, steps: object, *, look: bool) -> tuple[Played, None]:
        looks.append(look)
        return Played(), None

    monkeypatch.setattr("testbed.fuzz.campaign.attack", attack)
    return looks


async def test_some_cases_share_a_look(tmp_path: Path, attacks: list[bool]) -> None:
    oracle = Looks()
    campaign = Campaign(Target(TestbedSwitch()), Tally(1, 60), tmp_path, 1, View())
    played, violation = await campaign._cases(cast(Any, None), cast(Any, oracle), PROFILES[0])
    assert (len(played), violation) == (LOOK_EVERY, None)
    assert attacks == [False] * (LOOK_EVERY - 1) + [True]
    assert oracle.times == 0


async def test_the_last_cases_are_looked_at_though_the_time_is_over(
    tmp_path: Path, attacks: list[bool]
) -> None:
    oracle = Looks()
    campaign = Campaign(Target(TestbedSwitch()), Tally(1, 0), tmp_path, 1, View())
    await campaign._cases(cast(Any, None), cast(Any, oracle), PROFILES[0])
    assert attacks == [False]
    assert oracle.times == 1


@pytest.mark.parametrize("guilty", [0, 1, 2])
async def test_whichever_case_broke_it_is_found_when_they_are_repeated(tmp_path: Path, guilty: int) -> None:
    cases = [[message("SET_OWNER")], [message("GET_FEATURES")], [message("GET_QUEUE_NUM")]]

    class Repeats:
        async def fails(self, steps: Steps, kind: str) -> bool:
            return steps == cases[guilty]

    campaign = Campaign(Target(TestbedSwitch()), Tally(1, 60), tmp_path, 1, View())
    assert await campaign._repeated(cast(Any, Repeats()), cases, "stray") == cases[guilty]


async def test_cases_that_break_something_together_are_repeated_together(tmp_path: Path) -> None:
    cases = [[message("SET_OWNER")], [message("GET_FEATURES")]]

    class Repeats:
        async def fails(self, steps: Steps, kind: str) -> bool:
            return all(step in steps for case in cases for step in case)

    campaign = Campaign(Target(TestbedSwitch()), Tally(1, 60), tmp_path, 1, View())
    hang_up = {"hang_up": ATTACKER}
    assert await campaign._repeated(cast(Any, Repeats()), cases, "leak") == [
        *cases[0],
        hang_up,
        *cases[1],
        hang_up,
    ]
