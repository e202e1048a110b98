"""All rows of a list, in order: page after page, or many pages at once where the service tells how many there are.

Where the ids of the rows are numbers, a long list is read in ranges of ids. A range holds the same rows whatever is
added or deleted meanwhile, so that no row is lost or doubled, and the service need not count.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from warnings import warn

from . import pack as packing
from . import paging, query
from .dispatch import Call, Session, converse, measured
from .errors import RunnerError, RunnerWarning, ServiceError, TransportError
from .flow import Begin, Flow, Give, Take
from .pack import Pack
from .response import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .paging import Walk
    from .spec import Batch, Method

Json = dict[str, Any]
Steps = Generator[Begin | Take | Give, Any, Any]

BUDGET = 10.0  # seconds that a batch of pages may take; services cut an answer off after a minute
FEWEST = 5  # pages in a batch, below which more batches gain little
AT_ONCE = 50_000  # rows of a list that is read as fast as the free limit allows
AHEAD = 5_000  # rows that are read ahead of a longer one; four times as many where pages are slow
SOON = 10  # seconds: what could leave only later waits no better on its way than here, and runs out of time there
TAKEN = 20_000  # rows that a program takes a second, about: what more were under way would lie in memory
FEW_PAGES = 2  # that remain: not worth a batch
_MOST = 2**53  # rows that are believed in
FULL, THIN = 0.8, 1.25  # how full a range is meant to be; how many times more ids than rows still count as dense


@dataclass(frozen=True, slots=True)
class Range:
    """The ids above `low`, and at most `high`; all that follow where it is None."""

    low: int
    high: int | None


@dataclass(slots=True)
class Reader:
    """The reading of one list: its call, its walk, and the time that a page takes, in seconds.

    `counted` is how many rows the first page told of, `later` what another page told that said something else.
    """

    call: Call
    session: Session
    walk: Walk
    batch: Batch | None
    tell: Callable[[int | None], None]
    pace: float = 0.0
    counted: int | None = None
    later: int | None = None

    @property
    def method(self) -> Method:
        """The method that is called."""
        return self.call.method

    def one(self, values: Mapping[str, Any], follow: str = "") -> Steps:
        """Ask for one page by itself."""
        call = Call(self.method, self.call.called, values, follow)
        ticket = yield Begin(measured(converse(call, self.session), self.session.passed))
        result, self.pace = yield Take(ticket)
        return result

    def rows(self, result: Result) -> list[Any]:
        """The rows of the page that follows, the walk moved on."""
        found, total = paging.rows(self.walk, self.method, result), paging.total(self.walk.style, result)
        if self.counted is None:
            self.counted = total
        elif total is not None and total != self.counted:
            self.later = total
        return found

    def begin(self, pages: list[Json]) -> Steps:
        """Begin to ask for pages in one batch. Gives a ticket for `took`."""
        calls = [Call(self.method, self.call.called, values) for values in pages]
        talk = _asked(calls, self.session, self.batch)
        return (yield Begin(measured(talk, self.session.passed)))

    def took(self, ticket: Any) -> Steps:
        """The outcomes of a batch that was begun, as answers that stand alone."""
        found, seconds = yield Take(ticket)
        self.pace = seconds / len(found) or self.pace
        return [one if isinstance(one, RunnerError) else paging.whole(self.method, one) for one in found]

    def each(self, pages: int) -> int:
        """How many pages travel in one batch: few where much of the limit is free, more for longer lists."""
        if self.batch is None:
            return 1
        free, _ = self.session.book.free(self.method, self.session.credentials.values, self.session.clock())
        wanted = max(FEWEST, math.ceil(pages / max(1.0, min(free, 10.0 if math.isinf(free) else free) * FULL)))
        return min(wanted, self.most())

    def most(self) -> int:
        """How many pages a batch may hold: as many as it takes, and as come within the time that it may take."""
        size = self.batch.size if self.batch else 1
        return max(1, min(size, int(BUDGET / self.pace))) if self.pace else size

    def ahead(self, rows: int, each: int) -> int:
        """How many batches may be on their way: enough to use the limit, never more rows than memory should hold."""
        if rows <= AT_ONCE:
            return 64
        free, rate = self.session.book.free(self.method, self.session.credentials.values, self.session.clock())
        size = each * (self.walk.style.size or 1)
        least = max(2, math.ceil(min(AHEAD // size, free + rate * SOON)))
        busy = math.ceil(min(rate, TAKEN / size) * each * self.pace) + 1
        return min(max(least, busy), 4 * least)


def read(
    call: Call, session: Session, limit: int | None = None, tell: Callable[[int | None], None] = lambda _total: None
) -> Flow:
    """The rows of all pages of a call, in order; `limit` is how many are wanted, where that is known.

    Before the first row `tell` is called with how many there are, None where the first page does not say.
    Raises ServiceError where the pages lead nowhere, repeat themselves, or are not what they were said to be.
    """
    walk = paging.begin(call.method, call.values)
    alone = call.method.document.get("batch") is False or not paging.stands_alone(call.method)
    batch = None if alone else call.method.service.batch
    reader = Reader(call, session, walk, batch, tell)
    if walk.style.ranges:
        yield from _in_ranges(reader, limit)
    elif paging.jumps(walk.style):
        yield from _in_leaps(reader, limit)
    else:
        yield from _one_by_one(reader)


def _one_by_one(reader: Reader) -> Flow:
    """Page after page, each asked for with what the one before it told."""
    walk = reader.walk
    while not walk.over:
        result: Result = yield from reader.one(walk.values, walk.follow)
        yield Give(reader.rows(result))
        if walk.over:
            _demand_all(reader, result)


def _asked(calls: list[Call], session: Session, batch: Batch | None) -> Generator[Any, Any, Any]:
    """The outcomes of pages asked for in one batch; in two, where the whole of it brought no usable answer."""
    commands = [packing.command(f"p{number}", call, session) for number, call in enumerate(calls, 1)]
    found = yield from packing.outcomes(Pack(batch, commands, alone=len(calls) == 1, halt=False), session)
    return (yield from _halved(calls, session, batch)) if len(calls) > 1 and all(map(_lost, found)) else found


def _halved(calls: list[Call], session: Session, batch: Batch | None) -> Generator[Any, Any, Any]:
    middle = len(calls) // 2
    first = yield from _asked(calls[:middle], session, batch)
    return first + (yield from _asked(calls[middle:], session, batch))


def _lost(outcome: Result | RunnerError) -> bool:
    return isinstance(outcome, TransportError) and outcome.outcome == "unknown"


def _in_leaps(reader: Reader, limit: int | None) -> Flow:
    """Many pages at once, each by the number of rows before it; then page after page what was added meanwhile."""
    walk, method = reader.walk, reader.method
    begun_at = walk.count
    result: Result = yield from reader.one(walk.values)
    rows = reader.rows(result)
    total, place = paging.total(walk.style, result) or 0, paging.place(walk)
    reader.tell(total or None)
    yield Give(rows)
    step = place - begun_at
    rest = min(total, _MOST) - place if limit is None else min(total - place, limit - len(rows))
    if not walk.over and step > 0 and rest > FEW_PAGES * step:
        places = range(place, place + rest, step)
        each = reader.each(len(places))
        ahead = reader.ahead(rest, each)
        parts = (places[start : start + each] for start in range(0, len(places), each))
        begun: deque[Any] = deque()
        while True:
            while len(begun) < ahead and (part := next(parts, None)):
                begun.append((yield from reader.begin([paging.at(walk, method, one) for one in part])))
            if not begun:
                break
            for one in (yield from reader.took(begun.popleft())):
                result = _answer(one)
                rows = reader.rows(result)
                if not rows:  # behind the last one there is no other, however many were foretold
                    parts.close()
                yield Give(rows)
        if (paging.total(walk.style, result) or 0) > max(total, walk.count):  # rows were added meanwhile
            walk.over, walk.values = False, paging.at(walk, method, walk.count)
    if not walk.over:
        yield from _one_by_one(reader)
    else:
        _demand_all(reader, result, begun_at + limit if limit is not None else None)


def _answer(outcome: Result | RunnerError) -> Result:
    """The answer of a page of a batch. Raises what it met."""
    if isinstance(outcome, RunnerError):
        raise outcome
    return outcome


def _demand_all(reader: Reader, result: Result, most: int | None = None) -> None:
    """Refuse an end before the last of the rows that the service itself counts, or before `most` of them.

    That is so where places are counted.

    Warn where it has counted otherwise meanwhile: the places of rows have shifted.
    """
    total, count = paging.total(reader.walk.style, result), reader.walk.count
    if total is None or not paging.jumps(reader.walk.style):
        return
    name = reader.method.full_name
    if count < (total if most is None else min(total, most)):
        raise _fewer(reader, total)
    if reader.later is not None and most is None:
        counts = f"{reader.counted} rows in the beginning and {reader.later} later"
        warn(f"{name} had {counts}: some may be missing or double", RunnerWarning, stacklevel=2)


def _fewer(reader: Reader, total: int) -> ServiceError:
    name = reader.method.full_name
    message = f"{name} tells of {total} rows and gives {reader.walk.count}"
    return ServiceError(message, kind="server", hint="read them again", method=name)


def _circle(reader: Reader) -> None:
    message = f"a page of {reader.method.full_name} came twice: the service does not follow the marks of its pages"
    raise ServiceError(message, kind="server", method=reader.method.full_name)


def _in_ranges(reader: Reader, limit: int | None) -> Flow:
    """The first page; then, in a long list, ranges of ids up to the greatest, and what is beyond it."""
    walk, method, how = reader.walk, reader.method, reader.walk.style.ranges
    result: Result = yield from reader.one(paging.asked(walk, method, how["counted"]))
    rows = paging.page(walk.style, method, result)
    if rows and _id(reader, rows[-1]) is None and len(method.styles) > 1:  # the fields that were chosen lack the id
        yield from _by_another_style(reader, limit)
        return
    total = paging.total(walk.style, result)
    short = len(rows) < min(total or 0, walk.style.size)  # a page that is not full tells nothing here
    if short:
        walk.style = replace(walk.style, stop="empty")
    paging.rows(walk, method, result)
    if short and not rows:
        raise _fewer(reader, total or 0)
    reader.tell(total)
    yield Give(rows)
    rest = 0 if total is None else total - len(rows)
    low = _id(reader, rows[-1]) if rows else None
    if walk.over or short or low is None or reader.batch is None or rest <= FEW_PAGES * len(rows):
        yield from _one_by_one(reader)
        return
    newest: Result = yield from reader.one(paging.asked(walk, method, how["newest"]))
    page = paging.page(walk.style, method, newest)
    high = _id(reader, page[0]) if page else None
    if high is None or high <= low:
        yield from _one_by_one(reader)
        return
    yield from _cover(reader, Range(low, high), rest, rest if limit is None else min(rest, limit - len(rows)))


def _by_another_style(reader: Reader, limit: int | None) -> Flow:
    method = replace(reader.method, styles=reader.method.styles[1:])
    yield from read(replace(reader.call, method=method), reader.session, limit, reader.tell)


def _id(reader: Reader, row: Any) -> int | None:
    """The id of a row, where it is a number."""
    found = query.search(reader.walk.style.ranges["id"], row)
    if isinstance(found, bool) or not isinstance(found, (int, str)):
        return None
    return int(found) if str(found).isdecimal() else None


def _cover(reader: Reader, whole: Range, rest: int, wanted: int) -> Flow:
    """The rows of a range, about `rest` of them, in batches of smaller ones; and those beyond it.

    Not much more is asked for ahead than what is `wanted`.
    """
    low, high, size = whole.low, whole.high or 0, reader.walk.style.size
    width = size if high - low <= THIN * rest else max(size, int(size * FULL * (high - low) / rest))
    begun: deque[tuple[list[Range], Any]] = deque()
    while low < high or begun:
        each = reader.each(max(1, min(math.ceil((high - low) / width), math.ceil(wanted / size))))
        ahead = min(reader.ahead(rest, each), max(1, math.ceil(wanted / (each * size * FULL))))
        while low < high and len(begun) < ahead:
            ranges: list[Range] = []
            while low < high and len(ranges) < each:
                top = min(low + width, high)
                ranges.append(Range(low, top if top < high else None))
                low = top
            begun.append((ranges, (yield from _begin(reader, ranges))))
        ranges, ticket = begun.popleft()
        found = yield from _settle(reader, ranges, ticket)
        wanted -= found
        if width > size and found < len(ranges) * size * FULL / 4:  # fewer rows a range than was foretold
            width *= 2


def _begin(reader: Reader, ranges: list[Range]) -> Steps:
    pages = [paging.span(reader.walk, reader.method, one.low, one.high) for one in ranges]
    return (yield from reader.begin(pages))


def _settle(reader: Reader, ranges: list[Range], ticket: Any) -> Steps:
    """Give the rows of a batch of ranges in order. What a full page left of its range is asked for anew.

    Returns how many rows they had.
    """
    assert reader.batch is not None  # noqa: S101 - ranges are read in batches only
    left: deque[list[Any] | Range | RunnerError] = deque()
    count = 0
    while True:
        outcomes: list[Result | RunnerError] = yield from reader.took(ticket)
        answers = dict(zip(ranges, outcomes, strict=True))
        news: deque[list[Any] | Range | RunnerError] = deque()
        for entry in left or ranges:
            answer = answers.get(entry) if isinstance(entry, Range) else None
            if isinstance(entry, Range) and isinstance(answer, Result):
                rows = _page_of(reader, entry, answer)
                count += len(rows)
                news += [rows, *_rest(reader, entry, rows)]
            else:
                news.append(answer if isinstance(answer, RunnerError) else entry)
        left = news
        while left and not isinstance(entry := left[0], Range):
            left.popleft()
            if isinstance(entry, RunnerError):  # after the rows that stand before it
                raise entry
            yield Give(entry)
        ranges = [entry for entry in left if isinstance(entry, Range)][: reader.most()]
        if not ranges:
            return count
        ticket = yield from _begin(reader, ranges)


def _page_of(reader: Reader, asked: Range, answer: Result) -> list[Any]:
    """The rows of a range. Raises ServiceError where they are not in it: the service did not heed it."""
    rows = paging.page(reader.walk.style, reader.method, answer)
    if rows:
        first, last = _id(reader, rows[0]), _id(reader, rows[-1])
        fine = first is not None and last is not None and asked.low < first <= last
        if not fine or (asked.high is not None and last > asked.high):  # type: ignore[operator]
            _circle(reader)
    return rows


def _rest(reader: Reader, asked: Range, rows: list[Any]) -> list[Range]:
    """What a page left of its range: nothing where it was not full; else as many ranges as its own ids foretell."""
    size = reader.walk.style.size
    if len(rows) < size:
        return []
    low = _id(reader, rows[-1]) or 0
    if asked.high is None:
        return [Range(low, None)]
    width = max(size, int(FULL * (low - asked.low)))
    found: list[Range] = []
    while low < asked.high:
        top = asked.high if len(found) == reader.batch.size else min(low + width, asked.high)  # type: ignore[union-attr]
        found.append(Range(low, top))
        low = top
    return found
