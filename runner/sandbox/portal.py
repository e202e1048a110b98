"""One request in, one answer out: the way from an address to the service's own words."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .. import encoding, query, validation
from ..spec import Reading
from . import envelope, listing, reading, verbs
from .account import Account
from .envelope import Refused, Success
from .faults import Fault
from .folded import Folder, Outcome
from .grants import Grants
from .meters import Meters
from .replays import Replays
from .routes import Routes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..catalog import Catalog
    from ..spec import Method, Scheme
    from .reading import Asked, Content
    from .routes import Route
    from .shift import Shift
    from .store import Store

Json = dict[str, Any]
_EMPTY, _REFUSED = 204, 400
_TYPES = {"json": "application/json; charset=utf-8", "text": "text/plain; charset=utf-8"}
_NOWHERE = "/…"
_FINE = Fault()
_YES = {"true", "1", "y", "yes"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, after a wait of some seconds. `shown` is the address that was asked, its secrets masked.

    `wire` is what goes wrong on the way: reset, cut or hang; `note` names the fault for the log.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    shown: str = _NOWHERE
    wait: float = 0.0
    wire: str = ""
    note: str = ""


@dataclass(slots=True)
class _Visit:
    """What the calls of one request share: the request, when it came, what befalls it, the row of its page's start.

    `calls` are those of a batch that were made so far; `owed` is the time that calls take by declaration: the request
    is answered so much later, while nobody waits for it.
    """

    asked: Asked
    begun: float
    fault: Fault
    start: str = ""
    calls: int = 0
    owed: float = 0.0
    scheme: Scheme | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds: a request, each call in it, and what a method is charged for a call."""

    latency: float = 0.0
    command: float = 0.0
    operating: float | None = None


