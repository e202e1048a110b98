"""Rows as a table of an SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from .. import output
from ..errors import CallError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .spool import Table

# A column of several kinds has no type, so that each of its values stays what it is.
_TYPES = {"str": "TEXT", "int": "INTEGER", "float": "REAL", "bool": "INTEGER", "large": "TEXT"}


def write(place: str, table: Table) -> None:
    """Make the table and fill it in one transaction. Raises CallError where SQLite can't."""
    names = _apart(table.columns or ["value"])
    kinds = [_TYPES.get(table.kind(column), "") for column in table.columns or ["value"]]
    columns = ", ".join(f"{_quoted(name)} {kind}".rstrip() for name, kind in zip(names, kinds, strict=True))
    marks = ", ".join("?" * len(names))
    try:
        with closing(sqlite3.connect(place, isolation_level=None)) as base:
            base.execute("PRAGMA journal_mode = OFF")  # the draft is thrown away where it is not finished
            base.execute("PRAGMA synchronous = OFF")
            base.execute("BEGIN")
            base.execute(f"CREATE TABLE {_quoted(table.name)} ({columns})")
            rows = (list(map(_stored, cells)) for cells in table.cells())
            base.executemany(f"INSERT INTO {_quoted(table.name)} VALUES ({marks})", rows)  # noqa: S608 - it is quoted
            base.execute("COMMIT")
    except sqlite3.Error as error:
        message = f"SQLite can't write the rows: {error}"
        raise CallError(message, hint="take .csv or .parquet" if "too many" in str(error) else "") from None


def _stored(value: Any) -> Any:
    """A value as SQLite holds it: what is larger than its numbers is text."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return output.cell(value)
    return value


def _quoted(name: str) -> str:
    return '"' + name.replace("\0", " ").replace('"', '""') + '"'


def _apart(names: Iterable[str]) -> list[str]:
    """Names that differ to SQLite, which knows no letter case: `id` beside `ID` becomes `id_2`."""
    found: dict[str, str] = {}
    for name in names:
        free, number = name, 2
        while free.lower() in found:
            free, number = f"{name}_{number}", number + 1
        found[free.lower()] = free
    return list(found.values())
