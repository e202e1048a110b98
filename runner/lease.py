"""Places of a bucket that a process takes several at a time, where it calls often, and uses one after another.

A turn of a ledger that others share costs more than all else that is done for a limit. While a bucket is less than
half full (`bucket.take` sees to that), whoever calls faster than it leaks takes two places at a time, then four, then
eight. Places that are not used leak away as if they had been: as many as a bucket leaks meanwhile are given up, so a
server never holds more drops than the ledger has counted. Nothing here reads a clock.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field

MOST = 8.0  # places at a time: an eighth of the turns, and what is lost with a process that is killed leaks soon
LONGEST = 1.0  # seconds for which a place is kept, and so for which nothing is learnt of what others were told
SWIFT = 4.0  # times as fast as a bucket leaks: who calls slower would lose too many places


@dataclass(slots=True)
class Lease:
    """The places of a bucket that were taken last: when, how many, and when each that is left has leaked, first last.

    `clear` holds the keys under which nothing was known at a turn of the ledger, and when that was. All of it is what
    one process knows.
    """

    since: float
    places: float
    process: int
    ends: list[float] = field(default_factory=list)
    clear: dict[bytes, float] = field(default_factory=dict)


class Leases:
    """The leases of a process by the keys of their buckets. Safe for many threads; a child begins with none."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Lease] = {}

    def use(self, key: bytes, now: float, unless: bytes) -> bool:
        """Use a place that is left. Tells whether there was one, and whether nothing is known under `unless`."""
        lease = self._mine(key)
        if lease is None or (unless and now - lease.clear.get(unless, -math.inf) > LONGEST):
            return False
        try:
            while lease.ends.pop() <= now:  # one thread gets it
                pass
        except IndexError:
            return False
        return True

    def wanted(self, key: bytes, now: float, step: float) -> float:
        """How many places to ask for: where none is left, twice those of the last time, if they were used up fast."""
        lease = self._mine(key)
        if lease is None or lease.ends or (now - lease.since) * SWIFT >= lease.places * step:
            return 1.0
        return min(MOST, 2 * lease.places)

    def keep(self, key: bytes, now: float, step: float, places: float, unless: bytes) -> None:
        """Keep places that were just taken, but for the one that is used at once.

        What is left of others, or was taken by another thread meanwhile, stays and is used first.
        """
        lease = self._mine(key)
        if lease is None:
            lease = self._kept[key] = Lease(now, places, os.getpid())
        if places > 1 or not lease.ends:
            lease.since, lease.places = now, places
        lease.ends[:0] = [now + min(number * step, LONGEST) for number in range(int(places) - 1, 0, -1)]
        lease.clear[unless] = now

    def left(self, key: bytes, now: float) -> int:
        """How many places of a bucket are left."""
        lease = self._mine(key)
        return sum(end > now for end in lease.ends) if lease else 0

    def forget(self, key: bytes) -> None:
        """Give up the places of a bucket that turns out to be full, and look under `key` before any other is used."""
        self._kept.pop(key, None)
        for lease in [*self._kept.values()]:
            lease.clear.pop(key, None)

    def _mine(self, key: bytes) -> Lease | None:
        lease = self._kept.get(key)
        return lease if lease is not None and lease.process == os.getpid() else None
