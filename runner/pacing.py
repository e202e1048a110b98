"""How long to wait, before asking and before asking again. Nothing here sleeps, and the clock is handed in."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import query
from .errors import LimitExceeded, RunnerError, ServiceError, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .response import Reply
    from .spec import Limit, Method


def reserve(level: float, elapsed: float, rate: float, burst: float) -> tuple[float, float]:
    """Take one drop from a leaky bucket.

    `level` drops lay in it `elapsed` seconds ago; it drains `rate` drops a second and holds `burst`.
    Returns the new level, and the seconds to wait before the drop may fall.
    """
    level = max(0.0, level - max(0.0, elapsed) * rate) + 1
    return level, max(0.0, (level - burst) / rate)


@dataclass(slots=True)
class Book:
    """What has been used of each limit, for all threads of one client. Times are Unix seconds.

    A book that is not `kept` holds nobody up: a service on this machine has no limits to spare.
    """

    kept: bool = True
    levels: dict[tuple[object, ...], tuple[float, float]] = field(default_factory=dict)
    blocked: dict[tuple[object, ...], float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, method: Method, credentials: Mapping[str, Any], now: float) -> float:
        """Take a place in every bucket of a call; the seconds until the call may go."""
        longest = 0.0
        if not self.kept:
            return longest
        with self.lock:
            for limit in method.service.limits:
                key = _key(limit, method, credentials)
                if limit.rate:
                    level, since = self.levels.get(key, (0.0, now))
                    level, pause = reserve(level, now - since, limit.rate, limit.burst)
                    self.levels[key] = (level, now)
                else:
                    pause = self.blocked.get(key, now) - now
                longest = max(longest, pause)
        return longest

    def free(self, method: Method, credentials: Mapping[str, Any], now: float) -> tuple[float, float]:
        """How many requests may leave at once, and how many a second; infinite where nothing limits them."""
        free = rate = math.inf
        with self.lock:
            for limit in method.service.limits if self.kept else ():
                if limit.rate:
                    level, since = self.levels.get(_key(limit, method, credentials), (0.0, now))
                    free = min(free, limit.burst - max(0.0, level - (now - since) * limit.rate))
                    rate = min(rate, limit.rate)
        return free, rate

    def note(self, method: Method, credentials: Mapping[str, Any], body: Any, now: float) -> None:
        """Remember what an answer says of the cost windows: a method that used its share waits for the next."""
        for limit in method.service.limits:
            used = query.search(limit.cost, body) if limit.cost else None
            if isinstance(used, (int, float)) and used >= limit.cap:
                until = query.search(limit.until, body) if limit.until else None
                with self.lock:
                    end = float(until) if isinstance(until, (int, float)) else now + limit.cap
                    self.blocked[_key(limit, method, credentials)] = end


def _key(limit: Limit, method: Method, credentials: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        limit.cost,
        limit.rate,
        limit.burst,
        *(method.name if name == "method" else credentials.get(name) for name in limit.per),
    )


def again(  # noqa: PLR0913 - each of them decides
    method: Method,
    error: RunnerError,
    reply: Reply | None,
    attempt: int,
    now: float,
    dice: Callable[[], float],
    *,
    harmless: bool,
) -> float | None:
    """The seconds after which a failed call may be made again, or None where it must not be.

    Repeated is what the server is known not to have done, and what does no harm twice: a refusal marked
    `rejected`, a request that never left, any failure of a read or of an idempotent call. `attempt` counts from 1;
    `dice` gives a number from 0 to 1; `harmless` says whether the call may be made twice.
    """
    retry = method.service.retry
    if attempt >= retry.tries or _reason(error) not in retry.on:
        return None
    known_harmless = getattr(error, "rejected", False) or getattr(error, "outcome", "") == "not sent"
    if not known_harmless and not harmless:
        return None
    told = _told(method, error, reply, now)
    if told is not None:
        return told
    return min(retry.max, retry.base * retry.factor ** (attempt - 1)) * dice()


def _reason(error: RunnerError) -> str:
    """The word of `retry.on` that an error falls under."""
    if isinstance(error, TransportError):
        if error.final or 300 <= error.status < 500:  # noqa: PLR2004 - an answer of the same kind would come again
            return ""
        return "server" if error.status else "network"
    if isinstance(error, LimitExceeded):
        return "rate_limit"
    return "server" if isinstance(error, ServiceError) and error.kind == "server" else ""


def _told(method: Method, error: RunnerError, reply: Reply | None, now: float) -> float | None:
    """The waiting time that the answer itself gives, in seconds."""
    if reply is None:
        return None
    known = method.refusal(error.code, error.status) if isinstance(error, ServiceError) else None
    body = _body(reply)
    for path, scale, start in (
        (
            (known.wait, 1.0, 0.0),
            (known.wait_ms, 0.001, 0.0),
            (known.until, 1.0, now),
        )
        if known
        else ()
    ):
        found = _number(query.place(path, body, reply.headers)) if path else None
        if found is not None:
            return max(0.0, found * scale - start)
    return _after(reply.headers.get("retry-after", ""), now)


def _after(text: str, now: float) -> float | None:
    """The seconds of a Retry-After, which is a number or a date."""
    from email.utils import parsedate_to_datetime

    found = _number(text)
    try:
        found = parsedate_to_datetime(text).timestamp() - now if found is None else found
    except ValueError:
        return None
    return max(0.0, found)


def _body(reply: Reply) -> Any:
    import json

    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None
