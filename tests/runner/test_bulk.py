"""Rows of one method sent over real sockets to a service that keeps what it did."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from runner import (
    AsyncClient,
    AuthError,
    CallError,
    InvalidArguments,
    LimitExceeded,
    NotReached,
    RunnerError,
    ServiceError,
    SpecError,
    TransportError,
)
from runner import journal as states
from runner.bulk import Job, Run, state_of
from runner.dispatch import Send
from runner.encoding import File
from runner.flow import Stopped
from runner.intake import Record
from runner.journal import Journal
from runner.response import Result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


def rows(count: int, start: int = 1) -> list[dict[str, str]]:
    return [{"text": f"line {number}"} for number in range(start, start + count)]


def told(outcomes: Any) -> list[str]:
    """Each outcome in a word: done, its error's class, or unknown."""
    return [
        "done" if isinstance(one, Result) else getattr(one, "outcome", "") or type(one).__name__ for one in outcomes
    ]


def sizes(ledger: Any) -> list[int]:
    """How many calls each request held."""
    return [len(one.get("calls", [1])) for one in ledger.asked]


@pytest.fixture
def client(ledger: Any) -> Iterator[Any]:
    with ledger.client() as found:
        yield found


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "run.journal")


def test_rows_are_sent_in_batches_and_answered_in_their_order(client: Any, ledger: Any) -> None:
    found = list(client.bulk("line.add", iter(rows(35))))
    assert told(found) == ["done"] * 35
    assert sorted(ledger.lines) == sorted(row["text"] for row in rows(35))
    assert [ledger.lines[one.value - 1] for one in found] == [row["text"] for row in rows(35)]
    assert sorted(sizes(ledger)) == [2, 3, 10, 10, 10]
    assert sizes(ledger)[0] == 2  # the first tells how long a row takes


def test_no_rows_send_nothing(client: Any, ledger: Any) -> None:
    assert list(client.bulk("line.add", [])) == []
    assert ledger.asked == []


def test_nothing_is_read_before_the_first_outcome_is_asked_for(client: Any) -> None:
    client.bulk("line.add", (1 / 0 for _ in [1]))


def test_every_row_is_checked_before_the_first_is_sent(client: Any, ledger: Any, place: str) -> None:
    bad = [
        *rows(2),
        {"txt": "a"},
        7,
        {"sum": "x", "old": 1},
        {"text": object()},
        {"fields": {1: 2}},
        {"text": float("nan")},
    ]
    with pytest.raises(InvalidArguments) as caught:
        list(client.bulk("line.add", bad, journal=place))
    assert [problem.path for problem in caught.value.problems] == [
        "row 3: txt",
        "row 4",
        "row 5: sum",
        "row 5: old",
        "row 6: text",
        "row 7: fields",
        "row 8: text",
    ]
    assert "row 9" not in str(caught.value)
    assert ledger.asked == []
    with pytest.raises(CallError, match="there is no journal"):
        list(client.bulk("line.add", None, journal=place, resume=True))


def test_a_good_row_after_a_bad_one_is_not_sent_either(client: Any, ledger: Any) -> None:
    with pytest.raises(InvalidArguments) as caught:
        list(client.bulk("line.add", [{"txt": "a"}, *rows(1)]))
    assert len(caught.value.problems) == 1
    assert ledger.asked == []


def test_many_misfits_are_counted(client: Any) -> None:
    with pytest.raises(InvalidArguments) as caught:
        list(client.bulk("line.add", ({"text": 1, "sum": "x"} for _ in range(60))))
    assert len(caught.value.problems) == 51
    assert str(caught.value.problems[-1]) == "and 70 more; 60 of 60 rows do not fit"


def test_a_row_that_could_not_be_written_as_a_request_is_told_first(ledger: Any) -> None:
    with ledger.client() as client, pytest.raises(InvalidArguments, match="row 1: the header X-Key can't hold"):
        list(client.bulk("line.once", [{"text": "a", "key": "ключ"}]))


def test_an_unchecked_row_must_be_json_all_the_same(ledger: Any) -> None:
    with ledger.client(check=False) as client:
        with pytest.raises(InvalidArguments, match="row 1: this row is no JSON: a Python object can't be sent"):
            list(client.bulk("line.add", [{"text": object()}]))
        assert told(client.bulk("line.add", [{"txt": "a"}])) == ["done"]


