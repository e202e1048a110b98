"""Rows as a list is asked for: filtered, put in order, cut into pages, with the wanted fields only."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .. import precheck
from ..node import child, resolved
from .envelope import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..spec import Method, Style

Json = dict[str, Any]
ADDRESS = "rest_of_the_rows"  # in the query of a next address: where the page begins
_SIZE = 50
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


def filtered(rows: list[Json], wanted: Any, operators: Mapping[str, str]) -> list[Json]:
    """The rows that fit a filter: a map of keys with prefixes, or a list of [field, operator, value]."""
    conditions = list(_conditions(wanted, operators))
    return [row for row in rows if all(_holds(row, *condition) for condition in conditions)]


def _conditions(wanted: Any, operators: Mapping[str, str]) -> Iterable[tuple[str, str, Any]]:
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            prefix = max((one for one in operators if key.startswith(one) and key != one), key=len, default="")
            yield key[len(prefix) :], operators.get(prefix, "="), value
    for one in wanted if isinstance(wanted, list) else ():
        if not isinstance(one, list) or len(one) not in {2, 3}:
            raise Refused("input", "a condition is a field, an operator and a value", name="filter")
        word = str(one[1]) if len(one) > 2 else "="  # noqa: PLR2004
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
    except (TypeError, ValueError):
        return 2, 0.0, str(value)


def ordered(rows: list[Json], wanted: Any) -> list[Json]:
    """The rows by the fields of a map, a list or a text such as `-name`; the first field counts most."""
    if isinstance(wanted, str):
        wanted = [one.strip() for one in wanted.split(",")]
    if isinstance(wanted, list):
        wanted = {str(one).lstrip("+-"): "desc" if str(one).startswith("-") else "asc" for one in wanted}
    for name, way in reversed(wanted.items() if isinstance(wanted, dict) else ()):
        down = str(way).lower().startswith("desc")
        rows = sorted(rows, key=lambda row: _key(_held(row, name)), reverse=down)
    return rows


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


def page(method: Method, values: Mapping[str, Any], rows: list[Json], key: str, start: int = 0) -> Page:
    """The page that the values ask for; `start` is where it begins unless they say so."""
    if not method.styles:
        return Page(rows, len(rows))
    style = _style(method, values)
    size, number = style.size or _SIZE, style.first
    for path, wanted in style.send.items():
        given = stand(values, method, path)
        whole = max(_whole(given) or 0, 0)
        if wanted in ("$next", "$count"):
            start = whole
        elif wanted == "$page" and given is not None:
            number = whole
        elif wanted == "$last" and given is not None:
            rows = [row for row in rows if _key(row[key]) > _key(given)]
        elif isinstance(wanted, int) and wanted > 0:
            size = whole or size
    return _cut(method, style, rows, start or max(number - style.first, 0) * size, size)


def _cut(method: Method, style: Style, rows: list[Json], start: int, size: int) -> Page:
    """The page, and in it what the style promises: a total, a next mark, a next address."""
    part, total = rows[start : start + size], len(rows)
    more = start + size < total
    marks: Json = {style.total: total} if style.total else {}
    if more and style.follow:
        marks[style.follow] = Start(start + size)
    if more and style.next:
        marks[style.next] = _mark(method, style, start + size - style.add)
    beside = style.next.startswith(("header.", "link."))
    return Page(part, total if style.total else None, None if beside else marks.get(style.next), marks)


def _style(method: Method, values: Mapping[str, Any]) -> Style:
    """The style that the values fit best; where they fit none, one that tells how many there are."""

    def fit(style: Style) -> tuple[int, bool]:
        score = 0
        for path, wanted in style.send.items():
            given = stand(values, method, path)
            marked = isinstance(wanted, str) and wanted.startswith("$")
            if given is not None and given == wanted:
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
