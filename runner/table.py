"""Rows of a file: CSV, xlsx, lines of JSON, a JSON list. Read one by one, each with the line that it begins on."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from .errors import CallError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Json = dict[str, Any]
Line = tuple["Sequence[Any]", "Sequence[int]"]  # the values of a line, and the places of those that are missing
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
            found = json.loads(self._text(None).read(), object_pairs_hook=_paired)
        except CallError as error:
            raise CallError(f"{self.name}: an object {error.message}", hint="leave one of them") from None
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
        source = self._file if self._file.seekable() else io.BytesIO(self._file.read())
        with ExitStack() as ends:
            book, formulas = (ends.enter_context(closing(self._book(openpyxl, source, only))) for only in (True, False))
            sheet = self._worksheet(book)
            marks = _Marks(source, getattr(sheet, "_worksheet_path", ""))
            lines = _beside(sheet, formulas[sheet.title]) if marks.formulas else _lines(sheet)
            yield from self._cells(self._readable(lines), marks)
        if not self.columns:
            more = [name for name in book.sheetnames if name != sheet.title]
            hint = f"--sheet takes another one: {', '.join(more)}" if more else "its first line names them"
            raise CallError(f"{self.name} has no columns", hint=hint)

    def _book(self, library: Any, source: Any, only: bool) -> Any:  # noqa: FBT001 - a word of the library
        """The workbook: with the values of its cells only, or with its formulas."""
        from warnings import catch_warnings, simplefilter

        try:
            with catch_warnings():
                simplefilter("ignore")  # what the library finds odd in a workbook is nothing to a reader of cells
                return library.load_workbook(source, read_only=True, data_only=only)
        except Exception as error:  # noqa: BLE001 - the library throws what it stumbles over
            raise CallError(f"{self.name} is no xlsx file: {error}") from None

    def _readable(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines of a sheet. Raises CallError where they are damaged."""
        try:
            yield from lines
        except Exception as error:  # noqa: BLE001 - as above
            raise CallError(f"{self.name} is a damaged workbook: {error}", hint=_SAVE) from None

    def _worksheet(self, book: Any) -> Any:
        if not self.sheet:
            return book.worksheets[0]
        if self.sheet not in book.sheetnames:
            raise CallError(f"{self.name} has no sheet {self.sheet!r}", hint=f"it has {', '.join(book.sheetnames)}")
        return book[self.sheet]

    def _cells(self, lines: Iterable[Line], marks: _Marks) -> Iterator[Row]:
        for line, (cells, hollow) in enumerate(lines, 1):
            values, merged = list(map(_value, cells)), marks.merged(line)
            if all(value in {None, ""} for value in values) and not hollow and not (merged and self.columns):
                continue
            if self.columns:
                row = _row(line, self.columns, values)
                yield Row(line, row.cells, _fault(row, self.columns, hollow, merged))
            else:
                self.columns = _columns(["" if value is None else str(value).strip() for value in values], self.name)


_SAVE = "open it in a spreadsheet program and save it"


def _lines(sheet: Any) -> Iterator[Line]:
    """The lines of a sheet without formulas."""
    sheet.reset_dimensions()  # some programs write wrong ones
    for cells in sheet.iter_rows(values_only=True):
        yield cells, ()


def _beside(sheet: Any, formulas: Any) -> Iterator[Line]:
    """The lines of a sheet that is read twice, with the places of formulas that nobody has worked out.

    An empty text is what a formula may have come to.
    """
    sheet.reset_dimensions()
    formulas.reset_dimensions()
    for cells, behind in zip(sheet.iter_rows(), formulas.iter_rows(values_only=True), strict=True):
        both = enumerate(zip(cells, behind, strict=True))
        hollow = [at for at, (one, text) in both if one.value is None and text is not None and one.data_type != "str"]
        yield [one.value for one in cells], hollow


class _Marks:
    """What a sheet has beside its values: whether there are formulas in it, and which cells are part of another one."""

    def __init__(self, source: Any, member: str) -> None:
        from zipfile import ZipFile

        self.formulas, self._merged = False, list[tuple[str, int, str, int]]()
        with ZipFile(source) as packed:
            if member.lstrip("/") in packed.namelist():
                self._scan(packed.open(member.lstrip("/")))

    def _scan(self, sheet: IO[bytes]) -> None:
        before = b""
        with sheet:
            while part := sheet.read(2**20):
                text = before + part
                self.formulas = self.formulas or re.search(rb"<(\w+:)?f[ />]", text) is not None
                for one in re.finditer(rb'<(?:\w+:)?mergeCell ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"', text):
                    left, top, right, bottom = (word.decode() for word in one.groups())
                    self._merged.append((left, int(top), right, int(bottom)))
                before = text[text.rfind(b"<") :][-100:]

    def merged(self, line: int) -> set[int]:
        """The places of the cells in a line that belong to another one: it alone holds what is seen in them."""
        found: set[int] = set()
        for left, top, right, bottom in self._merged:
            if top <= line <= bottom:
                found.update(range(_place(left) + (line == top), _place(right) + 1))
        return found


def _place(letters: str) -> int:
    """The place of a column by its letters, from 0."""
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


def _fault(row: Row, columns: list[str], hollow: Iterable[int], merged: Iterable[int]) -> str:
    """What is wrong with a row of a workbook: a cell that shows something else than it holds."""
    named = range(len(columns))
    for name, value in row.cells.items():
        if isinstance(value, str) and value in _FAULTS:
            return f"the cell {name} is an error of the workbook"
    for at in hollow:
        if at in named and columns[at]:
            return f"the cell {columns[at]} is a formula without a value; {_SAVE}"
    for at in merged:
        if at in named and columns[at]:
            return f"the cell {columns[at]} is merged with another one, which alone has a value; part them"
    return row.fault


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


def _paired(pairs: list[tuple[str, Any]]) -> Json:
    """An object. Raises CallError where a key stands in it twice: one of the values would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise CallError(f"has the key {twice!r} twice")
    return found


def _object(line: int, text: str) -> Row:
    try:
        found = json.loads(text, object_pairs_hook=_paired)
    except CallError as error:
        return Row(line, {}, error.message)
    except json.JSONDecodeError as error:
        return Row(line, {}, f"is no JSON: {error.msg}, at letter {error.pos + 1}")
    except (ValueError, RecursionError) as error:  # a number of too many digits, lists in lists in lists
        return Row(line, {}, f"is no JSON: {error}")
    return Row(line, found) if isinstance(found, dict) else Row(line, {}, "is no JSON object")


def _value(cell: Any) -> Any:
    """A cell of a workbook as JSON: dates as ISO 8601 writes them, without a time where there is none."""
    if hasattr(cell, "isoformat"):
        text: str = cell.isoformat()
        return text.removesuffix("T00:00:00")
    return cell if cell is None or isinstance(cell, (str, int, float, bool)) else str(cell)
