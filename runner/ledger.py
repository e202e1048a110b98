"""Where the numbers of the limits are kept: in this process, in a file for the machine, in Redis for many machines.

A ledger has one method, `turn`, which does an operation of `bucket` on what is kept under a key, at once for
everybody. What it loses costs a wait or a refusal at most, so a ledger that fails is replaced, and no call fails.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from contextlib import suppress
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from weakref import WeakValueDictionary, finalize

from .bucket import CLOSING, MAKING, OPERATIONS, READING, UNKNOWN
from .errors import RunnerWarning
from .folders import folder
from .lease import Leases
from .remote import LedgerError, Redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .bucket import State

FILE = "limits.db"
PATIENCE = 2.0  # seconds until a file that another process holds is given up
REST = 30.0  # seconds until what failed is tried again


class Ledger(Protocol):
    """Keeps numbers under keys."""

    def turn(self, key: bytes, operation: str, now: float, *numbers: float, unless: bytes = b"") -> float:
        """Do an operation on what is kept under a key; its answer.

        Where something is kept under the key `unless`, nothing is done and the answer is UNKNOWN.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def key(parts: Iterable[object]) -> bytes:
    """The key of a limit, which tells nothing of the credentials in it."""
    return _digest("\0".join(map(str, parts)))


@lru_cache(maxsize=1024)
def _digest(text: str) -> bytes:
    from hashlib import blake2b

    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def choose(where: str | None) -> Ledger:
    """The ledger that a caller names: `memory`, the address of a Redis, a path, or None for the file of this machine.

    None gives way to DECLAREST_LIMITS. Nothing is opened yet. Raises CallError where what Redis needs is missing.
    """
    place = str(where if where is not None else os.environ.get("DECLAREST_LIMITS") or "")
    if place == "memory":
        return Memory()
    if place.startswith(("redis://", "rediss://", "unix://")):
        return _shared(
            place, lambda: Lasting(Redis(place), f"the Redis at {urlsplit(place).hostname or 'this machine'}")
        )
    path = os.path.expanduser(place) if place else os.path.join(folder("state"), FILE)
    return _shared(os.path.abspath(path), lambda: Lasting(File(path, ours=not place), path))


_ledgers: WeakValueDictionary[str, Lasting] = WeakValueDictionary()


def _shared(place: str, make: Callable[[], Lasting]) -> Lasting:
    """The ledger of a place, one for all clients of this process: a thousand of them open one file."""
    found = _ledgers.get(place)
    if found is None:
        found = _ledgers[place] = make()
    found.users += 1
    return found


class Memory:
    """The numbers of this process, for all its threads."""

    def __init__(self) -> None:
        self._kept: dict[bytes, State] = {}
        self._lock = threading.Lock()

    def turn(self, key: bytes, operation: str, now: float, *numbers: float, unless: bytes = b"") -> float:
        """As `Ledger.turn`."""
        with self._lock:
            if unless in self._kept:
                return UNKNOWN
            state, answer = OPERATIONS[operation](self._kept.get(key), now, *numbers)
            if state is not None:
                self._kept[key] = state
        return answer

    def close(self) -> None:
        """Nothing is open."""