class Portal:
    """The service on this machine, without its sockets."""

    def __init__(  # noqa: PLR0913 - what it stands on, and the clock
        self,
        catalog: Catalog,
        service: str,
        store: Store,
        *,
        address: str,
        account: Json,
        clock: Callable[[], float] = time.time,
        limits: bool = False,
        pace: Pace = Pace(),
        shift: Shift | None = None,
        token_life: float | None = None,
    ) -> None:
        self._store, self._address, self._clock, self._pace, self._shift = store, address, clock, pace, shift
        self._routes = Routes(catalog, service, address, account)
        self.grants = Grants(catalog.service(service), store, account, clock, token_life)
        self._account = Account(account, self.grants)
        self._meters = Meters(clock, account, limits)
        self._replays = Replays()

    def answer(self, asked: Asked, fault: Fault = _FINE) -> Answer:
        """The answer to a request, whatever it holds. What it raises is a mistake in the files or in the sandbox.

        Where the fault says so, the call is not carried out, or its outcome is put aside for a refusal.
        """
        page = self.grants.page(self._address + asked.path, asked.target.partition("?")[2])
        if page:
            return Answer(page[0], page[1], page[2], asked.path, self._pace.latency)
        routes = self._routes.find(asked.path, asked.verb)
        method, shown = (routes[0].method, routes[0].shown) if routes else (None, _NOWHERE)
        visit = _Visit(asked, self._clock(), fault)
        try:
            name = method.name.lower() if method else ""
            self._meters.knock(method.service if method else self._routes.at(asked.path), name, asked.source)
            outcome = self._call(routes, visit) if fault.executed or fault.inner else None
            if outcome is None or fault.refusal:
                outcome = self._denied(method, Refused(fault.refusal or "server"), asked.path)
        except Refused as refused:
            outcome = self._denied(method, refused, asked.path)
        except RecursionError:
            outcome = self._denied(method, Refused("input", "the input is nested too deep"), asked.path)
        return replace(_written(method, outcome, shown), wait=self._pace.latency + visit.owed)

    def _call(self, routes: list[Route], visit: _Visit) -> Outcome:
        """The outcome of the one call that a request makes. Raises Refused."""
        found = reading.content(visit.asked)
        route = self._admitted(routes, found, visit.asked)
        visit.scheme = route.scheme
        visit.start = found.take("query", listing.ADDRESS) or ""
        return self._outcome(route.method, reading.values(route.method, found, route.values), visit)

    def _admitted(self, routes: list[Route], found: Content, asked: Asked) -> Route:
        """The route that the request's credentials open; they are taken out of the content."""
        if not routes:
            raise Refused("method", name=asked.path.rpartition("/")[2])
        route = self._opened(routes, found)
        service = route.method.service
        if route.method.sending.verb != asked.verb and not service.sandbox.get("any_verb"):
            raise Refused("verb")
        for place, names in route.scheme.send.items():
            for name in names:
                found.take(place, name)
        return route

    def _opened(self, routes: list[Route], found: Content) -> Route:
        """The first route that the credentials open."""
        why = Refused("credentials")
        for route in routes:
            try:
                if self._account.admits(route, found):
                    return route
            except Refused as ran_out:
                why = ran_out
        raise why

    def _outcome(self, method: Method, values: Json, visit: _Visit) -> Outcome:
        """The outcome of a call with these values. Raises Refused."""
        how = method.service.batch if verbs.rule(method)["does"] == "batch" else None
        if how:
            folder = Folder(how, method.service, self._routes)
            values, extra = folder.within(method, values)
            return self._folded(folder, method, self._fit(method, values, visit), extra, visit)
        self._meters.admit(method)
        begun, later, worked = self._clock(), visit.owed, time.thread_time()
        visit.owed += self._pace.command
        values = self._fit(method, values, visit)
        before = self._replays.found(method, values)
        if before is not None:
            return before
        task = verbs.Task(method, values, self._store, self._account.own, visit.start, self._shift, _text_of(begun))
        done = verbs.run(task)
        kept = self.grants.exchanged(method, values, self._account.keep(method, done.value))
        used = time.thread_time() - worked + self._pace.command  # its own work: what others did meanwhile is theirs
        self._meters.charge(method, used if self._pace.operating is None else self._pace.operating)
        done = done if kept is done.value else Success(kept, status=done.status)
        outcome = self._said(method, done, visit, begun + later, self._meters.shown(method))
        self._replays.keep(method, values, outcome)
        return outcome

    def _fit(self, method: Method, values: Json, visit: _Visit) -> Json:
        """The values under the names of the file. Raises Refused where they do not fit."""
        values = _checked(method, values, visit.scheme)
        self._account.demand(method, values)
        return values

    def _said(
        self, method: Method, done: Success, visit: _Visit, begun: float, costs: tuple[float | None, int | None]
    ) -> Outcome:
        """A success in the service's words: when it began, and what its method has used up until when."""
        marks, headers = self._marks(done, visit.asked)
        ended = max(begun, self._clock() + visit.owed)
        known = {
            "now": _text_of(begun),
            "begun": begun,
            "ended": ended,
            "elapsed": ended - begun,
            "cost": costs[0],
            "until": costs[1],
        }
        status, body = envelope.success(method, replace(done, marks=marks), known)
        return Outcome(
            status=_EMPTY if not done.status and _is_empty(method, body) else status,
            body=body,
            value=query.search(method.reading.result, body) if "json" in method.reading.answers else body,
            meta={name: query.search(path, body) for name, path in method.reading.meta.items()},
            headers=headers,
            refused=Refused("input") if status >= _REFUSED else None,
        )

    def _marks(self, done: Success, asked: Asked) -> tuple[Json, dict[str, str]]:
        """The marks of pages that stand in the body, and those that are headers; a next address written out."""
        marks: Json = {}
        headers: dict[str, str] = {}
        for place, mark in done.marks.items():
            kind, _, name = place.partition(".")
            value = self._next(asked, mark) if isinstance(mark, listing.Start) else mark
            if kind == "header":
                headers[name] = str(value)
            elif kind == "link":
                headers["Link"] = f'<{value}>; rel="{name}"'
            else:
                marks[place] = value
        return marks, headers

    def _next(self, asked: Asked, start: listing.Start) -> str:
        rest = [pair for pair in reading.pairs(asked.target.partition("?")[2]) if pair[0] != listing.ADDRESS]
        return f"{self._address}{asked.path}?{encoding.urlencoded([*rest, (listing.ADDRESS, str(start.row))])}"

    def _folded(self, folder: Folder, method: Method, values: Json, extra: list[str], visit: _Visit) -> Outcome:
        """The outcome of a batch. One that is all or nothing leaves no trace where a call of it is refused."""
        how = folder.how
        halt = bool(how.halt) and str(listing.stand(values, method, how.halt)).lower() in _YES
        commands = listing.stand(values, method, how.commands)
        struck = visit.fault.strikes(len(commands)) if visit.fault.inner and isinstance(commands, (dict, list)) else 0

        def ask(one: Method, given: Json) -> Outcome:
            visit.calls += 1
            return self._inside(one, given, visit, struck=visit.calls == struck)

        with self._store.change() if how.all_or_nothing else nullcontext():
            found = folder.outcomes(commands, ask, self._denied, halt=halt)
        stopped = halt and any(one.refused for one in found.values())
        found |= {key: self._denied(method, Refused("length", name=key)) for key in ([] if stopped else extra)}
        whole = self._said(method, Success({}), visit, visit.begun, (None, None))  # it is charged for nothing itself
        return replace(whole, body=folder.body(found, whole.body))

    def _inside(self, method: Method, values: Json, visit: _Visit, *, struck: bool) -> Outcome:
        """The outcome of a call inside a batch, which a fault may have `struck`."""
        try:
            self._meters.knock(method.service, method.name.lower(), visit.asked.source, inner=True)
            outcome = self._outcome(method, values, visit) if visit.fault.executed or not struck else None
        except Refused as refused:
            return self._denied(method, refused)
        return self._denied(method, Refused(visit.fault.inner)) if outcome is None or struck else outcome

    def _denied(self, method: Method | None, refused: Refused, path: str = "") -> Outcome:
        """A refusal in the service's words."""
        service = method.service if method else self._routes.at(path)
        read = method.reading if method else Reading.read(service.response)
        name = method.full_name if method else str(refused.fields.get("name", ""))
        status, body, headers = envelope.refusal(service, read, refused, name)
        return Outcome(status, body, headers=headers, refused=refused)


