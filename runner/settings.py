"""Who is calling: the fields of a connection, from arguments, environment and profile, each with its source."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import profiles, template
from .errors import CallError, MissingCredentials, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .spec import Scheme, Service

Json = dict[str, Any]
MOST_PORT = 65535
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


def inputs(service: Service) -> list[str]:
    """The names that a caller may give: texts that are split first, then the fields."""
    return [*service.accept, *(name for name in service.fields if name not in service.accept)]


def example(service: Service, form: str) -> str:
    """What a pasted text looks like: https://PORTAL/rest/USER_ID/CODE/."""
    known = {name: service.fields.get(name, {}).get("default", name.upper()) for name in template.names(form)}
    return template.plain(form, known)


def credentials(service: Service, given: Mapping[str, Any], profile: str | None = None) -> Credentials:
    """The connection of a call: arguments before environment before profile before the defaults of the fields.

    Raises CallError for a name, a text or a value that does not fit the service.
    """
    known = inputs(service)
    for name in given:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
            message = f"{service.name} has no credential called {name!r}"
            raise CallError(message, hint=hint)
    values: Json = {}
    sources: dict[str, str] = {}
    hosts = [name for name, node in service.fields.items() if node.get("format") in {"hostname", "uri"}]
    environment = {name: os.environ.get(variable(service.name, name)) for name in known}
    taken = "" if service.guest else profiles.chosen(service.name, profile)
    kept = [(SOURCES[1], environment), (SOURCES[2], profiles.fields(service.name, taken))]
    pasted = ""
    for source, found in [(SOURCES[0], given), *([] if service.guest else kept)]:
        fields = _split(service, found)
        if any(_host(fields, name) != _host(values, name) for name in hosts if name in fields and name in values):
            continue  # it was saved for another host, which its secrets must not leave
        pasted = pasted or next((_host_of(str(found[name])) for name in service.accept if found.get(name)), "")
        for name, value in fields.items():
            if name not in values:
                values[name], sources[name] = value, source
    for name, node in service.fields.items():
        if name not in values and "default" in node:
            values[name], sources[name] = node["default"], SOURCES[3]
    return Credentials(_typed(service, values), sources, pasted, taken if SOURCES[2] in sources.values() else "")


def _host_of(text: str) -> str:
    """The host of a pasted address, with its port, in lower case."""
    clean = _clean(text)
    return urlsplit(clean if "://" in clean else f"//{clean}").netloc.lower()


def _clean(text: str) -> str:
    """A pasted text without the blanks and quotes around it, its scheme in lower case."""
    scheme, mark, rest = text.strip(" \t\r\n'\"<>‹›«»").rpartition("://")
    return f"{scheme.lower()}{mark}{rest}"


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
    shorter = f"{text.split('?')[0].rstrip('/').rpartition('/')[0]}/"
    whole = [one for one in templates if service.secrets() & set(template.names(one))]
    if any(template.matched(one, shorter, service.kinds()) for one in whole):
        form += ", without what follows it here"
    secret_free = _without_path(text)
    message = f"--{name} {secret_free} is not an address that {service.title} has"
    raise CallError(message, hint=f"it looks like {form}")


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


def _typed(service: Service, values: Json) -> Json:
    """Each field in its type; a text that does not fit is an error that names the field, never the value."""
    from .validation import fits

    result = {}
    for name, value in values.items():
        node = {key: rule for key, rule in service.fields.get(name, {}).items() if key != "$ref"}
        one = int(value) if node.get("type") == "integer" and str(value).isdecimal() else value
        if not fits(one, node) or not _hosts_are_hosts(service, {name: str(one)}):
            shown = "this value" if node.get("writeOnly") else repr(value)
            message = f"{shown} does not fit the credential {name}"
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


def missing(service: Service, allowed: list[str], known: Mapping[str, Any], method: str) -> MissingCredentials:
    """The error of a call that no way of authorising can sign: each way with what it still lacks."""
    ways = [scheme for scheme in service.schemes if takes(scheme, allowed)]
    lacking = min(([name for name in way.needs if name not in known] for way in ways), key=len)
    pasted = [name for name, forms in service.accept.items() if not _used(service, forms, known)]
    name = next(iter([*pasted, *lacking]), "")
    hints = [f"give --{name}, or set {variable(service.name, name)}, or `{name}` in a profile"]
    hints += [f"{scheme.title}: {', '.join(scheme.needs)}" for scheme in ways]
    if service.guest:
        hints.append(f"{service.origin} replaces an installed service, so it is given no saved credentials")
    if service.help:
        hints.append(service.help)
    hints.append("or practise with --sandbox")
    if allowed and any(set(scheme.needs) <= set(known) for scheme in service.schemes):
        message = f"{method} can't be called in this way; it takes {' or '.join(scheme.title for scheme in ways)} only"
    else:
        message = f"no credentials for {service.title}: {', '.join(lacking)} missing"
    return MissingCredentials(message, hint="\n  ".join(["", *hints]).strip(), method=method)
