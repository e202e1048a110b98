"""An answer as text: JSON, YAML, a table, CSV, lines of JSON; written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import re
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from .errors import CallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Json = dict[str, Any]


def text(value: Any, form: str, *, width: int = 0) -> str:
    """A value in one of FORMS. `width` is that of a terminal to draw on, 0 where there is none."""
    return _WRITERS[form](value, width)


def _json(value: Any, _width: int) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=_other) + "\n"


def _ndjson(value: Any, _width: int) -> str:
    return "".join(line(row) for row in (value if isinstance(value, list) else [value]))


def line(row: Any) -> str:
    """One value as one line of JSON."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_other) + "\n"


def _other(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)


def _yaml(value: Any, _width: int) -> str:
    from . import document

    return document.dump(value)


def columns(found: Iterable[Any]) -> list[str]:
    """The keys of all rows, in the order in which they are first seen; `value` for rows that are no objects."""
    names: dict[str, None] = {}
    for row in found:
        for key in row if isinstance(row, dict) else ("value",):
            names.setdefault(str(key))
    return list(names)


def cell(value: Any) -> str:
    """A value in one cell: text as it is, nothing for null, lists and objects as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_other)


def rows(value: Any) -> list[Any]:
    """The rows of a value: of a list its items, of an object with one list in it that list, else itself."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list)]
        if len(lists) == 1 and len(value) == 1:
            return lists[0]
    return [value]


def at(row: Any, key: str) -> Any:
    """What a row has in a column, None where nothing."""
    if isinstance(row, dict):
        return row.get(key)
    return row if key == "value" else None


def _csv(value: Any, _width: int) -> str:
    found = rows(value)
    names = columns(found)
    if not names:
        return ""
    quoted = csv_line()
    lines = ([cell(at(row, name)) for name in names] for row in found)
    return "".join(map(quoted, [names, *lines]))


def csv_line() -> Callable[[Sequence[str]], str]:
    """A function that writes cells as a line of CSV (RFC 4180), ended by a line feed alone.

    The standard writer quotes the letters of its line end only, and readers take both of them for one.
    """
    import csv

    class Echo:
        def write(self, text: str) -> str:
            return text

    writer = csv.writer(Echo(), lineterminator="\r\n")
    return lambda cells: f"{writer.writerow(cells)[:-2]}\n"


def _table(value: Any, width: int) -> str:
    """Columns for rows, two columns for one object, a line for anything else."""
    found = rows(value)
    if isinstance(value, dict) and found == [value]:
        found, names = [{"key": key, "value": part} for key, part in value.items()], ["key", "value"]
    else:
        names = columns(found)
    cells = [[_plain(cell(at(row, name))) for name in names] for row in found]
    if not any(isinstance(row, dict) for row in found):
        return "".join(f"{one[0]}\n" for one in cells)
    if not width:
        return _aligned(names, cells)
    least = sum(min(max(map(_wide, column)), _LEAST) + 2 for column in zip(names, *cells, strict=True))
    return _drawn(names, cells, width) if least <= width else _records(names, cells)


_LEAST = 8


def _records(names: list[str], cells: list[list[str]]) -> str:
    """Rows that have too many columns for a screen: one below the other, a line for each cell that holds something."""
    head = max(map(_wide, names))
    blocks = [
        [f"{name}{' ' * (head - _wide(name))}  {part}\n" for name, part in zip(names, row, strict=True) if part]
        for row in cells
    ]
    return "\n".join(map("".join, blocks))


_STEERING = re.compile("[\x00-\x1f\x7f-\x9f]")


def _plain(text: str) -> str:
    """A text in one line, without the letters that would steer a terminal."""
    return " ".join(_STEERING.sub(" ", text).split())


def _wide(part: str) -> int:
    """The cells that a text takes on a screen."""
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in part)


def _aligned(names: list[str], cells: list[list[str]]) -> str:
    widths = [max(map(_wide, column)) for column in zip(names, *cells, strict=True)]
    lines = []
    for row in [names, *cells]:
        padded = [part + " " * (width - _wide(part)) for part, width in zip(row, widths, strict=True)]
        lines.append("  ".join(padded).rstrip() + "\n")
    return "".join(lines)


