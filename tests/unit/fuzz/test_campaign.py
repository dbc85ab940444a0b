"""What a run does beside attacking: it gives up when nothing comes up, and tells what it saw."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_cases import message
from testbed.fuzz.campaign import Campaign, Kept, Tally, View
from testbed.fuzz.finding import Finding
from testbed.fuzz.grammar import PROFILES
from testbed.fuzz.oracle import Violation
from testbed.fuzz.progress import as_document, coverage, replay_command, status
from testbed.run.actors.base import ActorError
from testbed.run.backends import TestbedSwitch

FINDING = Finding(Violation("mute", "no answer"), PROFILES[0], [message("SET_OWNER")], 3, True)
KEPT = Kept(FINDING, Path("runs/x/finding-1.yaml"), "failed", "flow victim: stalled")


async def test_a_backend_that_never_comes_up_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = Campaign(TestbedSwitch(), Tally(1, 60), tmp_path, 1, View())
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
