"""Who is calling: the fields of a connection, from arguments, environment and profile, each with its source."""

from __future__ import annotations

import os
import re
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import profiles, template
from .errors import CallError, MissingCredentials, did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .spec import Scheme, Service

Json = dict[str, Any]
MOST_PORT = 65535
_AROUND = " \t\r\n\N{NO-BREAK SPACE}'\"`<>()‹›«»‘’‚“”„"  # what stands around an address in letters and chats
SOURCES = ("an argument", "the environment", "the profile", "the default")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """The fields of one connection and where each came from. It never shows a value.

    `host` is that of the pasted text which was split into them, where there was one; `profile` the name of the
    profile that gave some of them.
    """

    values: Mapping[str, Any]
    sources: Mapping[str, str]
    host: str = ""
    profile: str = ""

    def __repr__(self) -> str:
        return f"<Credentials {', '.join(sorted(self.values))}>"


def variable(service: str, name: str) -> str:
    """The environment variable of a field: DECLAREST_SERVICE_FIELD."""
    return f"DECLAREST_{service}_{name}".upper().replace("-", "_")


def environment(service: Service) -> dict[str, str]:
    """What the environment gives."""
    found = {name: os.environ.get(variable(service.name, name), "") for name in inputs(service)}
    return {name: text for name, text in found.items() if text}


def inputs(service: Service) -> list[str]:
    """The names that a caller may give: texts that are split first, then the fields."""
    return [*service.accept, *(name for name in service.fields if name not in service.accept)]


def hosts(service: Service) -> frozenset[str]:
    """The fields that say which host a connection is of."""
    return frozenset(name for name, node in service.fields.items() if node.get("format") in {"hostname", "uri"})


def example(service: Service, form: str) -> str:
    """What a pasted text looks like: https://PORTAL/rest/USER_ID/CODE/."""
    known = {name: service.fields.get(name, {}).get("default", name.upper()) for name in template.names(form)}
    return template.plain(form, known)


def credentials(
    service: Service, given: Mapping[str, Any], profile: str | None = None, *, saved: bool = True
) -> Credentials:
    """The connection of a call: arguments before environment before profile before the defaults of the fields.

    An empty `profile` takes none, and nothing of the environment; without `saved` just no profile is taken.
    Raises CallError for a name, a text or a value that does not fit the service.
    """
    known = inputs(service)
    for name in given:
        if name not in known:
            hint = did_you_mean(nearest(name, known)) or f"it takes {', '.join(known)}"
            message = f"{service.name} has no credential called {name!r}"
            raise CallError(message, hint=hint)
    values: Json = {}
    sources: dict[str, str] = {}
    alone = service.guest or profile == ""
    chosen = profiles.chosen(service.name, profile) if saved and not alone else ""
    kept = [(SOURCES[1], environment(service)), (SOURCES[2], profiles.fields(service.name, chosen))]
    pasted = ""
    for source, found in [(SOURCES[0], given), *([] if alone else kept)]:
        with _told_of(source, chosen):
            fields = _split(service, found)
        own = hosts(service) & fields.keys() & values.keys()
        if any(_host(fields, name) != _host(values, name) for name in own):
            continue  # it was saved for another host, which its secrets must not leave
        pasted = pasted or next((_host_of(str(found[name])) for name in service.accept if found.get(name)), "")
        for name, value in fields.items():
            if name not in values:
                values[name], sources[name] = value, source
    for name, node in service.fields.items():
        if name not in values and "default" in node:
            values[name], sources[name] = node["default"], SOURCES[3]
    return Credentials(
        _typed(service, values, sources, chosen), sources, pasted, chosen if SOURCES[2] in sources.values() else ""
    )


