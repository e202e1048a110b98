"""Who may call: the account that the sandbox knows, and whether a request carries its credentials."""

from __future__ import annotations

import base64
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .. import query, renewal, template
from ..errors import SpecError
from .envelope import Refused, put

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..catalog import Catalog
    from ..spec import Method, Scheme, Service
    from .grants import Grants
    from .reading import Content
    from .routes import Route

Json = dict[str, Any]
_PLACES = ("header", "query", "cookie", "body")


def credentials(service: Service, address: str) -> Json:
    """The fields of the sandbox's own account: as the service declares them, else made up."""
    known = {"host": urlsplit(address).netloc, "address": address}
    declared = service.sandbox.get("credentials")
    if declared is not None:
        return {name: template.filled(value, known) for name, value in declared.items()}
    return {name: _made(node, known) for name, node in service.fields.items()}


def _made(node: Mapping[str, Any], known: Mapping[str, str]) -> Any:
    if node.get("format") in {"hostname", "uri"}:
        return known["host" if node["format"] == "hostname" else "address"]
    if "enum" in node:
        return "http" if "http" in node["enum"] else node["enum"][0]
    return node.get("default", max(1, node.get("minimum", 1)) if node.get("type") == "integer" else "sandbox")


def demand_here(catalog: Catalog, service: str, account: Json, address: str) -> None:
    """Raise SpecError where a call with this account would leave this machine."""
    for variant in ["", *catalog.variants(service)]:
        found = catalog.service(service, variant)
        for scheme in found.schemes:
            keeps = dict.fromkeys((scheme.first or {}).get("keep", ()), "kept")
            if set(scheme.needs) <= set(account) and not _leads(scheme, account | keeps, address):
                message = f"calls of the sandbox would leave it: {scheme.base} does not lead to {{host}}"
                hint = "let the address be a field of the profile, and give it in sandbox.credentials"
                raise SpecError(message, where=found.origin, hint=hint)


def _leads(scheme: Scheme, account: Json, address: str) -> bool:
    try:
        return f"{template.plain(scheme.base, account)}/".startswith(f"{address}/")
    except KeyError:
        return False


class Account:
    """The credentials that are taken now: the sandbox's own, and those that first calls have yielded."""

    def __init__(self, own: Json, grants: Grants) -> None:
        self.own, self._grants = own, grants
        self._kept: Json = {}
        self._lock = threading.Lock()

    def admits(self, route: Route, found: Content) -> bool:
        """Whether a request carries the credentials of its route. Raises Refused where they have run out."""
        with self._lock:
            known = {**self.own, **self._kept}
        sent = [
            (text, found.held(place, name))
            for place in _PLACES
            for name, text in route.scheme.send.get(place, {}).items()
        ]
        basic = route.scheme.send.get("basic")
        if basic:
            sent.append((":".join(basic), _basic(found)))
        known |= self._passing(route, sent)
        same = all(str(known.get(name)) == value for name, value in route.credentials.items())
        return same and all(_written(text, known) == value for text, value in sent)

    def _passing(self, route: Route, sent: list[tuple[str, str | None]]) -> Json:
        """The credentials of a request that end some time, where they are good; what nothing equals else."""
        found = dict(route.credentials)
        for text, value in sent:
            found |= (template.matched(text, value, {}) or {}) if value is not None else {}
        names = renewal.renewed(route.scheme)
        return {
            name: found[name] if name in found and self._grants.admits(route.scheme, name, found[name]) else "\0"
            for name in names
        }

    def keep(self, method: Method, value: Any) -> Any:
        """Where a method is some scheme's first call: keep what it yields, and return its value with that in it."""
        for scheme in method.service.schemes:
            first = scheme.first or {}
            if first.get("method", "").lower() == method.name.lower():
                for name, path in first["keep"].items():
                    if query.search(path, value) is None:
                        value = put(value, path, f"sandbox-{name}")
                    with self._lock:
                        self._kept[name] = query.search(path, value)
        return value

    def demand(self, method: Method, values: Mapping[str, Any]) -> None:
        """Raise Refused where a first call carries other credentials than the sandbox's."""
        named = {method.canonical(name): value for name, value in values.items()}
        for scheme in method.service.schemes:
            first = scheme.first or {}
            if first.get("method", "").lower() == method.name.lower() and set(scheme.needs) <= set(self.own):
                for name, form in first.get("params", {}).items():
                    if str(named.get(method.canonical(name))) != str(template.filled(form, self.own)):
                        raise Refused("credentials")


def _written(text: str, known: Mapping[str, Any]) -> str | None:
    """A template with the credentials in it; a text that nothing equals where one is not known."""
    try:
        return template.plain(text, known)
    except KeyError:
        return "\0"


def _basic(found: Content) -> str | None:
    kind, _, word = found.headers.get("authorization", "").partition(" ")
    try:
        return base64.b64decode(word, validate=True).decode() if kind.lower() == "basic" else None
    except ValueError:
        return None
