"""An authorisation that has run out, renewed: once for all who share the account, and kept before it is used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from . import query, template
from .errors import AuthError, RunnerError, ServiceError, TransportError

if TYPE_CHECKING:
    from .response import Result
    from .spec import Method, Scheme

Json = dict[str, Any]
Saver = Callable[[Json], Any]
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

    def save(self, values: Json) -> Any:
        """Tell the caller, whose function may be a coroutine's."""
        return self.saver(values) if self.saver else None


@contextmanager
def saving() -> Iterator[None]:
    """Turn whatever keeps new fields from being kept into an error that says what that means."""
    try:
        yield
    except Exception as error:
        message = f"the authorisation was renewed, and could not be kept: {error or type(error).__name__}"
        raise RunnerError(message, hint="the one that is kept is used up: sign in again") from error


def needed(error: RunnerError, scheme: Scheme, known: Mapping[str, Any]) -> bool:
    """Whether a refusal says that the authorisation has run out, and there is what renews it."""
    how = scheme.renew
    if how is None or not isinstance(error, ServiceError):
        return False
    codes = {code.lower() for code in how["on"]}
    return error.code.lower() in codes and all(known.get(name) for name in how.get("needs", ()))


def params(how: Json, known: Mapping[str, Any]) -> Json:
    """What the call that renews is given."""
    return {name: template.filled(value, known) for name, value in how.get("params", {}).items()}


def found(how: Json, result: Result, title: str) -> Json:
    """The fields that the answer yields. Raises TransportError where one that is needed is not there."""
    news = {name: query.search(path, result.value) for name, path in how["keep"].items()}
    lacking = [name for name, value in news.items() if value is None and name in how.get("needs", ("",))]
    if lacking or not any(value is not None for value in news.values()):
        raise TransportError(f"the renewal of {title} brought no {', '.join(lacking) or 'answer that can be used'}")
    return {name: value for name, value in news.items() if value is not None}


def over(error: RunnerError, scheme: Scheme, account: Account, method: Method) -> RunnerError:
    """What a failed renewal is to the caller: refused, they must sign in again; lost, they must look."""
    service = method.service.name
    again = f"sign in again: declarest login {service} {account.name}".rstrip()
    if isinstance(error, ServiceError):
        message = f"the {scheme.title} has run out and could not be renewed: {error.message or error.code}"
        code, status = error.code, error.status
        return AuthError(message, code=code, status=status, kind="auth", rejected=True, hint=again, method=method.name)
    if isinstance(error, TransportError) and error.outcome == "unknown":
        error.hint = f"the renewal of the {scheme.title} may have been used up; if calls are refused, {again}"
    return error