class Lasting:
    """A ledger that can't fail: while the one it stands for does, this process keeps its own numbers, and says so.

    It takes several places at a time for a process that calls fast, which saves most of the turns of the other.
    """

    def __init__(self, ledger: Ledger, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._spare, self._name, self._clock = ledger, Memory(), name, clock
        self._leases = Leases()
        self._again = float("-inf")
        self._told = False
        self.users = 0

    def turn(self, key: bytes, operation: str, now: float, *numbers: float, unless: bytes = b"") -> float:
        """As `Ledger.turn`."""
        if self._again > self._clock():
            return self._spare.turn(key, operation, now, *numbers, unless=unless)
        try:
            if operation == "take":
                return self._taken(key, now, *numbers, unless=unless)
            answer = self._ledger.turn(key, operation, now, *numbers, unless=unless)
        except LedgerError as error:
            self._again = self._clock() + REST
            answer = self._spare.turn(key, operation, now, *numbers, unless=unless)
            if not self._told:
                self._told = True
                message = f"can't share the limits through {self._name}: {error}; other programs are not seen"
                warnings.warn(message, RunnerWarning, stacklevel=2)
            return answer
        if operation in CLOSING:
            self._leases.forget(key)
        return answer + self._leases.left(key, now) if operation == "free" else answer

    def _taken(self, key: bytes, now: float, step: float, *numbers: float, unless: bytes) -> float:
        """Take a place: one of those that were taken together, else one of the ledger's, or several for the next."""
        leases = self._leases
        if leases.use(key, now, unless):
            return 0.0
        answer = self._ledger.turn(key, "take", now, step, *numbers, leases.wanted(key, now, step), unless=unless)
        if answer != UNKNOWN:
            leases.keep(key, now, step, max(1.0, -answer), unless)
        return answer if answer >= UNKNOWN else 0.0

    def close(self) -> None:
        """Let go of what is open, when nobody else uses it; whoever does has it opened again."""
        self.users -= 1
        if self.users <= 0:
            self._ledger.close()


class File:
    """The numbers of a machine in a small SQLite file, for all its processes. It is only opened when it is used.

    It holds hashes and numbers. Losing it to a crash costs nothing, so nobody waits for the disk; one that is `ours`
    and damaged is made anew.
    """

    def __init__(self, path: str, *, ours: bool) -> None:
        self._path, self._ours = path, ours
        self._lock, self._process = threading.Lock(), os.getpid()
        self._open: Any = None
        self._end: Any = None
        self._failed, self._fault = float("-inf"), ""
        self._work: list[Callable[[bytes | None], bytes]] = []  # not in self, which the connection would keep alive

    def turn(self, key: bytes, operation: str, now: float, *numbers: float, unless: bytes = b"") -> float:
        """As `Ledger.turn`. Raises LedgerError."""
        import sqlite3

        self._come_to_life()
        began, mended = time.monotonic(), False
        while True:
            try:
                with self._lock:
                    if self._failed > began:  # while this thread waited for another one, which waited long enough
                        raise LedgerError(self._fault)
                    return self._turned(self._open or self._opened(), key, operation, now, numbers, unless)
            except (sqlite3.Error, OSError) as error:
                self.close()
                if mended or not self._damaged(error):
                    self._fault = str(getattr(error, "strerror", None) or error)
                    self._failed = time.monotonic()
                    raise LedgerError(self._fault) from None
                mended = True

    def _come_to_life(self) -> None:
        """Begin anew in a child: a connection must not cross a fork, nor a lock that a thread of the parent held."""
        if self._process != os.getpid():
            self._lock, self._process, self._open, self._end = threading.Lock(), os.getpid(), None, None

    def _damaged(self, error: Exception) -> bool:
        """Whether the file is ours and no database any more; then it is taken away."""
        import sqlite3

        if not self._ours or isinstance(error, (sqlite3.OperationalError, OSError)):
            return False
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(self._path + end)
        return True

    def _turned(  # noqa: PLR0913 - those of a turn
        self, connection: Any, key: bytes, operation: str, now: float, numbers: tuple[float, ...], unless: bytes
    ) -> float:
        function, answer = OPERATIONS[operation], UNKNOWN
        if operation not in MAKING:
            row = connection.execute("SELECT state FROM limits WHERE key = ?", (key,)).fetchone()
            if row is None or operation in READING:
                return function(_unpacked(row and row[0]), now, *numbers)[1]

        def work(kept: bytes | None) -> bytes:
            nonlocal answer
            state, answer = function(_unpacked(kept), now, *numbers)
            return _packed(state or ())

        self._work[:] = [work]
        if connection.execute(_CHANGE, (key, unless)).rowcount == 0:  # nothing is kept yet, or something by `unless`
            connection.execute(_BEGIN, (key, unless))
        return answer

    def _opened(self) -> Any:
        import sqlite3

        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._begun()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:  # SQLite does not wait for what begins a file
                    raise
                time.sleep(0.005)

    def _begun(self) -> Any:
        import sqlite3

        os.makedirs(os.path.dirname(os.path.abspath(self._path)), mode=0o700, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        made = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        end, work = finalize(self, _closed, made, os.getpid()), self._work
        try:
            made.create_function("work", 1, lambda kept: work[0](kept))  # noqa: PLW0108 - it changes each time
            made.execute("PRAGMA page_size = 512")  # a turn writes one page: what is small and soon used again is cheap
            made.execute("PRAGMA journal_mode = WAL")
            made.execute("PRAGMA wal_autocheckpoint = 64")
            made.execute("PRAGMA synchronous = OFF")
            made.execute("CREATE TABLE IF NOT EXISTS limits (key BLOB PRIMARY KEY, state BLOB) WITHOUT ROWID")
        except sqlite3.Error:
            end()
            raise
        self._open, self._end = made, end
        return made

    def close(self) -> None:
        """Close the file, once nobody writes in it; the next turn opens it again."""
        self._come_to_life()
        with self._lock:
            if self._end is not None:
                self._end()
            self._open = self._end = None


_CHANGE = """
UPDATE limits SET state = work(state) WHERE key = ? AND NOT EXISTS (SELECT 1 FROM limits WHERE key = ?)
"""
_BEGIN = """
INSERT INTO limits SELECT ?, work(NULL) WHERE NOT EXISTS (SELECT 1 FROM limits WHERE key = ?)
ON CONFLICT (key) DO UPDATE SET state = work(state)
"""
_STRUCTS = {size: Struct(f"<{size // 8}d") for size in (0, 24, 48)}  # nothing, a bucket, a cost window


def _packed(state: State) -> bytes:
    return _STRUCTS[8 * len(state)].pack(*state)


def _unpacked(kept: bytes | None) -> State | None:
    form = _STRUCTS.get(len(kept or b""))
    return form.unpack(kept) if form and kept else None


def _closed(connection: Any, process: int) -> None:
    if process == os.getpid():
        connection.close()
