"""The state of a sandbox: shelves of rows in one SQLite file, which many threads and processes may share.

The only home of SQLite.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Json = dict[str, Any]
MEMORY = ":memory:"
_PATIENCE = 30.0  # seconds that one process waits for another's change
_TABLES = (
    "CREATE TABLE IF NOT EXISTS rows (collection TEXT, id, json TEXT, PRIMARY KEY (collection, id)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS counters (collection TEXT PRIMARY KEY, last INTEGER) WITHOUT ROWID",
)


class Store:
    """An open state. Where the file can't be used, memory is, and `note` says so."""

    def __init__(self, path: str) -> None:
        self.note = ""
        self._lock = threading.RLock()
        self._depth = 0
        try:
            self._base = _opened(path)
        except (OSError, sqlite3.Error) as error:
            self.note = f"the state is kept in memory, since {path} can't be used: {error}"
            self._base = _opened(MEMORY)

    def close(self) -> None:
        """Close the file. A second time does nothing."""
        with self._lock:
            self._base.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Several steps as one: all of them happen, or, where an error comes out, none. It may be nested."""
        with self._lock:
            if not self._depth:
                self._base.execute("BEGIN IMMEDIATE")
            self._depth += 1
            word = "ROLLBACK"
            try:
                yield
                word = "COMMIT"
            finally:
                self._depth -= 1
                if not self._depth:
                    self._base.execute(word)

    def run(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        with self._lock:
            return self._base.execute(text, values).fetchall()

    def clear(self) -> None:
        """Forget everything; each shelf begins with its seed again."""
        with self.change():
            self.run("DELETE FROM rows")
            self.run("DELETE FROM counters")

    def shelf(self, name: str, key: str = "id", seed: Sequence[Mapping[str, Any]] = ()) -> Shelf:
        """The shelf of this name, with the seed on it where nobody has used it before."""
        found = Shelf(self, name, key)
        if not self._used(name):
            with self.change():
                if not self._used(name):
                    found.sow(seed)
        return found

    def _used(self, name: str) -> bool:
        return bool(self.run("SELECT 1 FROM counters WHERE collection = ?", name))


@dataclass(frozen=True, slots=True)
class Shelf:
    """The rows of one collection. Each holds its id in the field `key`; ids are never given twice."""

    store: Store
    name: str
    key: str

    def sow(self, seed: Sequence[Mapping[str, Any]]) -> None:
        """Put the first rows on an unused shelf, inside a change. A row without an id gets the next one."""
        last = 0
        for row in seed:
            place = identity(row.get(self.key, last + 1))
            last = max(last, place) if isinstance(place, int) else last
            self._write(place, row)
        self.store.run("INSERT INTO counters VALUES (?, ?)", self.name, last)

    def add(self, row: Mapping[str, Any]) -> int:
        """Store a new row and return its id."""
        with self.store.change():
            self.store.run("UPDATE counters SET last = last + 1 WHERE collection = ?", self.name)
            ((place,),) = self.store.run("SELECT last FROM counters WHERE collection = ?", self.name)
            self._write(place, row)
        return int(place)

    def row(self, place: object) -> Json | None:
        """The row of an id, whether the id is written as a number or as text."""
        key = identity(place)
        found = self.store.run("SELECT json FROM rows WHERE collection = ? AND id = ?", self.name, key)
        return json.loads(found[0][0]) if found else None

    def rows(self) -> list[Json]:
        """Every row, by id."""
        found = self.store.run("SELECT json FROM rows WHERE collection = ? ORDER BY id", self.name)
        return [json.loads(text) for (text,) in found]

    def change(self, place: object, fields: Mapping[str, Any]) -> Json | None:
        """The row of an id with these fields laid over it; None where there is no such row."""
        with self.store.change():
            row = self.row(place)
            if row is not None:
                self._write(row[self.key], {**row, **fields})
        return row

    def remove(self, place: object) -> Json | None:
        """The row of an id, taken off the shelf; None where there is no such row."""
        with self.store.change():
            row = self.row(place)
            self.store.run("DELETE FROM rows WHERE collection = ? AND id = ?", self.name, identity(place))
        return row

    def _write(self, place: Any, row: Mapping[str, Any]) -> None:
        text = json.dumps({**row, self.key: place})
        self.store.run("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", self.name, place, text)


def identity(value: object) -> int | str | None:
    """An id as the file keeps it: digits are a number; what can be no id is None, which no row has."""
    text = str(value)
    if isinstance(value, (bool, dict, list)) or not text.isprintable():
        return None
    most = 18  # digits that fit SQLite's whole numbers
    return int(text) if text.isascii() and text.isdigit() and len(text) <= most else text


def reset(path: str) -> None:
    """Empty the state in a file, where there is one. Sandboxes that have it open begin anew."""
    if path != MEMORY and os.path.exists(path):
        store = Store(path)
        try:
            if store.note:
                os.remove(path)
            store.clear()
        finally:
            store.close()


def _opened(path: str) -> sqlite3.Connection:
    if path != MEMORY:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    base = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        base.execute("PRAGMA synchronous = OFF")  # it is a toy's state: no power cut is worth a slow call
        for table in _TABLES:
            base.execute(table)
    except sqlite3.Error:
        base.close()
        raise
    return base
