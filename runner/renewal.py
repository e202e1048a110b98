"""An authorisation that has run out, renewed: once for all who share the account, and kept before it is used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from . import query, template, validation
from .errors import REFUSALS, AuthError, CallError, RunnerError, ServiceError, TransportError
from .settings import SOURCES

if TYPE_CHECKING:
    from .response import Result
    from .settings import Credentials
    from .spec import Method, Scheme, Service

Json = dict[str, Any]
Saver = Callable[[Json], Any]
SAVED, DEFAULT = SOURCES[2], SOURCES[3]
PAUSE = 0.05  # seconds between two looks whether somebody else has done it


class Account(Protocol):
    """Where the fields of a connection are kept, for all who use it."""

    name: str

    def lock(self) -> Callable[[], None] | None:
        """Take the right to renew, and give what lays it down; None where somebody else has it."""
        ...

    def fresh(self) -> Mapping[str, Any]:
        """The fields as they are kept now. Empty where they are not kept."""
        ...

    def rehearse(self) -> None:
        """Find out whether new fields could be kept. Raises CallError where they could not."""
        ...

    def save(self, values: Json) -> Any:
        """Keep new fields, so that they survive whatever happens next."""
        ...


@dataclass(slots=True)
class Unkept:
    """An account that nobody keeps but the caller, who may be told what is new."""

    saver: Saver | None = None
    name: str = ""
    held: threading.Lock = field(default_factory=threading.Lock)

    def lock(self) -> Callable[[], None] | None:
        """One renewal at a time among the threads and tasks of a client."""
        return self.held.release if self.held.acquire(blocking=False) else None

    def fresh(self) -> Mapping[str, Any]:
        """Nothing: what the client has is what there is."""
        return {}

    def rehearse(self) -> None:
        """Nothing is kept here."""

    def save(self, values: Json) -> Any:
        """Tell the caller, whose function may be a coroutine's."""
        return self.saver(values) if self.saver else None


@contextmanager
def saving(values: Json) -> Iterator[None]:
    """Turn whatever keeps new fields from being kept into an error that says what that means."""
    try:
        yield
    except Exception as error:
        said = str(error) or type(error).__name__
        for value in sorted(map(str, values.values()), key=len, reverse=True):
            said = said.replace(value, "***")
        message = f"the authorisation was renewed, and could not be kept: {said}"
        hint = "what is kept is used up: this client goes on with the new one, all others must sign in again"
        raise AuthError(message, kind="auth", rejected=True, hint=hint) from error


@contextmanager
def keepable(scheme: Scheme, method: Method) -> Iterator[None]:
    """Turn what would keep new fields from being kept into an error, before what is kept is used up."""
    try:
        yield
    except CallError as error:
        message = f"the {scheme.title} has run out, and is not renewed, since the new one could not be kept"
        hint = f"{error.hint or 'mend that'}; nothing is used up: call again then"
        raise AuthError(
            f"{message}: {error.message}", kind="auth", rejected=True, hint=hint, method=method.full_name
        ) from None


def renewed(scheme: Scheme) -> list[str]:
    """The fields of a way of authorising that a renewal changes: what calls are signed with."""
    return [name for name in scheme.needs if name in (scheme.renew or {}).get("keep", {})]


def own(service: Service, credentials: Credentials) -> bool:
    """Whether what can be renewed is the profile's, so that it is renewed there; else it is the caller's."""
    names = {name for scheme in service.schemes for name in (scheme.renew or {}).get("keep", ())}
    sources = {credentials.sources.get(name) for name in names & service.secrets() & set(credentials.values)}
    return bool(credentials.profile) and sources == {SAVED}


def needed(error: RunnerError, scheme: Scheme, service: Service, credentials: Credentials) -> bool:
    """Whether a refusal says that the authorisation has run out, and there is what renews just this one.

    What one place gives does not renew what another one gave: it may be another person's. A service file that
    somebody has put in the place of the installed one renews nothing.
    """
    how = scheme.renew
    if how is None or service.guest or not isinstance(error, ServiceError):
        return False
    codes = {code.lower() for code in how["on"]}
    known, needs = credentials.values, how.get("needs", ())
    kept = {*renewed(scheme), *(name for name in needs if name in how["keep"])}
    one_source = len({credentials.sources.get(name) for name in kept}) == 1
    return error.code.lower() in codes and all(known.get(name) for name in needs) and one_source


def same(scheme: Scheme, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two connections sign their calls alike."""
    return all(one.get(name) == other.get(name) for name in renewed(scheme))


def demand_own_host(way: Scheme, service: Service, credentials: Credentials, scheme: Scheme) -> None:
    """Refuse to renew what a profile holds at an address that somebody else names. `way` is that of the renewal."""
    secret = {credentials.sources.get(name) for name in (scheme.renew or {}).get("needs", ())} & {SAVED}
    for name in template.names(way.base):
        source, value = credentials.sources.get(name, DEFAULT), credentials.values.get(name)
        if secret and source not in {SAVED, DEFAULT} and value != service.fields.get(name, {}).get("default"):
            message = f"the {scheme.title} of the profile would be renewed at {value}, which {source} names"
            raise CallError(message, hint=f"what a profile holds goes only where it was saved for; leave {name} out")


def params(how: Json, known: Mapping[str, Any]) -> Json:
    """What the call that renews is given."""
    return {name: template.filled(value, known) for name, value in how.get("params", {}).items()}


def found(scheme: Scheme, service: Service, result: Result) -> Json:
    """The fields that the answer yields. Raises TransportError where one that calls are signed with is not there.

    What does not fit its field is left out: it would make the connection one that can't be read.
    """
    how: Json = scheme.renew or {}
    news = {name: query.search(path, result.value) for name, path in how["keep"].items()}
    news = {
        name: value
        for name, value in news.items()
        if isinstance(value, (str, int)) and validation.fits(value, service.fields[name])
    }
    lacking = [name for name in renewed(scheme) if name not in news]
    if lacking:
        message = f"the renewal of the {scheme.title} brought no {', '.join(lacking)} that can be used"
        raise TransportError(message)
    return news


def over(error: RunnerError, scheme: Scheme, account: Account, method: Method) -> RunnerError:
    """What a failed renewal is to the caller: refused, they must sign in again; lost, they must look.

    Their own call was refused and did nothing, whatever became of the renewal. What the answer held is not shown:
    it may be the new secrets.
    """
    again = f"sign in again: declarest login {method.service.name} {account.name}".rstrip()
    start = f"the {scheme.title} has run out"
    if isinstance(error, ServiceError):
        passing = error.kind in {"rate_limit", "server", "network"}
        kind = REFUSALS.get(error.kind, ServiceError) if passing else AuthError
        hint = error.hint or "try again later" if passing else "; ".join(filter(None, [error.hint, again]))
        return kind(
            f"{start} and could not be renewed: {error.message or error.code or error.status}",
            code=error.code,
            status=error.status,
            kind=error.kind if passing else "auth",  # type: ignore[arg-type]
            rejected=True,
            hint=hint,
            method=method.full_name,
        )
    if not isinstance(error, TransportError):
        return error
    if error.outcome == "unknown":
        message = f"{start}, and no usable answer came to its renewal"
        hint = f"call again; if that is refused, the renewal was used up: {again}"
    else:
        message = f"{start}, and could not be renewed: {error.message}"
        hint = "; ".join(filter(None, [error.hint, "the renewal is not used up: call again later"]))
    return TransportError(
        message, outcome="not sent", status=error.status, final=True, hint=hint, method=method.full_name
    )
