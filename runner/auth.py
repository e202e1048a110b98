"""Which way of authorising a call takes, and whether its address may be trusted with the secret."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from . import query, settings, template
from .errors import CallError, ServiceError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .errors import RunnerError, TransportError
    from .settings import Credentials
    from .spec import Method, Scheme

Json = dict[str, Any]
SHORTEST = 4  # characters of a secret that is looked for in texts; a shorter one would be found in every word


def choose(method: Method, credentials: Credentials) -> Scheme:
    """The first way whose needs are known, those whose secrets stand nearer to the caller before the others.

    Raises MissingCredentials, with what each way lacks, where none is complete.
    """
    allowed = list(method.document.get("auth", ()))
    known = credentials.values
    ways = [
        scheme
        for scheme in method.service.schemes
        if set(scheme.needs) <= set(known) and settings.takes(scheme, allowed)
    ]
    if not ways:
        raise settings.missing(method.service, allowed, known, method.full_name)
    if len(ways) == 1:
        return ways[0]
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
    parts = urlsplit(base)
    own_hosts = [] if _bare(method, scheme) else [pasted, _own_host(method, values)]
    for own in filter(None, own_hosts):
        if parts.netloc.lower() != own:
            message = f"the service file would send credentials of {own} to {parts.netloc}"
            raise SpecError(message, where=method.service.origin)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        message = f"{parts.scheme}://{parts.netloc} is no address of a web service"
        raise CallError(message, hint="it begins with https://", method=method.full_name)
    if parts.scheme == "http" and not insecure and not loopback(parts.hostname):
        message = f"http://{parts.netloc} would send the credentials unencrypted"
        raise CallError(message, hint="write https://, or add --insecure if you must", method=method.full_name)


def _bare(method: Method, scheme: Scheme) -> bool:
    """Whether a way of authorising takes nothing of a connection along, so that no host need be the connection's."""
    texts = [scheme.base, *method.sending.headers.values()]
    named = {name for text in texts for name in template.names(text)}
    return not (scheme.needs or scheme.send or scheme.first or named & method.service.secrets())


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


def veil(error: RunnerError, method: Method, values: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """Mask the secrets of a call in what the server said of it: some servers repeat the whole address."""
    names = {*method.service.secrets(), *kept}
    secrets = [str(values[name]) for name in names if len(str(values.get(name, ""))) >= SHORTEST]
    spelt = sorted({form for one in secrets for form in (one, quote(one, safe=""))}, key=len, reverse=True)

    def masked(value: Any) -> Any:
        if isinstance(value, str):
            for one in spelt:
                value = value.replace(one, "***")
            return value
        if isinstance(value, dict):
            return {masked(key): masked(item) for key, item in value.items()}
        return [masked(item) for item in value] if isinstance(value, list) else value

    error.message, error.hint = masked(error.message), masked(error.hint)
    error.args = tuple(masked(list(error.args)))
    if isinstance(error, ServiceError):
        error.details = masked(error.details)


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
