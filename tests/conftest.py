"""What every test stands on: folders of its own, a wire that answers from a list, a clock that never waits."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
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


def still(client: Client, clock: Clock) -> Client:
    """The client with a clock that never waits and dice that always fall alike."""
    client._planner.session.clock, client._planner.session.dice = clock, lambda: 1.0
    client._planner.session.book.steady = clock
    client._sleep = clock.sleep
    return client


@pytest.fixture
def portal(library: Callable[..., Client]) -> Client:
    """A client of the invented service, with a token."""
    return library()
