"""The ratio of two subjects from pairs of neighbouring blocks, with its confidence interval. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Student's t, two-sided 95 %, by degrees of freedom; 1.96 beyond the table.
_T95 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
)


@dataclass(frozen=True)
class Ratio:
    """`low` and `high`: where the true ratio is with 95 % confidence; None with fewer than two pairs."""

    value: float
    low: float | None
    high: float | None
    pairs: int


def ratio_of(pairs: Sequence[tuple[float, float]]) -> Ratio | None:
    """Of (ours, theirs) measured one after the other, so that what drifts with the machine divides out.

    The logarithms are averaged: half as much and twice as much are equally far from the same.
    """
    logs = [math.log(ours / theirs) for ours, theirs in pairs if ours > 0 and theirs > 0]
    if not logs:
        return None
    middle = statistics.fmean(logs)
    if len(logs) == 1:
        return Ratio(math.exp(middle), None, None, 1)
    degrees = len(logs) - 1
    t = _T95[degrees - 1] if degrees <= len(_T95) else 1.96
    reach = t * statistics.stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach), len(logs))
