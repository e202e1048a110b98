"""How long to wait, before asking and before asking again. Nothing here sleeps, and the clock is handed in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import ledger, query
from .bucket import FOREVER, SHARE, SLACK, UNKNOWN
from .errors import LimitExceeded, RunnerError, ServiceError, TransportError
from .ledger import Ledger, Memory

if TYPE_CHECKING:
    from .limit import Limit
    from .response import Reply
    from .spec import Method

Credentials = Mapping[str, Any]


@dataclass(slots=True)
class Book:
    """What has been used of each limit, in a ledger that may be that of the whole machine. `now` is Unix seconds.

    A book that is not `kept` holds nobody up: a service on this machine has no limits to spare. Buckets go by
    the `steady` clock where there is one: it is the same for all processes and nobody sets it.
    """

    kept: bool = True
    ledger: Ledger = field(default_factory=Memory)
    steady: Callable[[], float] | None = None
    last: dict[bytes, float] = field(default_factory=dict)
    slowed: set[bytes] = field(default_factory=set)
    left: dict[bytes, float] = field(default_factory=dict)
    began: dict[bytes, tuple[float, float]] = field(default_factory=dict)
    keys: dict[tuple[int, str, str], tuple[Limit, Credentials, bytes]] = field(default_factory=dict, repr=False)

    def hold(
        self,
        method: Method,
        credentials: Credentials,
        now: float,
        *,
        inside: Iterable[Method] = (),
        most: float = FOREVER,
    ) -> float:
        """Take a turn in the cost windows of a call and of the calls `inside` it; the seconds until it comes.

        It comes before the place in the buckets, which is not to be taken long before it is used. No turn is
        taken where the seconds would be more than `most`.
        """
        longest = 0.0
        if not self.kept:
            return longest
        for one, calls in Counter(other.name for other in inside).items() if inside else ((method.name, 1),):
            for limit in method.service.limits:
                if limit.cost:
                    key = self._key(limit, method, credentials, one)
                    pause = self.ledger.turn(key, "hold", now, calls, _window(limit), most)
                    longest = max(longest, pause)
                    if pause:
                        self.slowed.add(key)
        return longest

    def wait(self, method: Method, credentials: Credentials, now: float, *, most: float = FOREVER) -> float:
        """Take a place in every bucket of a call; the seconds until the call may go.

        No place is taken in a bucket where the seconds would be more than `most`: who gives up leaves no gap.
        """
        return self._taken(method, credentials, now, most) or 0.0

    def _key(self, limit: Limit, method: Method, credentials: Credentials, name: str = "") -> bytes:
        """Under what the numbers of a limit are kept for a call, or for the call of another name inside it."""
        mark = (id(limit), method.service.name, name or method.name)
        last = self.keys.get(mark)
        if last is None or last[0] is not limit or last[1] is not credentials:
            who = [(name or method.name) if one == "method" else credentials.get(one) for one in limit.per]
            key = ledger.key((method.service.name, limit.cost, limit.rate, limit.burst, *who))
            last = self.keys[mark] = (limit, credentials, key)
        return last[2]

    def enter(
        self,
        method: Method,
        credentials: Credentials,
        now: float,
        *,
        inside: Iterable[Method] = (),
        most: float = FOREVER,
    ) -> float | None:
        """`hold` and `wait` in one turn of the ledger, as long as no cost window of the method is known.

        None where one is, or may be, and where several methods are `inside`; then nothing is taken.
        """
        costs = [limit for limit in method.service.limits if limit.cost]
        names = {other.name for other in inside} or {method.name}
        if max(len(costs), len(names)) > 1 or not any(limit.rate for limit in method.service.limits):
            return None
        unless = self._key(costs[0], method, credentials, *names) if costs and self.kept else b""
        return self._taken(method, credentials, now, most, unless)

    def _taken(
        self, method: Method, credentials: Credentials, now: float, most: float, unless: bytes = b""
    ) -> float | None:
        """The seconds until a call may go, its places taken; None where something is kept under the key `unless`."""
        longest = 0.0
        if not self.kept:
            return longest
        now = self.steady() if self.steady else now
        for limit in method.service.limits:
            if limit.rate:
                key = self._key(limit, method, credentials)
                pause = self.ledger.turn(key, "take", now, 1 / limit.rate, limit.burst, SLACK, most, unless=unless)
                if pause == UNKNOWN:
                    return None
                unless = b""  # it is looked for before the first place is taken
                longest = max(longest, pause)
                if now - self.left.get(key, -math.inf) > _KEPT:
                    since = self.ledger.turn(key, "opened", now)
                    if since != UNKNOWN:
                        self.began[key] = (since, now)
                self.left[key] = now + pause
        return longest

    def came(self, method: Method, credentials: Credentials, now: float) -> None:
        """Learn from the first answer on a new connection when the server began to count.

        The first request takes longer than those after it, which find the connection made. Where it was the first
        one in an empty bucket, that begins to leak at the server so much later than it does here.
        """
        if not self.began:
            return
        now = self.steady() if self.steady else now
        for limit in method.service.limits:
            key = self._key(limit, method, credentials)
            since, at = self.began.pop(key, (UNKNOWN, now))
            if since != UNKNOWN:
                self.ledger.turn(key, "delay", now, since, min(max(0.0, now - at), _LATEST))

    def free(self, method: Method, credentials: Credentials, now: float) -> tuple[float, float]:
        """How many requests may leave at once, and how many a second from then on; nothing is taken.

        Both are infinite where nothing limits.
        """
        most, rate = math.inf, math.inf
        steady = self.steady() if self.steady else now
        for limit in method.service.limits if self.kept else ():
            key = self._key(limit, method, credentials)
            if limit.rate:
                most = min(most, self.ledger.turn(key, "free", steady, 1 / limit.rate, limit.burst, SLACK))
                rate = min(rate, limit.rate)
            elif pace := self.ledger.turn(key, "pace", now, _window(limit)):
                most = min(most, 0.0 if self.ledger.turn(key, "due", now, _window(limit)) else 1.0)
                rate = min(rate, 1 / pace)
        return most, rate

    def note(self, method: Method, credentials: Credentials, body: Any, now: float) -> None:
        """Remember what an answer says of the cost windows: who nears a cap is slowed down before it is reached.

        `body` is a whole answer, or what a batch tells of one call in the shape of a whole answer.
        """
        for limit in method.service.limits if self.kept else ():
            used = query.search(limit.cost, body) if limit.cost else None
            if not isinstance(used, (int, float)) or not math.isfinite(used):
                continue
            key = self._key(limit, method, credentials)
            before = self.last.get(key, UNKNOWN)
            self.last[key] = used
            if max(used, before) >= SHARE * limit.cap or key in self.slowed:  # the latter may just have been set free
                self.slowed.discard(key)
                until = query.search(limit.until, body) if limit.until else None
                known = isinstance(until, (int, float)) and math.isfinite(until)
                end = min(float(until or 0), now + _window(limit)) if known else now + (limit.window or limit.cap)
                self.ledger.turn(key, "spend", now, used, before, end, limit.cap, _window(limit))

    def refused(
        self,
        method: Method,
        credentials: Credentials,
        error: RunnerError,
        now: float,
        reply: Reply | None = None,
    ) -> None:
        """Learn from a refusal that a limit is used up, by whomever; other errors teach nothing.

        One whose code is declared with `until` is that of a cost window, where the service has one: its method is
        held until then. Any other one says that the buckets are full.
        """
        if not self.kept or not isinstance(error, LimitExceeded) or not (error.code or error.status):
            return
        limits = method.service.limits
        known = method.refusal(error.code, error.status, error.message)
        costs = [limit for limit in limits if limit.cost] if known and known.until else []
        told = _told(method, error, reply, now)
        steady = self.steady() if self.steady else now
        for limit in costs or limits:
            key = self._key(limit, method, credentials)
            if limit.cost and costs:
                until = UNKNOWN if told is None else now + min(told, _window(limit))
                self.ledger.turn(key, "block", now, until, limit.cap, _window(limit))
            elif limit.rate:
                pause = FOREVER if told is None else told
                self.ledger.turn(key, "fill", steady, 1 / limit.rate, limit.burst, SLACK, pause)


_DAY = 86400.0
_KEPT = 4.0  # seconds for which a connection is surely kept
_LATEST = 1.0  # seconds: a first answer that takes longer has been worked on


def _window(limit: Limit) -> float:
    """The longest time for which a cost window says anything."""
    return limit.window or (_DAY if limit.until else limit.cap)


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
    return min(retry.max, retry.base * retry.factor ** min(attempt - 1, 64)) * dice()


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
    known = method.refusal(error.code, error.status, error.message) if isinstance(error, ServiceError) else None
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
