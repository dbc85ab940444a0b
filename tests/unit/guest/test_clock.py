"""The guest's clock: the shortest round trip counts, drift is followed, the error is never smaller than the truth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testbed.guest.clock import FlowClock, GuestClock, Reading


def reading(guest: int, offset: int, there: int = 100, back: int = 100) -> Reading:
    """A call that took `there` + `back` ns, at guest time `guest`, when the host was `offset` ahead."""
    return Reading(guest + offset - there, guest, guest + offset + back)


def test_the_shortest_round_trip_of_a_burst_is_the_one_that_counts() -> None:
    clock = GuestClock()
    best = clock.add(
        [reading(10_000, 5_000, 9_000, 100), reading(20_000, 5_000, 50, 50), reading(30_000, 5_000, 0, 400)]
    )
    assert (best.offset, best.error) == (5_000, 50)
    assert clock.to_host(20_000) == 25_000


def test_between_two_readings_drift_is_shared_out() -> None:
    clock = GuestClock()
    clock.add([reading(0, 1_000)])
    clock.add([reading(1_000_000, 2_000)])
    assert clock.to_host(500_000) == 501_500
    assert clock.to_host(-10_000) == -9_000
    assert clock.to_host(3_000_000) == 3_002_000


@given(there=st.integers(0, 10**7), back=st.integers(0, 10**7), offset=st.integers(-(10**15), 10**15))
def test_the_true_offset_is_always_within_the_error(there: int, back: int, offset: int) -> None:
    one = reading(10**9, offset, there, back)
    assert abs(one.offset - offset) <= one.error


def test_a_clock_that_was_never_read_has_no_answer() -> None:
    assert not GuestClock().known
    assert not FlowClock().known
    with pytest.raises(ValueError, match="not been read"):
        GuestClock().to_host(1)


def test_flows_are_told_the_first_offset_and_then_only_what_is_surely_different() -> None:
    clock = FlowClock()
    assert clock.follow(reading(0, 1_000)) == 1_000
    assert clock.follow(reading(10**9, 1_050)) is None
    assert clock.follow(reading(2 * 10**9, 1_300)) == 1_300


def test_the_error_of_flows_includes_how_far_they_had_drifted() -> None:
    clock = FlowClock()
    clock.follow(reading(0, 1_000))
    clock.follow(reading(10**9, 1_300))
    assert clock.error() == 300 + 100
