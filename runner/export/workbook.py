"""Rows as a workbook: text is text, nothing is a formula or a date, a full sheet goes on in the next."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .. import output
from ..errors import CallError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .spool import Table

ROWS, COLUMNS, LETTERS = 1_048_576, 16_384, 32_767  # the most of a sheet and of a cell
_EXACT = 10**15  # a spreadsheet keeps fifteen digits of a number
_INSTEAD = "take .csv, .parquet or .sqlite"


def fitting(rows: Iterable[Any]) -> Iterator[Any]:
    """The rows. Raises CallError at the first that has more letters than a cell holds."""
    for number, row in enumerate(rows, 1):
        for name, value in row.items() if isinstance(row, dict) else (("value", row),):
            if isinstance(value, (str, dict, list)) and _letters(value) > LETTERS:
                message = f"row {number} has {_letters(value):,} letters in {name}, and a cell holds {LETTERS:,}"
                raise CallError(message, hint=_INSTEAD)
        yield row


def _letters(value: Any) -> int:
    """The letters of a cell as a spreadsheet counts them: a rare one, such as a picture of a face, is two."""
    text = output.cell(value)
    return len(text) if len(text) <= LETTERS // 2 else len(text.encode("utf-16-le", "surrogatepass")) // 2


def write(place: str, table: Table) -> None:
    """Write all rows, one at a time in memory. Raises CallError where there are too many columns."""
    if len(table.columns) > COLUMNS:
        raise CallError(f"the rows have {len(table.columns):,} columns, a sheet {COLUMNS:,}", hint=_INSTEAD)
    with _book(place) as book:
        sheet, line = _sheet(book, table, 1), 0
        for cells in table.cells():
            line += 1
            if line >= ROWS:
                sheet, line = _sheet(book, table, len(book.worksheets()) + 1), 1
            for column, value in enumerate(cells):
                _put(sheet, line, column, value)


@contextmanager
def _book(place: str) -> Iterator[Any]:
    """A workbook that is written when all went well. Its own drafts stand beside it and are gone in any case."""
    from tempfile import TemporaryDirectory

    import xlsxwriter
    from xlsxwriter.exceptions import XlsxWriterException

    with TemporaryDirectory(prefix=f"{os.path.basename(place)}.", dir=os.path.dirname(place)) as folder:
        book = xlsxwriter.Workbook(place, {"constant_memory": True, "tmpdir": folder})
        book.use_zip64()
        try:
            yield book
            book.close()
        except XlsxWriterException as error:
            inner = error.args[0]
            if isinstance(inner, OSError):
                raise inner from None
            raise CallError(f"the workbook can't be written: {error}", hint=_INSTEAD) from None
        finally:
            for sheet in book.worksheets():
                sheet.row_data_fh.close()


def _sheet(book: Any, table: Table, number: int) -> Any:
    """The next sheet, with a head."""
    end = "" if number == 1 else f" ({number})"
    name = re.sub(r"[\[\]:*?/\\]", " ", table.name).strip("' ")[: 31 - len(end)] or "rows"
    name = f"{name}_" if name.lower() == "history" else name  # which the program keeps for itself
    sheet = book.add_worksheet(f"{name}{end}")
    for column, head in enumerate(table.columns):
        _put(sheet, 0, column, head)
    sheet.freeze_panes(1, 0)
    return sheet


def _put(sheet: Any, line: int, column: int, value: Any) -> None:
    """One cell. A number that a spreadsheet would round is text; nothing is left for null and empty text."""
    if value is None or value == "":
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, column, value)
    elif isinstance(value, (int, float)) and abs(value) < _EXACT:
        sheet.write_number(line, column, value)
    else:
        sheet.write_string(line, column, output.cell(value))
