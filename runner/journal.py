"""What became of each row of a bulk run, on the disk before anything is sent: a run that was killed can go on.

One SQLite file in the mode of exclusive locking, so that two runs never share it. Every change is on the disk when
its function returns. The file holds the rows as they are sent, secret values among them, and no credential.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .encoding import File
from .errors import REFUSALS, CallError, RunnerError, ServiceError, SpecError, TransportError
from .response import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Outcome = Result | RunnerError

Json = dict[str, Any]
WAITING, SENT, DONE, REFUSED, UNKNOWN = range(5)
WORDS = ("waiting", "sent", "done", "refused", "unknown")
CHUNK = 500  # rows that are read at once
_MARK = "\0file"  # no key of an input begins so
_TABLES = (
    "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS rows"
    " (number INTEGER PRIMARY KEY, line INTEGER, input TEXT, source TEXT, state INTEGER, outcome TEXT)",
    "CREATE INDEX IF NOT EXISTS states ON rows (state)",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: its number from 1, its line in a file, its input and its cells as JSON text, what became of it."""

    number: int
    line: int
    input: str
    source: str
    state: int
    told: str

    @property
    def values(self) -> Json:
        """The input of its call."""
        return dict(unpacked(self.input))

    @property
    def outcome(self) -> Outcome | None:
        """What came of the call, where that is known."""
        return read(self.told) if self.told else None


class Journal:
    """An open journal. Raises CallError where its file can't be used, or another run has it open."""

    def __init__(self, path: str, *, brief: bool = False) -> None:
        """A `brief` journal is nobody's to go on with: it need not be on the disk when power fails."""
        self.path, self._lock = path, threading.Lock()
        with self._told():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._base = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._told():
                self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
                tables = {name for (name,) in self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                if not tables <= {"about", "rows"}:  # somebody's own: a journal is deleted when all was done
                    raise self._stranger()
                self._base.execute("PRAGMA journal_mode = WAL")
                self._base.execute(f"PRAGMA synchronous = {'OFF' if brief else 'FULL'}")
                self._base.execute("BEGIN IMMEDIATE")
                for table in _TABLES:
                    self._base.execute(table)
                self._base.execute("COMMIT")
        except CallError:
            self._base.close()
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The errors of the disk in plain words."""
        try:
            yield
        except sqlite3.Error as error:
            said = str(error)
            if "locked" in said:
                hint = "wait for it to end, or name another journal"
                raise CallError(f"another run is using the journal {self.path}", hint=hint) from None
            if "not a database" in said or "no such column" in said or "has no column" in said:
                raise self._stranger() from None
            raise CallError(f"can't write the journal {self.path}: {said}", hint=_PLACE) from None
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise CallError(f"can't write the journal {self.path}: {said}", hint=_PLACE) from None

    def _stranger(self) -> CallError:
        return CallError(f"{self.path} is no journal of a bulk run", hint="name another file")

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Several statements as one, on the disk at its end."""
        with self._lock, self._told():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled it back already
                    self._base.execute("ROLLBACK")
                raise

    def _ask(self, text: str, *values: object) -> list[Any]:
        with self._lock, self._told():
            return self._base.execute(text, values).fetchall()

    @property
    def about(self) -> Json:
        """What the run is, and `total` and `digest` of its rows once all of them are here."""
        return {key: json.loads(value) for key, value in self._ask("SELECT key, value FROM about")}

    def begin(self, about: Json) -> None:
        """Forget what was here: this is a run of something else."""
        with self._change() as base:
            base.execute("DELETE FROM about")
            base.execute("DELETE FROM rows")
            _note(base, about)

    def add(self, rows: Iterable[tuple[int, int, str, str]]) -> None:
        """Take rows that wait to be sent: number, line, input and cells as JSON text."""
        with self._change() as base:
            base.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, 0, '')", rows)

    def seal(self, total: int, digest: str) -> None:
        """Say that all rows are here, so that the first may be sent."""
        with self._change() as base:
            _note(base, {"total": total, "digest": digest})

    def mark(self, numbers: Sequence[int], state: int) -> None:
        """Say of rows that they wait, or that they are about to leave."""
        with self._change() as base:
            base.executemany("UPDATE rows SET state = ? WHERE number = ?", [(state, number) for number in numbers])

    def tell(self, found: Iterable[tuple[int, int, Outcome]]) -> None:
        """Say what became of rows: number, state, outcome. One that waits again has none."""
        rows = [(state, written(outcome) if state != WAITING else "", number) for number, state, outcome in found]
        with self._change() as base:
            base.executemany("UPDATE rows SET state = ?, outcome = ? WHERE number = ?", rows)

    def entries(self, *states: int) -> Iterator[Entry]:
        """The rows in order, of these states where some are named. Others may change meanwhile."""
        last, where = 0, f"AND state IN ({', '.join(map(str, states))})" if states else ""
        text = f"SELECT number, line, input, source, state, outcome FROM rows WHERE number > ? {where}"  # noqa: S608
        while rows := self._ask(f"{text} ORDER BY number LIMIT {CHUNK}", last):
            for row in rows:
                yield Entry(*row)
            last = rows[-1][0]

    def counts(self) -> dict[str, int]:
        """How many rows are in each state, by its word."""
        found = dict(self._ask("SELECT state, COUNT(*) FROM rows GROUP BY state"))
        return {word: found.get(state, 0) for state, word in enumerate(WORDS)}

    def close(self) -> None:
        """Close the file. A second time does nothing."""
        with self._lock:
            self._base.close()

    def remove(self) -> None:
        """Close the file and delete it."""
        self.close()
        for name in (self.path, f"{self.path}-wal", f"{self.path}-shm"):  # what is left without the first is nothing
            with suppress(OSError):
                os.remove(name)


