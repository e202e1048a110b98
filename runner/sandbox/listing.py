"""Rows as a list is asked for: filtered, put in order, cut into pages, with the wanted fields only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .. import precheck
from ..node import child, resolved
from .envelope import Refused
from .store import Picked, Span, identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..spec import Method, Style
    from .store import Shelf

Json = dict[str, Any]
Rows = Span | Picked | list[Json]
_Conditions = list[tuple[str, str, Any]]
ADDRESS = "rest_of_the_rows"  # in the query of a next address: where the page begins
_SIZE = 50
_SWITCHED = 100  # more than all that else speaks for a way of paging
_NOT = "not "
_OPERATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda held, given: _key(held) == _key(given),
    "!=": lambda held, given: _key(held) != _key(given),
    ">": lambda held, given: _key(held) > _key(given),
    ">=": lambda held, given: _key(held) >= _key(given),
    "<": lambda held, given: _key(held) < _key(given),
    "<=": lambda held, given: _key(held) <= _key(given),
    "contains": lambda held, given: str(given).lower() in str(held).lower(),
    "between": lambda held, given: _between(held, given),  # noqa: PLW0108 - it stands below
}


@dataclass(frozen=True, slots=True)
class Start:
    """Stands for the address of a next page: that of this one, and the row to begin with."""

    row: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of rows: how many there are in all, the next page's mark, and where else these are answered."""

    rows: list[Json]
    total: int | None = None
    next: Any = None
    marks: Mapping[str, Any] = field(default_factory=dict)


def stand(values: Mapping[str, Any], method: Method, path: str) -> Any:
    """What stands at a dotted path of the input, its first name found without letter case; None where nothing does."""
    head, *rest = path.split(".")
    named = {method.canonical(name): value for name, value in values.items()}
    here = named.get(method.canonical(head))
    for step in rest:
        here = here.get(step) if isinstance(here, dict) else None
    return here


def chosen(shelf: Shelf, wanted: Any, order: Any, sandbox: Mapping[str, Any]) -> Rows:
    """The rows that fit a filter, in the order that is asked for.

    A filter is a map of keys with prefixes, or a list of [field, operator, value]. Where it speaks of ids alone and
    the order is that of the ids, no row is read yet; else all are read once, until something changes.
    """
    conditions, span = list(_conditions(wanted, sandbox.get("operators", {}))), shelf.span()
    if span is None:
        return _fitting(shelf.rows(), conditions, order)
    ways, key = _ways(order), shelf.key.lower()
    whole, rest = _narrowed(span, conditions, key, sandbox.get("no_number"))
    first = next(iter(ways), key)
    if not rest and first.lower() == key:
        return replace(whole, down=ways.get(first, False))

    def found() -> Iterable[int]:
        few = next((given for name, *one, given in rest if name.lower() == key and one == ["in"]), None)
        rows = whole.only(few).part(0, len(few)) if isinstance(few, list) else whole.rows()
        return (row[shelf.key] for row in _fitting(rows, rest, order))

    question = repr((shelf.name, whole.low, whole.high, rest, list(ways.items())))
    return Picked(shelf, shelf.store.picked(question, found))


def _fitting(rows: list[Json], conditions: _Conditions, order: Any) -> list[Json]:
    return ordered([row for row in rows if all(_holds(row, *condition) for condition in conditions)], order)


def _narrowed(span: Span, conditions: _Conditions, key: str, no_number: int | None) -> tuple[Span, _Conditions]:
    """The rows that fit the conditions on ids, and the conditions that are left."""
    rest = []
    for name, operation, given in conditions:
        place = _place(given, no_number)
        if name.lower() != key or place is None or operation not in {"=", ">", ">=", "<", "<="}:
            rest.append((name, operation, given))
            continue
        if operation in {"=", ">", ">="}:
            span = span.above(place, itself=operation != ">")
        if operation in {"=", "<", "<="}:
            span = span.below(place, itself=operation != "<")
    return span, rest


def _conditions(wanted: Any, operators: Mapping[str, str]) -> Iterable[tuple[str, str, Any]]:
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            prefix = max((one for one in operators if key.startswith(one) and key != one), key=len, default="")
            yield key[len(prefix) :], operators.get(prefix, "="), value
    for one in wanted if isinstance(wanted, list) else ():
        if not isinstance(one, list) or len(one) not in {2, 3}:
            raise Refused("input", "a condition is a field, an operator and a value", name="filter")
        word = str(one[1]) if len(one) > 2 else "="  # noqa: PLR2004 - field, operator, value
        operation = operators.get(word, word)
        if operation.removeprefix(_NOT) not in {*_OPERATIONS, "in"}:
            raise Refused("input", f"{word} is no operator", name="filter")
        yield str(one[0]), operation, one[-1]


def _holds(row: Json, name: str, operation: str, given: Any) -> bool:
    positive = operation.removeprefix(_NOT)
    held = _held(row, name)
    several = held if isinstance(held, list) else [held]
    if operation == "!=" or positive != operation:
        positive = "=" if operation == "!=" else positive
        return not any(_compared(one, positive, given) for one in several)
    return any(_compared(one, positive, given) for one in several)


def _compared(held: Any, operation: str, given: Any) -> bool:
    if operation == "in" or (operation == "=" and isinstance(given, list)):
        return any(_key(held) == _key(one) for one in (given if isinstance(given, list) else [given]))
    return _OPERATIONS[operation](held, given)


def _held(row: Json, name: str) -> Any:
    """A field of a row, found without letter case where it is not there as it is spelt."""
    if name in row:
        return row[name]
    return next((value for key, value in row.items() if key.lower() == name.lower()), None)


def _between(held: Any, given: Any) -> bool:
    ends = given if isinstance(given, list) else [given]
    return bool(ends) and _key(ends[0]) <= _key(held) <= _key(ends[-1])


