"""Which way of authorising a call takes, and whether its address may be trusted with the secret."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlsplit

from . import query, settings, template, validation
from .errors import CallError, ServiceError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .errors import RunnerError, TransportError
    from .settings import Credentials
    from .spec import Method, Scheme

Json = dict[str, Any]
SHORTEST = 4  # characters of a secret that is looked for in texts; a shorter one would be found in every word


def choose(method: Method, credentials: Credentials, values: Mapping[str, Any] | None = None) -> Scheme:
    """The first way whose needs are known, those whose secrets stand nearer to the caller before the others.

    Where the method asks more of an input with some of them, those go first that these `values` suffice for. Raises
    MissingCredentials, with what each way lacks, where none is complete.
    """
    allowed = list(method.document.get("auth", ()))
    known = credentials.values
    ways = [
        scheme
        for scheme in method.service.schemes
        if set(scheme.needs) <= set(known) and settings.takes(scheme, allowed)
    ]
    if not ways:
        raise settings.missing(method.service, allowed, known, method.full_name, credentials.profile)
    if len(ways) == 1:
        return ways[0]
    if values is not None and method.by_auth:
        ways = [scheme for scheme in ways if not validation.demanded(method, scheme, values)] or ways
    secrets = method.service.secrets()

    def distance(scheme: Scheme) -> int:
        sources = [
            settings.SOURCES.index(credentials.sources.get(n, settings.SOURCES[0]))
            for n in scheme.needs
            if n in secrets
        ]
        return min(sources, default=len(settings.SOURCES))

    return min(ways, key=distance)


def named(method: Method, name: str) -> Scheme:
    """The way of this name. Raises SpecError where the service has none."""
    for scheme in method.service.schemes:
        if scheme.name == name:
            return scheme
    message = f"{method.service.name} has no way of authorising called {name!r}"
    raise SpecError(message, where=method.service.origin)


def trust(
    method: Method, scheme: Scheme, values: Mapping[str, Any], pasted: str = "", *, insecure: bool = False
) -> None:
    """Refuse an address that would give the secret to a host it was not saved for, or to the open network.

    `pasted` is the host of the text from which the credentials were split, read without the service file's help.
    """
    base = template.plain(scheme.base, values)
    own_hosts = () if _bare(method, scheme) else (pasted, _own_host(method, values))
    fault = _fault_of_address(base, own_hosts, insecure=insecure)
    if fault is None:
        return
    message, hint = fault
    if hint:
        raise CallError(message, hint=hint, method=method.full_name)
    raise SpecError(message, where=method.service.origin)


@lru_cache(maxsize=64)
def _fault_of_address(base: str, own_hosts: tuple[str, ...], *, insecure: bool) -> tuple[str, str] | None:
    """Why an address may not be trusted; with a hint where that is for the caller to mend."""
    parts = urlsplit(base)
    for own in filter(None, own_hosts):
        if parts.netloc.lower() != own:
            return f"the service file would send credentials of {own} to {parts.netloc}", ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return f"{parts.scheme}://{parts.netloc} is no address of a web service", "it begins with https://"
    if parts.scheme == "http" and not insecure and not loopback(parts.hostname):
        hint = "write https://, or add --insecure if you must"
        return f"http://{parts.netloc} would send the credentials unencrypted", hint
    return None


def _bare(method: Method, scheme: Scheme) -> bool:
    """Whether a way of authorising takes nothing of a connection along, so that no host need be the connection's."""
    if scheme.needs or scheme.send or scheme.first:
        return False
    texts = [scheme.base, *method.sending.headers.values()]
    return not {name for text in texts for name in template.names(text)} & method.service.secrets()


def _own_host(method: Method, values: Mapping[str, Any]) -> str:
    """The host that the credentials were given for, where a field of theirs says so."""
    for name, node in method.service.fields.items():
        if node.get("format") == "hostname" and name in values:
            return str(values[name]).lower()
        if node.get("format") == "uri" and name in values:
            return urlsplit(str(values[name])).netloc.lower()
    return ""