def _drawn(names: list[str], cells: list[list[str]], width: int) -> str:
    """A table for a terminal, as wide as that."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(Text(name), overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    stream = io.StringIO()
    colour = "standard" if not os.environ.get("NO_COLOR") else None
    console = Console(file=stream, width=width, force_terminal=bool(colour), color_system=colour)  # type: ignore[arg-type]
    console.print(table)
    return "\n".join(part.rstrip() for part in stream.getvalue().splitlines() if part.strip()) + "\n"


_WRITERS: dict[str, Callable[[Any, int], str]] = {
    "json": _json,
    "yaml": _yaml,
    "table": _table,
    "csv": _csv,
    "ndjson": _ndjson,
}
FORMS = tuple(_WRITERS)
FILES = ("xlsx", "parquet", "sqlite")  # forms that only a file can have
ROWS = ("csv", "ndjson", *FILES)  # forms that are rows, whatever the value is
_BY_SUFFIX = {
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
}
_BETTER = {
    ".xls": ".xlsx", ".xlsm": ".xlsx", ".ods": ".xlsx", ".tsv": ".csv", ".feather": ".parquet", ".arrow": ".parquet",
    ".gz": ".csv, and compress it after", ".zip": ".csv, and compress it after",
}  # fmt: skip


def form_of(path: str, asked: str = "") -> str:
    """The form of an answer that is written to a file: that of the name's end, which one `asked` for must fit.

    A name with another end says nothing, and JSON is the form where none was asked for. Raises CallError where the
    two contradict each other, and for an end that promises a form that there is not.
    """
    end = os.path.splitext(path)[1].lower()
    named = _BY_SUFFIX.get(end, "")
    if asked and named and asked != named:
        message = f"--output {asked} contradicts the name {path}, which ends as {named} does"
        raise CallError(message, hint=f"leave --output out, or name a file that ends in .{asked}")
    if not asked and end in _BETTER:
        raise CallError(f"there is no way to write {end} files", hint=f"take {_BETTER[end]}")
    if asked in FILES and not path:
        raise CallError(f"--output {asked} is for files", hint=f"add --out FILE.{asked}")
    return asked or named or "json"


def save(path: str, content: Iterable[bytes]) -> int:
    """Write a file whole, or leave what was there. Returns the bytes; a device or a pipe is written to as it is.

    Raises CallError where the file can't be written.
    """
    with naming(path):
        if is_stream(path):
            with open(path, "wb") as file:
                return sum(map(file.write, content))
        with draft(path) as place, open(place, "wb") as file:
            return sum(map(file.write, content))


@contextmanager
def draft(path: str) -> Iterator[str]:
    """A draft beside a file: it takes the file's place when all went well, and is gone when anything did not.

    A link is followed, a file keeps its rights, and what is on the disk is whole even when the power fails.
    Raises CallError where the file can't be written.
    """
    target = os.path.realpath(path)
    with naming(path):
        place = _draft(path)
        try:
            with open(place, "xb"):
                pass
            yield place
            with open(place, "rb+") as file:
                os.fsync(file.fileno())
            if os.path.exists(target):
                os.chmod(place, stat.S_IMODE(os.stat(target).st_mode))
            os.replace(place, target)
        except BaseException:
            with suppress(OSError):
                os.remove(place)
            raise


@contextmanager
def naming(path: str) -> Iterator[None]:
    """What the disk refuses, as a CallError that names the file."""
    try:
        yield
    except OSError as error:
        raise CallError(f"can't write {path}: {(error.strerror or str(error)).lower()}") from None


def is_stream(path: str) -> bool:
    """Whether a place is there and is neither a file nor a folder."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _draft(path: str) -> str:
    """A name that no other run takes: in a container every process may have the same number."""
    return f"{os.path.realpath(path)}.{os.urandom(4).hex()}.part"


def probe(path: str) -> None:
    """Raise CallError where `save` could not write: a call that can't be undone needs a place for its answer first."""
    if not path.strip():
        raise CallError("--out needs the name of a file")
    if os.path.isdir(path):
        raise CallError(f"can't write {path}: it is a folder")
    if is_stream(path):
        return
    with naming(path):
        place = _draft(path)
        with open(place, "xb"):
            pass
        os.remove(place)
