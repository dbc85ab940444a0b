"""Comparisons of the language, and histograms off the wire."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from made_flow import encode
from testbed.check.compare import ComparisonError, parse, show_ns
from testbed.check.histogram import HistogramError, decode, enough_for

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "hdrhistogram.json").read_text())["histograms"]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (0, 0, 1),
        ("0", 0, 1),
        ("<= 200ms", 200e6, 200e6 + 1),
        ("< 1.5s", 1.4e9, 1.5e9),
        (">= 0.95", 0.95, 0.94),
        ("> 3", 4, 3),
        ("!= 0", 1, 0),
        ("== 2min", 120e9, 1),
        ("1..3", 3, 4),
        ("<=1.5x", 1.5, 1.6),
        ("<=  0.1 %", 0.1, 0.2),
    ],
)
def test_comparisons(text: object, inside: float, outside: float) -> None:
    assert parse(text).holds(inside)
    assert not parse(text).holds(outside)


def test_words_behind_a_comparison_are_kept() -> None:
    assert parse("<= 32 outside outages").words == "outside outages"
    assert parse("1..3ms").high == 3e6


@pytest.mark.parametrize(
    "text", ["", "soon", "<= ms", "200 parsecs", "=> 3", "<= -1", True, None, [1], "1..2..3", "10us..1ms"]
)
def test_what_is_no_comparison_is_refused_with_how_to_write_one(text: object) -> None:
    with pytest.raises(ComparisonError, match="write"):
        parse(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (103_200_000, "103 ms"),
        (1_500, "1.50 us"),
        (12, "12 ns"),
        (61e9, "61 s"),
        (0, "0 ns"),
        (11_600_000, "11.6 ms"),
    ],
)
def test_durations_are_shown_with_three_digits(ns: float, text: str) -> None:
    assert show_ns(ns) == text


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['digits']} digits")
def test_histograms_of_the_reference_implementation_are_read_alike(vector: dict[str, Any]) -> None:
    histogram = decode(vector["encoded"])
    assert histogram.count == vector["count"]
    for percent, value in vector["percentiles"].items():
        assert histogram.percentile(float(percent)) == value, percent


def test_plain_and_compressed_encodings_are_the_same_histogram() -> None:
    values = [1, 255, 256, 1000, 1_000_000, 10**12]
    assert decode(encode(values)) == decode(encode(values, compressed=False))
    assert decode(encode(values)).count == 6


def test_an_empty_histogram_has_no_percentiles() -> None:
    assert decode(encode([])).percentile(50) == 0


def test_a_difference_is_what_came_in_between() -> None:
    early, late = decode(encode([10, 20])), decode(encode([10, 20, 500]))
    assert late.minus(early) == decode(encode([500]))
    assert early.plus(decode(encode([500]))) == late
    with pytest.raises(HistogramError, match="earlier"):
        early.minus(late)


def test_histograms_of_different_precision_are_not_mixed() -> None:
    with pytest.raises(HistogramError, match="precision"):
        decode(encode([1])).plus(decode(VECTORS[0]["encoded"]))


def _framed(payload: bytes, *, cookie: int = 0x1C849303, length: int | None = None, digits: int = 2) -> str:
    header = struct.pack(
        ">iiiiqqd", cookie, len(payload) if length is None else length, 0, digits, 1, 10**9, 1.0
    )
    return base64.b64encode(header + payload).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        "AAAA",
        _framed(b"\x02", cookie=0x1C849301),
        _framed(b"\x02", length=9),
        _framed(b"\x80"),
        _framed(b"\x02", digits=0),
        base64.b64encode(struct.pack(">ii", 0x1C849314, 4) + b"xxxx").decode(),
        base64.b64encode(struct.pack(">ii", 0x1C849314, 99999) + zlib.compress(bytes(17 << 20))).decode(),
    ],
    ids=["empty", "no base64", "short", "cookie", "length", "cut", "digits", "no zlib", "bomb"],
)
def test_damaged_histograms_are_refused(text: str) -> None:
    with pytest.raises(HistogramError):
        decode(text)


@pytest.mark.parametrize(("percent", "least"), [(50, 20), (99, 1000), (99.9, 10_000)])
def test_a_percentile_wants_ten_samples_beyond_it(percent: float, least: int) -> None:
    assert enough_for(percent, least)
    assert not enough_for(percent, least - 1)