def _key(value: Any) -> tuple[int, float, str]:
    """What values are compared by: numbers also where they are written as text, then texts; nothing comes first."""
    if value is None or value == "":
        return 0, 0.0, ""
    try:
        return 1, float(value), ""
    except (TypeError, ValueError, OverflowError):
        return 2, 0.0, str(value)


def ordered(rows: list[Json], wanted: Any) -> list[Json]:
    """The rows by the fields of a map, a list or a text such as `-name`; the first field counts most."""
    for name, down in reversed(_ways(wanted).items()):
        rows = sorted(rows, key=lambda row: _key(_held(row, name)), reverse=down)
    return rows


def _ways(wanted: Any) -> dict[str, bool]:
    """The fields that rows are put in order by, and whether downwards."""
    if isinstance(wanted, str):
        wanted = [one.strip() for one in wanted.split(",")]
    if isinstance(wanted, list):
        return {str(one).lstrip("+-"): str(one).startswith("-") for one in wanted}
    ways = wanted.items() if isinstance(wanted, dict) else ()
    return {name: str(way).lower().startswith("desc") for name, way in ways}


def selected(rows: list[Json], wanted: Any, key: str) -> list[Json]:
    """The rows with the wanted fields and their id; all fields where none are named."""
    if isinstance(wanted, str):
        wanted = [one.strip() for one in wanted.split(",")]
    forms = [str(one).lower() for one in wanted] if isinstance(wanted, list) else []
    if not forms:
        return rows
    return [
        {name: value for name, value in row.items() if name == key or any(fnmatchcase(name.lower(), f) for f in forms)}
        for row in rows
    ]


def page(method: Method, values: Mapping[str, Any], rows: Rows, key: str, start: int = 0) -> Page:
    """The page that the values ask for; `start` is where it begins unless they say so."""
    if not method.styles:
        whole = _part(rows, 0, len(rows))
        return Page(whole, len(rows))
    style = _style(method, values)
    size, number = style.size or _SIZE, style.first
    for path, wanted in style.send.items():
        given = stand(values, method, path)
        whole_number = max(_whole(given) or 0, 0)
        if wanted in ("$next", "$count"):
            start = whole_number
        elif wanted == "$page" and given is not None:
            number = whole_number
        elif wanted == "$last" and given is not None:
            rows = _after(rows, key, given, method.service.sandbox.get("no_number"))
        elif isinstance(wanted, int) and wanted > 0:
            size = whole_number or size
    return _cut(method, style, rows, start or max(number - style.first, 0) * size, size)


def _part(rows: Rows, start: int, size: int) -> list[Json]:
    return rows[start : start + size] if isinstance(rows, list) else rows.part(start, size)


def _after(rows: Rows, key: str, given: Any, no_number: int | None) -> Rows:
    """The rows behind an id."""
    place = _place(given, no_number)
    if not isinstance(rows, list) and place is not None:
        return rows.above(place)
    return [row for row in _part(rows, 0, len(rows)) if _key(row[key]) > _key(given)]


def _place(given: Any, no_number: int | None) -> int | None:
    """What is compared with an id, as a number; None where it is none and nothing stands for that."""
    place = identity(given)
    if isinstance(place, int):
        return place
    return None if isinstance(given, (list, dict)) else no_number


def _cut(method: Method, style: Style, rows: Rows, start: int, size: int) -> Page:
    """The page, and in it what the style promises: a total, a next mark, a next address."""
    part, total = _part(rows, start, size), len(rows)
    more = start + size < total
    counted = style.total or ("" if _switches(style) else style.ranges.get("total", ""))
    marks: Json = {counted: total} if counted else {}
    if more and style.follow:
        marks[style.follow] = Start(start + size)
    if more and style.next:
        marks[style.next] = _mark(method, style, start + size - style.add)
    beside = style.next.startswith(("header.", "link."))
    said = total if counted else None
    if said is None and _switches(style) and any(one.total for one in method.styles):
        said = method.service.sandbox.get("uncounted")
    return Page(part, said, None if beside else marks.get(style.next), marks)


def _switches(style: Style) -> bool:
    """Whether a way of paging sends a number below zero, such as -1 for rows that are not counted."""
    return any((_whole(wanted) or 0) < 0 for wanted in style.send.values())


def _style(method: Method, values: Mapping[str, Any]) -> Style:
    """The style that the values fit best; where they fit none, one that tells how many there are.

    A style that sends a number below zero, such as -1 for rows that are not counted, is meant just where that is given.
    """

    def fit(style: Style) -> tuple[int, bool]:
        score = 0
        for path, wanted in style.send.items():
            given = stand(values, method, path)
            marked = isinstance(wanted, str) and wanted.startswith("$")
            switch = (_whole(wanted) or 0) < 0
            if switch:
                score += _SWITCHED if _whole(given) == wanted else -_SWITCHED
            elif given is not None and given == wanted:
                score += 2
            elif given is not None:
                score += 1 if marked or (_whole(wanted) or 0) > 0 else -2
        return score, bool(style.total or style.next)

    return max(method.styles, key=fit)


def _mark(method: Method, style: Style, place: int) -> Any:
    """A next mark as the param that takes it wants it: a number, or text."""
    path = next((path for path, wanted in style.send.items() if wanted == "$next"), "")
    head, *rest = path.split(".")
    defs = method.schema.get("$defs", {})
    param = method.params.get(method.canonical(head))
    node = resolved(param.schema if param else {}, defs)
    for step in rest:
        node = resolved(child(node, step, defs), defs)
    try:
        return place if precheck.fits(place, {**node, "$defs": defs}) else str(place)
    except precheck.Unknown:
        return place


def _whole(value: Any) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
