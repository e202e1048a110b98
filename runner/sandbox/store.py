"""The state of a sandbox: shelves of rows in one SQLite file, which many threads and processes may share."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from array import array
from bisect import bisect_left, bisect_right
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

Json = dict[str, Any]
MEMORY = ":memory:"
_PUT = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)"
_MOST_PICKS = 16  # answers that are kept
_PATIENCE = 30.0  # seconds that one process waits for another's change
_TABLES = (
    "CREATE TABLE IF NOT EXISTS grants (name TEXT, value TEXT, until REAL, PRIMARY KEY (name, value)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS rows (collection TEXT, id, json TEXT, PRIMARY KEY (collection, id)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS counters (collection TEXT PRIMARY KEY, last INTEGER) WITHOUT ROWID",
)


class Store:
    """An open state. Where the file can't be used, memory is, and `note` says so."""

    def __init__(self, path: str) -> None:
        self.note = ""
        self._lock = threading.RLock()
        self._depth = 0
        self._ids: dict[str, array[int] | None] = {}
        self._seen = 0
        self._picks: dict[str, array[int]] = {}
        try:
            self._base = _opened(path)
        except (OSError, sqlite3.Error) as error:
            self.note = f"the state is kept in memory, since {path} can't be used: {error}"
            self._base = _opened(MEMORY)

    def close(self) -> None:
        """Close the file. A second time does nothing."""
        with self._lock:
            self._base.close()

    def change(self) -> AbstractContextManager[None]:
        """Several steps as one: all of them happen, or, where an error comes out, none. It may be nested."""
        return self._whole("BEGIN IMMEDIATE")

    def view(self) -> AbstractContextManager[None]:
        """Several readings of one and the same state. Nothing is written in it."""
        return self._whole("BEGIN")

    @contextmanager
    def _whole(self, first: str) -> Iterator[None]:
        with self._lock:
            if not self._depth:
                self._base.execute(first)
            self._depth += 1
            word = "ROLLBACK"
            try:
                yield
                word = "COMMIT"
            finally:
                self._depth -= 1
                if not self._depth:
                    self._base.execute(word)
                if word == "ROLLBACK":
                    self._forget_all()

    def run(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        with self._lock:
            return self._base.execute(text, values).fetchall()

    def run_many(self, text: str, values: Iterable[tuple[object, ...]]) -> int:
        """Run a statement that writes one row with each of these values. Returns how many rows it wrote."""
        with self._lock:
            return self._base.executemany(text, values).rowcount

    def clear(self) -> None:
        """Forget everything; each shelf begins with its seed again."""
        with self.change():
            self.run("DELETE FROM rows")
            self.run("DELETE FROM counters")
            self.run("DELETE FROM grants")
            self._forget_all()

    def shelf(self, name: str, key: str = "id", seed: Sequence[Mapping[str, Any]] = ()) -> Shelf:
        """The shelf of this name, with the seed on it where nobody has used it before."""
        found = Shelf(self, name, key)
        if not self._used(name):
            with self.change():
                if not self._used(name):
                    found.sow(seed)
        return found

    def ids(self, name: str) -> array[int] | None:
        """Every id of a shelf in order; None where some are no numbers. It is read once, and kept up to date.

        What another process changes is seen by the version of the file.
        """
        with self._lock:
            ((seen,),) = self.run("PRAGMA data_version")
            if seen != self._seen:
                self._forget_all()
                self._seen = seen
            if name not in self._ids:
                found = self._base.execute("SELECT id FROM rows WHERE collection = ? ORDER BY id", (name,))
                try:
                    self._ids[name] = array("q", (place for (place,) in found))
                except TypeError:
                    self._ids[name] = None
            return self._ids[name]

    def came(self, name: str, place: Any) -> None:
        """Keep in mind that a row stands there now."""
        self._picks.clear()
        ids = self._ids.get(name)
        if ids is None or not isinstance(place, int):
            self._ids.pop(name, None)
            return
        at = bisect_left(ids, place)
        if at == len(ids) or ids[at] != place:
            ids.insert(at, place)

    def went(self, name: str, place: Any) -> None:
        """Keep in mind that no row stands there any more."""
        self._picks.clear()
        ids = self._ids.get(name)
        if ids is not None and isinstance(place, int):
            at = bisect_left(ids, place)
            if ids[at : at + 1] == array("q", [place]):
                ids.pop(at)

    def forget(self, name: str) -> None:
        """Read the ids of a shelf anew when they are wanted next."""
        self._picks.clear()
        self._ids.pop(name, None)

    def _forget_all(self) -> None:
        self._picks.clear()
        self._ids.clear()

    def picked(self, question: str, found: Callable[[], Iterable[int]]) -> array[int]:
        """The ids that answer a question: as they were found last time, where nothing has changed since."""
        with self._lock:
            if question not in self._picks:
                if len(self._picks) >= _MOST_PICKS:
                    self._picks.clear()
                self._picks[question] = array("q", found())
            return self._picks[question]

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

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Put many rows on the shelf at once, those without an id behind the last one. Returns how many."""
        with self.store.change():
            ((last,),) = self.store.run("SELECT last FROM counters WHERE collection = ?", self.name)

            def written() -> Iterator[tuple[str, Any, str]]:
                nonlocal last
                for row in rows:
                    place = identity(row.get(self.key, last + 1))
                    last = max(last, place) if isinstance(place, int) else last
                    yield self.name, place, json.dumps({**row, self.key: place})

            count = self.store.run_many(_PUT, written())
            self.store.run("UPDATE counters SET last = ? WHERE collection = ?", last, self.name)
            self.store.forget(self.name)
        return count

    def span(self) -> Span | None:
        """Every row, none of them read yet; None where some ids are no numbers."""
        ids = self.store.ids(self.name)
        return None if ids is None else Span(self, ids, 0, len(ids))

    def some(self, most: int) -> list[Json]:
        """The first rows."""
        found = self.store.run("SELECT json FROM rows WHERE collection = ? ORDER BY id LIMIT ?", self.name, most)
        return _read(found)

    def count(self) -> int:
        """How many rows there are."""
        ((count,),) = self.store.run("SELECT count(*) FROM rows WHERE collection = ?", self.name)
        return int(count)

    def between(self, first: int, last: int, *, down: bool = False) -> list[Json]:
        """The rows from one id to another."""
        way = "DESC" if down else "ASC"
        text = f"SELECT json FROM rows WHERE collection = ? AND id BETWEEN ? AND ? ORDER BY id {way}"  # noqa: S608
        return _read(self.store.run(text, self.name, first, last))

    def row(self, place: object) -> Json | None:
        """The row of an id, whether the id is written as a number or as text."""
        key = identity(place)
        found = self.store.run("SELECT json FROM rows WHERE collection = ? AND id = ?", self.name, key)
        return json.loads(found[0][0]) if found else None

    def rows(self) -> list[Json]:
        """Every row, by id."""
        found = self.store.run("SELECT json FROM rows WHERE collection = ? ORDER BY id", self.name)
        return _read(found)

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
            self.store.went(self.name, identity(place))
        return row

    def _write(self, place: Any, row: Mapping[str, Any]) -> None:
        self.store.run(_PUT, self.name, place, json.dumps({**row, self.key: place}))
        self.store.came(self.name, place)


@dataclass(frozen=True, slots=True)
class Span:
    """Rows whose ids follow one another on a shelf, in the order of their ids. Only what is asked for is read."""

    shelf: Shelf
    ids: array[int]
    low: int
    high: int
    down: bool = False

    def __len__(self) -> int:
        return max(0, self.high - self.low)

    def above(self, place: int, *, itself: bool = False) -> Span:
        """Those with greater ids."""
        at = (bisect_left if itself else bisect_right)(self.ids, place)
        return replace(self, low=max(self.low, at))

    def below(self, place: int, *, itself: bool = False) -> Span:
        """Those with smaller ids."""
        at = (bisect_right if itself else bisect_left)(self.ids, place)
        return replace(self, high=min(self.high, at))

    def only(self, places: Iterable[object]) -> Picked:
        """Those of them that have one of these ids, in the order of the ids."""
        wanted = {place for one in places if isinstance(place := identity(one), int)}
        at = {place: bisect_left(self.ids, place, self.low, self.high) for place in wanted}
        here = (place for place, one in at.items() if one < self.high and self.ids[one] == place)
        return Picked(self.shelf, array("q", sorted(here)))

    def part(self, start: int, size: int) -> list[Json]:
        """Some of the rows."""
        low, high = self.low + start, min(self.low + start + size, self.high)
        if self.down:
            low, high = max(self.high - start - size, self.low), self.high - start
        return self.shelf.between(self.ids[low], self.ids[high - 1], down=self.down) if low < high else []

    def rows(self) -> list[Json]:
        """All of them."""
        return self.part(0, len(self))


@dataclass(frozen=True, slots=True)
class Picked:
    """Rows with these ids, in this order. Only what is asked for is read."""

    shelf: Shelf
    ids: array[int]

    def __len__(self) -> int:
        return len(self.ids)

    def above(self, place: int) -> Picked:
        """Those with greater ids."""
        return replace(self, ids=array("q", (one for one in self.ids if one > place)))

    def part(self, start: int, size: int) -> list[Json]:
        """Some of the rows."""
        found = (self.shelf.row(one) for one in self.ids[start : start + size])
        return [row for row in found if row is not None]


def _read(found: list[tuple[Any, ...]]) -> list[Json]:
    """The rows of their texts, which are read as one: that takes half the time."""
    rows: list[Json] = json.loads(f"[{','.join(text for (text,) in found)}]")
    return rows


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
