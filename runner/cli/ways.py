"""The ways to sign in to a service: which one fits what was said, and what is still missing asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import settings, template
from ..encoding import File
from ..errors import CallError, MissingCredentials
from ..forms import decoded
from . import ask, console

if TYPE_CHECKING:
    from ..spec import Scheme, Service

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to sign in: a scheme's own fields, or those with which a page in the browser yields them."""

    scheme: Scheme
    paged: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """The fields that must be known."""
        return tuple((self.scheme.login or {}).get("needs", ())) if self.paged else self.scheme.needs

    @property
    def title(self) -> str:
        """What a person is told."""
        return f"{self.scheme.title}, by a page in the browser" if self.paged else self.scheme.title

    def takes(self) -> set[str]:
        """The fields that are kept of it."""
        how, renew = self.scheme.login or {}, self.scheme.renew or {}
        texts = [self.scheme.base, how.get("page", "")] if self.paged else [self.scheme.base]
        named = {name for text in texts for name in template.names(text)}
        later = {*renew.get("needs", ()), *renew.get("keep", ())}
        return {*self.scheme.needs, *self.needs, *named, *later, *(how.get("keep", ()) if self.paged else ())}


@dataclass(slots=True)
class Words:
    """The words of a line: who and under which name, what was given, what was asked for."""

    names: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    switches: set[str] = field(default_factory=set)


def ways(service: Service) -> list[Way]:
    """The ways to sign in that a service has."""
    own = [scheme for scheme in service.schemes if not scheme.apart]
    return [*map(Way, own), *(Way(scheme, paged=True) for scheme in own if scheme.login)]


def chosen(service: Service, words: Words) -> tuple[Way, Json]:
    """The way that fits what was given, and all its fields; what is missing is asked for."""
    found = settings.credentials(service, words.given, saved=False)
    way = _complete(service, found)
    if way is None and not words.given and not ask.possible():
        words.given = _piped(service)
        found = settings.credentials(service, words.given, saved=False)
        way = _complete(service, found)
    if way is None and not ask.possible():
        raise _missing(service, found)
    if way is None:
        way = _asked_for(service, found)
        found = _filled(service, way, words, found)
    if any(found.sources.get(name) == settings.SOURCES[1] for name in way.needs):
        names = [settings.variable(service.name, name) for name in settings.environment(service)]
        console.note(f"the environment is taken at its word: {', '.join(names)}")
    return way, dict(found.values)


def _complete(service: Service, found: settings.Credentials) -> Way | None:
    """The way whose fields are all known, that which most was said of on the line; a page only where it must be."""
    every = [way for way in ways(service) if set(way.needs) <= set(found.values) and _said(way, found)]
    whole = [way for way in every if not _needless(way, every, found)]
    return max(whole, key=lambda way: (_said(way, found, settings.SOURCES[:1]), not way.paged), default=None)


def _needless(way: Way, every: list[Way], found: settings.Credentials) -> bool:
    """Whether a page would yield what was given already, from no farther than what the page itself needs."""
    if not way.paged or Way(way.scheme) not in every:
        return False
    given, asked = {*way.scheme.needs} - {*way.needs}, {*way.needs} - {*way.scheme.needs}
    return _farthest(given, found) <= _farthest(asked, found)


def _farthest(names: set[str], found: settings.Credentials) -> int:
    """The place in the order of sources of the field that stands farthest from the line."""
    return max((settings.SOURCES.index(found.sources[name]) for name in names), default=0)


def _said(way: Way, found: settings.Credentials, sources: tuple[str, ...] = settings.SOURCES[:2]) -> int:
    """How many of the fields of a way were said."""
    return sum(found.sources.get(name) in sources for name in way.needs)


def _piped(service: Service) -> dict[str, str]:
    """The pasted address that comes through standard input, where nothing else was given."""
    name = next(iter(service.accept), "")
    if not name or sys.stdin is None:
        return {}
    text = decoded(File("stdin", sys.stdin.buffer.read())).strip()
    return {name: text} if text else {}


def _missing(service: Service, found: settings.Credentials) -> MissingCredentials:
    """The error of a line that does not say enough, where nobody is there to be asked: each way with its flags."""
    lines = [f"{way.title}: {_flags(service, way)}" for way in ways(service)]
    lines += [service.help] if service.help else []
    given = {name for name, source in found.sources.items() if source in settings.SOURCES[:2]}
    what = "these do not say enough" if given else "nothing is given"
    message = f"{what} to sign in to {service.title}, and there is no terminal to ask at"
    hint = "\n  ".join(["give the flags of one of these; - reads standard input, @file a file", *lines])
    return MissingCredentials(message, hint=hint)


def _flags(service: Service, way: Way) -> str:
    """The flags that a way takes: `--portal … --token -`."""
    whole = _whole(service, way)
    names = [whole] if whole else list(way.needs)
    hidden = {whole, *service.secrets()}
    return " ".join(f"--{name.replace('_', '-')} {'-' if name in hidden else '…'}" for name in names)


def _asked_for(service: Service, found: settings.Credentials) -> Way:
    """The way that the person chooses, among those of which something was said, else among all."""
    hosts = settings.hosts(service)
    every = ways(service)
    begun = [
        way for way in every if any(found.sources.get(name) in settings.SOURCES[:2] for name in {*way.needs} - hosts)
    ]
    some = begun or every
    if len(some) == 1:
        return some[0]
    console.say(f"How do you sign in to {service.title}?")
    return some[ask.choice("Number", [way.title for way in some])]


def _filled(service: Service, way: Way, words: Words, found: settings.Credentials) -> settings.Credentials:
    """The fields of a way, those that are missing asked for: as one pasted text where there is one for all of them."""
    if service.help and not way.paged:
        console.note(service.help)
    whole = _whole(service, way)
    while True:
        lacking = [name for name in way.needs if name not in found.values]
        if not lacking:
            return found
        name = whole if whole and whole not in words.given else lacking[0]
        question = settings.example(service, service.accept[name][0]) if name == whole else _about(service, name)
        hidden = name == whole or name in service.secrets()
        found = ask.until(partial(_with, service, words, name), question, secret=hidden)


def _with(service: Service, words: Words, name: str, text: str) -> settings.Credentials:
    """The fields with one more that was typed; the host may be pasted as an address."""
    if not text:
        raise CallError("nothing was given, and nothing is saved")
    if "/" in text and name in settings.hosts(service) and service.accept:
        name = next(iter(service.accept))
    found = settings.credentials(service, {**words.given, name: text}, saved=False)
    words.given[name] = text
    return found


def _whole(service: Service, way: Way) -> str:
    """The name of the pasted text that holds all that a way needs; empty where there is none."""
    for name, forms in service.accept.items():
        if any(set(way.needs) <= set(template.names(form)) for form in forms):
            return name
    return ""


def _about(service: Service, name: str) -> str:
    text = service.fields.get(name, {}).get("description", "")
    return f"{name}, {text[0].lower()}{text[1:]}" if text else name