def test_a_refusal_stands_in_its_row_s_place(client: Any, place: str) -> None:
    found = list(client.bulk("line.add", [*rows(3), {"text": "bad"}, *rows(2, 4)], journal=place))
    assert told(found) == ["done", "done", "done", "ServiceError", "done", "done"]
    assert str(found[3]) == "NO: not bad; Write another line"
    again = list(client.bulk("line.add", None, journal=place, resume=True))
    assert [str(one) for one in again[3:4]] == [str(found[3])]
    assert [one.value for one in again if isinstance(one, Result)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("fault", ["502", "reset", "cut", "odd"])
def test_a_batch_that_was_carried_out_and_answered_badly_is_unknown_and_not_sent_again(
    fault: str, client: Any, ledger: Any, place: str
) -> None:
    ledger.faults = ["", fault]
    found = list(client.bulk("line.add", rows(22), journal=place, ahead=1))
    words = told(found)
    assert words[:2] + words[12:] == ["done"] * 12
    assert set(words[2:12]) == {"unknown"}
    assert sorted(ledger.lines) == sorted(row["text"] for row in rows(22))
    again = list(client.bulk("line.add", rows(22), journal=place, ahead=1, resume=True))
    assert told(again) == words
    assert len(ledger.lines) == 22
    journal = Journal(place)
    assert journal.counts()["unknown"] == 10
    journal.close()


@pytest.mark.parametrize("fault", ["502", "reset", "cut"])
def test_a_row_that_may_be_repeated_is_asked_again(fault: str, client: Any, ledger: Any) -> None:
    ledger.faults = [fault, fault]
    assert told(client.bulk("line.once", rows(3))) == ["done"] * 3
    assert len(ledger.lines) == 3
    assert sizes(ledger) == [1] * 5  # its key has no place in a batch


def test_what_was_refused_before_it_was_carried_out_is_sent_again(client: Any, ledger: Any) -> None:
    ledger.faults = ["busy", "busy", "", "busy 2"]
    assert told(client.bulk("line.add", rows(12))) == ["done"] * 12
    assert sorted(ledger.lines) == sorted(row["text"] for row in rows(12))
    assert sizes(ledger) == [2, 2, 2, 10, 1]


def test_what_is_asked_again_alone_and_loses_its_answer_is_unknown(client: Any, ledger: Any) -> None:
    ledger.faults = ["busy 2", "502"]
    assert told(client.bulk("line.add", rows(3))) == ["done", "unknown", "done"]
    assert len(ledger.lines) == 3


def test_a_limit_that_does_not_clear_stops_the_run_and_its_rows_wait(client: Any, ledger: Any, place: str) -> None:
    ledger.faults = ["busy", "busy", "busy"]
    found = list(client.bulk("line.add", rows(4), journal=place, ahead=1))
    assert told(found) == ["LimitExceeded", "LimitExceeded", "NotReached", "NotReached"]
    assert told(client.bulk("line.add", rows(4), journal=place, resume=True)) == ["done"] * 4
    assert len(ledger.lines) == 4


def test_one_row_that_a_limit_refuses_to_the_end_waits_and_the_others_go_on(
    client: Any, ledger: Any, place: str
) -> None:
    ledger.faults = ["busy 1", "busy", "busy", "busy", "", "busy 2", "busy", "busy", "busy"]
    found = list(client.bulk("line.add", rows(2), journal=place, ahead=1))
    assert told(found) == ["LimitExceeded", "done"]
    assert told(client.bulk("line.add", rows(2), journal=place, resume=True)) == ["done", "done"]


@pytest.mark.parametrize("fault", ["who", "shut"])
def test_a_door_that_is_closed_stops_the_run(fault: str, client: Any, ledger: Any, place: str) -> None:
    ledger.faults = ["", fault]
    found = list(client.bulk("line.add", rows(30), journal=place, ahead=1))
    assert set(told(found)[2:12]) == {"AuthError" if fault == "who" else "ServiceError"}
    assert set(told(found)[12:]) == {"NotReached"}
    assert len(ledger.asked) == 2
    assert told(client.bulk("line.add", rows(30), journal=place, resume=True)) == ["done"] * 30
    assert len(ledger.lines) == 30


def test_no_way_to_the_service_stops_the_run(ledger: Any, place: str) -> None:
    ledger.url, url = "http://127.0.0.1:1", ledger.url
    try:
        with ledger.client() as client:
            found = list(client.bulk("line.add", rows(30), journal=place))
    finally:
        ledger.url = url
    assert told(found) == ["not sent"] * 2 + ["NotReached"] * 28
    journal = Journal(place)
    assert journal.counts()["waiting"] == 30
    journal.close()


def test_an_address_that_is_none_leaves_the_rows_waiting(place: str, ledger: Any, monkeypatch: Any) -> None:
    def never(self: Any, request: Any, largest: int) -> Any:
        raise CallError("no address")

    monkeypatch.setattr("runner.transport.Transport.send", never)
    with ledger.client() as client, pytest.raises(CallError, match="no address"):
        list(client.bulk("line.add", rows(3), journal=place))
    journal = Journal(place)
    assert journal.counts()["waiting"] == 3
    journal.close()


def test_after_the_first_error_nothing_more_is_begun(client: Any, ledger: Any, place: str) -> None:
    given = [*rows(4), {"text": "bad"}, *rows(30, 5)]
    found = list(client.bulk("line.add", given, journal=place, ahead=1, stop_on_error=True))
    assert told(found) == ["done"] * 4 + ["ServiceError"] + ["NotReached"] * 30
    assert ledger.asked[1]["halt"] is True
    rest = told(client.bulk("line.add", given, journal=place, resume=True))
    assert rest == ["done"] * 4 + ["ServiceError"] + ["done"] * 30
    assert len(ledger.lines) == 34


def test_what_waits_for_the_limit_is_left_when_another_row_stops_the_run(client: Any, ledger: Any) -> None:
    given = [*rows(2), {"text": "bad"}, *rows(40, 3)]
    ledger.faults = ["", "", "busy 1", "busy 1", "busy 1"]
    words = told(client.bulk("line.add", given, stop_on_error=True))
    assert words[2] == "ServiceError"
    assert words.count("done") == len(ledger.lines)


def test_a_run_that_is_left_early_goes_on_later(client: Any, ledger: Any, place: str) -> None:
    for number, _ in enumerate(client.bulk("line.add", rows(40), journal=place, ahead=1), 1):
        if number == 5:
            break
    assert len(ledger.lines) == 12  # a pack of two, and one of ten
    assert told(client.bulk("line.add", rows(40), journal=place, resume=True)) == ["done"] * 40
    assert len(ledger.lines) == 40


def test_the_size_of_a_batch_follows_the_time_that_a_row_takes(ledger: Any) -> None:
    with ledger.client() as client:
        client._connect()
        client._timeout = 1.2  # not that of the connection, which is to wait for as long as the machine is busy
        client._planner.session.book.steady = lambda: len(ledger.lines) / 16
        assert told(client.bulk("line.add", rows(30))) == ["done"] * 30
    assert max(sizes(ledger)) == 6  # a third of the time-out holds six rows


def test_rows_that_can_not_share_a_batch_go_alone(client: Any, ledger: Any) -> None:
    client.call("line.add", text="warm")
    ledger.asked.clear()
    given = [*rows(2), {"text": "see $ref[r1]"}, *rows(2, 3)]
    assert told(client.bulk("line.add", given)) == ["done"] * 5
    assert sorted(sizes(ledger)) == [1, 2, 2]
    assert "see $ref[r1]" in ledger.lines
    paper = [{"text": "a", "paper": File("a.txt", b"paper")}]
    assert told(client.bulk("line.send", paper)) == ["done"]
    assert ledger.asked[-1]["headers"]["Content-Type"].startswith("multipart/form-data")


def test_a_named_journal_of_a_run_of_which_all_was_done_is_deleted(client: Any, place: str, tmp_path: Path) -> None:
    assert told(client.bulk("line.add", rows(3), journal=place)) == ["done"] * 3
    assert list(tmp_path.iterdir()) == []


def test_a_journal_is_nobody_else_s_to_read(client: Any, place: str, tmp_path: Path) -> None:
    run = client.bulk("line.add", [*rows(3), {"text": "bad"}], journal=place)
    next(run)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert all(b"opener" not in path.read_bytes() for path in tmp_path.iterdir())
    with pytest.raises(CallError, match="another run is using the journal"):
        list(client.bulk("line.add", rows(3), journal=place))
    run.close()


def test_an_earlier_run_is_not_forgotten_in_silence(client: Any, ledger: Any, place: str) -> None:
    given = [*rows(3), {"text": "bad"}]
    list(client.bulk("line.add", given, journal=place))
    with pytest.raises(CallError, match=r"holds an earlier run \(3 done, 1 refused\); resume goes on with it"):
        list(client.bulk("line.add", given, journal=place))
    with pytest.raises(CallError, match=r"is of another method: line\.add, not line\.drop"):
        list(client.bulk("line.drop", given, journal=place, resume=True))
    with pytest.raises(CallError, match="these are not the rows"):
        list(client.bulk("line.add", given[:3], journal=place, resume=True))
    ledger.url, url = ledger.url.replace("127.0.0.1", "localhost"), ledger.url
    with ledger.client() as other, pytest.raises(CallError, match="is of another account"):
        list(other.bulk("line.add", given, journal=place, resume=True))
    ledger.url = url
    assert len(ledger.lines) == 3
    assert told(client.bulk("line.add", rows(3), journal=place, restart=True)) == ["done"] * 3
    assert len(ledger.lines) == 6


def test_a_run_that_was_stopped_while_it_read_its_rows_begins_again(client: Any, ledger: Any, place: str) -> None:
    def broken() -> Iterator[dict[str, str]]:
        yield from rows(2100)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(client.bulk("line.add", broken(), journal=place))
    with pytest.raises(CallError, match="holds no rows to go on with"):
        list(client.bulk("line.add", None, journal=place, resume=True))
    assert told(client.bulk("line.add", rows(2), journal=place, resume=True)) == ["done"] * 2


def test_rows_that_were_on_their_way_are_unknown_unless_they_may_be_repeated(
    client: Any, ledger: Any, place: str
) -> None:
    for name, word in (("line.add", "unknown"), ("line.once", "done"), ("line.get", "done")):
        job = client.job(name, journal=place)
        for row in rows(3):
            job.take(Record(row))
        job.seal()
        job.journal.mark([1, 2], states.SENT)
        job.close()
        assert told(client.bulk(name, rows(3), journal=place, resume=True)) == [word, word, "done"]
        if word == "unknown":
            assert told(client.bulk(name, rows(3), journal=place, resume=True)) == [word, word, "done"]
            Journal(place).remove()
    keys = {one["headers"].get("X-Key") for one in ledger.asked if one["method"] == "line.once"}
    assert len(keys) == 3


def test_known_outcomes_come_in_their_order_among_new_ones(client: Any, place: str) -> None:
    job = client.job("line.add", journal=place)
    for row in rows(1200):
        job.take(Record(row))
    job.seal()
    job.journal.tell([(number, states.DONE, Result(-number)) for number in range(1, 1200) if number % 400])
    job.close()
    found = list(client.bulk("line.add", rows(1200), journal=place, resume=True))
    assert [place for place, one in enumerate(found, 1) if one.value > 0] == [400, 800, 1200]


def test_a_full_disk_stops_the_run_before_a_row_is_sent_without_a_record(client: Any, ledger: Any, place: str) -> None:
    job = client.job("line.add", journal=place, ahead=1)
    for row in rows(400):
        job.take(Record(row))
    job.seal()
    base: sqlite3.Connection = job.journal._base
    pages = base.execute("PRAGMA page_count").fetchone()[0]
    base.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(CallError, match=r"can't write the journal .*full"):
        for _ in client.carry(job):
            pass
    job.close()
    made = len(ledger.lines)
    assert made < 400
    found = told(client.bulk("line.add", rows(400), journal=place, resume=True))
    assert set(found) <= {"done", "unknown"}
    assert len(ledger.lines) == len(set(ledger.lines)) == 400
    assert found.count("unknown") <= 10


@pytest.mark.parametrize(
    ("name", "told"),
    [("nowhere/a", "no such file or directory"), (".", "is a directory"), ("text", "is no journal of a bulk run")],
)
def test_a_journal_that_can_not_be_kept_is_told_before_anything_is_sent(
    name: str, told: str, client: Any, ledger: Any, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("not a journal at all, and rather long for one\n" * 40)
    with pytest.raises(CallError, match=told):
        list(client.bulk("line.add", rows(2), journal=str(tmp_path / name)))
    assert ledger.asked == []


def test_an_interrupt_waits_for_what_is_on_its_way(client: Any, ledger: Any, place: str) -> None:
    left: list[int] = []
    job = client.job("line.add", journal=place)
    job.leaving = left.append
    for row in rows(30):
        job.take(Record(row))
    job.seal()
    run = client.carry(job)
    next(run)
    next(run)
    ledger.hold.clear()
    threading.Timer(0.2, ledger.hold.set).start()
    stepped = threading.Thread(target=lambda: next(run, None))
    stepped.start()
    stepped.join()
    run.close()
    counts = job.journal.counts()
    assert counts["sent"] == 0
    assert counts["done"] == len(ledger.lines)
    assert len(left) == 1
    job.close()


async def test_an_async_client_sends_rows_of_any_iterable(ledger: Any, place: str) -> None:
    async def stream() -> AsyncIterator[dict[str, str]]:
        for row in rows(25):
            await asyncio.sleep(0)
            yield row

    async with AsyncClient("ledger", methods=ledger.root, server=ledger.url, token="opener") as client:
        assert told([one async for one in client.bulk("line.add", stream())]) == ["done"] * 25
        given = [*rows(120), {"text": "bad"}]
        assert told([one async for one in client.bulk("line.add", given, journal=place)])[120:] == ["ServiceError"]
        again = [one async for one in client.bulk("line.add", None, journal=place, resume=True)]
        assert told(again) == ["done"] * 120 + ["ServiceError"]
    assert len(ledger.lines) == 145


async def test_an_async_caller_who_is_cancelled_does_not_break_off_what_is_on_its_way(ledger: Any, place: str) -> None:
    async with AsyncClient("ledger", methods=ledger.root, server=ledger.url, token="opener") as client:

        async def run() -> None:
            async for _ in client.bulk("line.add", rows(30), journal=place):
                pass

        ledger.hold.clear()
        task = asyncio.ensure_future(run())
        while not ledger.asked:  # noqa: ASYNC110 - a thread answers
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.05)
        ledger.hold.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(ledger.lines) == 2
        again = [one async for one in client.bulk("line.add", rows(30), journal=place, resume=True)]
    assert told(again) == ["done"] * 30
    assert len(ledger.lines) == 30


async def test_an_async_run_that_is_left_sends_no_more(ledger: Any, place: str) -> None:
    async with AsyncClient("ledger", methods=ledger.root, server=ledger.url, token="opener") as client:
        ledger.faults = ["", *["busy"] * 9]
        client._planner.session.dice = lambda: 5_000.0  # who was refused waits ten seconds

        async def run() -> None:
            async for _ in client.bulk("line.add", rows(32), journal=place):
                pass

        task = asyncio.ensure_future(run())
        async with asyncio.timeout(60):
            while len(ledger.asked) < 4:  # noqa: ASYNC110 - a thread answers
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert ledger.lines == ["line 1", "line 2"]
    journal = Journal(place)
    assert journal.counts()["waiting"] == 30
    journal.close()


def test_a_pack_that_is_left_before_it_was_sent_waits(client: Any, ledger: Any) -> None:
    job: Job = client.job("line.add")
    for row in rows(2):
        job.take(Record(row))
    job.seal()
    (run,) = job.parts()
    assert isinstance(run, Run)
    talk = job._recorded(run)
    assert isinstance(next(talk), Send)
    assert job.journal.counts()["sent"] == 2
    with pytest.raises(Stopped):
        talk.throw(Stopped())
    assert job.journal.counts()["waiting"] == 2
    assert ledger.asked == []
    job.close()


def test_a_way_in_that_begins_with_a_first_call_is_left_to_that(library: Any) -> None:
    words = {"host": "library.example", "user": "u", "password": "p", "room": "r"}
    job: Job = library(**words).job("book.old")
    assert job.total == 0
    job.close()


def error(kind: str, *, rejected: bool = False) -> ServiceError:
    doubt = kind == "server" and not rejected
    return ServiceError("no", kind=kind, rejected=rejected, outcome="unknown" if doubt else "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "words", "state"),
    [
        (Result(1), {}, states.DONE),
        (NotReached("no"), {}, states.WAITING),
        (error("usage"), {}, states.REFUSED),
        (error("usage", rejected=True), {}, states.REFUSED),
        (error("server"), {}, states.UNKNOWN),
        (error("server"), {"harmless": True}, states.REFUSED),
        (error("server", rejected=True), {}, states.REFUSED),
        (AuthError("no", kind="auth", rejected=True), {}, states.WAITING),
        (AuthError("no", kind="auth"), {}, states.REFUSED),
        (AuthError("no", kind="forbidden", rejected=True), {}, states.REFUSED),
        (LimitExceeded("no", kind="rate_limit", rejected=True), {}, states.WAITING),
        (TransportError("no", outcome="not sent"), {}, states.WAITING),
        (TransportError("no"), {}, states.UNKNOWN),
        (TransportError("no"), {"harmless": True}, states.REFUSED),
        (SpecError("no"), {}, states.UNKNOWN),
        (SpecError("no"), {"sent": False}, states.REFUSED),
    ],
)
def test_what_an_outcome_makes_of_a_row(outcome: Result | RunnerError, words: dict[str, bool], state: int) -> None:
    assert state_of(outcome, **{"harmless": False, "sent": True, **words}) == state


def test_a_service_with_a_slow_bucket_is_not_asked_for_more_than_it_lets_pass_in_time(library: Any) -> None:
    job: Job = library().job("book.old")
    assert job.ahead == 64
    assert job.least(20) == 0.0
    assert job.least(40) == 2.0
    job.close()
