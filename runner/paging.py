"""This page's answer → the next page's values. A page that leads nowhere is an error, never an endless loop."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from . import query
from .errors import CallError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .response import Result
    from .spec import Method, Style

Json = dict[str, Any]


@dataclass(slots=True)
class Walk:
    """Where a walk over pages stands: the style, the values of the next page, what was seen."""

    style: Style
    values: Json
    follow: str = ""
    count: int = 0
    page: int = 0
    over: bool = False
    mark: int | None = None
    seen: Any = None
    steps: int = 0
    lap: int = 1
    before: list[Any] = field(default_factory=list)


def style(method: Method, values: Mapping[str, Any]) -> Style:
    """The style that fits a call: the first whose own values the caller has not fixed otherwise.

    Raises CallError where the method has no pages.
    """
    if not method.styles:
        message = f"{method.full_name} answers with one page only"
        raise CallError(message, hint="call it without --all and --limit", method=method.full_name)
    given = {name.lower(): value for name, value in values.items()}
    for one in method.styles:
        fixed = {path.lower(): value for path, value in one.send.items() if not _marked(value) and "." not in path}
        if all(_same(given[name], value) for name, value in fixed.items() if name in given):
            return one
    return method.styles[-1]


def _same(given: Any, fixed: Any) -> bool:
    """Whether the caller gave what the style would send; of an order that is known by its words."""
    return isinstance(fixed, dict) and str(given).lower() == str(fixed).lower()


def begin(method: Method, values: Mapping[str, Any]) -> Walk:
    """The walk over all pages of a call, before its first page."""
    chosen = style(method, values)
    walk = Walk(chosen, dict(values))
    walk.page = chosen.first
    for path, wanted in chosen.send.items():
        counts = wanted in ("$page", "$count") or (wanted == "$next" and chosen.jump)
        whole = _whole(_stands(walk.values, method, path)) if counts else None
        if whole is not None and wanted == "$page":
            walk.page = whole
            walk.count = (whole - chosen.first) * chosen.size
        elif whole is not None:
            walk.count = whole
    _place(walk, method, mark=None, start=True)
    return walk


def _marked(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")


def _place(walk: Walk, method: Method, mark: Any, *, start: bool = False) -> None:
    """Put the style's values into the call's; marks that are not known yet stay out."""
    known = {"$next": mark, "$last": mark, "$page": walk.page, "$count": walk.count}
    for path, wanted in walk.style.send.items():
        value = known.get(wanted, wanted) if isinstance(wanted, str) else wanted
        if value is None or (start and wanted in ("$next", "$last", "$count")):
            continue
        _nest(walk.values, method, path, value)


def _stands(values: Json, method: Method, path: str) -> Any:
    """What the caller gave at a dotted path, None where nothing."""
    first, *rest = path.split(".")
    here: Any = next(
        (value for name, value in values.items() if method.canonical(name) == method.canonical(first)), None
    )
    for step in rest:
        here = here.get(step) if isinstance(here, dict) else None
    return here


def _nest(values: Json, method: Method, path: str, value: Any) -> None:
    """Set a value at a dotted path, under the caller's own spelling of the first name."""
    first, *rest = path.split(".")
    here: Json = values
    key = next(
        (name for name in values if method.canonical(name) == method.canonical(first)),
        method.canonical(first),
    )
    for step in rest:
        inner = here.get(key)
        here[key] = dict(inner) if isinstance(inner, dict) else {}
        here, key = here[key], step
    here[key] = value


def asked(walk: Walk, method: Method, more: Mapping[str, Any]) -> Json:
    """The values of the next page, with something else at these dotted paths."""
    values = dict(walk.values)
    for path, value in more.items():
        _nest(values, method, path, value)
    return values


