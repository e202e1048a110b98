"""Rows of a file: CSV, xlsx, lines of JSON, a JSON list. Read one by one, each with the line that it begins on."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from .errors import CallError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Json = dict[str, Any]
FORMS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".xlsm": "xlsx",
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json",
}  # fmt: skip
DELIMITERS = ",;\t|"
ERROR, DOUBT = "_error", "_unknown"  # columns that a report adds: the first is passed over, the second refused
_MOST_CELL = 2**27
_FAULTS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"})


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its line, its cells by column, and what is wrong with it as a row."""

    line: int
    cells: Json
    fault: str = ""


class Table:
    """A file that is being read. `columns` are there when the first row is; lines of JSON have none of their own.

    Raises CallError with the line where the file is not what it should be.
    """

    def __init__(self, file: IO[bytes], name: str, *, encoding: str = "", delimiter: str = "", sheet: str = "") -> None:
        self.name, self._file = name, file
        self.encoding, self.delimiter, self.sheet = encoding, delimiter, sheet
        self.columns: list[str] = []
        self._reading: io.TextIOWrapper | None = None
        self.form = FORMS.get(_ending(name), "") or self._sniffed()

    def rows(self) -> Iterator[Row]:
        """The rows; lines of a table without a single cell are none."""
        try:
            for row in getattr(self, f"_{self.form}")():
                if DOUBT in row.cells:
                    demand_sure([DOUBT], self.name)
                row.cells.pop(ERROR, None)
                yield row
        finally:
            if self._reading is not None and not self._reading.closed:  # whoever opened the file closes it
                self._reading.detach()

    def _peek(self, most: int) -> bytes:
        """The first bytes, which stay to be read."""
        file: Any = self._file
        if not hasattr(file, "peek"):
            self._file = file = io.BufferedReader(file, 2**16)
        return bytes(file.peek(most)[:most])

    def _sniffed(self) -> str:
        """The form of a file whose name does not tell it."""
        head = self._peek(512).removeprefix(b"\xef\xbb\xbf").lstrip()
        return {b"{": "ndjson", b"[": "json", b"P": "xlsx" if head.startswith(b"PK\3\4") else "csv"}.get(
            head[:1], "csv"
        )

    def _text(self, newline: str | None) -> io.TextIOWrapper:
        """The file as text: as the mark at its beginning says, as it was asked for, else UTF-8."""
        head = self._peek(4)
        marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
        told = next((name for mark, name in marks.items() if head.startswith(mark)), "")
        self.encoding = told or self.encoding or "utf-8"
        try:
            self._reading = io.TextIOWrapper(self._file, self.encoding, newline=newline)
        except LookupError:
            raise CallError(f"there is no encoding {self.encoding!r}", hint="such as utf-8 or cp1251") from None
        return self._reading

    def _no_text(self, line: int) -> CallError:
        hint = "give its encoding; a table saved in Russia is often --encoding cp1251"
        return CallError(f"{self.name}, about line {line}: this is not {self.encoding} text", hint=hint)

    def _csv(self) -> Iterator[Row]:
        text, line, at = self._text(""), 1, 1
        csv.field_size_limit(_MOST_CELL)
        try:
            head = text.readline()
            told = re.fullmatch(r"sep=(.)\s*", head)  # a line that spreadsheets write and read
            if told:
                head, line = text.readline(), 2
            delimiter = self.delimiter or (told[1] if told else _delimiter(head))
            self.delimiter = _letter(delimiter)
            reader = csv.reader(chain([head], iter(text.readline, "")), delimiter=self.delimiter, strict=True)
            names = next(reader, [])
            self.columns = _columns([name.strip() for name in names], self.name)
            while True:
                at = line + reader.line_num
                cells = next(reader, None)
                if cells is None:
                    return
                if any(cells):
                    yield _row(at, self.columns, cells)
        except UnicodeError:
            raise self._no_text(at) from None
        except csv.Error as error:
            hint = "a quotation mark in a cell is written twice, and a cell with one stands in quotation marks"
            raise CallError(f"{self.name}, line {line + reader.line_num - 1}: {error}", hint=hint) from None

    def _ndjson(self) -> Iterator[Row]:
        line = 0
        try:
            for line, text in enumerate(self._text(None), 1):
                if text.strip():
                    yield _object(line, text)
        except UnicodeError:
            raise self._no_text(line + 1) from None

    def _json(self) -> Iterator[Row]:
        try:
            found = json.loads(self._text(None).read())
        except UnicodeError:
            raise self._no_text(1) from None
        except (ValueError, RecursionError) as error:
            raise CallError(f"{self.name} is no JSON: {error}") from None
        if not isinstance(found, list):
            raise CallError(f"{self.name} is no list of rows", hint="[{…}, {…}], or an object a line in a .ndjson file")
        for one in found:
            yield Row(0, one) if isinstance(one, dict) else Row(0, {}, "is no JSON object")

    def _xlsx(self) -> Iterator[Row]:
        try:
            import openpyxl
        except ImportError:
            hint = "pip install 'declarest[xlsx]', or save the table as CSV"
            raise CallError(f"{self.name}: reading xlsx needs openpyxl", hint=hint) from None
        from warnings import catch_warnings, simplefilter
        from zipfile import BadZipFile

        source = self._file if self._file.seekable() else io.BytesIO(self._file.read())
        try:
            with catch_warnings():
                simplefilter("ignore")  # what the library finds odd in a workbook is nothing to a reader of cells
                book = openpyxl.load_workbook(source, read_only=True, data_only=True)
        except (BadZipFile, KeyError, ValueError, OSError) as error:
            raise CallError(f"{self.name} is no xlsx file: {error}") from None
        try:
            yield from self._cells(self._worksheet(book))
        finally:
            book.close()

    def _worksheet(self, book: Any) -> Any:
        if not self.sheet:
            return book.worksheets[0]
        if self.sheet not in book.sheetnames:
            raise CallError(f"{self.name} has no sheet {self.sheet!r}", hint=f"it has {', '.join(book.sheetnames)}")
        return book[self.sheet]

    def _cells(self, sheet: Any) -> Iterator[Row]:
        sheet.reset_dimensions()  # some programs write wrong ones
        for line, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            values = list(map(_value, cells))
            if all(value in {None, ""} for value in values):
                continue
            if self.columns:
                row = _row(line, self.columns, values)
                bad = [name for name, value in row.cells.items() if isinstance(value, str) and value in _FAULTS]
                yield Row(line, row.cells, f"the cell {bad[0]} is an error of the workbook") if bad else row
            else:
                self.columns = _columns(["" if value is None else str(value).strip() for value in values], self.name)


