"""What the rows of a bulk run come to when an answer goes wrong, over a real socket: made once, or told as unknown."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from runner import Client, RunnerError
from runner.response import Result
from runner.sandbox import Served
from tests.faults.conftest import SECRET

Json = dict[str, Any]
MARK = "Row of a test"
ROWS = [{"fields": {"TITLE": MARK, "COMMENTS": str(number)}} for number in range(100)]


def word(outcome: Any) -> str:
    if not isinstance(outcome, RunnerError):
        return "made"
    return getattr(outcome, "outcome", "") or type(outcome).__name__


def rows_of(client: Client) -> list[str]:
    """What the server has of the rows, in the order of their making."""
    return [row["COMMENTS"] for row in client.iterate("crm.deal.list", {"filter": {"TITLE": MARK}})]


NUMBERS = [str(number) for number in range(len(ROWS))]


@pytest.mark.parametrize("fault", ["limit", "inner-limit=3", "inner-cost=3"])
def test_rows_that_a_limit_refused_are_made_once(fault: str, client: Client, served: Served) -> None:
    served.inject("", fault)
    found = list(client.bulk("crm.deal.add", ROWS))
    assert [word(one) for one in found] == ["made"] * len(ROWS)
    assert sorted(rows_of(client), key=int) == NUMBERS
    assert len({one.value for one in found if isinstance(one, Result)}) == len(ROWS)


@pytest.mark.parametrize(
    ("fault", "meets", "executed"),
    [
        ("reset-before", "unknown", False),
        ("reset-after", "unknown", True),
        ("cut", "unknown", True),
        ("html-after", "unknown", True),
        ("empty-after", "unknown", True),
        ("500-after", "unknown", True),
        ("502-before", "unknown", False),
        ("502-after", "unknown", True),
        ("503-after", "unknown", True),
        ("504-after", "unknown", True),
    ],
)
def test_rows_whose_answer_was_lost_are_not_made_again(  # a run that goes on does not send them either
    fault: str,
    meets: str,
    executed: bool,
    client: Client,
    served: Served,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    journal = str(tmp_path / "run.journal")
    served.inject("", fault)
    found = list(client.bulk("crm.deal.add", ROWS, journal=journal, ahead=1))
    words = [word(one) for one in found]
    assert set(words) == {"made", meets}
    lost = [number for number, one in zip(NUMBERS, words, strict=True) if one != "made"]
    there = rows_of(client)
    assert len(there) == len(set(there))
    assert set(there) == (set(NUMBERS) if executed else set(NUMBERS) - set(lost))
    for one in found:
        if isinstance(one, RunnerError):
            assert SECRET not in "".join([str(one), repr(one), *traceback.format_exception(one), caplog.text])
    again = [word(one) for one in client.bulk("crm.deal.add", ROWS, journal=journal, resume=True)]
    assert again == words
    assert rows_of(client) == there


def test_rows_after_a_redirect_are_not_made_and_wait(client: Client, served: Served, tmp_path: Path) -> None:
    journal = str(tmp_path / "run.journal")
    served.inject("", "redirect")
    found = list(client.bulk("crm.deal.add", ROWS, journal=journal, ahead=1))
    assert "not sent" in {word(one) for one in found}
    list(client.bulk("crm.deal.add", ROWS, journal=journal, resume=True))
    assert sorted(rows_of(client), key=int) == NUMBERS