def origins(service: Service, given: Mapping[str, Any], found: Credentials) -> list[tuple[str, Any, str]]:
    """Each field of a connection, its value with secrets masked, and where that came from."""
    result = []
    for name in service.fields:
        if name not in found.values:
            continue
        source, shown = found.sources[name], found.values[name]
        if source == SOURCES[0]:
            source = f"flag --{_giver(service, name, given).replace('_', '-')}"
        elif source == SOURCES[1]:
            source = f"environment {variable(service.name, _giver(service, name, environment(service)))}"
        elif source == SOURCES[2]:
            kept = profiles.fields(service.name, found.profile)
            place = profiles.place(service.name, found.profile, _giver(service, name, kept))
            source = f"profile {found.profile}, {place}"
        else:
            source = "default"
        result.append((name, "***" if name in service.secrets() else shown, source))
    return result


def _giver(service: Service, name: str, given: Mapping[str, Any]) -> str:
    """The name under which a source gave a field: its own, or that of a pasted text that was split."""
    pasted = [one for one, forms in service.accept.items() if any(name in template.names(form) for form in forms)]
    return next((one for one in (name, *pasted) if given.get(one) not in {None, ""}), name)


def _host_of(text: str) -> str:
    """The host of a pasted address, with its port, in lower case."""
    clean = _clean(text)
    return urlsplit(clean if "://" in clean else f"//{clean}").netloc.lower()


def _clean(text: str) -> str:
    """A pasted text without the blanks and quotes around it, and without letters that nobody sees; its scheme small."""
    seen = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    scheme, mark, rest = seen.strip(_AROUND).rpartition("://")
    return f"{scheme.lower()}{mark}{rest}"


@contextmanager
def _told_of(source: str, profile: str) -> Iterator[None]:
    """Say in an error where the text stands that does not fit, unless the caller has just written it."""
    try:
        yield
    except CallError as error:
        place = f"the profile {profile!r} in {profiles.path()}" if source == SOURCES[2] else source
        if source != SOURCES[0]:
            error.message = f"{place}: {error.message.removeprefix('--')}"
            error.args = (error.message,)
        raise


def _host(fields: Json, name: str) -> str:
    return str(fields[name]).lower()


def _split(service: Service, found: Mapping[str, Any]) -> Json:
    """The fields of what one source gives; a field given by itself wins over the same one in a pasted text."""
    given = {
        name: value for name, value in found.items() if value is not None and value != "" and name in inputs(service)
    }
    result: Json = {}
    for name, templates in service.accept.items():
        if name in given:
            result.update(_pasted(service, name, str(given[name]).strip(), templates))
    return result | {name: value for name, value in given.items() if name not in service.accept}


def _pasted(service: Service, name: str, pasted: str, templates: tuple[str, ...]) -> Json:
    text = _clean(pasted)
    for one in templates:
        fields = template.matched(one, text, service.kinds())
        if fields is not None and _hosts_are_hosts(service, fields):
            return fields
    form = " or ".join(dict.fromkeys(example(service, one) for one in (templates[0], templates[-1])))
    path = re.split(r"[?#]", text)[0].rstrip("/")
    whole = [one for one in templates if service.secrets() & set(template.names(one))]
    heads = [template.matched(one, f"{part}/", service.kinds()) for one in whole for part in _heads(path)]
    if any(found and _hosts_are_hosts(service, found) for found in heads):
        form += ", without what follows it here"
    secret_free = _without_path(text)
    message = f"--{name} {secret_free} is not an address that {service.title} has"
    raise CallError(message, hint="\n  ".join(filter(None, [f"it looks like {form}", service.help])))


def _heads(path: str) -> list[str]:
    """An address and the same without its last part, which may be the name of a method."""
    return [path, path.rpartition("/")[0]]


def _without_path(text: str) -> str:
    """A pasted text without what may be a secret: scheme and host at most, and no host that looks like no host."""
    scheme, host, rest = re.fullmatch(r"([a-zA-Z]+://)?([^/?#\\]*)(.*)", text, re.DOTALL).groups("")  # type: ignore[union-attr]
    host = host.rpartition("@")[2]
    fine = re.fullmatch(r"(?:[\w-]+\.)+[\w-]+(?::\d*)?|localhost(?::\d*)?", host)
    return scheme + (host if fine else "***") + ("/…" if rest else "")


