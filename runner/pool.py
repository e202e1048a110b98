"""Connections that nobody uses at the moment, kept for all clients of this process. Nothing is opened here.

Clients share what costs time and memory: connections, and the certificates that are trusted. They share no more
than that: a pool knows hosts and nothing of accounts, and whatever tells who is calling travels in each request.
A client that is closed takes nothing away from the others; the last one to leave has all of the rest closed. A
process that was forked has pools of its own, and so has each event loop.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Hashable

Way = TypeVar("Way")

# A server may close a kept connection at the very moment when a request leaves on it. Nobody can tell that from a
# server that took the request and died, so the outcome is unknown, and a write is not repeated. The library looks
# whether a kept connection was closed before it uses it, and one that was idle for this many seconds is not used.
KEPT = 5.0
MOST_IDLE = 400  # connections, so that a process with thousands of accounts has files left to open


class Pool(Generic[Way]):
    """Idle connections by the origin that they lead to, the one used last first. Safe for many threads.

    `users` are the marks of the clients that may take some.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.users: set[object] = set()
        self.trusted: ssl.SSLContext | None = None
        self.lock = threading.RLock()  # a client that is forgotten may leave while its thread holds the lock
        self._clock = clock
        self._idle: dict[str, list[Way]] = {}
        self._since: dict[Way, tuple[str, float]] = {}

    def take(self, origin: str, user: object) -> Way | None:
        """The connection to an origin that was given back last, None where there is none."""
        with self.lock:
            self.users.add(user)
            idle = self._idle.get(origin)
            if not idle:
                return None
            way = idle.pop()
            del self._since[way]
            return way

    def give(self, origin: str, way: Way) -> list[Way]:
        """Give a connection back, and get those that are to be closed: kept too long, too many, used by nobody."""
        with self.lock:
            if not self.users:
                return [way, *self._emptied()]
            now = self._clock()
            self._idle.setdefault(origin, []).append(way)
            self._since[way] = (origin, now)
            over = []
            while len(self._since) > MOST_IDLE or now - next(iter(self._since.values()))[1] > KEPT:
                oldest = next(iter(self._since))
                place, _ = self._since.pop(oldest)
                self._idle[place].remove(oldest)
                if not self._idle[place]:
                    del self._idle[place]
                over.append(oldest)
            return over

    def leave(self, user: object) -> list[Way]:
        """Use the pool no more, and get the connections that are to be closed: all of them after the last user."""
        self.users.discard(user)
        if self.users:
            return []
        with self.lock:
            return self._emptied()

    def _emptied(self) -> list[Way]:
        found = list(self._since)
        self._idle, self._since = {}, {}
        return found


_pools: dict[Hashable, Pool[Any]] = {}
_pools_of_loops: WeakKeyDictionary[Any, dict[Hashable, Pool[Any]]] = WeakKeyDictionary()


def shared(*key: Hashable, loop: Any = None) -> Pool[Any]:
    """The pool of this process, or of an event loop in it, for connections that are made alike."""
    pools = _pools if loop is None else _pools_of_loops.setdefault(loop, {})
    return pools.setdefault((os.getpid(), *key), Pool())
