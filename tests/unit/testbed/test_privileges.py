"""What the devices behind nic ports need is asked before anything is started, and named with how to get it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from testbed.run.binaries import Lacking
from testbed.run.privileges import NET_ADMIN, NET_RAW, check_devices, lacking
from testbed.scenario.model import Scenario
from testbed.scenario.topology import NicPort, Switch

ALL = (1 << NET_ADMIN) | (1 << NET_RAW)
THERE = Path("/dev/null")


@pytest.mark.parametrize("device", ["net_tap0,iface=tb0", "net_tap12", "net_tun0"])
def test_a_tap_needs_the_right_to_make_interfaces(device: str) -> None:
    said = lacking(device, 1 << NET_RAW, THERE)
    assert "CAP_NET_ADMIN" in said and "mend it with: " in said
    assert lacking(device, ALL, THERE) == ""


def test_a_packet_socket_needs_its_own_right() -> None:
    assert "CAP_NET_RAW" in lacking("net_af_packet0,iface=eth0", 1 << NET_ADMIN, THERE)
    assert lacking("net_af_packet0,iface=eth0", ALL, THERE) == ""


def test_a_kernel_without_taps_is_told_apart_from_a_user_without_rights(tmp_path: Path) -> None:
    assert "modprobe tun" in lacking("net_tap0", ALL, tmp_path / "tun")


@pytest.mark.parametrize(
    "device", ["net_null0", "net_pcap0,rx_pcap=x", "net_ring0", "net_memif0", "nonsense"]
)
def test_devices_in_memory_need_nothing(device: str) -> None:
    assert lacking(device, 0, THERE) == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root has every right")
def test_a_scenario_without_rights_names_its_port() -> None:
    port = NicPort(type="nic", device="net_tap0")
    scenario = Scenario.model_construct(switch=Switch(ports={"up": port}), switches={})
    with pytest.raises(Lacking, match=r"^port up: net_tap needs CAP_NET_ADMIN"):
        check_devices(scenario)