def _hosts_are_hosts(service: Service, fields: Mapping[str, str]) -> bool:
    for name, value in fields.items():
        node = service.fields.get(name, {})
        if "enum" in node and value not in node["enum"]:
            return False
        if node.get("format") == "hostname":
            host = re.fullmatch(r"(?!\.)[\w.-]+(?<!\.)(?::([0-9]{1,5}))?", value)
            if host is None or not 0 < int(host[1] or 443) <= MOST_PORT:
                return False
    return True


def _typed(service: Service, values: Json, sources: Mapping[str, str], profile: str) -> Json:
    """Each field in its type; a text that does not fit is an error that names the field, never the value."""
    from .validation import fits

    result = {}
    for name, value in values.items():
        node = {key: rule for key, rule in service.fields.get(name, {}).items() if key != "$ref"}
        one = int(value) if node.get("type") == "integer" and str(value).isdecimal() else value
        if not fits(one, node) or not _hosts_are_hosts(service, {name: str(one)}):
            address = node.get("format") in {"hostname", "uri"}  # which may have been pasted with a secret in it
            face = _without_path(value) if address and isinstance(value, str) else value
            shown = "this value" if node.get("writeOnly") else repr(face)
            message = f"{shown} does not fit the credential {name}"
            with _told_of(sources[name], profile):
                raise CallError(message, hint=node.get("description", ""))
        result[name] = one
    return result


def _used(service: Service, forms: tuple[str, ...], known: Mapping[str, Any]) -> bool:
    """Whether a pasted text has been given already: what its shortest form holds is known, and not by default."""
    names = [name for name in template.names(min(forms, key=len)) if "default" not in service.fields.get(name, {})]
    return bool(names) and all(name in known for name in names)


def takes(scheme: Scheme, allowed: list[str]) -> bool:
    """Whether a way of authorising is one that a method may go; one that stands apart must be named by it."""
    return scheme.name in allowed if allowed else not scheme.apart


def missing(
    service: Service, allowed: list[str], known: Mapping[str, Any], method: str, profile: str = ""
) -> MissingCredentials:
    """The error of a call that no way of authorising can sign: each way with what it still lacks.

    `profile` is the one that gave some of the fields.
    """
    ways = [scheme for scheme in service.schemes if takes(scheme, allowed)]
    lacking = min(([name for name in way.needs if name not in known] for way in ways), key=len)
    pasted = [name for name, forms in service.accept.items() if not _used(service, forms, known)]
    name = next(iter([*pasted, *lacking]), "")
    hints = [] if service.guest else _of_profiles(service, profile)
    hints += [f"give --{name}, or set {variable(service.name, name)}, or `{name}` in a profile"]
    hints += [f"{scheme.title}: {', '.join(scheme.needs)}" for scheme in ways]
    if service.guest:
        hints.append(f"{service.origin} replaces an installed service, so it is given no saved credentials")
    if service.help:
        hints.append(service.help)
    if not service.guest:
        hints.append(f"declarest login {service.name} asks for them, checks them and keeps them")
    hints.append("or practise with --sandbox")
    if allowed and any(set(scheme.needs) <= set(known) for scheme in service.schemes):
        message = f"{method} can't be called in this way; it takes {' or '.join(scheme.title for scheme in ways)} only"
    else:
        message = f"no credentials for {service.title}: {', '.join(lacking)} missing"
    return MissingCredentials(message, hint="\n  ".join(["", *hints]).strip(), method=method)


def _of_profiles(service: Service, profile: str) -> list[str]:
    """What is to be said of the profiles where credentials are missing: a slip in one, or that none was named."""
    try:
        saved = profiles.names(service.name)
        strange = [name for name in profiles.fields(service.name, profile) if name not in inputs(service)]
    except CallError as error:
        return [str(error)]
    if strange:
        near = did_you_mean(nearest(strange[0], inputs(service)))
        return ["; ".join(filter(None, [f"the profile {profile!r} has {strange[0]}, which is no credential", near]))]
    if not saved or profile or profiles.default(service.name) in saved:
        return []
    return [f"{service.name} has {', '.join(saved)} among the profiles, and no default one: give --profile {saved[0]}"]
