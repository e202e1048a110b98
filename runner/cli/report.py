"""What became of the rows of a bulk run: told as it comes, and written from the journal when the run ends."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, Any

from .. import journal as states
from .. import output
from ..errors import CallError, RunnerError
from ..export import Export
from ..export.columns import Shape
from ..table import DOUBT, ERROR, FORMS
from . import console

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..bulk import Told
    from ..journal import Entry, Journal, Outcome

Json = dict[str, Any]
MOST_SHOWN = 10  # errors that are told one by one
_RESULT = ("row", "line", "outcome", "value", "code", "message", "hint")


def result(number: int, line: int, state: int, outcome: Outcome) -> Json:
    """A row of the results."""
    row: Json = {"row": number} | ({"line": line} if line else {}) | {"outcome": states.WORDS[state]}
    if isinstance(outcome, RunnerError):
        return row | {"error": outcome.as_dict()}
    return row | {"value": outcome.value}


class Tally:
    """Counts outcomes as they come, and remembers the first errors and the worst."""

    def __init__(self) -> None:
        self.done, self.failed, self.worst = 0, 0, 0
        self.first: list[tuple[Told, Told]] = []  # the first and the last of rows that met the same
        self.shown = 0

    def take(self, told: Told) -> None:
        """Count one that was done, refused or unknown, or that waits because of an error of its own."""
        if not isinstance(told.outcome, RunnerError):
            self.done += 1
            return
        self.failed += 1
        self.worst = max(self.worst, told.outcome.exit_code)
        if self.first and self._goes_on(*self.first[-1], told):
            self.first[-1] = (self.first[-1][0], told)
        elif len(self.first) < MOST_SHOWN:
            self.first.append((told, told))
        else:
            return
        self.shown += 1

    def _goes_on(self, first: Told, last: Told, told: Told) -> bool:
        """Whether a row is the next one that met the same."""
        return told.number == last.number + 1 and str(told.outcome) == str(first.outcome)

    def lines(self) -> list[str]:
        """The errors that are told: each with its row, or the rows that met it one after another."""
        found = []
        for first, last in self.first:
            if first is last:
                rows, place = f"row {first.number}", f", line {first.line}"
            else:
                rows, place = f"rows {first.number} to {last.number}", f", lines {first.line} to {last.line}"
            found.append(f"{rows}{place if first.line else ''}: {first.outcome}")
        return found


def write_results(journal: Journal, path: str) -> None:
    """Write the outcome of every row that has one, in order: a table, a JSON list, or an object a line."""
    form = form_of(path)
    rows = (entry for entry in journal.entries() if entry.told)
    if form in {"json", "ndjson"}:
        output.save(path, _lines((_of(entry) for entry in rows), form))
        return
    wide = [*_RESULT, *(name for name in _sources(journal) if name not in _RESULT)]
    _table(path, form, wide, map(_flat, rows), encoding="utf-8", delimiter=_comma(path))


def write_rows(journal: Journal, path: str, state: int, *, encoding: str = "", delimiter: str = "") -> None:
    """Write the rows of a state as they were read, and why: refused ones can be fed in again, doubtful ones not."""
    form, why = form_of(path), ERROR if state == states.REFUSED else DOUBT
    rows = ({**_source(entry), why: str(entry.outcome)} for entry in journal.entries(state))
    if form in {"json", "ndjson"}:
        output.save(path, _lines(rows, form))
        return
    names = [*(name for name in _sources(journal) if name != why), why]
    _table(path, form, names, rows, encoding=encoding or "utf-8", delimiter=delimiter or _comma(path))


def form_of(path: str, *, read_again: bool = False) -> str:
    """The form of a file of rows by its name: one that tells nothing holds an object a line.

    Raises CallError for a name that promises what is not written, for a library that is missing, and for rows that
    are to be `read_again` where nobody could.
    """
    end = os.path.splitext(path)[1].lower()
    told = FORMS.get(end, "xlsx")
    form = told if told != "xlsx" else output.form_of(path)
    if form == "yaml" or (read_again and form in {"parquet", "sqlite"}):
        hint = "take .csv, .xlsx, .ndjson or .json"
        raise CallError(f"{path}: rows {'to mend ' * read_again}are not written as {form}", hint=hint)
    if form in output.FILES:
        Export(form, path).demand()
    return "ndjson" if form == "json" and end != ".json" else form


def _table(  # noqa: PLR0913 - the parts of a table
    path: str, form: str, names: Sequence[str], rows: Iterator[Json], *, encoding: str, delimiter: str
) -> None:
    if form == "csv":
        output.save(path, _csv(names, rows, encoding=encoding, delimiter=delimiter))
    else:
        Export(form, path, Shape(tuple(names)), "results").save(rows)


def _comma(path: str) -> str:
    return "\t" if path.lower().endswith(".tsv") else ","


def _source(entry: Entry) -> Json:
    return dict(states.unpacked(entry.source))


def _of(entry: Entry) -> Json:
    outcome = entry.outcome
    assert outcome is not None  # noqa: S101 - the rows without one were left out
    return result(entry.number, entry.line, entry.state, outcome)


def _flat(entry: Entry) -> Json:
    """A result and the cells that it came from in one line."""
    row = _of(entry)
    error = row.pop("error", {})
    return {**_source(entry), **row, **{name: error.get(name) for name in _RESULT[-3:]}}


def _sources(journal: Journal) -> list[str]:
    """The columns of the rows, in the order in which they are first seen."""
    found: dict[str, None] = {}
    for entry in journal.entries():
        found.update(dict.fromkeys(_source(entry)))
    return list(found)


def _csv(names: Sequence[str], rows: Iterator[Json], *, encoding: str, delimiter: str) -> Iterator[bytes]:
    """Rows as CSV. What the encoding can't write is written as an escape: an error may hold any letter."""
    if encoding == "utf-16":
        yield b"\xff\xfe"
        encoding = "utf-16-le"
    elif encoding == "utf-8-sig":
        yield b"\xef\xbb\xbf"
        encoding = "utf-8"
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows:
        yield _taken(stream).encode(encoding, "backslashreplace")
        writer.writerow([output.cell(row.get(name)) for name in names])
    yield _taken(stream).encode(encoding, "backslashreplace")


def _taken(stream: io.StringIO) -> str:
    text = stream.getvalue()
    stream.seek(0)
    stream.truncate()
    return text


def _lines(rows: Iterator[Json], form: str) -> Iterator[bytes]:
    """Rows as JSON: an object a line, or a list of such lines."""
    before = b"[\n" if form == "json" else b""
    for row in rows:
        yield before + output.line(row).rstrip("\n").encode(errors="backslashreplace")
        before = b",\n" if form == "json" else b"\n"
    yield (b"\n]\n" if before == b",\n" else b"[]\n") if form == "json" else b"\n" if before else b""


def summary(counts: Json, places: Json) -> str:
    """How many rows are where, in a line."""
    words = {
        "done": "done",
        "refused": "refused",
        "unknown": "unknown",
        "sent": "without an answer",
        "waiting": "waiting",
    }
    parts = []
    for word, text in words.items():
        if counts[word] or word == "done":
            place = f" ({places[word]})" if places.get(word) else ""
            parts.append(f"{counts[word]:,} {text}{place}")
    return ", ".join(parts)


def say(tally: Tally, counts: Json, places: Json) -> None:
    """Tell the first errors, and the count of all rows."""
    for text in tally.lines():
        console.say(f"error: {console.plain(text)}")
    if tally.failed > tally.shown:
        console.say(f"… and {tally.failed - tally.shown:,} more; --out FILE keeps them all")
    console.say(summary(counts, places))
