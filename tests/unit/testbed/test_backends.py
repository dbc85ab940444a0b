"""What stands behind the sockets: what dpdk-testpmd can take the place of, and what not."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario_texts import PAIR, with_line, with_steps
from testbed.run.backends import DpdkTestpmd, OvsDpdk, backend_named
from testbed.scenario.load import parse_scenario

PORT = "    p1: {type: vhost, role: client, to: lan}\n"


def unsupported(text: str) -> str:
    return DpdkTestpmd().unsupported(parse_scenario(text).cells[0].scenario)


def test_two_ports_and_flows_between_them_are_what_testpmd_does() -> None:
    assert unsupported(PAIR) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (with_steps("disconnect: p0"), "has no control socket for `disconnect`"),
        (with_steps("apply: {switch: {remove: [p1]}}"), "has no control socket for `apply`"),
        (with_line(PORT, PORT + "    p2: {type: vhost, to: lan}\n"), "needs an even number of ports"),
        (
            with_line(PORT, "    x: {type: vhost}\n" + PORT + "    y: {type: vhost}\n"),
            "forwards between neighbouring ports only, and probe goes from p0 to p1",
        ),
        (
            with_line(PORT, PORT + '    n0: {type: nic, device: "net_null0", to: lan}\n'),
            "has vhost ports only",
        ),
    ],
)
def test_what_it_cannot_do_is_said_by_name(text: str, why: str) -> None:
    assert why in unsupported(text)


def test_a_frontend_in_the_switch_s_process_has_nowhere_to_live() -> None:
    text = with_line(
        "f0: {type: virtio-user, port: p0}", "f0: {type: virtio-user, port: p0, placement: in-process}"
    )
    assert "takes no frontends into its process" in unsupported(text)


def test_without_dpdk_testpmd_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from testbed.run.binaries import Lacking

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Lacking, match="apt-get install dpdk-dev"):
        DpdkTestpmd().check_machine(parse_scenario(PAIR).cells[0].scenario)


EXPECT = "expect:\n"


@pytest.mark.parametrize("backend", ["dpdk-testpmd", "ovs-dpdk"])
@pytest.mark.parametrize(
    ("expectation", "why"),
    [
        ("conserved: true", "has no counters for `conserved`"),
        ("counter: {name: received}", "has no counters for `counter`"),
        ("event: {name: session.down, port: p0}", "tells no events: `session.down` is the switch's"),
    ],
)
def test_what_only_our_switch_tells_is_not_supported_and_not_unknown(
    backend: str, expectation: str, why: str
) -> None:
    text = PAIR + ("" if EXPECT in PAIR else EXPECT) + f"  - {expectation}\n"
    scenario = parse_scenario(text).cells[0].scenario
    assert backend_named(backend).unsupported(scenario) == f"{backend} {why}"


def test_an_event_of_a_frontend_is_there_with_any_backend() -> None:
    text = PAIR + ("" if EXPECT in PAIR else EXPECT) + "  - event: {name: frontend.link, count: '>= 0'}\n"
    assert unsupported(text) == ""


def test_ovs_learns_and_takes_any_number_of_ports_but_has_no_other_bricks() -> None:
    def why(text: str) -> str:
        return OvsDpdk().unsupported(parse_scenario(text).cells[0].scenario)

    assert why(PAIR) == ""
    assert why(with_line(PORT, PORT + "    p2: {type: vhost, to: lan}\n")) == ""
    assert why(with_line("lan: {type: switch}", "lan: {type: hub}")) == "ovs-dpdk has no `hub` brick"


def test_where_ovs_cannot_run_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from testbed.run import openvswitch
    from testbed.run.binaries import Lacking

    monkeypatch.setattr(openvswitch, "DAEMON", Path("/nowhere"))
    with pytest.raises(Lacking, match="apt-get install openvswitch-switch-dpdk"):
        OvsDpdk().check_machine(parse_scenario(PAIR).cells[0].scenario)
