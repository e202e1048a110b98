"""One call as a conversation: a generator that yields what it wants done and receives what came of it.

It decides everything and does nothing: the clients send and sleep for it, the tests answer it from a list.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from . import auth, pacing, renewal, request, response, template
from .errors import AuthError, LimitExceeded, RunnerError, ServiceError, TransportError
from .request import Request
from .response import Reply, Result
from .settings import Credentials
from .spec import Method, Scheme

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Send:
    """Send this, and give back the reply, at most `largest` bytes long; or throw a TransportError in."""

    request: Request
    largest: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Let this many seconds pass. `why` is for a person."""

    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """Have these new fields kept by the account, before anything else is sent; or throw the error in."""

    account: renewal.Account
    values: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class Whole:
    """Hold this conversation to its end, though nobody may wait for the call any more; or throw its error in."""

    conversation: Generator[Any, Any, None]


Step = Send | Wait | Keep | Whole
Conversation = Generator[Step, Reply | None, Result]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has passed the check: the method, its name as it was spelt, its values, where it follows to.

    `face` gives the values as people may see them, where that is not told by the method's own params; `harmless`
    says that it may be made twice, whatever its method says; `inside` are the methods of the calls that it carries.
    """

    method: Method
    called: str
    values: Mapping[str, Any] = field(repr=False)
    follow: str = field(default="", repr=False)
    face: Callable[[], Mapping[str, Any]] | None = field(default=None, repr=False)
    harmless: bool = False
    inside: tuple[Method, ...] = ()


@dataclass(slots=True)
class Session:
    """What the calls of one client share. Everything in it may be used by many threads."""

    credentials: Credentials
    find: Callable[[str], Method]
    own: Callable[[str], Method]  # as the service's own folder has it, for calls with secrets that nobody passes
    has: Callable[[str], bool]
    clock: Callable[[], float]
    dice: Callable[[], float]
    insecure: bool = False
    book: pacing.Book = field(default_factory=pacing.Book)
    kept: dict[str, Json] = field(default_factory=dict, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock)
    gate: threading.Lock = field(default_factory=threading.Lock)
    renewing: threading.Lock = field(default_factory=threading.Lock)
    account: renewal.Account = field(default_factory=renewal.Unkept)
    answered: bool = False  # whether the service has ever given a usable answer

    def passed(self) -> float:
        """Seconds of a clock that nobody sets, where there is one: what durations and deadlines go by."""
        return (self.book.steady or self.clock)()

    def adopt(self, news: Mapping[str, Any]) -> None:
        """Use new fields from now on."""
        with self.lock:
            self.credentials = replace(self.credentials, values={**self.credentials.values, **news})


def prepare(call: Call, session: Session, scheme: Scheme | None = None, kept: Json | None = None) -> Request:
    """The request of a call, as far as it is known before anything is sent. `kept` is what a first call yielded."""
    scheme = scheme or auth.choose(call.method, session.credentials, call.values)
    values = {**session.credentials.values, **(session.kept.get(scheme.name, {}) if kept is None else kept)}
    for name in (scheme.first or {}).get("keep", ()):
        values.setdefault(name, request.MASK)
    auth.trust(call.method, scheme, values, session.credentials.host, insecure=session.insecure)
    made = request.build(call.method, call.called, call.values, scheme, values, call.face)
    return request.following(made, call.follow, scheme.send.get("query", ())) if call.follow else made


def measured(conversation: Generator[Any, Any, Any], clock: Callable[[], float]) -> Generator[Any, Any, Any]:
    """A conversation whose end is told with the seconds that its last request took."""
    answer: Any = None
    took, error = 0.0, None
    try:
        while True:
            try:
                step = conversation.throw(error) if error is not None else conversation.send(answer)
            except StopIteration as end:
                return end.value, took
            answer, error, began = None, None, clock()
            try:
                answer = yield step
            except RunnerError as fault:
                error = fault
            if isinstance(step, Send):
                took = clock() - began
    finally:
        conversation.close()  # it may hold locks, and whoever keeps the error that ends this keeps its frame


def converse(call: Call, session: Session, scheme: Scheme | None = None) -> Conversation:
    """The life of a call: sign in where that is needed, wait for the limits, send, read, ask again where it is safe."""
    method, retry = call.method, call.method.service.retry
    scheme = scheme or auth.choose(method, session.credentials, call.values)
    end = session.passed() + retry.deadline
    attempt, signed_in_again, renewed, adopted = 1, False, False, False
    while True:
        known = session.credentials.values
        kept = session.kept.get(scheme.name, {})
        if scheme.first and not kept:
            kept = yield from _sign_in(method, scheme, session)
        made = prepare(call, session, scheme, kept)
        yield from _admitted(call, session, end)
        if attempt == 1:  # waiting for its turn takes nothing away from a call's time
            end = session.passed() + retry.deadline
        reply: Reply | None = None
        try:
            reply = yield Send(made, method.reading.largest)
            session.book.came(method, session.credentials.values, session.clock())
            return _read(method, reply, session)
        except (ServiceError, TransportError) as error:
            error.method = error.method or method.full_name
            _judge(error, call, scheme, session, made, reply)
            more = [*request.concealed(method, call.values), *request.worn(made)]
            auth.veil(error, method, {**known, **kept}, kept, more)
            if not renewed and renewal.needed(error, scheme, method.service, session.credentials):
                renewed = yield from _renew(call, scheme, session, known)
                if renewed or not adopted:  # what another one has renewed may have run out since: once, not for ever
                    adopted = True
                    continue
            if _may_sign_in_again(error, scheme) and not signed_in_again:
                signed_in_again = True
                with session.lock:
                    if session.kept.get(scheme.name) is kept:  # another thread may have signed in since
                        del session.kept[scheme.name]
                continue
            session.book.refused(method, session.credentials.values, error, session.clock(), reply)
            now, harmless = session.clock(), call.harmless or method.repeatable(call.values)
            pause = pacing.again(method, error, reply, attempt, now, session.dice, harmless=harmless)
            if pause is None or session.passed() + pause > end:
                raise
            yield Wait(pause, str(error).splitlines()[0])
        attempt += 1


def _read(method: Method, reply: Reply | None, session: Session) -> Result:
    assert reply is not None  # noqa: S101 - a driver answers a Send with a reply or an error
    result = response.read(method, reply)
    session.answered = True
    session.book.note(method, session.credentials.values, result.raw, session.clock())
    return result


def _judge(  # noqa: PLR0913 - a call, what it asked, what came
    error: ServiceError | TransportError,
    call: Call,
    scheme: Scheme,
    session: Session,
    made: Request,
    reply: Reply | None,
) -> None:
    """Where an answer points to another host, say how that is accepted; judge whether what came may pass."""
    goal = reply.headers.get("location", "") if reply else ""
    other = urlsplit(goal).netloc.lower() not in {"", urlsplit(made.url).netloc.lower()}
    if isinstance(error, TransportError) and error.outcome == "not sent" and other:
        auth.moved(error, call.method, scheme, goal, session.credentials.profile)
    if isinstance(error, ServiceError) and call.inside and all(one.effect == "read" for one in call.inside):
        error.outcome = ""  # what carries calls may write; these only read
    if isinstance(error, TransportError) and reply is not None and session.answered:
        error.final = False  # a page in the place of an answer passes, where answers came before it


def _admitted(call: Call, session: Session, end: float) -> Generator[Wait, Any, None]:
    """Wait for the limits: first for the cost of the call, then for its place; no longer than the call may."""
    book, method, who = session.book, call.method, session.credentials.values
    now, left = session.clock(), max(0.0, end - session.passed())
    straight = book.enter(method, who, now, inside=call.inside, most=left)
    if straight is not None:
        yield from _pause(straight, end, session, call)
        return
    yield from _pause(book.hold(method, who, now, inside=call.inside, most=left), end, session, call)
    now, left = session.clock(), max(0.0, end - session.passed())
    yield from _pause(book.wait(method, who, now, most=left), end, session, call)


def _pause(seconds: float, end: float, session: Session, call: Call) -> Generator[Wait, Any, None]:
    """Wait for the limits, unless that would take longer than the call may."""
    if seconds <= 0:
        return
    title = call.method.service.title
    if session.passed() + seconds > end:
        message = f"the limits of {title} would hold this call for {seconds:.0f} s"
        hint = "other programs may be calling; try again later, or ask for less at a time"
        raise LimitExceeded(message, kind="rate_limit", rejected=True, method=call.method.full_name, hint=hint)
    yield Wait(seconds, f"the limits of {title}")


def _sign_in(method: Method, scheme: Scheme, session: Session) -> Generator[Step, Reply | None, Json]:
    """Make the first call of a scheme, once for all threads, and keep and give what it yields."""
    while not session.gate.acquire(blocking=False):
        yield Wait(renewal.PAUSE, "another call signs in")
    try:
        if not session.kept.get(scheme.name):
            yield from _first(method, scheme, session)
        return session.kept[scheme.name]
    finally:
        session.gate.release()


def _first(method: Method, scheme: Scheme, session: Session) -> Generator[Step, Reply | None, None]:
    first: Json = scheme.first or {}
    fields = session.credentials.values
    values = {name: template.filled(value, fields) for name, value in first.get("params", {}).items()}
    login = session.find(first["method"])
    other = auth.named(method, first["auth"]) if "auth" in first else _bare(scheme)
    result = yield from converse(Call(login, login.name, values), session, other)
    kept = auth.kept(scheme, result.value)
    with session.lock:
        session.kept[scheme.name] = kept


def _renew(call: Call, scheme: Scheme, session: Session, used: Mapping[str, Any]) -> Generator[Step, Any, bool]:
    """Renew the authorisation that was used, unless somebody else who shares the account has done it meanwhile.

    Among the calls of a session one looks at the account, for all of them. Tells whether it was renewed here.
    """
    mine = yield from _turn(
        lambda: session.renewing.release if session.renewing.acquire(blocking=False) else None, call, scheme, session
    )
    try:
        if not renewal.same(scheme, session.credentials.values, used):
            return False
        if _kept(scheme, session, used) is None:  # whoever may only read what is kept does without the lock
            return False
        with renewal.keepable(scheme, call.method):
            release = yield from _turn(session.account.lock, call, scheme, session)
        try:
            known = _kept(scheme, session, used)
            if known is not None:
                yield Whole(_renewal(call, scheme, session, known))
            return known is not None
        finally:
            release()
    finally:
        mine()


def _kept(scheme: Scheme, session: Session, used: Mapping[str, Any]) -> Json | None:
    """The fields as the account has them; None where somebody else has renewed what was used, and that is taken."""
    fresh = {**session.credentials.values, **session.account.fresh()}
    if renewal.same(scheme, fresh, used):
        return fresh
    session.adopt({name: fresh[name] for name in (scheme.renew or {})["keep"] if name in fresh})
    return None


def _turn(
    take: Callable[[], Callable[[], None] | None], call: Call, scheme: Scheme, session: Session
) -> Generator[Wait, Any, Callable[[], None]]:
    """Wait for the right to renew; what is given lays it down."""
    end = session.passed() + call.method.service.retry.deadline
    while (release := take()) is None:
        if session.passed() > end:
            message = f"another call has been renewing the {scheme.title} for too long"
            hint, name = "end the program that makes it, and call again", call.method.full_name
            raise TransportError(message, outcome="not sent", final=True, hint=hint, method=name)
        yield Wait(renewal.PAUSE, f"another call renews the {scheme.title}")
    return release


def _renewal(call: Call, scheme: Scheme, session: Session, known: Json) -> Generator[Step, Any, None]:
    """The call that renews. What it brings is kept first, and used then."""
    how: Json = scheme.renew or {}
    service, account = call.method.service, session.account
    login = session.own(how["method"])
    way = auth.choose(login, session.credentials)
    renewal.demand_own_host(way, service, session.credentials, scheme)
    with renewal.keepable(scheme, call.method):
        account.rehearse()
    try:
        result = yield from converse(Call(login, login.name, renewal.params(how, known)), session, way)
        news = renewal.found(scheme, service, result)
    except RunnerError as error:
        raise renewal.over(error, scheme, account, call.method) from None
    try:
        yield Keep(account, news)
    finally:  # what was there before is used up
        session.adopt(news)


def _bare(scheme: Scheme) -> Scheme:
    """The same address with nothing added: how a first call travels that names no way of its own."""
    return Scheme(f"{scheme.name} (first)", scheme.title, scheme.needs, scheme.base, {}, None)


def _may_sign_in_again(error: RunnerError, scheme: Scheme) -> bool:
    return scheme.first is not None and isinstance(error, AuthError) and error.kind == "auth"
