"""One request in, one answer out: the way from an address to the service's own words."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import query
from ..spec import Reading
from . import envelope, listing, reading, verbs
from .account import Account
from .envelope import Refused, Success
from .folded import Folder, Outcome, meta
from .routes import Routes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..catalog import Catalog
    from ..spec import Method
    from .reading import Asked, Content
    from .routes import Route
    from .store import Store

Json = dict[str, Any]
_JSON = "application/json; charset=utf-8"
_EMPTY = 204


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `shown` is the address that was asked, its secrets masked."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    shown: str = "/…"


class Portal:
    """The service on this machine, without its sockets."""

    def __init__(  # noqa: PLR0913 - what it stands on, and the clock
        self,
        catalog: Catalog,
        service: str,
        store: Store,
        address: str,
        account: Json,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.service = catalog.service(service)
        self._store, self._address, self._clock = store, address, clock
        self._routes = Routes(catalog, service, address, account)
        self._account = Account(account)

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request, whatever it holds. What it raises is a mistake in the files or in the sandbox."""
        routes = self._routes.find(asked.path, asked.verb)
        found, begun = reading.content(asked), self._clock()
        method, shown = (routes[0].method, routes[0].shown) if routes else (None, "/…")
        try:
            method = self._admitted(routes, found, asked)
            resumed = [value for name, value in found.query if name == listing.ADDRESS]
            found.query[:] = [pair for pair in found.query if pair[0] != listing.ADDRESS]
            values = reading.values(method, found, routes[0].values)
            outcome = self._outcome(method, values, begun, resumed)
        except Refused as refused:
            outcome = self._denied(method, refused, asked.path)
        except RecursionError:
            outcome = self._denied(method, Refused("input", "the input is nested too deep"), asked.path)
        return self._written(method, outcome, asked, shown)

    def _admitted(self, routes: list[Route], found: Content, asked: Asked) -> Method:
        """The method that is meant, where the request may call it in this way."""
        if not routes:
            raise Refused("method", name=asked.path.rpartition("/")[2])
        if not any([self._account.admits(route, found) for route in routes]):  # each takes its own out
            raise Refused("credentials")
        method = routes[0].method
        if method.sending.verb != asked.verb and not method.service.sandbox.get("any_verb"):
            raise Refused("verb")
        return method

    def _outcome(self, method: Method, values: Json, begun: float, resumed: list[str] | None = None) -> Outcome:
        """The outcome of a call with these values. Raises Refused."""
        values = _checked(method, values)
        self._account.demand(method, values)
        if verbs.rule(method)["does"] == "batch" and method.service.batch:
            return self._folded(method, values, begun)
        more = {listing.ADDRESS: resumed[0]} if resumed else {}
        done = verbs.run(verbs.Task(method, {**values, **more}, self._store, self._account.own))
        kept = self._account.keep(method, done.value)
        done = done if kept is done.value else Success(kept, status=done.status)
        status, body = self._said(method, done, begun)
        return Outcome(status, body, query.search(method.reading.result, body), meta(method, body))

    def _said(self, method: Method, done: Success, begun: float) -> tuple[int, Any]:
        now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(begun))
        return envelope.success(method, done, now, max(0.0, self._clock() - begun))

    def _folded(self, method: Method, values: Json, begun: float) -> Outcome:
        """The outcome of a batch. One that is all or nothing leaves no trace where a call of it is refused."""
        how = method.service.batch
        assert how is not None  # noqa: S101 - the caller has looked

        def ask(one: Method, given: Json) -> Outcome:
            try:
                return self._outcome(one, given, begun)
            except Refused as refused:
                return self._denied(one, refused)

        folder = Folder(how, method.service, self._routes, ask, self._denied)
        halt = bool(how.halt) and _yes(listing.stand(values, method, how.halt))
        commands = listing.stand(values, method, how.commands)
        if how.all_or_nothing:
            with self._store.change():
                found = folder.outcomes(commands, halt=halt)
        else:
            found = folder.outcomes(commands, halt=halt)
        status, whole = self._said(method, Success({}), begun)
        return Outcome(status, folder.body(found, whole))

    def _denied(self, method: Method | None, refused: Refused, path: str = "") -> Outcome:
        service = method.service if method else self._routes.at(path)
        read = method.reading if method else Reading.read(service.response)
        name = method.full_name if method else str(refused.fields.get("name", ""))
        status, body = envelope.refusal(service, read, refused, name)
        return Outcome(status, body, refused=refused)

    def _written(self, method: Method | None, outcome: Outcome, asked: Asked, shown: str) -> Answer:
        """The outcome as bytes, in the first form that the method's answers may have."""
        headers, body = self._headers(outcome, asked)
        forms = method.reading.answers if method and not outcome.refused else ("json",)
        if "empty" in forms and (outcome.value is None or "json" not in forms):
            status = outcome.status if outcome.status != envelope.OK else _EMPTY
            return Answer(status, b"", headers, shown)
        if "json" in forms and not isinstance(body, str):
            return Answer(outcome.status, _json(body), {**headers, "Content-Type": _JSON}, shown)
        return Answer(
            outcome.status, str(body).encode(), {**headers, "Content-Type": "text/plain; charset=utf-8"}, shown
        )
