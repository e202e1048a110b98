"""All rows of a list: many pages at once, in order, whole, whatever happens to the list meanwhile."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import AsyncClient, Client, RunnerWarning, ServiceError, TransportError, paging, rows
from tests.conftest import HOST, Clock, reply, still

if TYPE_CHECKING:
    from runner.catalog import Catalog
    from runner.request import Request
    from runner.response import Reply

Json = dict[str, Any]
PAGE = 3


@dataclass
class Books:
    """A wire behind which a library answers: lists of its books, alone and in batches, as its rules say.

    `then` is called before each request with its number; what it returns is answered instead, where it returns
    something. `deaf` names the words of a query that the library does not heed.
    """

    ids: list[int]
    then: Callable[[int], Reply | Exception | None] = lambda _number: None
    deaf: tuple[str, ...] = ()
    size: int = PAGE
    count: Callable[[int], Any] = int
    shown: Callable[[int], Any] = lambda number: {"id": number}
    requests: list[list[Json]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def send(self, request: Request, largest: int) -> Reply:
        with self.lock:
            address = urlsplit(request.url)
            alone = address.path.endswith("/books")
            queries = {"": address.query} if alone else self.folded(request)
            self.requests.append([dict(parse_qsl(query)) for query in queries.values()])
            instead = self.then(len(self.requests))
            if isinstance(instead, Exception):
                raise instead
            if instead is not None:
                return instead
            pages = {key: self.page(query) for key, query in queries.items()}
        if alone:
            return reply(pages[""])
        answers = {key: page["value"] for key, page in pages.items()}
        totals = {key: page["total"] for key, page in pages.items() if "total" in page}
        return reply({"value": {"answers": answers, "faults": {}, "totals": totals}})

    def folded(self, request: Request) -> Json:
        import json

        calls: Json = json.loads(request.body or b"")["calls"]
        return {key: call.partition("?")[2] for key, call in calls.items()}

    def page(self, query: str) -> Json:
        asked = {name: value for name, value in parse_qsl(query) if not any(word in name for word in self.deaf)}
        low, high = int(asked.get("filter[>id]", -1)), int(asked.get("filter[<=id]", 10**12))
        found = sorted((one for one in self.ids if low < one <= high), reverse=asked.get("order[id]") == "desc")
        start = int(asked.get("from", 0))
        rows = [self.shown(one) for one in found[max(start, 0) : max(start, 0) + self.size]]
        if start < 0:
            return {"value": rows}
        more = {"next": start + PAGE} if start + PAGE < len(found) else {}
        return {"value": rows, "total": self.count(len(found)), **more}

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def reader(catalog: Catalog, clock: Clock) -> Callable[[Books], Client]:
    def make(books: Books) -> Client:
        return still(Client("library", methods=catalog, transport=books, host=HOST, token="secret-token"), clock)

    return make


def read(client: Client, **params: Any) -> list[int]:
    return [row["id"] for row in client.iterate("book.list", params)]


LEAPS = {"from": 0, "count": 3}  # fixes the start, so that pages are asked for by the rows before them


@pytest.mark.parametrize("params", [{}, LEAPS], ids=["ranges", "leaps"])
@pytest.mark.parametrize("many", [0, 1, 3, 4, 9, 10, 100, 301])
def test_every_row_comes_once_and_in_order(reader: Any, many: int, params: Json) -> None:
    books = Books(list(range(1, many + 1)))
    assert read(reader(books), **params) == books.ids


@pytest.mark.parametrize("params", [{}, LEAPS], ids=["ranges", "leaps"])
def test_a_long_list_takes_few_requests(reader: Any, params: Json) -> None:
    books = Books(list(range(1, 301)))
    read(reader(books), **params)
    assert len(books.requests) <= 3 + 300 / PAGE / 3  # a batch holds three calls


@settings(deadline=None, max_examples=60)
@given(ids=st.sets(st.integers(1, 5000), max_size=80) | st.sets(st.integers(1, 40)) | st.sets(st.integers(1, 10**9)))
def test_ids_may_be_spread_in_any_way(catalog: Catalog, ids: set[int]) -> None:
    books = Books(sorted(ids))
    client = still(Client("library", methods=catalog, transport=books, host=HOST, token="x"), Clock())
    assert read(client) == books.ids
    assert len(books.requests) <= 6 + len(ids)


def test_a_cluster_of_ids_far_from_the_rest_takes_few_requests(reader: Any) -> None:
    books = Books([*range(1, 400), 2_000_000, *range(5_000_000, 5_000_300)])
    assert read(reader(books)) == books.ids
    assert len(books.requests) <= 234  # as many as there are pages


def test_rows_that_are_added_and_deleted_meanwhile_make_none_be_lost_or_doubled(reader: Any) -> None:
    books = Books(list(range(1, 200)))

    def then(number: int) -> None:
        books.ids.append(books.ids[-1] + 1)
        books.ids.remove(books.ids[number % 7])

    books.then = then
    before = set(books.ids)
    found = read(reader(books))
    assert len(found) == len(set(found))
    assert found == sorted(found)
    assert before & set(books.ids) <= set(found)  # those that were there all the time


def test_places_that_shift_are_told(reader: Any) -> None:
    books = Books(list(range(1, 100)))
    books.then = lambda number: (books.ids.pop(0), None)[1] if number == 3 else None
    with pytest.warns(RunnerWarning, match="had 99 rows in the beginning and 98 later: some may be missing"):
        assert len(read(reader(books), **LEAPS)) == 98


def test_rows_that_are_added_at_the_end_meanwhile_are_read_too(reader: Any) -> None:
    books = Books(list(range(1, 31)))
    books.then = lambda number: books.ids.extend(range(31, 38)) if number == 3 else None
    with pytest.warns(RunnerWarning, match="had 30 rows in the beginning and 37 later: some may be missing"):
        assert read(reader(books), **LEAPS) == list(range(1, 38))


def test_places_that_shift_are_told_where_as_many_were_added_as_deleted(reader: Any) -> None:
    books = Books(list(range(1, 31)))

    def then(number: int) -> None:
        if number in {3, 4}:
            books.ids[:] = [*range(1, 31), 31] if number == 3 else [*range(2, 31), 31]

    books.then = then
    with pytest.warns(RunnerWarning, match="had 30 rows in the beginning and 31 later: some may be missing"):
        read(reader(books), **LEAPS)


@pytest.mark.parametrize("params", [{}, LEAPS], ids=["ranges", "leaps"])
def test_the_caller_s_filter_holds_in_every_page(reader: Any, params: Json) -> None:
    books = Books(list(range(1, 40)))
    assert read(reader(books), filter={"<=id": 25, "a": "b"}, **params) == list(range(1, 26))
    assert all(one["filter[a]"] == "b" for request in books.requests for one in request)


@pytest.mark.parametrize("params", [{}, LEAPS], ids=["ranges", "leaps"])
@pytest.mark.parametrize(("limit", "requests"), [(2, 1), (3, 1), (4, 3), (30, 6)])
def test_not_much_more_is_read_than_is_wanted(reader: Any, limit: int, requests: int, params: Json) -> None:
    books = Books(list(range(1, 1000)))
    client = reader(books)
    plan = client.plan("book.list", params, {})
    assert [row["id"] for row in client.rows(plan, limit)] == list(range(1, limit + 1))
    assert len(books.requests) <= requests


@pytest.mark.parametrize("params", [{}, LEAPS], ids=["ranges", "leaps"])
def test_more_may_be_wanted_than_there_is(reader: Any, params: Json) -> None:
    client = reader(Books(list(range(1, 40))))
    assert len(list(client.rows(client.plan("book.list", params, {}), 100))) == 39


def test_the_first_page_is_all_that_is_asked_for_before_the_next_row_is_wanted(reader: Any) -> None:
    books = Books(list(range(1, 1000)))
    rows = reader(books).iterate("book.list")
    assert books.requests == []
    assert len(list(islice(rows, PAGE))) == PAGE
    assert len(books.requests) == 1
    rows.close()


@pytest.mark.parametrize(
    ("books", "message"),
    [
        (Books(list(range(1, 40)), deaf=("filter",)), "came twice: the service does not follow"),
        (Books(list(range(1, 400, 7)), deaf=("<=",)), "came twice: the service does not follow"),
        (Books(list(range(1, 8)), deaf=(">",)), "lead in a circle|came twice"),
    ],
)
def test_a_service_that_ignores_the_range_is_an_error_not_a_loop(reader: Any, books: Books, message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        read(reader(books))


@pytest.mark.parametrize(
    ("books", "message"),
    [
        (Books(list(range(1, 40)), deaf=("from",)), "came twice: the service does not follow the marks"),
        (Books(list(range(1, 40)), count=lambda count: count + 5), "tells of 44 rows and gives 39; read them again"),
        (Books(list(range(1, 8)), count=lambda count: count + 5), "tells of 12 rows and gives 7"),
        (Books(list(range(1, 40)), count=lambda _count: 10**15), "tells of 1000000000000000 rows and gives 39"),
        (Books(list(range(1, 40)), count=lambda _count: 10**30), "rows and gives 39; read them again"),
    ],
)
def test_places_that_lead_nowhere_and_counts_that_lie_are_errors(reader: Any, books: Books, message: str) -> None:
    client = reader(books)
    client._planner.session.book.kept = False  # whose waits would add up on a clock that threads share
    with pytest.raises(ServiceError, match=message):
        read(client, **LEAPS)


def test_a_count_that_lies_is_an_error_where_so_many_were_wanted(reader: Any) -> None:
    client = reader(Books(list(range(1, 40)), count=lambda count: count + 50))
    assert len(list(client.rows(client.plan("book.list", LEAPS, {}), 30))) == 30
    with pytest.raises(ServiceError, match="tells of 89 rows and gives 39"):
        list(client.rows(client.plan("book.list", LEAPS, {}), 60))


@pytest.mark.parametrize("many", [2, 3, 30])
def test_pages_that_are_shorter_than_they_should_be_are_read_to_the_last(reader: Any, many: int) -> None:
    books = Books(list(range(1, many + 1)), size=2)
    assert read(reader(books)) == books.ids


def test_no_rows_where_some_are_counted_are_an_error(reader: Any) -> None:
    with pytest.raises(ServiceError, match="tells of 9 rows and gives 0; read them again"):
        read(reader(Books([], count=lambda _count: 9)))


def test_a_count_that_says_less_than_there_is_does_no_harm(reader: Any) -> None:
    books = Books(list(range(1, 40)), count=lambda _count: 5)
    assert read(reader(books)) == books.ids


@pytest.mark.parametrize("shown", [lambda number: {"title": str(number)}, lambda number: {"id": f"b{number}"}, str])
def test_rows_without_a_number_for_an_id_are_read_in_another_way(reader: Any, shown: Any) -> None:
    books = Books(list(range(1, 10)), shown=shown)
    found = list(islice(reader(books).iterate("book.list"), PAGE))
    assert found == [shown(1), shown(2), shown(3)]
    assert "page" in books.requests[-1][0]


def test_an_error_of_a_page_comes_after_the_rows_before_it(reader: Any) -> None:
    books = Books(list(range(1, 40)))
    gone = reply({"fault": {"code": "NO_BOOK", "text": "gone"}}, 404)
    books.then = lambda _number: gone if len(books.requests[-1]) > 1 else None
    found = []
    with pytest.raises(ServiceError, match="NO_BOOK"):
        found.extend(reader(books).iterate("book.list"))
    assert [row["id"] for row in found] == [1, 2, 3]


@pytest.mark.parametrize("params", [{}, LEAPS], ids=["ranges", "leaps"])
def test_a_call_of_a_batch_that_is_refused_ends_the_rows_before_it(reader: Any, params: Json) -> None:
    books = Books(list(range(1, 40)))
    refused = {"answers": {"p1": [{"id": 4}]}, "faults": {"p2": {"fault": {"code": "NO_RIGHT", "text": "no"}}}}
    books.then = lambda _number: reply({"value": refused}) if len(books.requests[-1]) > 1 else None
    found = []
    with pytest.raises(ServiceError, match="NO_RIGHT"):
        found.extend(reader(books).iterate("book.list", params))
    assert [row["id"] for row in found] == [1, 2, 3, 4]


def test_a_batch_without_a_usable_answer_is_asked_for_in_halves(reader: Any, clock: Clock) -> None:
    books = Books(list(range(1, 22)))

    def then(_number: int) -> Exception | None:
        return TransportError("shop.example took too long to answer") if len(books.requests[-1]) > 1 else None

    books.then = then
    assert read(reader(books)) == books.ids
    assert clock.slept


def test_pages_that_may_take_long_travel_in_smaller_batches(reader: Any, clock: Clock) -> None:
    books = Books(list(range(1, 60)))

    def then(_number: int) -> None:
        clock.now += 4.0 * len(books.requests[-1])

    books.then = then
    assert read(reader(books)) == books.ids
    assert max(map(len, books.requests)) == 2  # at four seconds each, within the budget of ten


async def test_the_async_client_reads_the_same(catalog: Catalog) -> None:
    books = Books(list(range(1, 120)))

    class Wire(Books):
        async def send(self, request: Request, largest: int) -> Reply:  # type: ignore[override]
            return books.send(request, largest)

        async def close(self) -> None:  # type: ignore[override]
            """Nothing to close."""

    async with AsyncClient("library", methods=catalog, transport=Wire([]), host=HOST, token="x") as client:
        client._planner.session.book.kept = False
        assert [row["id"] async for row in client.iterate("book.list")] == books.ids
        first = [row async for row in _taken(client.iterate("book.list"), 4)]
    assert len(first) == 4


async def _taken(rows: Any, many: int) -> Any:
    count = 0
    async for row in rows:
        yield row
        count += 1
        if count == many:
            break
    await rows.aclose()


def changed(client: Client, params: Json, **words: Any) -> list[int]:
    """The ids that are read where the service is declared otherwise."""
    call = client.plan("book.list", params, {}).call
    method = replace(call.method, service=replace(call.method.service, **words))
    return [row["id"] for row in client._flow(rows.read(replace(call, method=method), client._planner.session))]


@pytest.mark.parametrize("params", [{}, LEAPS], ids=["ranges", "leaps"])
def test_a_service_without_batches_is_read_page_by_page(reader: Any, params: Json) -> None:
    books = Books(list(range(1, 40)))
    assert changed(reader(books), params, batch=None) == books.ids
    assert {len(request) for request in books.requests} == {1}


def test_a_list_whose_newest_rows_are_gone_meanwhile_is_read_to_its_end(reader: Any) -> None:
    books = Books(list(range(1, 40)))
    books.then = lambda number: books.ids.__delitem__(slice(3, None)) if number == 2 else None
    assert read(reader(books)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("rows_there", "each", "pace", "rate", "batches"),
    [
        (50_000, 5, 0.01, 2.0, 64),  # a list that memory may hold: as fast as the free limit allows
        (1_000_000, 50, 0.02, 2.0, 33),  # 5,000 rows of pages of three
        (1_000_000, 50, 0.6, 2.0, 61),  # slow pages: as many as use the limit
        (1_000_000, 50, 60.0, 2.0, 132),  # four times as many, and not the 6,001 that would use it
        (1_000_000, 50, 0.005, math.inf, 35),  # without a limit: as many as a program can take
        (1_000_000, 1_000, 0.0, math.inf, 2),  # one that is read, and one that comes
    ],
)
def test_how_far_a_list_is_read_ahead(
    reader: Any, rows_there: int, each: int, pace: float, rate: float, batches: int
) -> None:
    client = reader(Books([]))
    call = client.plan("book.list", {}, {}).call
    session = client._planner.session
    session.book = SimpleNamespace(free=lambda *_: (50.0, rate))
    one = rows.Reader(call, session, paging.begin(call.method, {}), call.method.service.batch, print, pace)
    assert one.ahead(rows_there, each) == batches
