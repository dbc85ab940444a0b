"""What the devices behind nic ports need of the machine: asked before anything is started."""

from __future__ import annotations

import os
import re
from pathlib import Path

from testbed.run.binaries import Lacking
from testbed.scenario.model import Scenario
from testbed.scenario.topology import NicPort

# capabilities(7), <linux/capability.h>
NET_ADMIN, NET_RAW = 12, 13
_NEEDED = {
    "net_tap": (NET_ADMIN, "CAP_NET_ADMIN"),
    "net_tun": (NET_ADMIN, "CAP_NET_ADMIN"),
    "net_af_packet": (NET_RAW, "CAP_NET_RAW"),
}
_MEND = "mend it with: sudo ./testbed ..., or in a network namespace of your own: unshare -Urn ./testbed ..."


def check_devices(scenario: Scenario) -> None:
    """Raises Lacking."""
    tun, capabilities = Path("/dev/net/tun"), effective_capabilities()
    for switch in scenario.all_switches().values():
        for name, port in switch.ports.items():
            if isinstance(port, NicPort) and (reason := lacking(port.device, capabilities, tun)):
                raise Lacking(f"port {name}: {reason}")


def lacking(device: str, capabilities: int, tun: Path) -> str:
    """Why `device` cannot be made here; empty when it can, or when only trying would tell."""
    driver = re.sub(r"\d+$", "", device.partition(",")[0])
    if driver not in _NEEDED:
        return ""
    bit, capability = _NEEDED[driver]
    if not capabilities >> bit & 1:
        return f"{driver} needs {capability}; {_MEND}"
    if driver != "net_af_packet" and not os.access(tun, os.R_OK | os.W_OK):
        return f"{driver} needs {tun}; mend it with: modprobe tun"
    return ""


def effective_capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return int(found[1], 16) if found else 0
