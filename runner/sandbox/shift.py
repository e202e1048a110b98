"""Rows that come and go while somebody reads: what a list does whose readers are not alone."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .store import identity

if TYPE_CHECKING:
    from .store import Shelf

Json = dict[str, Any]


@dataclass(slots=True)
class _Record:
    """What happened on one shelf since it was read first. `old` are the ids that were there then."""

    old: frozenset[Any]
    born: list[Any] = field(default_factory=list)
    gone: list[Any] = field(default_factory=list)
    pages: int = 0


@dataclass(slots=True)
class Shift:
    """After every so many pages a row is added, and one removed that stands before the reader's place.

    Pages are counted for each collection by itself, those inside a batch too; 0 is never. Where the reader walks down,
    the row that is removed is the last one, else the first. `collection` confines it to one.
    """

    insert_every: int = 0
    delete_every: int = 0
    collection: str = ""
    _records: dict[str, _Record] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def listed(self, shelf: Shelf, rows: list[Json]) -> None:
        """Let happen what is due after these rows of a shelf were read."""
        if self.collection.lower() not in {"", shelf.name}:
            return
        with self._lock:
            record = self._records.setdefault(shelf.name, _Record(frozenset(_ids(shelf))))
            record.pages += 1
            if rows and _due(record.pages, self.delete_every):
                self._remove(shelf, rows, record)
            if _due(record.pages, self.insert_every):
                record.born.append(shelf.add(rows[-1] if rows else {}))

    def _remove(self, shelf: Shelf, rows: list[Json], record: _Record) -> None:
        first, last = (_rank(row[shelf.key]) for row in (rows[0], rows[-1]))
        victim = max(_ids(shelf), key=_rank) if first > last else min(_ids(shelf), key=_rank)
        shelf.remove(victim)
        record.gone.append(victim)

    def steady(self, collection: str) -> list[Any]:
        """The ids of the rows that were there all the time: what each reader should have got just once."""
        with self._lock:
            record = self._records[collection.lower()]
            return sorted(record.old - set(record.gone), key=_rank)

    def born(self, collection: str) -> list[Any]:
        """The ids of the rows that were added."""
        with self._lock:
            return list(self._records[collection.lower()].born)

    def gone(self, collection: str) -> list[Any]:
        """The ids of the rows that were removed."""
        with self._lock:
            return list(self._records[collection.lower()].gone)

    def begin(self) -> None:
        """Forget what was: the next page is the first."""
        with self._lock:
            self._records.clear()


def _rank(place: Any) -> tuple[bool, Any]:
    """What ids are put in order by: numbers, then texts."""
    return isinstance(place, str), place


def _due(count: int, every: int) -> bool:
    return bool(every) and count % every == 0


def _ids(shelf: Shelf) -> list[Any]:
    ids = shelf.store.ids(shelf.name)
    return [identity(row[shelf.key]) for row in shelf.rows()] if ids is None else list(ids)
