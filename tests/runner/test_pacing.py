"""How long to wait: the arithmetic alone, no clock and no sleep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner import LimitExceeded, ServiceError, TransportError, pacing
from runner.pacing import Book, again, reserve
from runner.response import Reply
from runner.spec import Limit

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


@pytest.mark.parametrize(
    ("level", "elapsed", "expected"),
    [
        (0.0, 0.0, (1.0, 0.0)),
        (1.0, 0.0, (2.0, 0.0)),
        (2.0, 0.0, (3.0, 0.5)),
        (3.0, 0.5, (3.0, 0.5)),
        (5.0, 100.0, (1.0, 0.0)),
        (2.0, -5.0, (3.0, 0.5)),
    ],
)
def test_a_bucket_takes_a_drop(level: float, elapsed: float, expected: tuple[float, float]) -> None:
    assert reserve(level, elapsed, rate=2.0, burst=2.0) == expected


def test_a_full_bucket_makes_each_next_call_wait_longer(read: Method) -> None:
    book = Book()
    waits = [book.wait(read, ACCOUNT, 1000.0) for _ in range(23)]
    assert waits[:20] == [0.0] * 20
    assert waits[20:] == pytest.approx([0.1, 0.2, 0.3])
    assert book.wait(read, ACCOUNT, 1010.0) == 0.0


def test_another_account_has_a_bucket_of_its_own(read: Method) -> None:
    book = Book()
    for _ in range(25):
        book.wait(read, ACCOUNT, 1000.0)
    assert book.wait(read, {"host": "other.example"}, 1000.0) == 0.0


def test_a_method_that_has_used_its_share_waits_and_the_others_do_not(read: Method, write: Method) -> None:
    book = Book()
    book.note(read, ACCOUNT, {"cost": {"seconds": 60, "free_at": 1030}}, 1000.0)
    assert book.wait(read, ACCOUNT, 1000.0) == 30.0
    assert book.wait(write, ACCOUNT, 1000.0) == 0.0
    assert book.wait(read, ACCOUNT, 1031.0) == 0.0


@pytest.mark.parametrize("cost", [{"seconds": 59.9}, {"seconds": "60"}, {}, None])
def test_a_share_that_is_not_used_up_holds_nobody(read: Method, cost: Any) -> None:
    book = Book()
    book.note(read, ACCOUNT, {"cost": cost}, 1000.0)
    assert book.blocked == {}


@pytest.mark.parametrize("until", ["cost.free_at", ""])
def test_a_share_without_an_end_is_free_after_a_whole_window(read: Method, until: str) -> None:
    limit = Limit(("host",), cost="cost.seconds", until=until, cap=60.0)
    method = replace(read, service=replace(read.service, limits=(limit,)))
    book = Book()
    book.note(method, ACCOUNT, {"cost": {"seconds": 61, "free_at": None}}, 1000.0)
    assert book.wait(method, ACCOUNT, 1000.0) == 60.0


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


def test_two_threads_share_one_book(read: Method) -> None:
    from concurrent.futures import ThreadPoolExecutor

    book = Book()
    with ThreadPoolExecutor(8) as pool:
        waits = sorted(pool.map(lambda _: book.wait(read, ACCOUNT, 1000.0), range(40)))
    assert waits[:20] == [0.0] * 20
    assert waits[20:] == pytest.approx([0.1 * n for n in range(1, 21)])
    assert pacing._key(read.service.limits[0], read, ACCOUNT) in book.levels
