"""The ratio of neighbouring blocks and its interval."""

from __future__ import annotations

import pytest
from testbed.bench.ratio import ratio_of


def test_a_drift_that_both_of_a_pair_share_divides_out() -> None:
    ratio = ratio_of([(50.0, 100.0), (100.0, 200.0), (75.0, 150.0)])
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.5, 0.5, 0.5))


def test_half_and_double_are_equally_far_from_the_same() -> None:
    ratio = ratio_of([(50.0, 100.0), (100.0, 50.0)])
    assert ratio is not None
    assert ratio.value == pytest.approx(1.0)


def test_pairs_that_disagree_widen_the_interval() -> None:
    close = ratio_of([(50.0, 100.0), (51.0, 100.0), (49.0, 100.0), (50.0, 100.0)])
    apart = ratio_of([(50.0, 100.0), (80.0, 100.0), (30.0, 100.0), (50.0, 100.0)])
    assert close is not None and apart is not None
    assert (
        close.low is not None and close.high is not None and apart.low is not None and apart.high is not None
    )
    assert apart.high - apart.low > 5 * (close.high - close.low)


def test_the_interval_is_students() -> None:
    ratio = ratio_of([(1.0, 2.0), (2.0, 2.0)])  # logarithms -ln 2 and 0: mean -0.3466, deviation 0.4901
    assert ratio is not None and ratio.high is not None
    assert ratio.high == pytest.approx(57.8, rel=0.01)  # exp(-0.3466 + 12.706 * 0.4901 / sqrt(2))


def test_one_pair_has_no_interval_and_none_no_ratio() -> None:
    one = ratio_of([(1.0, 4.0)])
    assert one is not None and (one.value, one.low, one.high) == (0.25, None, None)
    assert ratio_of([]) is None
    assert ratio_of([(0.0, 3.0)]) is None
