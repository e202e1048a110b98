"""What a call does to the state: its verb, as the service file declares it, and the value that it gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import precheck, query, template
from ..node import merged
from . import listing, sample
from .envelope import OK, Refused, Success

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..spec import Method, Service
    from .shift import Shift
    from .store import Shelf, Store

Json = dict[str, Any]
_REFUSED = 400
_NULL: Json = {"null": None}  # a patch can say null in no other way
_SHOUTED = re.compile(r"(\W*)([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)")  # behind the operators of a filter


@dataclass(frozen=True, slots=True)
class Task:
    """A checked call: values under their params' names, the state, the account, the row that its page begins with.

    `now` is when it is made, as text.
    """

    method: Method
    values: Mapping[str, Any]
    store: Store
    account: Mapping[str, Any]
    start: str = ""
    shift: Shift | None = None
    now: str = ""


def rule(method: Method) -> Json:
    """What a method does: the service's word on the last part of its name, with the method's own laid over."""
    sandbox = method.service.sandbox
    stem, last = _named(method)
    verbs = {name.lower(): block for name, block in sandbox.get("verbs", {}).items()}
    own = method.document.get("sandbox", {})
    declared = verbs.get(last.lower(), {})
    if "does" in own:  # another verb: what the name's own one answers is not meant
        declared = {key: value for key, value in declared.items() if key != "answer"}
    return {"does": "example", "collection": stem, **merged(declared, own)}


def _named(method: Method) -> tuple[str, str]:
    found = re.fullmatch(r"(?:(.*)[.\-])?([^.\-]*)", method.name)
    assert found is not None  # noqa: S101 - every text has this form
    return found[1] or method.name, found[2]


def run(task: Task) -> Success:
    """Do what the call asks for. Raises Refused where there is no such row."""
    how = rule(task.method)
    if how["does"] in {"read", "change", "remove"} and task.method.param(_key(task, how)) is None:
        return example(task)
    return _RUN.get(how["does"], _constant)(task, how)


def _key(task: Task, how: Json) -> str:
    return task.method.canonical(how.get("key", "id"))


def _block(task: Task, how: Json) -> tuple[str, Json]:
    """The collection of a call and what is declared of it. `{name}` in it is a param: shelves that stand apart."""
    name = template.filled(how["collection"], {key: str(value) for key, value in task.values.items()})
    declared = {key.lower(): block for key, block in task.method.service.sandbox.get("collections", {}).items()}
    found = declared.get(name.lower(), declared.get(how["collection"].lower(), {}))
    return name.lower(), found


def _shelf(task: Task, how: Json) -> Shelf:
    name, block = _block(task, how)
    return task.store.shelf(name, block.get("id", "id"), block.get("seed", ()))


def shelf(service: Service, store: Store, name: str) -> Shelf:
    """The shelf of a collection by its own name."""
    declared = {key.lower(): block for key, block in service.sandbox.get("collections", {}).items()}
    block = declared.get(name.lower(), {})
    return store.shelf(name.lower(), block.get("id", "id"), block.get("seed", ()))


def _faced(task: Task, how: Json, rows: list[Json]) -> list[Json]:
    """Rows as they are answered: their ids as text where the collection says so."""
    _, block = _block(task, how)
    key = block.get("id", "id")
    return [{**row, key: str(row[key])} for row in rows] if block.get("text") else rows


def _answer(task: Task, how: Json, default: Any, rows: list[Json], key: str) -> Any:
    """The declared answer with these rows in it."""
    faced = _faced(task, how, rows)
    form = how.get("answer", default)
    known = {"rows": faced, "row": faced[-1] if faced else None, "id": faced[-1].get(key) if faced else None, **_NULL}
    value = template.filled(form, known)
    return _as_promised(task.method, value) if form == "{id}" else value


def _as_promised(method: Method, value: Any) -> Any:
    """An id as a number where the method promises one."""
    node = {**(method.returns or {}), "$defs": method.schema.get("$defs", {})}
    number = int(value) if isinstance(value, str) and value.isdigit() else value
    try:
        return value if precheck.fits(value, node) or not precheck.fits(number, node) else number
    except precheck.Unknown:
        return value


def _fields(task: Task, how: Json) -> Any:
    """The fields that a call gives for a row: those in a param of their own, else all that are the method's.

    The key is none, nor are headers.
    """
    source = how.get("from", "")
    if source and task.method.param(task.method.canonical(source.partition(".")[0])) is not None:
        return listing.stand(task.values, task.method, source) or {}
    key = _key(task, how) if how["does"] == "change" else ""
    apart = {name for name, param in task.method.params.items() if param.place in {"header", "cookie"}} | {key}
    apart |= task.method.common
    return {name: value for name, value in task.values.items() if name not in apart}


def _spelt(value: Any, task: Task, how: Json) -> Any:
    """The names of fields in a row, a filter or a list as the collection has them."""
    if _block(task, how)[1].get("names") != "camel":
        return value
    if isinstance(value, dict):
        return {_camel(name): one for name, one in value.items()}
    return [_camel(one) for one in value] if isinstance(value, list) else _camel(value)


def _camel(name: Any) -> Any:
    found = _SHOUTED.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        return name
    first, *others = found[2].lower().split("_")
    return found[1] + first + "".join(map(str.capitalize, others))


def _create(task: Task, how: Json) -> Success:
    shelf, given = _shelf(task, how), _fields(task, how)
    several = given if isinstance(given, list) else [given]
    if not all(isinstance(one, dict) for one in several):
        raise Refused("input", f"{how['from']} holds no fields", name=how["from"])
    new = template.filled(_block(task, how)[1].get("new", {}), {"now": task.now})
    several = [{**one, **{name: value for name, value in new.items() if name not in one}} for one in several]
    with task.store.change():
        rows = [{**one, shelf.key: shelf.add(one)} for one in (_spelt(one, task, how) for one in several)]
    return Success(_answer(task, how, "{id}", rows, shelf.key))


def _read(task: Task, how: Json) -> Success:
    shelf = _shelf(task, how)
    return _of_row(task, how, shelf, shelf.row(_place(task, how)), "{row}")


def _change(task: Task, how: Json) -> Success:
    shelf, fields = _shelf(task, how), _fields(task, how)
    if not isinstance(fields, dict):
        raise Refused("input", f"{how['from']} holds no fields", name=how["from"])
    fields = _spelt(fields, task, how)
    row = shelf.change(_place(task, how), fields)
    return _of_row(task, how, shelf, {**row, **fields, shelf.key: row[shelf.key]} if row else None, default=True)


def _remove(task: Task, how: Json) -> Success:
    shelf = _shelf(task, how)
    return _of_row(task, how, shelf, shelf.remove(_place(task, how)), default=True)


def _place(task: Task, how: Json) -> Any:
    key = _key(task, how)
    if task.values.get(key) is None:
        raise Refused("missing", name=key)
    return task.values[key]


def _of_row(task: Task, how: Json, shelf: Shelf, row: Json | None, default: Any) -> Success:
    if row is None:
        raise Refused("absent", name=_key(task, how), id=task.values[_key(task, how)])
    return Success(_answer(task, how, default, [row], shelf.key))


def _select(task: Task, how: Json) -> Success:
    shelf, method = _shelf(task, how), task.method
    asked = {
        word: _spelt(listing.stand(task.values, method, how[word]), task, how)
        for word in ("filter", "order", "select", "sort")
        if word in how
    }
    if "sort" in how:
        asked["order"] = {str(asked["sort"] or shelf.key): asked.get("order") or ""}
    with task.store.view():
        rows = listing.chosen(shelf, asked.get("filter"), asked.get("order"), method.service.sandbox)
        start = int(task.start) if task.start.isdecimal() else 0
        page = listing.page(method, task.values, rows, shelf.key, start)
    if task.shift is not None:
        task.shift.listed(shelf, page.rows)
    shown = listing.selected(page.rows, asked.get("select"), shelf.key)
    return Success(_answer(task, how, "{rows}", shown, shelf.key), page.total, page.next, marks=page.marks)


def _account(task: Task, how: Json) -> Success:
    """The row whose id is one of the account's numbers, else the first."""
    shelf = _shelf(task, how)
    whole = {name for name, node in task.method.service.fields.items() if node.get("type") == "integer"}
    ids = {str(value) for name, value in task.account.items() if name in whole}
    rows = shelf.rows()
    row = next((row for row in rows if str(row[shelf.key]) in ids), rows[0] if rows else None)
    return Success(_answer(task, how, "{row}", [row], shelf.key)) if row else example(task)


def _constant(task: Task, how: Json) -> Success:
    return Success(template.filled(how["answer"], _NULL)) if "answer" in how else example(task)


_RUN: Mapping[str, Callable[[Task, Json], Success]] = {
    "create": _create,
    "read": _read,
    "select": _select,
    "change": _change,
    "remove": _remove,
    "account": _account,
}


def example(task: Task) -> Success:
    """The answer of the example with just these values, of the first that is a success, or a value made up."""
    method = task.method
    known = [one for one in method.document.get("examples", ()) if "response" in one or "status" in one]
    same = [one for one in known if _same(method, one["params"], task.values)]
    fine = [one for one in known if one.get("status", OK) < _REFUSED]
    for one in (*same, *fine):
        body = one.get("response")
        return Success(query.search(method.reading.result, body), status=one.get("status", 0), raw=body)
    return Success(sample.of(method))


def _same(method: Method, params: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return {method.canonical(name): value for name, value in params.items()} == dict(values)
