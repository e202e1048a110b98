"""How long to wait: the arithmetic alone, no clock and no sleep."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner import LimitExceeded, ServiceError, TransportError
from runner.bucket import SLACK
from runner.limit import Limit
from runner.pacing import Book, again
from runner.response import Reply

if TYPE_CHECKING:
    from runner.catalog import Catalog
    from runner.spec import Method

ACCOUNT = {"host": "library.example"}


@pytest.fixture
def read(catalog: Catalog) -> Method:
    return catalog.method("library", "book.get")


@pytest.fixture
def write(catalog: Catalog) -> Method:
    return catalog.method("library", "book.lend")


def test_a_full_bucket_makes_each_next_call_wait_longer(read: Method) -> None:
    book = Book()
    waits = [book.wait(read, ACCOUNT, 1000.0) for _ in range(23)]
    assert waits[:20] == [0.0] * 20
    assert waits[20:] == pytest.approx([SLACK + 0.1, SLACK + 0.2, SLACK + 0.3])
    assert book.wait(read, ACCOUNT, 1010.0) == 0.0


def test_another_account_has_a_bucket_of_its_own(read: Method) -> None:
    book = Book()
    for _ in range(25):
        book.wait(read, ACCOUNT, 1000.0)
    assert book.wait(read, {"host": "other.example"}, 1000.0) == 0.0


def test_another_service_has_a_bucket_of_its_own(read: Method) -> None:
    other = replace(read, service=replace(read.service, name="archive"))
    book = Book()
    for _ in range(25):
        book.wait(read, ACCOUNT, 1000.0)
    assert book.wait(other, ACCOUNT, 1000.0) == 0.0


def edge(book: Book, read: Method, now: float) -> float:
    """When the next call may go, of a bucket that is full."""
    while not (pause := book.wait(read, ACCOUNT, now)):
        pass
    return now + pause


@pytest.mark.parametrize(("answered", "late"), [(1000.0, 0.0), (1000.6, 0.6), (1013.0, 1.0), (990.0, 0.0)])
def test_a_first_call_that_had_to_connect_moves_the_bucket(read: Method, answered: float, late: float) -> None:
    book = Book()
    book.wait(read, ACCOUNT, 1000.0)
    book.wait(read, ACCOUNT, 1000.1)
    book.came(read, ACCOUNT, answered)
    book.came(read, ACCOUNT, 2000.0)
    assert edge(book, read, 1000.2) == pytest.approx(1000 + late + SLACK + 0.1)


def test_only_the_first_call_in_an_empty_bucket_moves_it(read: Method) -> None:
    ours, other = Book(), Book(steady=lambda: 1000.1)
    other.ledger = ours.ledger
    for book in (ours, other):
        book.wait(read, ACCOUNT, 1000.0)
        book.came(read, ACCOUNT, 1000.0)
    ours.wait(read, ACCOUNT, 1003.9)
    assert ours.began == other.began == {}
    ours.wait(read, ACCOUNT, 1008.0)
    assert len(ours.began) == 1


def test_who_would_wait_too_long_takes_no_place(read: Method) -> None:
    book = Book()
    for _ in range(30):
        book.wait(read, ACCOUNT, 1000.0)
    for _ in range(9):
        assert book.wait(read, ACCOUNT, 1000.0, most=1.0) == pytest.approx(SLACK + 1.1)
    assert book.wait(read, ACCOUNT, 1000.0) == pytest.approx(SLACK + 1.1)


def test_a_bucket_goes_by_the_steady_clock_where_there_is_one(read: Method) -> None:
    book = Book(steady=lambda: 50.0)
    for now in (1000.0, 9e9, 0.0):
        for _ in range(10):
            book.wait(read, ACCOUNT, now)
    assert book.free(read, ACCOUNT, 9e9) == (0.0, 10.0)
    assert book.wait(read, ACCOUNT, 5.0) == pytest.approx(SLACK + 1.1)


def test_a_book_that_is_not_kept_holds_nobody_and_learns_nothing(read: Method) -> None:
    book = Book(kept=False)
    book.note(read, ACCOUNT, {"cost": {"seconds": 60, "free_at": 1030}}, 1000.0)
    book.refused(read, ACCOUNT, LimitExceeded("no", code="FULL", kind="rate_limit"), 1000.0)
    assert [book.wait(read, ACCOUNT, 1000.0) for _ in range(99)] == [0.0] * 99
    assert book.hold(read, ACCOUNT, 1000.0) == 0.0
    assert book.free(read, ACCOUNT, 1000.0) == (math.inf, math.inf)
    assert book.last == {}


def test_a_service_without_limits_holds_nobody(read: Method) -> None:
    method = replace(read, service=replace(read.service, limits=()))
    book = Book()
    book.refused(method, ACCOUNT, LimitExceeded("no", code="FULL", kind="rate_limit"), 1000.0)
    assert book.wait(method, ACCOUNT, 1000.0) == book.hold(method, ACCOUNT, 1000.0) == 0.0
    assert book.free(method, ACCOUNT, 1000.0) == (math.inf, math.inf)


def test_how_many_may_leave_is_told_without_taking_a_place(read: Method) -> None:
    book = Book()
    for left in (20.0, 19.0, 18.0):
        assert book.free(read, ACCOUNT, 1000.0) == (left, 10.0)
        book.wait(read, ACCOUNT, 1000.0)


def test_a_window_that_nears_its_cap_is_part_of_what_may_leave(read: Method, write: Method) -> None:
    book = Book()
    for used in (49, 50):
        book.note(read, ACCOUNT, {"cost": {"seconds": used, "free_at": 1100}}, 1000.0)
    assert book.free(read, ACCOUNT, 1000.0) == pytest.approx((1.0, 0.1))
    assert book.hold(read, ACCOUNT, 1000.0) == 0.0
    assert book.free(read, ACCOUNT, 1000.0) == pytest.approx((0.0, 0.1))
    assert book.free(write, ACCOUNT, 1000.0) == (20.0, 10.0)


def test_a_method_that_has_used_its_share_waits_and_the_others_do_not(read: Method, write: Method) -> None:
    book = Book()
    book.note(read, ACCOUNT, {"cost": {"seconds": 60, "free_at": 1030}}, 1000.0)
    assert book.hold(write, ACCOUNT, 1000.0) == 0.0
    assert book.hold(write, ACCOUNT, 1000.0, inside=[write, read, read]) == 30.0
    assert book.hold(read, ACCOUNT, 1000.0) == 32.0
    assert book.hold(read, ACCOUNT, 1000.0, most=32.0) == 33.0
    assert book.hold(read, ACCOUNT, 1034.0) == 0.0


def test_a_call_enters_at_once_as_long_as_no_window_of_its_method_is_known(read: Method, write: Method) -> None:
    book = Book()
    assert [book.enter(read, ACCOUNT, 1000.0) for _ in range(20)] == [0.0] * 20
    assert book.enter(read, ACCOUNT, 1000.0, most=0.1) == pytest.approx(SLACK + 0.1)
    assert book.enter(read, ACCOUNT, 1000.0) == pytest.approx(SLACK + 0.1)
    book.note(read, ACCOUNT, {"cost": {"seconds": 60, "free_at": 1030}}, 1000.0)
    assert book.enter(read, ACCOUNT, 1000.0) is None
    assert book.enter(write, ACCOUNT, 1000.0) == pytest.approx(SLACK + 0.2)
    assert book.hold(read, ACCOUNT, 1000.0) == 30.0
    assert book.wait(read, ACCOUNT, 1000.0) == pytest.approx(SLACK + 0.3)


def test_a_batch_of_calls_of_one_method_enters_as_that_method_does(read: Method, write: Method) -> None:
    book = Book()
    assert book.enter(write, ACCOUNT, 1000.0, inside=[read] * 9) == 0.0
    assert book.enter(write, ACCOUNT, 1000.0, inside=[read, write]) is None
    assert book.free(read, ACCOUNT, 1000.0)[0] == 19.0
    book.note(read, ACCOUNT, {"cost": {"seconds": 60, "free_at": 1030}}, 1000.0)
    assert book.enter(write, ACCOUNT, 1000.0, inside=[read] * 9) is None
    assert book.enter(read, ACCOUNT, 1000.0, inside=[write] * 9) == 0.0


def test_who_enters_takes_a_place_in_every_bucket(read: Method) -> None:
    slow = Limit(("host",), 1.0, 2)
    method = replace(read, service=replace(read.service, limits=(*read.service.limits, slow)))
    book = Book()
    assert [book.enter(method, ACCOUNT, 1000.0) for _ in range(3)] == pytest.approx([0.0, 0.0, SLACK + 1.0])
    assert book.free(read, ACCOUNT, 1000.0)[0] == 17.0


def test_where_a_turn_of_the_ledger_can_not_tell_nobody_enters(read: Method) -> None:
    book, limits = Book(), read.service.limits
    windows = tuple(limit for limit in limits if limit.cost)
    for several in (windows, (*limits, *windows), ()):
        assert book.enter(replace(read, service=replace(read.service, limits=several)), ACCOUNT, 1000.0) is None
    assert Book(kept=False).enter(read, ACCOUNT, 1000.0) == 0.0
    assert book.free(read, ACCOUNT, 1000.0)[0] == 20.0


def test_a_window_is_told_of_again_when_there_is_room_in_it(read: Method) -> None:
    book = Book()
    book.note(read, ACCOUNT, {"cost": {"seconds": 60, "free_at": 1030}}, 1000.0)
    book.note(read, ACCOUNT, {"cost": {"seconds": 3, "free_at": 1090}}, 1031.0)
    assert [book.hold(read, ACCOUNT, 1031.0) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_who_was_slowed_down_by_others_tells_all_when_there_is_room_again(read: Method) -> None:
    ours, other = Book(), Book()
    other.ledger = ours.ledger
    other.note(read, ACCOUNT, {"cost": {"seconds": 60, "free_at": 1030}}, 1000.0)
    assert ours.hold(read, ACCOUNT, 1000.0) == 30.0
    ours.note(read, ACCOUNT, {"cost": {"seconds": 3, "free_at": 1090}}, 1031.0)
    assert [other.hold(read, ACCOUNT, 1031.0) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_even_the_thousandth_try_has_a_pause(read: Method) -> None:
    method = replace(read, service=replace(read.service, retry=replace(read.service.retry, tries=5000)))
    assert again(method, TransportError("lost"), None, 4000, 0.0, lambda: 1.0, harmless=True) == 10.0


@pytest.mark.parametrize("cost", [{"seconds": 47.9}, {"seconds": "60"}, {"seconds": math.nan}, {}, None])
def test_a_share_that_is_not_used_up_holds_nobody(read: Method, cost: Any) -> None:
    book = Book()
    for _ in range(2):
        book.note(read, ACCOUNT, {"cost": cost}, 1000.0)
    assert [book.hold(read, ACCOUNT, 1000.0) for _ in range(3)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("limit", "told", "pause"),
    [
        (Limit(("host",), cost="cost.seconds", cap=60.0), 1030, 60.0),
        (Limit(("host",), cost="cost.seconds", until="cost.free_at", cap=60.0), None, 60.0),
        (Limit(("host",), cost="cost.seconds", until="cost.free_at", cap=60.0), math.nan, 60.0),
        (Limit(("host",), cost="cost.seconds", until="cost.free_at", cap=60.0), 1e12, 86400.0),
        (Limit(("host",), cost="cost.seconds", until="cost.free_at", cap=60.0, window=300.0), None, 300.0),
        (Limit(("host",), cost="cost.seconds", until="cost.free_at", cap=60.0, window=300.0), 9000, 300.0),
        (Limit(("host",), cost="cost.seconds", until="cost.free_at", cap=60.0, window=300.0), 1030, 30.0),
        (Limit(("host",), cost="cost.seconds", until="cost.free_at", cap=60.0, window=300.0), 990, 0.0),
    ],
)
def test_a_share_is_free_when_the_answer_says_so_and_after_a_whole_window_at_the_latest(
    read: Method, limit: Limit, told: Any, pause: float
) -> None:
    method = replace(read, service=replace(read.service, limits=(limit,)))
    book = Book()
    book.note(method, ACCOUNT, {"cost": {"seconds": 61, "free_at": told}}, 1000.0)
    assert book.hold(method, ACCOUNT, 1000.0) == pause


FULL = Reply(429, {}, b'{"fault": {"until": 1030}}')


def test_a_refusal_for_the_rate_fills_the_bucket_and_leaves_the_windows(read: Method, write: Method) -> None:
    book = Book()
    book.refused(read, ACCOUNT, LimitExceeded("no", code="HURRY", kind="rate_limit"), 1000.0)
    assert book.hold(read, ACCOUNT, 1000.0) == 0.0
    assert book.wait(write, ACCOUNT, 1000.0) == pytest.approx(SLACK + 0.1)


@pytest.mark.parametrize(("reply", "pause"), [(FULL, 30.0), (None, 60.0), (Reply(429, {}, b"{}"), 60.0)])
def test_a_refusal_for_the_cost_closes_the_window_and_leaves_the_bucket(
    read: Method, write: Method, reply: Reply | None, pause: float
) -> None:
    book = Book()
    book.refused(read, ACCOUNT, LimitExceeded("no", code="FULL", kind="rate_limit"), 1000.0, reply)
    assert book.hold(read, ACCOUNT, 1000.0) == pause
    assert book.hold(write, ACCOUNT, 1000.0) == book.wait(read, ACCOUNT, 1000.0) == 0.0


def test_a_refusal_with_an_end_fills_the_bucket_of_a_service_without_windows(read: Method) -> None:
    method = replace(read, service=replace(read.service, limits=read.service.limits[:1]))
    book = Book()
    book.refused(method, ACCOUNT, LimitExceeded("no", code="FULL", kind="rate_limit"), 1000.0, FULL)
    assert book.wait(method, ACCOUNT, 1000.0) == pytest.approx(SLACK + 0.1)


@pytest.mark.parametrize(
    "error", [ServiceError("no", code="FULL"), TransportError("no"), LimitExceeded("of our own", kind="rate_limit")]
)
def test_other_errors_teach_nothing_of_limits(read: Method, error: ServiceError | TransportError) -> None:
    book = Book()
    book.refused(read, ACCOUNT, error, 1000.0)
    assert book.free(read, ACCOUNT, 1000.0) == (20.0, 10.0)


def test_each_pause_doubles_up_to_the_longest_and_the_dice_shorten_it(read: Method) -> None:
    method = replace(read, service=replace(read.service, retry=replace(read.service.retry, tries=99)))
    error = TransportError("lost")
    pauses = [
        again(method, error, None, attempt, 0.0, lambda: 0.5, harmless=method.repeatable({}))
        for attempt in (1, 2, 3, 4, 5, 6, 7)
    ]
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_the_last_try_is_the_last(read: Method) -> None:
    assert again(read, TransportError("lost"), None, 3, 0.0, lambda: 1.0, harmless=read.repeatable({})) == 2.0
    assert again(read, TransportError("lost"), None, 4, 0.0, lambda: 1.0, harmless=read.repeatable({})) is None


@pytest.mark.parametrize(
    ("error", "reads", "writes"),
    [
        (TransportError("lost"), True, False),
        (TransportError("lost", outcome="not sent"), True, True),
        (TransportError("moved", outcome="not sent", status=302), False, False),
        (TransportError("page", status=502), True, False),
        (ServiceError("no", kind="server"), True, False),
        (ServiceError("no", kind="server", rejected=True), True, True),
        (ServiceError("no", kind="usage", rejected=True), False, False),
        (LimitExceeded("no", kind="rate_limit"), True, False),
        (LimitExceeded("no", kind="rate_limit", rejected=True), True, True),
    ],
)
def test_only_what_does_no_harm_is_repeated(
    read: Method, write: Method, error: ServiceError | TransportError, reads: bool, writes: bool
) -> None:
    assert (again(read, error, None, 1, 0.0, lambda: 1.0, harmless=read.repeatable({})) is not None) == reads
    assert (again(write, error, None, 1, 0.0, lambda: 1.0, harmless=write.repeatable({})) is not None) == writes


def test_a_service_may_want_some_failures_not_to_be_repeated(read: Method) -> None:
    method = replace(read, service=replace(read.service, retry=replace(read.service.retry, on=("rate_limit",))))
    assert again(method, TransportError("lost"), None, 1, 0.0, lambda: 1.0, harmless=method.repeatable({})) is None


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:05 GMT", 0.0),
        ("soon", 1.0),
        ("inf", 1.0),
        ("", 1.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(read: Method, text: str, pause: float) -> None:
    method = replace(read, service=replace(read.service, retry=replace(read.service.retry, base=1.0)))
    error = LimitExceeded("no", code="OTHER", kind="rate_limit", rejected=True, status=418)
    assert (
        again(
            method,
            error,
            Reply(418, {"retry-after": text}, b"{}"),
            1,
            10.0,
            lambda: 1.0,
            harmless=method.repeatable({}),
        )
        == pause
    )


@pytest.mark.parametrize(
    "body", [b"no JSON", b"[" * 200_000, b'{"fault": {"wait": true}}', b'{"fault": {"wait": [1]}}']
)
def test_a_waiting_time_that_can_not_be_read_is_passed_over(read: Method, body: bytes) -> None:
    error = LimitExceeded("no", code="HURRY", kind="rate_limit", rejected=True)
    assert again(read, error, Reply(200, {}, body), 1, 0.0, lambda: 1.0, harmless=read.repeatable({})) == 0.5


def test_a_waiting_time_that_has_passed_is_nothing(read: Method) -> None:
    error = LimitExceeded("no", code="FULL", kind="rate_limit", rejected=True)
    assert (
        again(
            read, error, Reply(200, {}, b'{"fault": {"until": 5}}'), 1, 10.0, lambda: 1.0, harmless=read.repeatable({})
        )
        == 0.0
    )


def test_many_threads_share_one_book(read: Method) -> None:
    from concurrent.futures import ThreadPoolExecutor

    book = Book()
    with ThreadPoolExecutor(64) as pool:
        waits = sorted(pool.map(lambda _: book.wait(read, ACCOUNT, 1000.0), range(400)))
    assert waits[:20] == [0.0] * 20
    assert waits[20:] == pytest.approx([SLACK + 0.1 * n for n in range(1, 381)])
