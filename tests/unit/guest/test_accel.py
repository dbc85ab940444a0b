"""The accelerator probe: what it concludes, and when it looks again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from testbed.guest import accel
from testbed.guest.image import Kernel

KERNEL = Kernel("6.1.0-1", Path("/none"), Path("/none"))
KEY: dict[str, object] = {"boot_id": "b", "qemu": ["q", 1, 2], "kernel": "6.1.0-1"}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a /dev/kvm of ordinary permissions, whatever this one has."""
    kvm, boot_id = tmp_path / "kvm", tmp_path / "boot_id"
    kvm.touch()
    boot_id.write_text("first\n")
    monkeypatch.setattr(accel, "KVM", kvm)
    monkeypatch.setattr(accel, "BOOT_ID", boot_id)
    monkeypatch.setenv("TESTBED_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TESTBED_ACCELERATOR", raising=False)
    return tmp_path


class Trial:
    """Stands for booting a kernel; counts."""

    def __init__(self, result: accel.Probe) -> None:
        self.result, self.count = result, 0

    def __call__(self, kernel: Kernel) -> accel.Probe:
        self.count += 1
        return self.result


def test_a_kernel_that_reached_user_space_means_kvm_however_qemu_ended() -> None:
    assert accel.judge(0, b"...\r\ntestbed: user space\r\n", b"", 1.1).accelerator == "kvm"
    assert accel.judge(None, b"testbed: user space", b"", 6).accelerator == "kvm"


def test_a_hang_and_an_abort_mean_tcg_and_say_why() -> None:
    assert "within 6 s" in accel.judge(None, b"", b"", 6).reason
    aborted = accel.judge(-6, b"", b"warn\nkvm_buf_set_msrs: Assertion `ret == n' failed.\n", 0.3)
    assert (aborted.accelerator, "Assertion" in aborted.reason) == ("tcg", True)


def test_a_clean_end_without_user_space_is_not_taken_for_kvm() -> None:
    assert accel.judge(0, b"", b"", 0.5).accelerator == "tcg"


def test_the_answer_is_remembered_until_the_machine_boots_again(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(accel.Probe("kvm", "tried"))
    monkeypatch.setattr(accel, "try_kvm", trial)
    assert accel.probe(KERNEL) == accel.probe(KERNEL) == accel.Probe("kvm", "tried")
    assert trial.count == 1
    (machine / "boot_id").write_text("second\n")
    accel.probe(KERNEL)
    assert trial.count == 2


def test_another_kernel_or_qemu_is_tried_anew(machine: Path) -> None:
    memory = machine / "accelerator.json"
    memory.write_text(json.dumps({"key": KEY, "accelerator": "kvm", "reason": "r"}))
    assert accel.recall(memory, KEY) == accel.Probe("kvm", "r")
    assert accel.recall(memory, {**KEY, "kernel": "6.12"}) is None
    assert accel.recall(memory, {**KEY, "qemu": ["q", 1, 3]}) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}', '{"accelerator": "kvm"}'])
def test_a_broken_memory_is_no_memory(tmp_path: Path, text: str) -> None:
    memory = tmp_path / "accelerator.json"
    memory.write_text(text)
    assert accel.recall(memory, KEY) is None


def test_without_the_device_or_the_permission_nothing_is_booted(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(accel.Probe("kvm", "tried"))
    monkeypatch.setattr(accel, "try_kvm", trial)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "permission" in accel.probe(KERNEL).reason
    (machine / "kvm").unlink()
    assert accel.probe(KERNEL).accelerator == "tcg"
    assert trial.count == 0


def test_the_environment_is_believed(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "kvm").unlink()
    monkeypatch.setenv("TESTBED_ACCELERATOR", "kvm")
    assert accel.probe(KERNEL).accelerator == "kvm"
