"""The names behind the values of lists: where a property says `labels`, a column of names stands beside its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import output, query
from ..errors import RunnerError
from ..node import child, resolved
from .columns import properties, row_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..spec import Method
    from .spool import Table

    Ask = Callable[[str, dict[str, Any]], Any]

Json = dict[str, Any]
_KEYS = "$keys"
END = "_label"


@dataclass(slots=True)
class Labels:
    """Where the names behind a call's values are. `ask` makes a call and gives its value, all pages of it."""

    node: Json
    defs: Json
    ask: Ask

    @classmethod
    def of(cls, method: Method, ask: Ask, *, paged: bool) -> Labels:
        """The labels of the rows that a method answers."""
        return cls(row_node(method, paged=paged), method.schema.get("$defs", {}), ask)

    def source(self, column: str) -> Json:
        """What the description says of the names behind a column, nothing where it says nothing."""
        found: Json = resolved(child(self.node, column, self.defs), self.defs).get("labels", {})
        return found

    def dress(self, table: Table, missing: dict[str, RunnerError]) -> Table:
        """The table with a column of names after each column that has some. The columns without are told."""
        sources = {column: self.source(column) for column in table.columns}
        books = self._books({column: one for column, one in sources.items() if one}, table, missing)
        columns = [name for column in table.columns for name in (column, *([column + END] if column in books else []))]

        def change(row: Json) -> Json:
            found: Json = {}
            for name, value in row.items():
                found[name] = value
                if name in books:
                    found[name + END] = _label(value, books[name])
            return found

        return table.dressed(columns, change, dict.fromkeys((name + END for name in books), frozenset({"str"})))

    def _books(self, sources: dict[str, Json], table: Table, missing: dict[str, RunnerError]) -> dict[str, Json]:
        """For each column its names by value."""
        asking = [column for column, source in sources.items() if _KEYS in json.dumps(source)]
        keys = _values(table, asking)
        answers: dict[str, Any] = {}
        books: dict[str, Json] = {}
        for column, source in sources.items():
            if "values" in source:
                books[column] = {str(key): str(label) for key, label in source["values"].items()}
                continue
            try:
                found = self._rows(column, source, keys.get(column), answers)
            except RunnerError as error:
                missing[column] = error
                continue
            if found is not None:
                books[column] = found
        return books

    def _rows(self, column: str, source: Json, keys: Mapping[str, Any] | None, answers: dict[str, Any]) -> Json | None:
        """The names by value; None for a property made by the caller that turns out to have none."""
        book: Json = {}
        name = json.dumps(column, ensure_ascii=False)[1:-1]
        items = source.get("items", "@").replace("{name}", name)
        for params in _inputs(source, keys):
            call = json.dumps([source["method"], params], sort_keys=True)
            if call not in answers:
                answers[call] = self.ask(source["method"], params)
            found = query.search(items, answers[call])
            for row in found if isinstance(found, list) else ():
                book[output.cell(query.search(source["key"], row))] = _joined(query.search(source["label"], row))
        return book if book or items == source.get("items", "@") else None


def labelled(method: Method) -> list[str]:
    """The described columns of a method's rows that have names behind their values."""
    defs = method.schema.get("$defs", {})
    node = row_node(method, paged=bool(method.styles))
    return [name for name in properties(node, defs) if "labels" in resolved(child(node, name, defs), defs)]


def _values(table: Table, columns: list[str]) -> dict[str, Json]:
    """The different values of some columns, by their text; nobody and nothing are asked for no name."""
    found: dict[str, Json] = {column: {} for column in columns}
    for row in table.plain() if columns else ():
        for column in columns:
            value = output.at(row, column)
            for one in value if isinstance(value, list) else [value]:
                if one not in (None, "", 0, "0") and not isinstance(one, (dict, list)):
                    found[column][output.cell(one)] = one
    return found


def _inputs(source: Json, keys: Mapping[str, Any] | None) -> Iterator[Json]:
    """The inputs of the calls that a source needs: one, or one for each handful of keys."""
    params = source.get("params", {})
    if keys is None:
        yield params
        return
    every, size = [keys[text] for text in sorted(keys)], source.get("size", 50)
    for start in range(0, len(every), size):
        yield _filled(params, every[start : start + size])


def _filled(part: Any, keys: list[Any]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(inner, keys) for name, inner in part.items()}
    return keys if part == _KEYS else part


def _joined(label: Any) -> Any:
    """A name of several parts as one text."""
    if isinstance(label, list):
        return " ".join(output.cell(part) for part in label if part)
    return None if label is None else output.cell(label)


def _label(value: Any, book: Mapping[str, Any]) -> str | None:
    """The name of a value, the names of a list with commas, None where there is none."""
    if isinstance(value, list):
        return ", ".join(filter(None, (_label(one, book) for one in value))) or None
    return None if value is None else book.get(output.cell(value))
