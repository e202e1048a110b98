"""A portal on this machine for the benchmarks: the few calls that they need, answered as fast as one process can.

    python tests/benchmarks/portal.py rows=5000 latency=0.05 page=0.02 burst=50 rate=2 [tls=FILE]

It prints its address, and serves until its standard input ends. `latency` seconds pass before each answer, `page`
seconds more for each call of a batch, one after another as a portal runs them. With a `burst` the leaky bucket holds:
a request that finds it full is refused and adds nothing. Requests are served side by side, without limit.
Deals are numbered 1 to `rows`; what is not modelled (another filter, another method) is refused, never ignored.

`/control` answers the counts and, where a body of settings is posted, sets them and begins to count anew.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import count
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote_plus

Json = dict[str, Any]
SETTINGS = {"rows": 5000, "latency": 0.0, "page": 0.0, "burst": 0, "rate": 2.0, "record": 0}
PAGE, BATCH = 50, 50
FIRST_NEW = 10_000_001
ROW = (
    b'{"ID":"%d","TITLE":"Deal %d","STAGE_ID":"NEW","CATEGORY_ID":"0","OPPORTUNITY":"%d.00","CURRENCY_ID":"EUR",'
    b'"ASSIGNED_BY_ID":"1","COMMENTS":null,"DATE_CREATE":"2026-01-02T03:04:05+03:00"}'
)
REFERENCE = re.compile(r"\$result\[([^\]]*)\]((?:\[[^\]]*\])*)")
HEAD = b"HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 503: b"Service Unavailable"}


class Refusal(Exception):
    """What the portal says no with."""

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status
        self.body = json.dumps({"error": code, "error_description": text}).encode()


def form(text: str) -> Json:
    """A PHP query as nested maps: `filter[>ID]=5&select[]=ID`."""
    found: Json = {}
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        key, *steps = unquote_plus(name).replace("]", "").split("[")
        here = found
        for step in steps:
            here = here.setdefault(key, {})
            key = step or str(len(here))
        here[key] = unquote_plus(value)
    return found


def whole(value: Any, otherwise: int) -> int:
    """A number, however it was written."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return otherwise


