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

from .bucket import JUMP, MAKING, OPERATIONS, READING, SHARE, UNKNOWN
from .errors import CallError, RunnerWarning
from .folders import folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .bucket import State

FILE = "limits.db"
PATIENCE = 2.0  # seconds until a file that another process holds is given up
SWIFT = 0.5  # seconds until a server that does not answer is given up
REST = 30.0  # seconds until what failed is tried again
DAY = 86_400_000  # milliseconds, after which a server forgets


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


class LedgerError(Exception):
    """A ledger can't be read or written. Nobody but `Lasting` sees it."""


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
    """A ledger that can't fail: while the one it stands for does, this process keeps its own numbers, and says so."""

    def __init__(self, ledger: Ledger, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._spare, self._name, self._clock = ledger, Memory(), name, clock
        self._again = float("-inf")
        self._told = False
        self.users = 0

    def turn(self, key: bytes, operation: str, now: float, *numbers: float, unless: bytes = b"") -> float:
        """As `Ledger.turn`."""
        if self._again > self._clock():
            return self._spare.turn(key, operation, now, *numbers, unless=unless)
        try:
            return self._ledger.turn(key, operation, now, *numbers, unless=unless)
        except LedgerError as error:
            self._again = self._clock() + REST
            answer = self._spare.turn(key, operation, now, *numbers, unless=unless)
            if not self._told:
                self._told = True
                message = f"can't share the limits through {self._name}: {error}; other programs are not seen"
                warnings.warn(message, RunnerWarning, stacklevel=2)
            return answer

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


class Redis:
    """The numbers of many machines in one Redis, whose clock is that of all. It is only asked when it is needed."""

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError:
            raise CallError("limits in a Redis need its client", hint="pip install 'declarest[redis]'") from None
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._fault = redis.RedisError
        try:
            self._client = redis.Redis.from_url(
                url, socket_timeout=SWIFT, socket_connect_timeout=SWIFT, retry=Retry(NoBackoff(), 1)
            )
        except ValueError:  # its text may quote a part of the password
            raise CallError("the limits name no Redis", hint="write redis://host:port/0") from None
        self._script = self._client.register_script(_LUA)

    def turn(self, key: bytes, operation: str, now: float, *numbers: float, unless: bytes = b"") -> float:
        """As `Ledger.turn`, at the server's time instead of `now`. Raises LedgerError."""
        del now
        keys = [f"declarest:limit:{one.hex()}" for one in (key, unless) if one]
        try:
            return float(self._script(keys=keys, args=[operation, DAY, *map(repr, numbers)]))
        except self._fault as error:
            raise LedgerError(type(error).__name__) from None  # its text may hold the address with a password

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


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


# The operations of `bucket`, line by line: a test holds the two together.
_LUA = f"""
local JUMP, SHARE, UNKNOWN = {JUMP}, {SHARE}, {UNKNOWN}
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return tostring({UNKNOWN}) end
local kept, time = redis.call('GET', KEYS[1]), redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local a = {{}}
for i = 3, #ARGV do a[i - 2] = tonumber(ARGV[i]) end
local s = nil
if kept then
  s = {{}}
  for i = 1, #kept / 8 do s[i] = struct.unpack('<d', kept, i * 8 - 7) end
end
local max, min, floor = math.max, math.min, math.floor

local function bucket(step, slack)
  if not s then return now, 0, now end
  local since, count, seen = s[1], s[2], s[3]
  if now < seen - JUMP then since, seen = since + now - seen, now end
  if now >= since + slack + count * step then return now, 0, max(now, seen) end
  return since, count, max(now, seen)
end

local function window(long)
  if s and now - s[6] >= -JUMP and now - s[6] <= long then return s end
  return nil
end

local does = {{}}
function does.take(step, burst, slack, most)
  local since, count, seen = bucket(step, slack)
  local over, pause = count + 1 - burst, 0
  if over > 0 then pause = max(0, since + slack + over * step - now) end
  if pause > most then return s, pause end
  return {{since, count + 1, seen}}, pause
end
function does.fill(step, burst, slack, told)
  local since, count, seen = bucket(step, slack)
  local level = count - max(0, now - since - slack) / step
  return {{now + min(told, slack + step) - slack - step, max(level, burst), seen}}, 0
end
function does.free(step, burst, slack)
  local since, count = bucket(step, slack)
  return s, max(0, floor(burst - count + max(0, now - since - slack) / step))
end
function does.opened()
  return s, s and s[2] == 1 and s[1] or UNKNOWN
end
function does.delay(since, seconds)
  if not s or s[1] ~= since then return s, 0 end
  return {{since + seconds, s[2], s[3]}}, 0
end

function does.spend(used, before, till, cap, long)
  local last, ending, cost, _, following = unpack(window(long) or {{before, 0, 0, 0, now, now}})
  if till < ending or (till == ending and used < last) then return s, 0 end
  if last >= 0 and last < used then
    if cost > 0 then cost = (cost + used - last) / 2 else cost = used - last end
  end
  if used >= cap then return {{used, till, cost, max(cost, 1), max(following, till), now}}, 0 end
  local pace = 0
  if used >= SHARE * cap then pace = max(0, till - now) * cost / (cap - used) end
  if pace == 0 then following = now else following = min(following, now + max(0, till - now)) end
  return {{used, till, cost, pace, following, now}}, 0
end

function does.hold(calls, long, most)
  local kept = window(long)
  if not kept then return s, 0 end
  local used, till, cost, pace, following, seen = unpack(kept)
  local start = max(following, now)
  local pause = min(start - now, long)
  if pause > most then return s, pause end
  return {{used, till, cost, pace, start + calls * pace, seen}}, pause
end

function does.block(till, cap, long)
  local used, ending, cost, _, following = unpack(window(long) or {{cap, 0, 0, 0, now, now}})
  if till == UNKNOWN then
    if ending > now then till = ending else till = now + long / 10 end
  end
  return {{max(used, cap), till, cost, max(cost, 1), max(following, till), now}}, 0
end
function does.due(long)
  local kept = window(long)
  return s, kept and min(max(0, kept[5] - now), long) or 0
end
function does.pace(long)
  local kept = window(long)
  return s, kept and kept[4] or 0
end

local new, answer = does[ARGV[1]](unpack(a))
if new and new ~= s then
  local packed = ''
  for i = 1, #new do packed = packed .. struct.pack('<d', new[i]) end
  redis.call('SET', KEYS[1], packed, 'PX', ARGV[2])
end
return string.format('%.17g', answer)
"""
