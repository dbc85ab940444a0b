"""Instructions per packet, counted by callgrind: the same on every machine, so that a check can hold them to 2 %.

    python -m testbed.bench.instructions             what they are, beside the baseline in ci/instructions.json
    python -m testbed.bench.instructions --update    makes them the baseline

Counted is what the switch's worker does for bursts of 32 frames in each direction (testbed-instructions): from the receive
queues through a learning switch to the transmit queues, the datapath's library included. What else the count depends on
(compiler, DPDK) stands in the baseline: where it differs there is nothing to compare with. What would depend on the CPU is
kept out: DPDK is told to use 128 bits, glibc's copies not to use AVX.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from testbed.run import exits
from testbed.run.binaries import PROJECT, Lacking, find_program
from testbed.run.places import scratch

BASELINE = PROJECT / "ci" / "instructions.json"
TOLERANCE = 0.02
DATAPATHS, RINGS = ("library", "ring"), ("split", "packed")
LACKING = 3  # testbed-instructions' exit status for a datapath that this build does not have
TIMEOUT_S = 120.0
SAME_COPIES = "glibc.cpu.hwcaps=-AVX_Fast_Unaligned_Load,-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM"


class Unsupported(Exception):
    """This build does not have the datapath."""


@dataclass(frozen=True)
class Count:
    per_packet: float
    made_with: dict[str, str]  # compiler, dpdk


def count(datapath: str, ring: str) -> Count:
    """Raises Unsupported, Lacking, RuntimeError."""
    if shutil.which("valgrind") is None:
        raise Lacking("valgrind is missing; mend it with: apt-get install valgrind")
    program = find_program("testbed-instructions")
    with scratch() as directory:
        counts = directory / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", "--toggle-collect=measured_poll"]
        command += [f"--callgrind-out-file={counts}", str(program), "--dir", str(directory)]
        command += ["--datapath", datapath, "--ring", ring]
        environment = {**os.environ, "GLIBC_TUNABLES": SAME_COPIES}
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment)
        if done.returncode == LACKING:
            raise Unsupported(f"datapath {datapath} is not in this build")
        if done.returncode:
            raise RuntimeError(f"testbed-instructions: {done.stderr.strip().splitlines()[-1:]}")
        result: dict[str, Any] = json.loads(done.stdout)
        return Count(
            total(counts.read_text()) / int(result["packets"]),
            {key: str(result[key]) for key in ("compiler", "dpdk")},
        )


def total(callgrind: str) -> int:
    """Of a callgrind.out file. RuntimeError when nothing was counted: the function has another name now."""
    found = re.search(r"^totals: (\d+)", callgrind, re.MULTILINE)
    if not found or not int(found[1]):
        raise RuntimeError("callgrind counted nothing: measured_poll was not called")
    return int(found[1])


def judge(name: str, found: Count, baseline: dict[str, Any]) -> str:
    """What is wrong with a count; empty when it is within the tolerance."""
    wanted = baseline["instructions_per_packet"].get(name)
    if wanted is None:
        return f"{name}: no baseline; make one: python -m testbed.bench.instructions --update"
    change = found.per_packet / wanted - 1
    if abs(change) <= TOLERANCE:
        return ""
    way = "more" if change > 0 else "fewer (make it the baseline)"
    return (
        f"{name}: {found.per_packet:.1f} instructions a packet, {100 * abs(change):.1f} % {way} than {wanted}"
    )


def comparable(found: Count, baseline: dict[str, Any]) -> bool:
    return bool(found.made_with == baseline["made_with"])


def read_baseline() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(BASELINE.read_text())
    return document


def counts() -> dict[str, Count]:
    """By datapath and ring, of those that this build has."""
    found = {}
    for datapath in DATAPATHS:
        for ring in RINGS:
            try:
                found[f"{datapath} {ring}"] = count(datapath, ring)
            except Unsupported as why:
                print(f"{datapath} {ring}: {why}", file=sys.stderr)
    return found


def main(update: bool) -> int:
    found = counts()
    for name, each in found.items():
        print(f"{name}: {each.per_packet:.1f} instructions a packet")
    if update:
        document = {
            "made_with": next(iter(found.values())).made_with,
            "instructions_per_packet": {name: round(each.per_packet, 1) for name, each in found.items()},
        }
        BASELINE.write_text(json.dumps(document, indent=1) + "\n")
        return exits.PASSED
    baseline = read_baseline()
    if not all(comparable(each, baseline) for each in found.values()):
        print(f"the baseline was made with {baseline['made_with']}: nothing to compare with")
        return exits.LACKING
    wrong = [line for name, each in found.items() if (line := judge(name, each, baseline))]
    print("\n".join(wrong), end="\n" if wrong else "")
    return exits.FAILED if wrong else exits.PASSED


if __name__ == "__main__":
    sys.exit(main("--update" in sys.argv[1:]))
