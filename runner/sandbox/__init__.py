"""A service on this machine: the same YAML from the other side, answering on a real socket.

It checks addresses, credentials, verbs and params, keeps state, cuts lists into pages, unfolds batches, counts what
limits allow, and speaks in the service's own envelope and codes. The map, from the ground up:

    store  sample  envelope      rows in SQLite; made values; outcomes in the service's words
    grants                       tokens that end, and how one gets the next
    reading  routes  account     a request's values; its method; its right to call
    meters  faults  shift        limits; what goes wrong on demand; rows that come and go
    listing  verbs               lists; what a call does to the state
    folded  replays              batches; calls that are carried out once
    portal                       one request in, one answer out
    serve                        sockets
"""

from __future__ import annotations

import os
import time
from itertools import cycle
from typing import TYPE_CHECKING, Any, Self

from ..errors import CallError
from ..folders import folder
from ..limit import seconds
from . import sample, store, verbs
from .account import credentials, demand_here
from .faults import Faults, spoilt
from .portal import Pace, Portal
from .serve import Server
from .shift import Shift
from .store import MEMORY, Store

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

    from ..catalog import Catalog
    from .portal import Answer
    from .reading import Asked

_MODELS = 20  # rows that made ones are like

__all__ = ["MEMORY", "Served", "Shift", "reset", "start"]


class Served:
    """A sandbox that is up: its address, the credentials that it takes, a note where its state can't be kept."""

    def __init__(  # noqa: PLR0913 - the words of `start`
        self,
        catalog: Catalog,
        service: str,
        state: str,
        *,
        host: str,
        port: int,
        pace: Pace,
        faults: Faults,
        limits: bool,
        shift: Shift | None,
        clock: Callable[[], float],
        token_life: float | None,
    ) -> None:
        self.shift = shift
        self._faults, self._catalog, self._service = faults, catalog, catalog.service(service)
        self._server = Server((host, port), self._answer)
        try:
            number = self._server.server_address[1]
            self.address = f"http://{'127.0.0.1' if host in {'', '0.0.0.0'} else host}:{number}"  # noqa: S104 - to call it, not to listen
            self.credentials: dict[str, Any] = credentials(self._service, self.address)
            demand_here(catalog, service, self.credentials, self.address)
            self._store = Store(state)
        except BaseException:
            self._server.stop()
            raise
        self.note = self._store.note
        self._portal = Portal(
            catalog,
            service,
            self._store,
            address=self.address,
            account=self.credentials,
            clock=clock,
            limits=limits,
            pace=pace,
            shift=shift,
            token_life=token_life,
        )
        self._server.begin()

    def _answer(self, asked: Asked) -> Answer:
        fault = self._faults.next()
        answer = self._portal.answer(asked, fault)
        return spoilt(answer, fault, asked) if fault.kind else answer

    def inject(self, *faults: str) -> None:
        """Let these faults befall the next requests, one each, such as `reset-after`; `""` is none."""
        self._faults.add(faults)

    def expire(self) -> None:
        """Let every token run out now."""
        self._portal.grants.expire()

    def let_in(self, back: str = "", *, auto: bool = True) -> None:
        """What the page does where a person lets a caller in: ask nobody, and send the browser back there."""
        self._portal.grants.back, self._portal.grants.auto = back, auto

    @property
    def met(self) -> Counter[str]:
        """How often each fault has befallen a request, by its kind and whether the call was carried out."""
        return self._faults.met

    def seed(self, name: str, rows: Iterable[Mapping[str, Any]] | int) -> int:
        """Put rows into a collection, named by itself or by a method that works on it. Returns how many came.

        Rows with an id take the place of those that have it. A number fills the collection up to so many rows, which
        are made after those that it begins with.
        """
        made: Any = None
        known = {one.lower() for one in self._service.sandbox.get("collections", {})}
        if name.lower() not in known and self._catalog.has(self._service.name, name):
            method = self._catalog.method(self._service.name, name)
            name, made = verbs.rule(method)["collection"], sample.of(method)
        shelf = verbs.shelf(self._service, self._store, name)
        if not isinstance(rows, int):
            return shelf.extend(rows)
        models = shelf.some(_MODELS) or [one for one in _listed(made) if isinstance(one, dict)] or [{}]
        bare = [{key: value for key, value in one.items() if key != shelf.key} for one in models]
        return shelf.extend(row for row, _ in zip(cycle(bare), range(rows - shelf.count()), strict=False))

    @property
    def log(self) -> Callable[[str], object] | None:
        """Who is told of each request in a line: verb, path without secrets, status, and the fault that befell it."""
        return self._server.log

    @log.setter
    def log(self, log: Callable[[str], object] | None) -> None:
        self._server.log = log

    def close(self) -> None:
        """Stop answering, and close sockets and state. A second time does nothing."""
        self._server.stop()
        self._store.close()

    def wait(self) -> None:
        """Return when it has been closed."""
        self._server.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start(  # noqa: PLR0913 - each stands for itself
    catalog: Catalog,
    service: str,
    *,
    state: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    latency: float | None = None,
    command_time: float = 0.0,
    operating: float | None = None,
    fault: str | None = None,
    seed: int | None = None,
    limits: bool = False,
    shift: Shift | None = None,
    clock: Callable[[], float] = time.time,
    token_life: float | None = None,
) -> Served:
    """Start the sandbox of a service. `state` is its file, the user's own where it is None, or `:memory:`.

    Times are seconds: `latency` of each request, `command_time` of each call and of each one inside a batch, on top of
    it. `limits` enforces what the service declares: rates by the caller's address, and the time that a method may use;
    a call uses what it takes, or `operating`. `fault` is what goes wrong, such as `reset:0.01,502-before@3`; the same
    `seed` throws the same dice. `shift` lets rows come and go. `clock` gives Unix seconds to limits and times.
    `token_life` is how long tokens are good, the first one too; else it is what the service declares.

    Where they are None, the latency is DECLAREST_SANDBOX_LATENCY, such as 50ms, and the faults DECLAREST_SANDBOX_FAULT.
    Raises SpecError where the service's addresses can't lead here, OSError where the port is taken, CallError for a
    fault that there is none of.
    """
    if latency is None:
        latency = _told_latency()
    faults = Faults(os.environ.get("DECLAREST_SANDBOX_FAULT", "") if fault is None else fault, seed)
    return Served(
        catalog,
        service,
        _place(service, state),
        host=host,
        port=port,
        pace=Pace(latency, command_time, operating),
        faults=faults,
        limits=limits,
        shift=shift,
        clock=clock,
        token_life=token_life,
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _told_latency() -> float:
    text = os.environ.get("DECLAREST_SANDBOX_LATENCY", "")
    try:
        return seconds(text) if text else 0.0
    except (ValueError, KeyError):
        raise CallError(f"DECLAREST_SANDBOX_LATENCY takes a time such as 50ms or 2s, not {text!r}") from None


def reset(service: str, state: str | None = None) -> None:
    """Forget all that a sandbox of this service has stored."""
    store.reset(_place(service, state))


def _place(service: str, state: str | None) -> str:
    return state or os.path.join(folder("state"), "sandbox", f"{service}.sqlite")