def moved(error: TransportError, method: Method, scheme: Scheme, goal: str, profile: str) -> None:
    """Say of a redirect to another host how it is accepted. Nothing follows it: the secrets are of the old host."""
    found = re.fullmatch(r"https?://([\w.-]+(?::\d+)?)(?:[/?#].*)?", goal, re.IGNORECASE | re.DOTALL)
    kinds = {name: node.get("format") for name, node in method.service.fields.items()}
    name = next((name for name in template.names(scheme.base) if kinds.get(name) in {"hostname", "uri"}), "")
    if not found or not name:
        return
    start, host = goal.partition("://")[0].lower(), found[1].lower()
    value = f"{start}://{host}" if kinds[name] == "uri" else host
    flag = f"--{name.replace('_', '-')} {value}"
    accept = f"declarest login {method.service.name} {profile} {flag}" if profile else f"call it with {flag}"
    error.message = f"the service answered with a redirect to {host}: it has moved, or something stands before it"
    error.args = (error.message,)
    error.hint = f"it points to {start}://{host}; nothing was sent there. If that is the right host: {accept}"


def veil(
    error: RunnerError,
    method: Method,
    values: Mapping[str, Any],
    kept: Iterable[str],
    more: Iterable[str] = (),
) -> None:
    """Mask the secrets of a call in what the server said of it: some servers repeat the whole address.

    `kept` are the names in `values` that are secret beside those of the service, `more` other secrets.
    """
    names = {*method.service.secrets(), *kept}
    secrets = [one for one in (*(str(values.get(name, "")) for name in names), *more) if len(one) >= SHORTEST]
    forms = sorted({form for one in secrets for form in _spelt(one)}, key=len, reverse=True)
    found = re.compile("|".join(map(re.escape, forms)) or r"(?!)", re.IGNORECASE)

    def masked(value: Any) -> Any:
        if isinstance(value, str):
            return _cut(found.sub("***", value), forms)
        if isinstance(value, dict):
            return {masked(key): masked(item) for key, item in value.items()}
        return [masked(item) for item in value] if isinstance(value, list) else value

    error.message, error.hint = masked(error.message), masked(error.hint)
    error.args = tuple(masked(list(error.args)))
    if isinstance(error, ServiceError):
        error.details, error.code = masked(error.details), masked(error.code)


def _spelt(secret: str) -> set[str]:
    """A secret as addresses, JSON and pages write it."""
    from html import escape

    texts = {secret, " ".join(secret.split())}
    texts |= {json.dumps(one, ensure_ascii=plain)[1:-1] for one in texts for plain in (True, False)}
    texts |= {form for one in texts for form in (escape(one), escape(one, quote=False), one.replace("<", "&lt;"))}
    return {form for one in texts for form in (one, one.replace("/", r"\/"), quote(one, safe=""), quote_plus(one))}


def _cut(text: str, forms: Iterable[str]) -> str:
    """A text that was cut short without the beginning of a secret at its end."""
    if not text.endswith("…"):
        return text
    for form in forms:
        for length in range(len(form) - 1, SHORTEST - 1, -1):
            if text[:-1].lower().endswith(form[:length].lower()):
                return f"{text[: -1 - length]}***…"
    return text


@lru_cache(maxsize=64)
def loopback(host: str) -> bool:
    """Whether a host is this machine."""
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def kept(scheme: Scheme, value: Any) -> Json:
    """The fields that the answer of a first call yields. Raises SpecError where one is not there."""
    found = {}
    for name, path in (scheme.first or {}).get("keep", {}).items():
        found[name] = query.search(path, value)
        if found[name] is None:
            message = f"the first call of {scheme.title} gave nothing at {path!r} for {name}"
            raise SpecError(message)
    return found