_PLACE = "a run needs a journal to be able to go on; name a file that can be written with --journal"


def _note(base: sqlite3.Connection, about: Json) -> None:
    rows = [(key, json.dumps(value, ensure_ascii=False, sort_keys=True)) for key, value in about.items()]
    base.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", rows)


def packed(value: Any) -> str:
    """A value as JSON text, files and bytes too. Raises TypeError or ValueError where it can't be."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_boxed)


def _boxed(value: object) -> Json:
    if isinstance(value, File):
        return {_MARK: [value.name, value.base64]}
    if isinstance(value, bytes):
        return {_MARK: base64.b64encode(value).decode()}
    raise TypeError(f"a Python {type(value).__name__} can't be sent")


def unpacked(text: str) -> Any:
    """The value of such a text."""
    return json.loads(text, object_hook=_unboxed)


def _unboxed(found: Json) -> Any:
    box = found.get(_MARK)
    if box is None:
        return found
    return base64.b64decode(box) if isinstance(box, str) else File(box[0], base64.b64decode(box[1]))


_CLASSES: dict[str, type[RunnerError]] = {one.__name__: one for one in (CallError, SpecError)}


def written(outcome: Outcome) -> str:
    """An outcome as JSON text."""
    if isinstance(outcome, Result):
        return packed({"value": outcome.value, "meta": dict(outcome.meta)})
    more: Json = {"rejected": outcome.rejected} if isinstance(outcome, ServiceError) else {}
    return packed({"class": type(outcome).__name__, **outcome.as_dict(), **more})


def read(text: str) -> Outcome:
    """The outcome of such a text."""
    found = unpacked(text)
    if "class" not in found:
        return Result(found["value"], found["meta"], found["value"])
    same = {name: found[name] for name in ("hint", "method")}
    if found["class"] == "TransportError":
        return TransportError(found["message"], outcome=found["outcome"], status=found["status"], **same)
    if "rejected" in found:
        words = {name: found.get(name) for name in ("code", "status", "kind", "rejected", "details")}
        words["outcome"] = found.get("outcome", "")
        return REFUSALS.get(found["kind"], ServiceError)(found["message"], **words, **same)
    return _CLASSES.get(found["class"], RunnerError)(found["message"], **same)
