"""The language's small parts, with whatever Hypothesis thinks of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from testbed.scenario import units
from testbed.scenario.matrix import Exclusion, cells_of, product, selected, written
from testbed.scenario.mistakes import ScenarioError
from testbed.scenario.source import parse_source
from testbed.scenario.template import TemplateError, render

names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
scalars = st.one_of(st.integers(), st.booleans(), st.text(max_size=20), st.floats(allow_nan=False))
documents = st.recursive(
    st.one_of(scalars, st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.integers(0, 10**9), st.sampled_from(["ns", "us", "ms", "s", "min", "h"]))
def test_durations_scale_with_their_unit(number: int, unit: str) -> None:
    factor = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}[unit]
    assert units.duration_ns(f"{number}{unit}") == units.duration_ns(f"{number} {unit}") == number * factor


@given(st.integers(1, 10**6))
def test_a_bare_number_is_no_duration_and_the_answer_says_how_to_write_it(number: int) -> None:
    with pytest.raises(units.UnitError, match=f"write {number}ms or {number}s"):
        units.duration_ns(number)


@given(st.integers(1, 9999), st.sampled_from([("", 1), ("k", 1000), ("M", 10**6)]))
def test_rates_in_packets_scale_with_their_prefix(number: int, prefix: tuple[str, int]) -> None:
    rate = units.rate(f"{number}{prefix[0]}pps")
    assert rate.packets_per_second(units.sizes(64)) == number * prefix[1]


@given(st.integers(60, 9000), st.integers(60, 9000), st.integers(1, 1000))
def test_rates_in_bits_become_packets_of_the_mean_size(first: int, second: int, number: int) -> None:
    low, high = sorted((first, second))
    sizes = units.sizes(f"{low}..{high}")
    packets = units.rate(f"{number}Mbps").packets_per_second(sizes)
    assert packets * 8 * (low + high) / 2 == pytest.approx(number * 10**6)


@given(st.one_of(scalars, st.none(), st.lists(scalars), st.dictionaries(names, scalars)))
def test_unit_parsers_give_a_value_or_a_unit_error_and_nothing_else(value: Any) -> None:
    for parse in (units.duration_ns, units.duration_range_ns, units.rate, units.sizes, units.memory_bytes):
        try:
            parse(value)
        except units.UnitError as error:
            assert "\n" not in str(error).replace(str(value), "")


@given(names, scalars)
def test_a_name_alone_becomes_the_value_with_its_type(name: str, value: Any) -> None:
    rendered = render("{" + name + "}", {name: value})
    assert rendered == value
    assert type(rendered) is type(value)


@given(names, st.integers(), st.text(alphabet="abc .:-", max_size=10))
def test_a_name_inside_a_text_is_written_out(name: str, value: int, around: str) -> None:
    assert render(f"{around}{{{name}}} x", {name: value}) == f"{around}{value} x"


@given(documents)
def test_what_has_no_braces_renders_to_itself(document: Any) -> None:
    assume(not any("{" in text or "}" in text for text in strings(document)))
    assert render(document, {}) == document


def strings(document: Any) -> list[str]:
    if isinstance(document, dict):
        return [*document, *(text for value in document.values() for text in strings(value))]
    if isinstance(document, list):
        return [text for value in document for text in strings(value)]
    return [document] if isinstance(document, str) else []


@given(st.text(alphabet="ab{} $,:'", max_size=20))
def test_escaped_braces_come_out_single_and_nothing_is_replaced(text: str) -> None:
    assert render(text.replace("{", "{{").replace("}", "}}"), {"a": 1, "ab": 2}) == text


@given(names)
def test_a_name_without_a_value_is_refused(name: str) -> None:
    with pytest.raises(TemplateError, match=f"no value '{name}'"):
        render({"a": [f"x{{{name}}}"]}, {})


axes = st.dictionaries(
    names,
    st.lists(st.one_of(st.integers(0, 9), names, st.booleans()), min_size=1, max_size=4, unique_by=repr),
    max_size=4,
)


@given(axes, st.data())
def test_every_cell_is_run_or_left_out_with_a_reason_and_never_both(
    axes: dict[str, list[Any]], data: Any
) -> None:
    exclusions = []
    for axis, values in axes.items():
        if data.draw(st.booleans()):
            exclusions.append(Exclusion({axis: data.draw(st.sampled_from(values))}, f"because of {axis}"))
    run, left_out = cells_of(axes, exclusions)
    every = list(product(axes))
    assert sorted(map(repr, [*run, *(entry.cell for entry in left_out)])) == sorted(map(repr, every))
    assert all(any(entry.covers(left.cell) for entry in exclusions) and left.because for left in left_out)
    assert not any(entry.covers(cell) for entry in exclusions for cell in run)


@given(axes)
def test_a_cell_is_selected_by_its_own_values(axes: dict[str, list[Any]]) -> None:
    for cell in product(axes):
        assert selected(cell, {axis: written(value) for axis, value in cell.items()})


@given(st.text(max_size=60))
def test_any_text_is_a_source_or_one_line_of_complaint(text: str) -> None:
    try:
        parse_source(text, "x.yaml")
    except ScenarioError as error:
        assert len(error.mistakes) == 1
        assert str(error).startswith("x.yaml")
        assert "\n" not in str(error)
