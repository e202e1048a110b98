"""Rows written to a file or printed: a form by the file's name, columns in a stable order, memory that stays flat.

    columns   which columns there are, and in which order
    spool     rows kept on the disk until their columns are known
    labels    the names behind the values of lists
    lines     CSV, JSON, lines of JSON
    workbook  .xlsx
    parquet   .parquet
    database  .sqlite

How a value stands in a cell: text as it is, numbers as numbers, nothing for null, an object or a list as its JSON
text. A number that came as text stays text.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from .. import output
from ..errors import CallError
from . import lines
from .columns import Shape
from .spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..errors import RunnerError
    from .labels import Labels
    from .spool import Table

    Writer = Callable[[str, Table], None]

NEEDS = {"xlsx": "xlsxwriter", "parquet": "pyarrow"}


@dataclass(slots=True)
class Export:
    """Where rows go and how: the form, what is known of their columns, the name of their table.

    `bom` puts the mark in front of CSV by which some programs know UTF-8. `missing` are the columns whose labels
    could not be had, filled while rows are written. `width` is that of a terminal to draw on, 0 where there is none.
    """

    form: str
    path: str = ""
    shape: Shape = field(default_factory=Shape)
    table: str = "rows"
    bom: bool = False
    labels: Labels | None = None
    width: int = 0
    missing: dict[str, RunnerError] = field(default_factory=dict)

    def demand(self) -> None:
        """Raise CallError where `save` could not write: the library is not installed, or the place is no file."""
        library = NEEDS.get(self.form)
        if library:
            from importlib.util import find_spec

            if find_spec(library) is None:
                hint = f"pip install 'declarest[{self.form}]', or take .csv, .ndjson or .sqlite"
                raise CallError(f"{self.form} files need {library}, which is not installed", hint=hint)
        if self.form in output.FILES and output.is_stream(self.path):
            raise CallError(f"{self.form} needs a file, and {self.path} is none", hint="take csv, ndjson or json")

    def save(self, rows: Iterable[Any]) -> int:
        """Write the rows to the file, whole or not at all. Returns how many they were."""
        counter = _Counter(rows)
        if self.form not in output.FILES:
            mark = [b"\xef\xbb\xbf"] if self.bom and self.form == "csv" else []
            parts = (part.encode(errors="backslashreplace") for part in self.parts(counter))
            output.save(self.path, chain(mark, parts))
        else:
            with self._spooled(counter) as spool, output.draft(self.path) as place:
                self._writer()(place, self._table(spool))
        return counter.count

    def parts(self, rows: Iterable[Any]) -> Iterator[str]:
        """The rows as text, part by part. Only lines of JSON come before all rows are read."""
        if not self.labels and (self.form == "ndjson" or (self.form == "json" and self.path)):
            yield from lines.WRITERS[self.form](rows)
            return
        with self._spooled(rows) as spool:
            table = self._table(spool)
            if self.form in lines.WRITERS:
                yield from lines.WRITERS[self.form](table.plain())
            elif self.form == "csv":
                yield from lines.csv(table)
            else:
                yield output.text(list(table.plain()), self.form, width=self.width)

    def listed(self, rows: Iterable[Any]) -> list[Any]:
        """The rows as they are, with their labels; all of them are in memory."""
        if not self.labels:
            return list(rows)
        with self._spooled(rows) as spool:
            return list(self._table(spool).plain())

    def _spooled(self, rows: Iterable[Any]) -> Spool:
        folder = os.path.dirname(os.path.realpath(self.path)) if self.path else None
        with output.naming(self.path or "the rows"):
            spool = Spool(None if self.path and output.is_stream(self.path) else folder)
            try:
                for row in self._fitting(rows):
                    spool.add(row)
            except BaseException:
                spool.close()
                raise
        return spool

    def _fitting(self, rows: Iterable[Any]) -> Iterable[Any]:
        """The rows, refused at the first that the form can't hold."""
        if self.form != "xlsx":
            return rows
        from .workbook import fitting

        return fitting(rows)

    def _table(self, spool: Spool) -> Table:
        table = spool.table(self.table, self.shape.ordered(spool.kinds))
        return self.labels.dress(table, self.missing) if self.labels else table

    def _writer(self) -> Writer:
        if self.form == "xlsx":
            from .workbook import write as workbook

            return workbook
        if self.form == "parquet":
            from .parquet import write as parquet

            return parquet
        from .database import write as database

        return database


class _Counter:
    """Rows that are counted while they are read."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows, self.count = rows, 0

    def __iter__(self) -> Iterator[Any]:
        for row in self._rows:
            self.count += 1
            yield row
