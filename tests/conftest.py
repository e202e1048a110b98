"""What every test stands on: folders of its own, a wire that answers from a list, a clock that never waits."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import AsyncClient, Client
from runner.catalog import Catalog
from runner.response import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runner.request import Request

TESTS = Path(__file__).parent
HOST = "library.example"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for the whole run, so that the folders of methods are compiled once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("DECLAREST_") or name.upper() in _PROXIES:
                patch.delenv(name)
        patch.setenv("DECLAREST_CACHE_DIR", str(folder))
        for kind in ("CONFIG", "STATE"):  # nothing of the person who runs the tests is read, at any time
            patch.setenv(f"DECLAREST_{kind}_DIR", str(folder / "of nobody"))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C reaches the programs that tests start, also where the run was started in the background, deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """New folders, one after another: numbered here, which is faster than looking for the next free number."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in count())


@pytest.fixture(autouse=True)
def home(homes: Iterator[Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's settings and state in a folder of the test, and nothing in the environment."""
    folder = next(homes)
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith("DECLAREST_") or name.upper() in {*_PROXIES, "NO_COLOR"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("DECLAREST_CACHE_DIR", str(cache))
    for kind in ("config", "state"):
        monkeypatch.setenv(f"DECLAREST_{kind.upper()}_DIR", str(folder / kind))
    return folder


def reply(body: Any = None, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply: JSON of a value, text and bytes as they are, an empty one for `b""`."""
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Reply(status, headers or {}, content)


@dataclass
class Wire:
    """A wire that leads nowhere: it answers from a list and remembers what was sent."""

    replies: list[Reply | Exception] = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)
    closed: bool = False

    def send(self, request: Request, largest: int) -> Reply:
        """The next reply of the list; an error in it is raised."""
        self.sent.append(request)
        answer = self.replies.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def say(self, *bodies: Any) -> None:
        """Answer these next: replies and errors as they are, other values as JSON."""
        self.replies += [one if isinstance(one, (Reply, Exception)) else reply(one) for one in bodies]

    @property
    def urls(self) -> list[str]:
        """The addresses that were asked."""
        return [request.url for request in self.sent]

    @property
    def bodies(self) -> list[Any]:
        """The JSON that was sent, None where no body was."""
        return [None if request.body is None else json.loads(request.body) for request in self.sent]


class AsyncWire(Wire):
    """The same for async callers."""

    async def send(self, request: Request, largest: int) -> Reply:  # type: ignore[override]
        """As `Wire.send`."""
        return super().send(request, largest)

    async def close(self) -> None:  # type: ignore[override]
        """As `Wire.close`."""
        super().close()


@dataclass
class Clock:
    """A clock that stands still until somebody sleeps; sleeping takes no time."""

    now: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: Any) -> None:
        """Let time pass at once."""
        self.slept.append(seconds)
        self.now += seconds

    async def doze(self, seconds: float) -> None:
        """The same for async callers."""
        self.sleep(seconds)


@pytest.fixture(scope="session")
def catalog(cache: Path) -> Catalog:
    """The methods of the invented service, and the real ones behind them."""
    return Catalog(str(TESTS / "service"))


@pytest.fixture
def wire() -> Wire:
    """A wire that answers from a list."""
    return Wire()


@pytest.fixture
def async_wire() -> AsyncWire:
    """A wire that answers from a list, for async callers."""
    return AsyncWire()


@pytest.fixture
def clock() -> Clock:
    """A clock that never waits."""
    return Clock()


@pytest.fixture
def library(catalog: Catalog, wire: Wire, clock: Clock) -> Callable[..., Client]:
    """Makes a client of the invented service on the false wire; credentials are its arguments, a token by default."""

    def make(service: str = "library", **words: Any) -> Client:
        if not set(words) - {"check", "insecure", "profile"}:
            words |= {"host": HOST, "token": "secret-token"}
        return still(Client(service, methods=catalog, transport=wire, **words), clock)

    return make


@pytest.fixture
def async_library(
    catalog: Catalog, async_wire: AsyncWire, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AsyncClient]:
    """The same for async callers."""

    def make(**words: Any) -> AsyncClient:
        words = words or {"host": HOST, "token": "secret-token"}
        client = AsyncClient("library", methods=catalog, transport=async_wire, **words)
        monkeypatch.setattr("asyncio.sleep", clock.doze)
        client._planner.session.clock, client._planner.session.dice = clock, lambda: 1.0
        client._planner.session.book.steady = clock
        return client

    return make


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and nobody else begins to: it is taken, and no more than that."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def still(client: Client, clock: Clock) -> Client:
    """The client with a clock that never waits and dice that always fall alike."""
    client._planner.session.clock, client._planner.session.dice = clock, lambda: 1.0
    client._planner.session.book.steady = clock
    client._sleep = clock.sleep
    return client


LEDGER = {
    "_service.yaml": """\
spec: 1
service: ledger
title: Ledger
profile: {properties: {server: {type: string, format: uri}, token: {type: string, writeOnly: true}}}
auth:
  token: {title: token, needs: [server, token], base: "{server}/", send: {header: {Authorization: "Bearer {token}"}}}
request: {verb: POST, path: "{method}", in: body}
response: {result: result, error: {when: error, code: error, message: text}}
errors:
  BUSY: {kind: rate_limit, rejected: true}
  NO: {kind: usage, rejected: true, hint: Write another line}
  WHO: {kind: auth, rejected: true}
  SHUT: {kind: blocked, rejected: true}
  ODD: {kind: server}
retry: {tries: 3, base: 1ms, max: 2ms}
batch:
  method: batch
  size: 10
  commands: calls
  command: {method: "{method}", params: "{params}"}
  halt: halt
  reference: $ref[
  answers: {results: result.done, errors: result.failed}
""",
    "batch.yaml": "method: batch\nsummary: Several\neffect: write\n"
    "params: {calls: {type: object}, halt: {type: boolean}}\n",
    "line/line.add.yaml": """\
method: line.add
summary: Add a line
effect: write
params:
  text: {type: string}
  sum: {type: number}
  fields:
    type: object
    properties:
      Name: {type: string}
      Size: {type: integer}
      Kind: {enum: [A, b, 7]}
      Marks: {type: array, items: {type: string}}
      Phones: {type: array, items: {type: object, properties: {value: {type: string}, type: {type: string}}}}
    patternProperties: {"^X_": {type: string}}
  more:
    anyOf:
      - {type: object, properties: {Size: {type: integer}, Deep: {type: integer}}}
      - {properties: {Deep: {type: integer}}}
  scan: {type: string, contentEncoding: base64}
  old: {type: string, deprecated: true}
""",
    "line/line.once.yaml": """\
method: line.once
summary: Add a line, harmless to repeat
effect: write
idempotent: key
params: {text: {type: string}, key: {type: string, in: header, wire: X-Key, generate: uuid}}
""",
    "line/line.get.yaml": "method: line.get\nsummary: Read a line\neffect: read\nparams: {text: {type: string}}\n",
    "line/line.drop.yaml": "method: line.drop\nsummary: Drop a line\neffect: destroy\nparams: {text: {type: string}}\n",
    "line/line.send.yaml": "method: line.send\nsummary: Hand in a paper\neffect: write\nbatch: false\n"
    "params: {text: {type: string}, paper: {type: string, in: part}}\n",
}  # fmt: skip


@dataclass
class Ledger:
    """A service on this machine that carries out what it is asked, keeps what it did, and fails as it is told.

    `faults` are those of the next requests, one each: "" for none, "502", "reset", "cut" and "odd" after the work was
    done; "busy", "who" and "down" before it; "busy 2" for the second call of the batch alone.
    """

    url: str = ""
    root: str = ""
    lines: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    latency: float = 0.0
    per_call: float = 0.0
    hold: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.hold.set()

    @property
    def line(self) -> list[str]:
        """The words of a line that calls it."""
        return ["--methods", self.root, "--server", self.url, "--token", "opener"]

    def client(self, **words: Any) -> Client:
        """A client that calls it."""
        return Client("ledger", methods=self.root, server=self.url, token="opener", **words)

    def carry_out(self, method: str, params: Any, headers: Mapping[str, str]) -> Any:
        """One call: the number of its line, or a refusal."""
        text = params.get("text", "") if isinstance(params, dict) else ""
        if text.startswith("bad"):
            return {"error": "NO", "text": f"not {text}"}
        with self.lock:
            key = headers.get("X-Key", "")
            if key and key in self.keys:
                return {"result": self.lines.index(self.keys[key]) + 1}
            if method != "line.get":
                self.lines.append(text)
                self.keys[key] = text
            return {"result": len(self.lines)}

    def batch(self, body: dict[str, Any], busy: int) -> Any:
        """The calls of a batch, one after another."""
        done: dict[str, Any] = {}
        failed: dict[str, Any] = {}
        for place, (key, one) in enumerate(body["calls"].items(), 1):
            if self.per_call:
                time.sleep(self.per_call)
            found = {"error": "BUSY"} if place == busy else self.carry_out(one["method"], one["params"], {})
            if "error" in found:
                failed[key] = found
                if body.get("halt"):
                    break
            else:
                done[key] = found["result"]
        return {"result": {"done": done, "failed": failed}}


class _Ledger(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 2**16
    ledger: Ledger

    def do_POST(self) -> None:
        """Answer a request, with the next fault of the list."""
        ledger, method = self.ledger, self.path.strip("/")
        length = int(self.headers.get("Content-Length", 0))
        content = self.rfile.read(length)
        if len(content) < length:  # whoever sent it was killed: half of a request is none
            self.close_connection = True
            return
        body = json.loads(content) if content[:1] == b"{" else {}
        with ledger.lock:
            ledger.asked.append({"method": method, "headers": dict(self.headers), **body})
            fault = ledger.faults.pop(0) if ledger.faults else ""
        ledger.hold.wait(20)
        time.sleep(ledger.latency)
        before = {"busy": (503, {"error": "BUSY"}), "who": (401, {"error": "WHO"}), "shut": (403, {"error": "SHUT"})}
        if fault in before:
            self._say(before[fault][0], json.dumps(before[fault][1]).encode())
            return
        busy = int(fault.split()[1]) if fault.startswith("busy ") else 0
        found = ledger.batch(body, busy) if method == "batch" else ledger.carry_out(method, body, dict(self.headers))
        answer = json.dumps(found).encode()
        if fault == "502":
            self._say(502, b"<html><title>Bad gateway</title></html>")
        elif fault == "odd":
            self._say(500, b'{"error": "ODD", "text": "sorry"}')
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif fault == "cut":
            self._say(200, answer[: len(answer) // 2])
        else:
            self._say(200, answer)

    def _say(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="session")
def ledger_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """The ledger of the whole run."""
    root = tmp_path_factory.mktemp("ledger")
    for name, text in LEDGER.items():
        path = root / "ledger" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    house = Ledger(root=str(root))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Ledger,), {"ledger": house}))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a caller that was killed is no news
    house.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield house
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ledger(ledger_house: Ledger) -> Iterator[Ledger]:
    """The ledger with nothing in it."""
    for kept in (ledger_house.lines, ledger_house.asked, ledger_house.faults, ledger_house.keys):
        kept.clear()
    ledger_house.latency = ledger_house.per_call = 0.0
    yield ledger_house
    ledger_house.hold.set()


@pytest.fixture
def portal(library: Callable[..., Client]) -> Client:
    """A client of the invented service, with a token."""
    return library()