def at(walk: Walk, method: Method, place: int) -> Json:
    """The values of the page before which `place` rows stand."""
    known = {"$next": place, "$count": place, "$page": walk.style.first + place // (walk.style.size or 1)}
    return asked(walk, method, {path: known[mark] for path, mark in walk.style.send.items() if _known(mark, known)})


def _known(mark: Any, known: Mapping[str, Any]) -> bool:
    return isinstance(mark, str) and mark in known


def span(walk: Walk, method: Method, low: int, high: int | None) -> Json:
    """The values of a page of the rows whose ids are above `low`, and at most `high`."""
    more: Json = {path: low for path, mark in walk.style.send.items() if mark == "$last"}
    if high is not None:
        more[walk.style.ranges["until"]] = high
    return asked(walk, method, more)


def jumps(style: Style) -> bool:
    """Whether any page can be asked for without the one before it."""
    marks = {mark for mark in style.send.values() if isinstance(mark, str)}
    return bool(style.total and style.size and (style.jump or marks & {"$page", "$count"}) and "$last" not in marks)


def place(walk: Walk) -> int:
    """How many rows stand before the next page."""
    mark = walk.mark if walk.style.jump else None
    return walk.count if mark is None else mark


def total(style: Style, result: Result) -> int | None:
    """How many rows the list has, where the page tells it."""
    path = style.ranges.get("total") or style.total
    return _whole(query.place(path, result.raw, result.reply.headers if result.reply else {})) if path else None


def stands_alone(method: Method) -> bool:
    """Whether the answer of a call in a batch can be made what it would have been by itself."""
    return method.reading.result == "@" or re.fullmatch(r"\w+(\.\w+)*", method.reading.result) is not None


def whole(method: Method, result: Result) -> Result:
    """The answer of a call of a batch as it would have come by itself, where it stands alone in the batch's."""
    reading = method.reading
    if result.reply is not None or reading.result == "@":
        return result
    raw: Json = {}
    for path, value in [
        (reading.result, result.value),
        *((reading.meta.get(k, ""), v) for k, v in result.meta.items()),
    ]:
        _set(raw, path, value)
    return replace(result, raw=raw)


def _set(body: Json, path: str, value: Any) -> None:
    *above, last = path.split(".")
    for step in above:
        body = body.setdefault(step, {})
    if last:
        body[last] = value


def page(style: Style, method: Method, result: Result) -> list[Any]:
    """The rows of a page."""
    found = query.search(style.items, result.raw)
    rows: Any = list(found.values()) if isinstance(found, dict) else found or []
    if not isinstance(rows, list):
        message = f"the page has no rows at {style.items!r}"
        raise ServiceError(message, kind="server", method=method.full_name)
    return rows


def rows(walk: Walk, method: Method, result: Result) -> list[Any]:
    """The rows of a page, and the walk moved on. Raises ServiceError where the pages lead nowhere."""
    found = page(walk.style, method, result)
    walk.count += len(found)
    walk.page += 1
    mark, ended = _following(walk, found, result)
    if len(found) > 1 and found == walk.before:
        message = f"a page of {method.full_name} came twice: the service does not follow the marks of its pages"
        raise ServiceError(message, kind="server", method=method.full_name)
    walk.over, walk.before, walk.mark = ended, found, _whole(mark)
    if not ended:
        _advance(walk, method, mark)
    return found


def _following(walk: Walk, page: list[Any], result: Result) -> tuple[Any, bool]:
    """The mark of the next page, and whether there is none."""
    style = walk.style
    headers = result.reply.headers if result.reply else {}
    total = _whole(query.place(style.total, result.raw, headers)) if style.total else None
    ended = {
        "absent": False,
        "empty": not page,
        "short": len(page) < style.size,
        "total": total is None or walk.count >= total or not page,
    }[style.stop]
    if style.follow:
        mark = query.place(style.follow, result.raw, headers)
    elif style.next:
        mark = query.place(style.next, result.raw, headers)
        whole = _whole(mark)
        mark = whole + style.add if style.add and whole is not None else mark
    elif style.last:
        mark = query.search(style.last, page)
        if mark is None and page and not ended:
            message = f"the rows have nothing at {style.last!r}, from which the next page is asked for"
            raise ServiceError(message, kind="server", hint="select that field as well")
    else:
        return walk.count, ended or not page
    return mark, ended or mark is None or mark == "" or mark is False


def _whole(value: Any) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _advance(walk: Walk, method: Method, mark: Any) -> None:
    if mark == walk.seen and walk.steps:
        message = f"the pages of {method.full_name} lead in a circle: the mark {mark!r:.60} came twice"
        raise ServiceError(message, kind="server", method=method.full_name)
    walk.steps += 1
    if walk.steps == walk.lap:  # any circle is found, and one mark is kept: R. P. Brent's way
        walk.seen, walk.lap = mark, walk.lap * 2
    if walk.style.follow:
        walk.follow = str(mark)
    else:
        _place(walk, method, mark)
