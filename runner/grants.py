"""What a service file says of getting and renewing an authorisation, held against the fields and methods there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import query, template
from .errors import RunnerError, SpecError, did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .spec import Method, Scheme, Service

Json = dict[str, Any]
Path = list[str | int]
Told = tuple[Path, str, str]  # where, what is wrong, the fix


def faults(service: Service, whoami: Json, find: Callable[[str], Method]) -> Iterator[Told]:
    """Everything wrong with the words `renew`, `login` and `whoami`. `find` gives a method that stands beside."""
    for scheme in service.schemes:
        for word, how in (("renew", scheme.renew), ("login", scheme.login)):
            if how is not None:
                path: Path = ["auth", scheme.name, word]
                yield from _names(path, how, service)
                yield from _kept(path, how, service, scheme)
                yield from _called(path, how["method"], how.get("params", {}), find)
    for word in ("method", "scopes"):
        if word in whoami:
            yield from _called(["profile", "whoami", word], whoami[word], {}, find)
    yield from _readable(["profile", "whoami", "show"], whoami.get("show", "@"))


def _names(path: Path, how: Json, service: Service) -> Iterator[Told]:
    """The names that stand for fields: of the connection, of what comes back from a page, and its state."""
    back = list(how.get("back", ()))
    yield from _known([*path, "needs"], how.get("needs", ()), service.fields)
    yield from _known([*path, "params"], named(how.get("params", {})), [*service.fields, *back])
    if "page" in how:
        page = template.names(how["page"])
        yield from _known([*path, "page"], page, [*service.fields, "state"])
        if "state" not in back or "state" not in page:
            message = "no {state} goes to the page and comes back: the answer to another login could be slipped in"
            yield path, message, "write {state} into the page, and state into back"


def _known(path: Path, names: Iterable[str], known: Iterable[str]) -> Iterator[Told]:
    for name in names:
        if name not in known:
            hint = did_you_mean(nearest(name, known)) or f"it has {', '.join(known) or 'none'}"
            yield path, f"{name} is no field of the profile", hint


def _kept(path: Path, how: Json, service: Service, scheme: Scheme) -> Iterator[Told]:
    """What an answer yields: fields, what calls are signed with among them, and no host: secrets go to no other."""
    yield from _known([*path, "keep"], how["keep"], service.fields)
    for name, source in how["keep"].items():
        if service.fields.get(name, {}).get("format") in {"hostname", "uri"}:
            yield [*path, "keep", name], f"{name} is a host, which no answer may change", ""
        yield from _readable([*path, "keep", name], source)
    if not set(scheme.needs) & set(how["keep"]):
        yield [*path, "keep"], f"nothing is kept of what {scheme.name} needs", f"it needs {', '.join(scheme.needs)}"


def _readable(path: Path, source: str) -> Iterator[Told]:
    try:
        query.compiled(source)
    except SpecError as error:
        yield path, error.message, error.hint


def _called(path: Path, name: str, params: Json, find: Callable[[str], Method]) -> Iterator[Told]:
    """A method that the service calls by itself: it is there, and takes just what it is given."""
    try:
        method = find(name)
    except RunnerError as error:
        yield path, error.message, error.hint
        return
    for param in params:
        if method.param(method.canonical(param)) is None:
            yield path, f"{method.full_name} has no param {param}", did_you_mean(nearest(param, method.params))
    lacking = [one for one in method.document.get("required", ()) if one not in map(method.canonical, params)]
    if lacking:
        yield path, f"{method.full_name} is not given {', '.join(lacking)}, which it requires", ""


def named(part: Any) -> list[str]:
    """The fields that stand in the texts of a value, through lists and objects."""
    if isinstance(part, str):
        return template.names(part)
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return [name for one in inner for name in named(one)]
