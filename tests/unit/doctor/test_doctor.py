"""What the doctor says of machines that lack one thing each."""

from __future__ import annotations

import io
import json
import resource
from typing import Any

import pytest
from rich.console import Console
from testbed import doctor
from testbed.doctor import Item

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("item", "state", "text"),
    [
        (doctor.judge_packages(["g++", "cmake"], {"g++", "cmake"}, True), "ok", "all 2"),
        (doctor.judge_packages(["g++", "cmake"], {"g++"}, True), "missing", "cmake"),
        (doctor.judge_version("DPDK", "22.11.11", (22, 11), "", ""), "ok", "22.11.11"),
        (doctor.judge_version("DPDK", "24.11", (22, 11), "", ""), "ok", "24.11"),
        (doctor.judge_version("DPDK", "20.11.10", (22, 11), "", ""), "missing", "older than 22.11"),
        (doctor.judge_version("QEMU", "", (7, 2), "", ""), "missing", "not found"),
        (doctor.judge_hugepages(512, 100, 2048, False), "ok", "100 of 512 free"),
        (doctor.judge_hugepages(0, 0, 2048, True), "limited", "none"),
        (doctor.judge_ovs("", True, True), "ok", "usable"),
        (doctor.judge_ovs("no hugepages", True, False), "ok", "no hugepages"),
        (doctor.judge_ovs("it is missing", False, False), "limited", "not installed"),
        (doctor.judge_tun(True, True), "ok", "usable"),
        (doctor.judge_tun(True, False), "limited", "CAP_NET_ADMIN"),
        (doctor.judge_tun(False, True), "limited", "not there"),
        (doctor.judge_accelerator("kvm", "booted"), "ok", "kvm"),
        (doctor.judge_accelerator("tcg", "no /dev/kvm"), "limited", "no /dev/kvm"),
        (doctor.judge_amount("memory", 4000, 512, 1536, "", ""), "ok", "4000 MiB"),
        (doctor.judge_amount("memory", 800, 512, 1536, "", ""), "limited", "1536 wanted"),
        (doctor.judge_amount("memory", 100, 512, 1536, "", ""), "missing", "512 needed"),
        (doctor.judge_cores(1), "limited", "1"),
        (doctor.judge_cores(2), "ok", "2"),
        (doctor.judge_files(256, 4096), "limited", "256"),
        (doctor.judge_files(UNLIMITED, UNLIMITED), "ok", "unlimited"),
        (doctor.judge_memlock(8 << 20, False), "ok", "survives"),
        (doctor.judge_memlock(UNLIMITED, False), "ok", "unlimited"),
        (doctor.judge_runtime_dir("", False), "ok", "not set"),
        (doctor.judge_runtime_dir("/run/user/1000", True), "ok", "/run/user/1000"),
        (doctor.judge_runtime_dir("/run/user/1000", False), "limited", "not writable"),
        (doctor.judge_runtime_dir("/home/" + "a" * 60, True), "limited", "too long"),
        (doctor.judge_root(False), "limited", "no"),
    ],
)
def test_each_lack_is_told(item: Item, state: str, text: str) -> None:
    assert item.state == state
    assert text in item.found


def test_the_command_that_mends_fits_who_would_run_it() -> None:
    assert doctor.judge_packages(["g++"], set(), False).mend.startswith("sudo apt-get install")
    assert doctor.judge_packages(["g++"], set(), True).mend.startswith("apt-get install")
    assert doctor.judge_hugepages(0, 0, 2048, False).mend == "echo 512 | sudo tee /proc/sys/vm/nr_hugepages"
    assert doctor.judge_files(256, 4096).mend == "ulimit -n 1024"
    assert "limits.conf" in doctor.judge_files(256, 512).mend


OK = Item("a", "ok", "fine")
LIMITED = Item("b", "limited", "half", "less runs", "make --more")
MISSING = Item("c", "missing", "nothing", "nothing runs", "get [c]")


def _broken() -> Item:
    raise OSError("disk on fire")


@pytest.mark.parametrize(("items", "status"), [([OK, LIMITED], 0), ([OK, MISSING], 3)])
def test_the_exit_status_is_3_only_when_something_is_missing(
    items: list[Item], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        doctor, "probes", lambda root: {item.name: (lambda item=item: item) for item in items}
    )
    assert doctor.doctor(as_json=True) == status
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["ready"] is (status == 0)
    assert [item["name"] for item in document["items"]] == [item.name for item in items]


def test_a_probe_that_breaks_hides_no_other() -> None:
    items = doctor.examine({"x": _broken, "a": lambda: OK})
    assert [(item.name, item.state) for item in items] == [("x", "limited"), ("a", "ok")]
    assert items[0].means == "disk on fire"


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_fits_and_commands_can_be_copied(width: int) -> None:
    out = io.StringIO()
    long = Item("packages", "missing", "x " * 90, "nothing", "apt-get install " + "name " * 40)
    doctor.show([OK, MISSING, long], False, Console(file=out, width=width, highlight=False))
    lines = out.getvalue().splitlines()
    assert any("get [c]    # c" in line for line in lines)
    assert any(line.count("name") == 40 for line in lines)
    assert all(len(line) <= width for line in lines if "apt-get" not in line)


def test_this_machine_can_be_examined() -> None:
    chosen = {name: probe for name, probe in doctor.probes(True).items() if name != "accelerator"}
    items = doctor.examine(chosen)
    assert len(items) == len(chosen)
    assert not [item for item in items if item.found == "could not be found out"]