def _ending(name: str) -> str:
    return "." + name.rpartition(".")[2].lower() if "." in name else ""


def _delimiter(head: str) -> str:
    """The delimiter of a header: the one that stands in it most often outside quotation marks, a comma where none."""
    bare = re.sub(r'"[^"]*"', "", head)
    return max(DELIMITERS, key=bare.count)


def _letter(delimiter: str) -> str:
    if delimiter in {"tab", "\\t"}:
        return "\t"
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise CallError(f"--delimiter can't be {delimiter!r}", hint="one letter, such as ; or tab")
    return delimiter


def _columns(names: list[str], file: str) -> list[str]:
    """The names of columns. Raises CallError where two are the same, or the file holds rows that were in doubt."""
    while names and not names[-1]:
        names.pop()
    if not names:
        raise CallError(f"{file} has no columns", hint="its first line names them")
    for place, name in enumerate(names):
        if name and name in names[:place]:
            raise CallError(f"{file} has two columns {name!r}", hint="rename one of them")
    demand_sure(names, file)
    return names


def demand_sure(names: Sequence[str], file: str) -> None:
    """Refuse rows of which nobody knows whether they were carried out."""
    if DOUBT in names:
        hint = f"look which of them are there; delete those, then the column {DOUBT}"
        raise CallError(f"the rows of {file} may have been carried out already", hint=hint)


def _row(line: int, columns: list[str], cells: Sequence[Any]) -> Row:
    """The cells of a row by column, and whether there are more of them than columns."""
    found = {name: value for name, value in zip(columns, cells, strict=False) if name}
    nameless = [value for name, value in zip(columns, cells, strict=False) if not name]
    over = [value for value in [*nameless, *cells[len(columns) :]] if value not in {None, ""}]
    return Row(line, found, f"has {len(cells)} cells, and there are {len(columns)} columns" if over else "")


def _object(line: int, text: str) -> Row:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Row(line, {}, f"is no JSON: {error}")
    return Row(line, found) if isinstance(found, dict) else Row(line, {}, "is no JSON object")


def _value(cell: Any) -> Any:
    """A cell of a workbook as JSON: dates as ISO 8601 writes them, without a time where there is none."""
    if hasattr(cell, "isoformat"):
        text: str = cell.isoformat()
        return text.removesuffix("T00:00:00")
    return cell if cell is None or isinstance(cell, (str, int, float, bool)) else str(cell)
