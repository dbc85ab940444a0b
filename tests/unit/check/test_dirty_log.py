"""dirty_log: what was written is logged, and nothing else while nobody asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asserting import only_culprit, result
from made_guest import DRIVER, with_guest
from made_run import KILL, MS, STOP, T0, expecting
from testbed.check import judge
from testbed.check.evidence import Event, Evidence, LogLook

ON = LogLook(DRIVER, T0, KILL, "logging ends", True, written=40, logged=41)
OFF = LogLook(DRIVER, KILL, STOP, "end", False)


def with_logs(*logs: LogLook) -> Evidence:
    return replace(with_guest(), logs=list(logs))


def test_a_log_that_names_all_that_was_written_and_then_nothing_passes() -> None:
    cell = judge(with_logs(ON, OFF))
    assert cell.verdict == "passed", cell.reason
    assert result(cell, "dirty_log", DRIVER).measured["written"] == 40


def test_a_page_that_was_written_and_not_logged_fails_and_is_named() -> None:
    culprit = only_culprit(with_logs(replace(ON, missing=(0x67,), missing_pages=1), OFF), "dirty_log")
    assert culprit.broken == ("incomplete",)
    assert culprit.reason == "1 pages of d3 were written and not logged, first (logging ends): 0x67"


def test_event_words_that_were_not_logged_fail_under_a_rule_of_their_own() -> None:
    evidence = with_logs(replace(ON, event_words=2), OFF)
    assert only_culprit(evidence, "dirty_log").broken == ("event_words",)
    known = {"known": {"when": {"datapath": "library"}, "fails": "event_words", "because": "the library"}}
    assert judge(expecting(evidence, known)).verdict == "passed"


def test_a_page_that_is_logged_while_logging_is_off_fails_and_is_named() -> None:
    culprit = only_culprit(with_logs(ON, replace(OFF, logged=1, named=(0x2000,))), "dirty_log")
    assert culprit.reason == "1 pages of d3 were logged while logging was off (end): 0x2000"


@pytest.mark.parametrize("look", [ON, OFF])
def test_a_write_beside_the_bitmap_fails(look: LogLook) -> None:
    logs = [replace(entry, strayed=True) if entry is look else entry for entry in (ON, OFF)]
    assert only_culprit(with_logs(*logs), "dirty_log").broken == ("beside",)


def test_a_window_in_which_nothing_was_written_shows_nothing() -> None:
    assert only_culprit(with_logs(replace(ON, written=0), OFF), "dirty_log", "unknown").subject == DRIVER


def test_a_log_that_could_not_be_read_is_unknown() -> None:
    culprit = only_culprit(with_logs(ON, replace(OFF, blind="d3: no answer")), "dirty_log", "unknown")
    assert culprit.reason == "the log of d3 could not be read (end): d3: no answer"


def test_a_log_that_was_asked_for_and_never_switched_on_is_unknown() -> None:
    evidence = expecting(with_guest(), {"dirty_log": "complete"})
    assert only_culprit(evidence, "dirty_log", "unknown").subject == "log"


def test_a_backend_that_died_between_writing_and_logging_broke_no_promise() -> None:
    torn = replace(ON, t=STOP, missing=(0x67,), missing_pages=1)
    evidence = with_logs(ON, torn, OFF)
    down = Event(KILL + MS, DRIVER, "driver.down", {"frontend": DRIVER})
    assert judge(replace(evidence, events=[*evidence.events, down])).verdict == "passed"
