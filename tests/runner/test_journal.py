from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from runner import (
    AuthError,
    CallError,
    LimitExceeded,
    MissingCredentials,
    RunnerError,
    ServiceError,
    SpecError,
    TransportError,
)
from runner import journal as states
from runner.encoding import File
from runner.journal import Journal, packed, read, unpacked, written
from runner.response import Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "a.journal")


@pytest.mark.parametrize("table", ["deals (id)", "rows (id)", "sales (state)"])
def test_a_database_of_somebody_s_own_is_left_alone(place: str, table: str) -> None:
    with closing(sqlite3.connect(place, isolation_level=None)) as base:
        base.execute(f"CREATE TABLE {table}")
    with open(place, "rb") as file:
        before = file.read()
    with pytest.raises(CallError, match="is no journal of a bulk run; name another file"):
        Journal(place)
    with closing(sqlite3.connect(place)) as base:
        assert base.execute("SELECT name FROM sqlite_master").fetchall() == [(table.split(maxsplit=1)[0],)]
    if not table.startswith("rows"):
        with open(place, "rb") as file:
            assert file.read() == before


@pytest.fixture
def journal(place: str) -> Iterator[Journal]:
    found = Journal(place)
    found.begin({"method": "a"})
    found.add([(number, number + 1, packed({"n": number}), "") for number in range(1, 4)])
    yield found
    found.close()


def test_a_row_goes_from_state_to_state(journal: Journal, place: str) -> None:
    journal.seal(3, "abc")
    journal.mark([1, 2], states.SENT)
    journal.tell([(1, states.DONE, Result(7, {"time": 1})), (2, states.WAITING, LimitExceeded("no"))])
    journal.close()
    again = Journal(place)
    assert again.about == {"method": "a", "total": 3, "digest": "abc"}
    assert again.counts() == {"waiting": 2, "sent": 0, "done": 1, "refused": 0, "unknown": 0}
    first, second, third = again.entries()
    assert (first.number, first.line, first.values, first.state) == (1, 2, {"n": 1}, states.DONE)
    assert first.outcome == Result(7, {"time": 1}, 7)
    assert (second.outcome, third.state) == (None, states.WAITING)
    assert [entry.number for entry in again.entries(states.DONE, states.UNKNOWN)] == [1]
    again.remove()


def test_more_rows_than_are_read_at_once_are_read_in_order(journal: Journal) -> None:
    journal.begin({})
    journal.add((number, 0, "{}", "") for number in range(1, 1202))
    assert [entry.number for entry in journal.entries()] == list(range(1, 1202))


def test_a_change_that_fails_changes_nothing(journal: Journal) -> None:
    with pytest.raises(CallError, match="can't write the journal"):
        journal.add([(4, 0, "{}", ""), (1, 0, "{}", "")])
    assert journal.counts()["waiting"] == 3


def test_a_journal_that_was_deleted_leaves_nothing(journal: Journal, tmp_path: Path) -> None:
    journal.remove()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CallError, match="can't write the journal"):
        journal.counts()


def test_one_run_at_a_time_has_a_journal(journal: Journal, place: str) -> None:
    with pytest.raises(CallError, match="another run is using the journal") as caught:
        Journal(place)
    assert caught.value.hint == "wait for it to end, or name another journal"
    journal.close()
    Journal(place).close()


def test_a_database_of_something_else_is_no_journal(tmp_path: Path) -> None:
    import sqlite3

    base = sqlite3.connect(tmp_path / "other")
    base.execute("CREATE TABLE rows (id INTEGER)")
    base.close()
    with pytest.raises(CallError, match="is no journal of a bulk run"):
        Journal(str(tmp_path / "other"))


@pytest.mark.parametrize("value", [{"a": [1, None, "é"]}, {"f": File("a.txt", b"\0\xff")}, {"b": b"\0"}, b"raw"])
def test_values_come_back_as_they_were(value: object) -> None:
    assert unpacked(packed(value)) == value


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="a Python set can't be sent"):
        packed({"a": {1}})


@pytest.mark.parametrize(
    "error",
    [
        ServiceError("no", code="NO", status=400, kind="usage", rejected=True, details=[1], hint="h", method="m"),
        ServiceError("no", code="ODD", status=500, kind="server", outcome="unknown"),
        AuthError("no", code="WHO", status=401, kind="auth", method="m"),
        LimitExceeded("no", code="BUSY", status=503, kind="rate_limit", rejected=True),
        TransportError("cut", outcome="unknown", status=502, hint="look", method="m"),
        TransportError("gone", outcome="not sent"),
        CallError("no", hint="h"),
        SpecError("odd", where="a:1:2"),
    ],
)
def test_an_error_comes_back_as_it_was(error: RunnerError) -> None:
    found = read(written(error))
    assert isinstance(found, RunnerError)
    assert type(found) is type(error)
    assert (str(found), found.as_dict(), found.exit_code) == (str(error), error.as_dict(), error.exit_code)
    assert getattr(found, "rejected", None) == getattr(error, "rejected", None)


def test_an_error_of_another_class_is_still_an_error() -> None:
    found = read(written(MissingCredentials("no")))
    assert type(found) is RunnerError
    assert str(found) == "no"
