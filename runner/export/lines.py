"""Rows as text: CSV, JSON, lines of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .spool import Table


def csv(table: Table) -> Iterator[str]:
    """A head and a line for each row: RFC 4180, but for the line end, which is a line feed alone."""
    quoted = output.csv_line()
    if table.columns:
        yield quoted(table.columns)
    for cells in table.cells():
        yield quoted(list(map(output.cell, cells)))


def _json(rows: Iterable[Any]) -> Iterator[str]:
    """The same text as that of the whole list."""
    before = "[\n"
    for row in rows:
        text = output.text(row, "json").rstrip("\n").replace("\n", "\n  ")
        yield f"{before}  {text}"
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _ndjson(rows: Iterable[Any]) -> Iterator[str]:
    return map(output.line, rows)


WRITERS: dict[str, Callable[[Iterable[Any]], Iterator[str]]] = {"json": _json, "ndjson": _ndjson}
