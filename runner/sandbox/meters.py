"""What the declared limits have to say: buckets that leak, and the time that each method has used up."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..limit import seconds
from .envelope import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..limit import Limit
    from ..spec import Method, Service

_WINDOW, _PARTS = "10m", 10
_ROUNDING = 1e-6  # drops: the seconds of a clock are no finer


@dataclass(slots=True)
class _Part:
    """The time used in one part of a window: which part, its first call in Unix seconds, seconds in all."""

    number: int
    begun: float
    used: float = 0.0


@dataclass(slots=True)
class Meters:
    """Buckets by their declared key and the caller's address, windows by their declared key.

    Where they are not `enforced`, they count and refuse nobody. Times are seconds of the clock that is handed in.
    """

    clock: Callable[[], float]
    account: Mapping[str, Any]
    enforced: bool = False
    _levels: dict[tuple[object, ...], tuple[float, float]] = field(default_factory=dict)
    _windows: dict[tuple[object, ...], deque[_Part]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def knock(self, service: Service, method: str, source: str, *, inner: bool = False) -> None:
        """Let a request in. Raises Refused where a bucket would run over; what is refused adds nothing to it.

        A call inside another one (`inner`) fills only the buckets that each method has for itself.
        """
        if not self.enforced:
            return
        now = self.clock()
        with self._lock:
            levels = {}
            for limit in service.limits:
                if not limit.rate or (inner and "method" not in limit.per):
                    continue
                key = (limit.rate, limit.burst, source, *self._key(limit, method))
                level, since = self._levels.get(key, (0.0, now))
                level = max(0.0, level - max(0.0, now - since) * limit.rate) + 1
                if level > limit.burst + _ROUNDING:
                    raise _refused("rate", now, (level - limit.burst) / limit.rate)
                levels[key] = (level, now)
            self._levels.update(levels)

    def admit(self, method: Method) -> None:
        """Let a call in. Raises Refused where its method has used more than its time already."""
        if not self.enforced:
            return
        now = self.clock()
        with self._lock:
            for limit, window in self._of(method, now):
                if sum(part.used for part in window) > limit.cap:
                    raise _refused("cost", now, window[0].begun + _length(method.service) - now)

    def charge(self, method: Method, used: float) -> None:
        """Write down what a call has taken, in seconds."""
        now = self.clock()
        number = int(now * _parts(method.service) / _length(method.service))
        with self._lock:
            for _, window in self._of(method, now):
                if not window or window[-1].number != number:
                    window.append(_Part(number, now))
                window[-1].used += used

    def shown(self, method: Method) -> tuple[float | None, int | None]:
        """What a method has used in the window, and the Unix second at which the oldest part of it is free again."""
        with self._lock:
            for _, window in self._of(method, self.clock()):
                if window:
                    return sum(part.used for part in window), int(window[0].begun + _length(method.service))
        return None, None

    def _of(self, method: Method, now: float) -> Iterator[tuple[Limit, deque[_Part]]]:
        """The windows of a method, without the parts whose time is over."""
        for limit in method.service.limits:
            if limit.cost:
                key = (limit.cost, limit.cap, *self._key(limit, method.name.lower()))
                window = self._windows.setdefault(key, deque())
                while window and window[0].begun + _length(method.service) <= now:
                    window.popleft()
                yield limit, window

    def _key(self, limit: Limit, method: str) -> tuple[object, ...]:
        return tuple(method if name == "method" else self.account.get(name) for name in limit.per)


def _refused(kind: str, now: float, wait: float) -> Refused:
    return Refused(kind, wait=round(wait, 3), wait_ms=round(wait * 1000), until=round(now + wait, 3))


def _length(service: Service) -> float:
    return seconds(service.sandbox.get("costs", {}).get("window", _WINDOW))


def _parts(service: Service) -> int:
    return int(service.sandbox.get("costs", {}).get("parts", _PARTS))
