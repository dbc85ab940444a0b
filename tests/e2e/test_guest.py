"""A real guest, from its boot to its deaths, against dpdk-testpmd that loops its frames back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from testbed.check.evidence import Event
from testbed.guest import image
from testbed.guest.command import BINARY, GuestOptions
from testbed.guest.packages import PackageError
from testbed.guest.qemu import Guest, GuestError

READY_S = 60
MAC = "02:00:00:00:00:01"

pytestmark = [
    pytest.mark.guest,
    pytest.mark.skipif(shutil.which(BINARY) is None, reason=f"{BINARY} is not installed"),
    pytest.mark.skipif(shutil.which("dpdk-testpmd") is None, reason="dpdk-testpmd is not installed"),
]


class Happenings(list[Event]):
    """The events of a guest, and waiting for the next one of a name."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def take(self, event: Event) -> None:
        self.append(event)
        self._changed.set()

    def names(self) -> list[str]:
        return [event.name for event in self]

    async def wait(self, name: str, within_s: float = READY_S) -> Event:
        """The last event of that name, if need be after waiting for it."""
        async with asyncio.timeout(within_s):
            while not (found := [event for event in self if event.name == name]):
                self._changed.clear()
                await self._changed.wait()
        return found[-1]


@pytest.fixture(scope="module")
def guest_image() -> image.Image:
    try:
        return image.build()
    except (image.ImageError, PackageError) as error:
        pytest.skip(f"no guest image: {error}")


@pytest_asyncio.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Path]:
    """testpmd on one vhost port; whatever the guest sends comes back to it. Its socket."""
    path = tmp_path / "p0.sock"
    prefix = f"tb{os.getpid()}"
    process = await asyncio.create_subprocess_exec(
        "dpdk-testpmd", "--no-huge", "-m", "128", "--no-pci", "--no-telemetry", f"--file-prefix={prefix}", "-l", "0,1",
        "--vdev", f"net_vhost0,iface={path},client=1",
        "--", "--total-num-mbufs=8192", "--forward-mode=io", "--port-topology=loop", "--auto-start",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    yield path
    process.kill()
    await process.wait()


@pytest_asyncio.fixture
async def happenings() -> Happenings:
    return Happenings()


@pytest.fixture
def make_guest(guest_image: image.Image, tmp_path: Path, happenings: Happenings) -> Callable[[Path], Guest]:
    def make(path: Path) -> Guest:
        options = GuestOptions("g1", path, "server", MAC)
        return Guest(options, guest_image, tmp_path, on_event=happenings.take)

    return make


async def send_to_itself(guest: Guest, packets: int) -> dict[str, int]:
    """Runs a flow over the loop until that many packets came back; the receiver's counts."""
    flow = {"flow": 1, "name": "loop", "frontend": "eth0", "run": 1, "seed": 1, "streams": 1}
    await guest.call("flow.expect", {**flow, "mac": MAC, "outage_threshold_ns": 10**9})
    sending = {
        **flow,
        "rate_pps": 2000,
        "sizes": [{"min": 64, "max": 1500, "weight": 1}],
        "src": MAC,
        "dst": MAC,
    }
    await guest.call("flow.send", {**sending, "queue": -1})
    await guest.call("flow.start", {"flow": 1})
    async with asyncio.timeout(READY_S):
        while True:
            counts: dict[str, int] = (await guest.call("flow.counts"))["1"]
            if counts["received"] >= packets:
                await guest.call("flow.stop", {"flow": 1})
                return counts
            await asyncio.sleep(0.05)


async def test_a_guest_boots_runs_commands_and_carries_flows_also_over_a_new_driver(
    make_guest: Callable[[Path], Guest], backend: Path, happenings: Happenings
) -> None:
    async with make_guest(backend) as guest:
        await guest.ready(READY_S)
        ready = await happenings.wait("agent.ready")
        assert ready.fields["mac"] == MAC
        assert abs(guest.clock.error()) < 10**9

        said = await guest.exec("uname -s; echo no >&2; exit 3")
        assert said == {"status": 3, "stdout": "Linux\n", "stderr": "no\n"}
        large = await guest.exec("head -c 300000 /dev/zero | tr '\\0' x")
        assert large["stdout"] == "x" * 300_000

        assert "Combined" in (await guest.exec("ethtool -l eth0"))["stdout"]

        counts = await send_to_itself(guest, 500)
        assert counts["corrupted"] == 0
        await guest.reload()
        assert (await guest.call("link"))["up"] is True
        assert (await send_to_itself(guest, 500))["corrupted"] == 0
        assert "kernel.error" not in happenings.names()
        assert await guest.shutdown(graceful_s=20) == "agent"
    died = await happenings.wait("guest.died")
    assert (died.fields["status"], died.fields["expected"]) == ("exit 0", True)


async def test_the_link_follows_the_backend(
    make_guest: Callable[[Path], Guest], guest_image: image.Image, happenings: Happenings, backend: Path
) -> None:
    async with make_guest(backend) as guest:
        await guest.ready(READY_S)
        await guest.qmp("set_link", {"name": "net0", "up": False})
        assert (await happenings.wait("guest.link")).fields == {"up": False}
        assert (await guest.call("link"))["up"] is False


async def test_a_reboot_a_reset_and_a_panic_are_noticed_and_survived(
    make_guest: Callable[[Path], Guest], backend: Path, happenings: Happenings
) -> None:
    async with make_guest(backend) as guest:
        await guest.ready(READY_S)
        await guest.reboot()
        await guest.ready(READY_S)
        assert (await happenings.wait("guest.reset")).fields["by_guest"] is True
        assert (await happenings.wait("guest.rebooted")).fields["boots"] == 2

        await guest.exec("(sleep 0.1; echo c > /proc/sysrq-trigger) &")
        panicked = await happenings.wait("guest.panicked")
        assert any("sysrq" in line for line in panicked.fields["console_tail"])

        await guest.reset()
        await guest.ready(READY_S)
        assert guest.boots == 3
        assert (await send_to_itself(guest, 100))["corrupted"] == 0
    assert happenings.names().count("guest.reset") == 2


async def test_a_killed_guest_is_noticed_and_calls_to_it_fail(
    make_guest: Callable[[Path], Guest], backend: Path, happenings: Happenings
) -> None:
    async with make_guest(backend) as guest:
        await guest.ready(READY_S)
        os.kill(guest.pid, signal.SIGKILL)
        died = await happenings.wait("guest.died")
        assert (died.fields["status"], died.fields["expected"]) == ("SIGKILL", False)
        with pytest.raises(GuestError, match="ended"):
            await guest.ready(READY_S)


async def test_a_launch_that_fails_says_how_it_was_tried_and_what_qemu_said(
    make_guest: Callable[[Path], Guest], guest_image: image.Image, tmp_path: Path
) -> None:
    options = GuestOptions("g1", tmp_path / "p0.sock", "server", MAC, extra=("-nonsense",))
    async with Guest(options, guest_image, tmp_path, accelerator="tcg") as guest:
        with pytest.raises(GuestError, match=r"(?s)ended \(exit 1\).*command: qemu.*invalid option"):
            await guest.ready(READY_S)


async def test_a_guest_without_a_backend_is_ended_at_once(
    make_guest: Callable[[Path], Guest], tmp_path: Path, happenings: Happenings
) -> None:
    async with make_guest(tmp_path / "nobody.sock") as guest:
        with pytest.raises(GuestError, match=r"was not ready within 0\.5 s"):
            await guest.ready(0.5)
        assert await guest.shutdown() == "SIGKILL"
    assert (await happenings.wait("guest.died")).fields["expected"] is True
