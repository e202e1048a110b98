"""This page's answer → the next page's values. A page that leads nowhere is an error, never an endless loop."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    marks: set[str] = field(default_factory=set)


def style(method: Method, values: Mapping[str, Any]) -> Style:
    """The style that fits a call: the first whose own values the caller has not fixed otherwise.

    Raises CallError where the method has no pages.
    """
    if not method.styles:
        message = f"{method.full_name} answers with one page only"
        raise CallError(message, hint="call it without --all and --limit", method=method.full_name)
    given = {name.lower() for name in values}
    for one in method.styles:
        fixed = {
            path.split(".")[0].lower() for path, value in one.send.items() if not _marked(value) and "." not in path
        }
        if not fixed & given:
            return one
    return method.styles[-1]


def begin(method: Method, values: Mapping[str, Any]) -> Walk:
    """The walk over all pages of a call, before its first page."""
    chosen = style(method, values)
    walk = Walk(chosen, dict(values))
    walk.page = chosen.first
    for path, wanted in chosen.send.items():
        whole = _whole(_stands(walk.values, method, path)) if wanted in ("$page", "$count") else None
        if whole is not None and wanted == "$page":
            walk.page = whole
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


def rows(walk: Walk, method: Method, result: Result) -> list[Any]:
    """The rows of a page, and the walk moved on. Raises ServiceError where the pages lead nowhere."""
    found = query.search(walk.style.items, result.raw)
    page: list[Any] = list(found.values()) if isinstance(found, dict) else found or []
    if not isinstance(page, list):
        message = f"the page has no rows at {walk.style.items!r}"
        raise ServiceError(message, kind="server", method=method.full_name)
    walk.count += len(page)
    walk.page += 1
    mark, ended = _following(walk, page, result)
    walk.over = ended
    if not ended:
        _advance(walk, method, mark)
    return page


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
    except (TypeError, ValueError):
        return None


def _advance(walk: Walk, method: Method, mark: Any) -> None:
    seen = repr(mark)
    if seen in walk.marks:
        message = f"the pages of {method.full_name} lead in a circle: the mark {seen[:60]} came twice"
        raise ServiceError(message, kind="server", method=method.full_name)
    walk.marks.add(seen)
    if walk.style.follow:
        walk.follow = str(mark)
    else:
        _place(walk, method, mark)