def _checked(method: Method, values: Json, scheme: Scheme | None) -> Json:
    """The values under the names of the file. Raises Refused where they do not fit.

    Marks of pages pass that the method does not list, since the pages of any call send them.
    """
    marks = {path.partition(".")[0] for style in method.styles for path in style.send}
    aside = {name: values[name] for name in marks & set(values) if method.param(method.canonical(name)) is None}
    rest = {name: value for name, value in values.items() if name not in aside}
    found = validation.check(method, rest) + (validation.demanded(method, scheme, rest) if scheme else [])
    first = next((one for one in found if one.level == "error"), None)
    if first:
        lacks = first.message.startswith(("is required", "is needed"))
        raise Refused("missing" if lacks else "input", "" if lacks else str(first), name=first.path)
    return validation.canonical(method, rest)[0] | aside


def _text_of(moment: float) -> str:
    """A moment in Unix seconds as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(moment))


def _is_empty(method: Method, body: Any) -> bool:
    """Whether an answer has no body: the method has no other form, or has this one and no value."""
    forms = method.reading.answers
    value = query.search(method.reading.result, body) if "json" in forms else body
    return "empty" in forms and (value is None or forms == ("empty",))


def _written(method: Method | None, outcome: Outcome, shown: str) -> Answer:
    """The outcome as bytes, in a form that the method's answers may have; refusals are JSON."""
    forms = method.reading.answers if method and not outcome.refused else ("json",)
    if method and not outcome.refused and _is_empty(method, outcome.body):
        return Answer(outcome.status, b"", outcome.headers, shown)
    plain = "json" not in forms or (isinstance(outcome.body, str) and len(forms) > 1)
    kind = "text" if plain else "json"
    body = str(outcome.body).encode(errors="replace") if plain else encoding.json_text(outcome.body)
    return Answer(outcome.status, body, {**outcome.headers, "Content-Type": _TYPES[kind]}, shown)
