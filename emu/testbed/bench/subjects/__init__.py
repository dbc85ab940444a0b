"""What is measured: backends with two server sockets that pass frames from one to the other."""

from __future__ import annotations

from testbed.bench.subjects.base import NotSupported, Subject, Worker
from testbed.bench.subjects.ovs import Ovs
from testbed.bench.subjects.switch import TestbedSwitch
from testbed.bench.subjects.testpmd import Testpmd

SUBJECTS: dict[str, Subject] = {
    subject.name: subject
    for subject in (
        TestbedSwitch("library"),
        TestbedSwitch("ring"),
        Testpmd("io"),
        Testpmd("mac"),
        Ovs("flow"),
        Ovs("normal"),
    )
}

__all__ = ["SUBJECTS", "NotSupported", "Subject", "Worker"]
