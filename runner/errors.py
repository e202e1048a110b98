"""Everything that can go wrong, by who must act.

    RunnerError
    ├── SpecError                whoever wrote the YAML
    ├── CallError                whoever made the call
    │   ├── UnknownMethod
    │   ├── InvalidArguments     every misfit at once
    │   └── MissingCredentials
    ├── ServiceError             the service said no
    │   ├── AuthError
    │   ├── LimitExceeded
    │   └── NotReached           an earlier refusal kept the call from being made
    └── TransportError           no usable answer came

A message never holds a secret: whoever raises one of these passes addresses and values as they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["usage", "auth", "forbidden", "not_found", "conflict", "rate_limit", "blocked", "server", "network"]
Outcome = Literal["not sent", "unknown"]

_SHORT = 2  # letters of a word that is near to another by one of them
BUG, USAGE, AUTH, REFUSED, NETWORK, LIMIT, PARTLY, INTERRUPTED = 1, 2, 3, 4, 5, 6, 7, 130


@dataclass(frozen=True, slots=True)
class Problem:
    """One misfit of an input: where, what, and what to do next. `path` is dotted, from the input's root."""

    level: Literal["error", "warning"]
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return f"{text}; {self.hint}" if self.hint else text


class RunnerError(Exception):
    """The root. `kind` and `exit_code` tell programs what `str()` tells people."""

    kind: str = "bug"
    exit_code: int = BUG

    def __init__(self, message: str, *, hint: str = "", method: str = "") -> None:
        super().__init__(message)
        self.message, self.hint, self.method = message, hint, method

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    @property
    def code(self) -> str:
        """The service's code where it gave one, else the name of this kind of error."""
        return type(self).__name__

    def as_dict(self) -> dict[str, object]:
        """The error as JSON shows it."""
        return {
            "kind": self.kind,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "method": self.method,
        }


class SpecError(RunnerError):
    """A YAML file is wrong. `where` is `file:line:column`, as far as it is known."""

    kind, exit_code = "spec", USAGE

    def __init__(self, message: str, *, where: str = "", hint: str = "", method: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message, hint=hint, method=method)
        self.where = where


class CallError(RunnerError):
    """The call can't be made as it was asked for; nothing was sent."""

    kind, exit_code = "usage", USAGE


class UnknownMethod(CallError):
    """No file describes a method of this name. `near` are the names that may have been meant."""

    def __init__(self, name: str, near: Sequence[str] = (), *, what: str = "method", where: str = "") -> None:
        place = f" in {where}" if where else ""
        super().__init__(f"there is no {what} {name!r}{place}", hint=did_you_mean(near), method=name)
        self.name, self.near = name, tuple(near)


class InvalidArguments(CallError):
    """The input does not fit the method. `problems` are all the misfits, in the order of the input."""

    def __init__(self, problems: Sequence[Problem], *, method: str = "") -> None:
        super().__init__("\n".join(map(str, problems)), method=method)
        self.problems = tuple(problems)

    def as_dict(self) -> dict[str, object]:
        """The error as JSON shows it, each misfit by itself."""
        problems = [{"path": p.path, "message": p.message, "hint": p.hint} for p in self.problems]
        return {**super().as_dict(), "problems": problems}


class MissingCredentials(CallError):
    """No way of authorising has all that it needs."""

    kind, exit_code = "auth", AUTH


class ServiceError(RunnerError):
    """The service answered, and said no.

    `code` and `message` are the service's own, `status` is HTTP's, `rejected` says whether the service is
    known to have done nothing, `details` is what else it said. `outcome` is "unknown" where the service failed
    in the midst of a write and may have acted; empty where there is no such doubt.
    """

    exit_code = REFUSED

    def __init__(  # noqa: PLR0913 - what the service said, word for word
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        kind: Kind = "usage",
        rejected: bool = False,
        details: object = None,
        outcome: Literal["", "unknown"] = "",
        hint: str = "",
        method: str = "",
    ) -> None:
        super().__init__(message, hint=hint, method=method)
        self.status, self.rejected, self.details = status, rejected, details
        self.outcome: Literal["", "unknown"] = outcome
        self.kind = kind
        self._code = code

    def __str__(self) -> str:
        said = ": ".join(filter(None, [self._code, self.message])) or f"refused with status {self.status}"
        return f"{said}; {self.hint}" if self.hint else said

    @property
    def code(self) -> str:
        """The service's own code."""
        return self._code

    @code.setter
    def code(self, code: str) -> None:
        self._code = code

    def as_dict(self) -> dict[str, object]:
        """The error as JSON shows it, with status, details, and the outcome where that is in doubt."""
        more: dict[str, object] = {"outcome": self.outcome} if self.outcome else {}
        more |= {"status": self.status} | ({"details": self.details} if self.details is not None else {})
        return {**super().as_dict(), **more}


class AuthError(ServiceError):
    """The service did not take the credentials, or they do not allow this."""

    exit_code = AUTH


class LimitExceeded(ServiceError):
    """A limit of the service did not clear in the time that was given."""

    exit_code = LIMIT


class NotReached(ServiceError):
    """The call was not made: it was to come after one that was refused."""


class TransportError(RunnerError):
    """No usable answer came. `outcome` says whether the server may have acted, `final` that asking again is vain."""

    kind, exit_code = "network", NETWORK

    def __init__(  # noqa: PLR0913 - what is known of the failure
        self,
        message: str,
        *,
        outcome: Outcome = "unknown",
        status: int = 0,
        final: bool = False,
        hint: str = "",
        method: str = "",
    ) -> None:
        super().__init__(message, hint=hint, method=method)
        self.outcome: Outcome = outcome
        self.status, self.final = status, final

    def as_dict(self) -> dict[str, object]:
        """The error as JSON shows it, with what is known of the outcome."""
        return {**super().as_dict(), "outcome": self.outcome, "status": self.status}


class RunnerWarning(RuntimeWarning):
    """Something works less well than it should; no call fails for it."""


REFUSALS: dict[str, type[ServiceError]] = {
    "auth": AuthError,
    "forbidden": AuthError,
    "rate_limit": LimitExceeded,
}


def nearest(word: str, known: Iterable[str], most: int = 1, least: float = 0) -> list[str]:
    """The known words that `word` may have been meant as, letter case apart, best first; `least` is from 0 to 1."""
    from difflib import get_close_matches

    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.lower(), name)
    least = least or (0.5 if len(word) <= _SHORT and word.isalnum() else 0.6)
    return [folded[near] for near in get_close_matches(word.lower(), folded, most, least)]


def did_you_mean(near: Sequence[str]) -> str:
    """The question that ends an error's sentence, or nothing."""
    return f"did you mean {' or '.join(near)}?" if near else ""