def many(value: Any) -> list[Any]:
    """The items of a list, of a map of 0, 1, 2, or the value itself."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]


def selected(params: Mapping[str, Any], rows: int) -> Sequence[int]:
    """The numbers of the deals that a filter leaves, in order."""
    low, high, named = 1, rows, None
    for condition, value in (params.get("filter") or {}).items():
        match condition.upper():
            case ">ID":
                low = max(low, whole(value, 0) + 1)
            case ">=ID":
                low = max(low, whole(value, 0))
            case "<ID":
                high = min(high, whole(value, rows + 1) - 1)
            case "<=ID":
                high = min(high, whole(value, rows))
            case "@ID" | "ID" | "=ID":
                named = {whole(one, 0) for one in many(value)}
            case _:
                raise Refusal("ERROR_ARGUMENT", f"this portal knows no filter {condition}")
    numbers: Sequence[int] = range(low, max(low, high + 1))
    if named is not None:
        numbers = sorted(one for one in named if one in numbers)
    order = {name.upper(): str(way).upper() for name, way in (params.get("order") or {}).items()}
    if set(order) - {"ID"}:
        raise Refusal("ERROR_ARGUMENT", f"this portal orders by ID, not by {order}")
    return numbers[::-1] if order.get("ID") == "DESC" else numbers


def deal(number: int) -> bytes:
    """One deal as JSON."""
    return ROW % (number, number, number)


@lru_cache(maxsize=2048)
def page_of(numbers: range) -> bytes:
    """The deals of a page as JSON."""
    return b"[" + b",".join(map(deal, numbers)) + b"]"


def listed(params: Mapping[str, Any], rows: int) -> tuple[Sequence[int], int, int]:
    """A page of deals, how many there are, and where the next page starts: 0 for nowhere."""
    numbers, start = selected(params, rows), whole(params.get("start"), 0)
    if start < 0:
        return numbers[:PAGE], 0, 0
    following = start + PAGE
    return numbers[start:following], len(numbers), following if following < len(numbers) else 0


def written(value: Any) -> bytes:
    """A result as JSON."""
    if isinstance(value, range):
        return page_of(value)
    if isinstance(value, list):
        return b"[" + b",".join(map(deal, value)) + b"]"
    return value if isinstance(value, bytes) else b"%d" % value


def folded(parts: Mapping[str, bytes]) -> bytes:
    """A map as PHP writes it: keys 0, 1, 2 in order make a list, and so does nothing."""
    if list(parts) == [str(place) for place in range(len(parts))]:
        return b"[" + b",".join(parts.values()) + b"]"
    return b"{" + b",".join(b"%s:%s" % (json.dumps(key).encode(), one) for key, one in parts.items()) + b"}"


class Portal:
    """The settings, the bucket, the counts, and what each method does."""

    def __init__(self, settings: Mapping[str, float]) -> None:
        self.settings = SimpleNamespace(**SETTINGS)
        self.flying = 0
        self.reset(settings)

    def reset(self, settings: Mapping[str, float]) -> None:
        """Set, and begin to count anew with an empty bucket."""
        self.settings.__dict__.update(settings)
        self.level, self.since = 0.0, time.monotonic()
        self.requests = self.refusals = self.most = self.answered = 0
        self.longest = 0.0
        self.connections: dict[str, int] = {}
        self.titles: list[str] = []
        self.log: list[tuple[int, str, str]] = []
        self.new = count(FIRST_NEW)

    def counts(self) -> Json:
        """What was counted: `log` holds how many answers had left, the method and the body of each request."""
        titles = [title for title in self.titles if title]
        return {
            "requests": self.requests,
            "refusals": self.refusals,
            "in_flight": self.most,
            "longest": self.longest,
            "connections": self.connections,
            "created": len(self.titles),
            "duplicates": len(titles) - len(set(titles)),
            "log": self.log,
        }

    def full(self) -> bool:
        """Whether the bucket refuses a request that comes now; otherwise it takes the request in."""
        now = time.monotonic()
        self.level, self.since = max(0.0, self.level - (now - self.since) * self.settings.rate), now
        if self.settings.burst and self.level + 1 > self.settings.burst:
            return True
        self.level += 1
        return False

    def answer(self, method: str, body: bytes) -> tuple[int, bytes, float]:
        """The status and the body of an answer, and the seconds until it leaves."""
        self.requests += 1
        if self.settings.record:
            self.log.append((self.answered, method, body.decode()))
        pause = self.settings.latency
        if self.full():
            self.refusals += 1
            return 503, Refusal("QUERY_LIMIT_EXCEEDED", "Too many requests").body, pause
        try:
            params = json.loads(body or b"{}") if body[:1] in (b"{", b"") else form(body.decode())
            if method == "batch":
                found, commands = self.batch(params)
                return 200, b'{"result":%s,"time":%s}' % (found, spent()), pause + self.settings.page * commands
            value, total, following = self.call(method, params)
        except Refusal as refusal:
            return refusal.status, refusal.body, pause
        marks = b',"next":%d' % following if following else b""
        marks += b"" if total is None else b',"total":%d' % total
        return 200, b'{"result":%s%s,"time":%s}' % (written(value), marks, spent()), pause + self.settings.page

    def call(self, method: str, params: Mapping[str, Any]) -> tuple[Any, int | None, int]:
        """The result of one method; the total and the next start of a list."""
        params = {name.lower(): value for name, value in params.items()}
        match method.lower():
            case "crm.deal.list":
                return listed(params, self.settings.rows)
            case "crm.deal.get":
                number = whole(params.get("id"), 0)
                if not (1 <= number <= self.settings.rows or number >= FIRST_NEW):
                    raise Refusal("", "Not found")
                return deal(number), None, 0
            case "crm.deal.add":
                self.titles.append(str((params.get("fields") or {}).get("TITLE", "")))
                return next(self.new), None, 0
            case "im.chat.add":
                return next(self.new), None, 0
            case "user.current":
                return b'{"ID":"1","ACTIVE":true,"NAME":"Anna","LAST_NAME":"Ash"}', None, 0
        raise Refusal("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)

    def batch(self, params: Mapping[str, Any]) -> tuple[bytes, int]:
        """The answer of a batch, and how many calls it ran."""
        commands = params.get("cmd") or {}
        if not isinstance(commands, dict):
            commands = {str(place): one for place, one in enumerate(commands)}
        if len(commands) > BATCH:
            raise Refusal("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
        halt = params.get("halt") in (1, True, "1", "true")
        values: Json = {}
        parts: dict[str, dict[str, bytes]] = {name: {} for name in ("error", "total", "next", "time")}
        time_block = spent()
        for key, command in commands.items():
            method, _, query = command.partition("?")
            try:
                values[key], total, following = self.call(method, referred(form(query), values))
            except Refusal as refusal:
                parts["error"][key] = refusal.body
                if halt:
                    break
                continue
            parts["time"][key] = time_block
            parts["total"] |= {} if total is None else {key: b"%d" % total}
            parts["next"] |= {key: b"%d" % following} if following else {}
        found = b'{"result":' + folded({key: written(value) for key, value in values.items()})
        found += b"".join(b',"result_%s":%s' % (name.encode(), folded(part)) for name, part in parts.items())
        return found + b"}", len(values) + len(parts["error"])


def spent() -> bytes:
    """The time block of an answer; the running time stays far from its cap."""
    now = time.time()
    day = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now)).encode()
    return (
        b'{"start":%.3f,"finish":%.3f,"duration":0.01,"processing":0.01,"date_start":"%s","date_finish":"%s",'
        b'"operating_reset_at":%d,"operating":0.1}'
    ) % (now, now, day, day, now + 600)


def referred(params: Any, values: Mapping[str, Any]) -> Any:
    """The params with what earlier calls answered put in the place of `$result[…]`; the unknown stays as it is."""
    if isinstance(params, dict):
        return {name: referred(value, values) for name, value in params.items()}

    def found(match: re.Match[str]) -> str:
        value = values.get(match[1])
        for step in re.findall(r"\[([^\]]*)\]", match[2]):
            if isinstance(value, (range, list)):
                value = value[int(step)] if int(step) < len(value) else None
            elif step.upper() != "ID":
                return match[0]
        return str(value) if isinstance(value, int) else match[0]

    return REFERENCE.sub(found, params) if "$result" in params else params


class Line(asyncio.Protocol):
    """One connection: requests are read whole, and answered when their time has passed."""

    def __init__(self, portal: Portal, later: Callable[..., object]) -> None:
        self.portal, self.later = portal, later
        self.buffer = bytearray()
        self.seen: set[str] = set()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end])
            found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            stop = end + 4 + (int(found[1]) if found else 0)
            if len(self.buffer) < stop:
                return
            body = bytes(self.buffer[end + 4 : stop])
            del self.buffer[:stop]
            self.asked(head.split(b" ", 2)[1].decode(), body)

    def asked(self, path: str, body: bytes) -> None:
        """Answer a request to /rest/USER/CODE/METHOD, or to /control."""
        portal, path = self.portal, path.partition("?")[0]
        if path == "/control":
            if body:
                portal.reset(json.loads(body))
            self.write(200, json.dumps(portal.counts()).encode())
            return
        *_, code, method = path.removesuffix(".json").split("/")
        if code not in self.seen:
            self.seen.add(code)
            portal.connections[code] = portal.connections.get(code, 0) + 1
        portal.flying += 1
        portal.most = max(portal.most, portal.flying)
        since = time.monotonic()
        status, answer, pause = portal.answer(method, body)
        if pause:
            self.later(pause, self.leave, status, answer, since)
        else:
            self.leave(status, answer, since)

    def leave(self, status: int, answer: bytes, since: float) -> None:
        """Send an answer, and count it."""
        self.portal.flying -= 1
        self.portal.answered += 1
        self.portal.longest = max(self.portal.longest, time.monotonic() - since)
        self.write(status, answer)

    def write(self, status: int, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(HEAD % (status, REASONS[status], len(answer)) + answer)


async def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    context, file = None, words.pop("tls", "")
    if file:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
    portal, loop = Portal({name: json.loads(value) for name, value in words.items()}), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Line(portal, loop.call_later), "127.0.0.1", 0, ssl=context, backlog=500)
    print(f"http{'s' if file else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
