"""A service on this machine: the same YAML from the other side, answering on a real socket.

It checks addresses, credentials, verbs and params, keeps state, cuts lists into pages, unfolds batches, and speaks
in the service's own envelope and codes. The map, from the ground up:

    store  sample  envelope      rows in SQLite; made values; outcomes in the service's words
    reading  routes  account     a request's values; its method; its right to call
    listing  verbs  folded       lists; what a call does to the state; batches
    portal                       one request in, one answer out
    serve                        sockets
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from ..folders import folder
from . import store
from .account import credentials, demand_here
from .portal import Portal
from .serve import Server
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from .portal import Answer
    from .reading import Asked

__all__ = ["Served", "reset", "start"]


class Served:
    """A sandbox that is up: its address, the credentials that it takes, a note where its state can't be kept."""

    def __init__(self, catalog: Catalog, service: str, state: str, host: str, port: int) -> None:
        self._server = Server((host, port), self._answer)
        try:
            number = self._server.server_address[1]
            self.address = f"http://{'127.0.0.1' if host in {'', '0.0.0.0'} else host}:{number}"  # noqa: S104
            self.credentials: dict[str, Any] = credentials(catalog.service(service), self.address)
            demand_here(catalog, service, self.credentials, self.address)
            self._store = Store(state)
        except BaseException:
            self._server.stop()
            raise
        self.note = self._store.note
        self._portal = Portal(catalog, service, self._store, address=self.address, account=self.credentials)
        self._server.begin()

    def _answer(self, asked: Asked) -> Answer:
        return self._portal.answer(asked)

    @property
    def log(self) -> Callable[[str], object] | None:
        """Who is told of each request in a line: verb, path without secrets, status."""
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


def start(
    catalog: Catalog, service: str, *, state: str | None = None, host: str = "127.0.0.1", port: int = 0
) -> Served:
    """Start the sandbox of a service. `state` is its file, the user's own where it is None, or `:memory:`.

    Raises SpecError where the service's addresses can't lead here, OSError where the port is taken.
    """
    return Served(catalog, service, _place(service, state), host, port)


def reset(service: str, state: str | None = None) -> None:
    """Forget all that a sandbox of this service has stored."""
    store.reset(_place(service, state))


def _place(service: str, state: str | None) -> str:
    return state or os.path.join(folder("state"), "sandbox", f"{service}.sqlite")
