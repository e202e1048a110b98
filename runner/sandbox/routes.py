"""An address → the method that answers there, the way of authorising, the values in the address.

The templates of addresses are run backwards. The origin is always the sandbox's own, so only paths are compared.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin

from .. import catalog as catalogs
from .. import template
from ..errors import SpecError
from ..request import MASK
from ..spec import Scheme

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..catalog import Catalog
    from ..spec import Method, Service

_REST = "{+rest_of_it}"


@dataclass(frozen=True, slots=True)
class Route:
    """One way an address may be meant: method, scheme, the credentials and the values that stand in the address."""

    method: Method
    scheme: Scheme
    credentials: Mapping[str, str]
    values: Mapping[str, str]
    literal: int
    shown: str


@dataclass(frozen=True, slots=True)
class _Road:
    """The addresses of one way of authorising in one variant."""

    service: Service
    scheme: Scheme
    base: str
    kinds: tuple[tuple[str, str], ...]
    only: str = ""  # the only method that it serves, in lower case


class Routes:
    """The addresses of a service, as the account of the sandbox sees them."""

    def __init__(self, catalog: Catalog, service: str, address: str, account: Mapping[str, Any]) -> None:
        self._catalog, self._name, self._address = catalog, service, address
        self._roads = [
            road
            for variant in ["", *catalog.variants(service)]
            for road in _roads(catalog.service(service, variant), account)
        ]

    def find(self, path: str, verb: str) -> list[Route]:
        """The routes to the one method that is meant, one for each way of authorising; none where there is none."""
        found = self._found(path)
        if not found and self._renewed():
            found = self._found(path)
        found.sort(key=lambda route: (route.method.sending.verb == verb, route.literal), reverse=True)
        return [route for route in found if route.method is found[0].method]

    def _found(self, path: str) -> list[Route]:
        """The routes of an address, which may end in the name of a form such as `.json`."""
        found = self._by_name(path) or self._by_path(path)
        ends = () if found else self.at(path).sandbox.get("suffixes", ())
        bare = next((path[: -len(end)] for end in ends if path.lower().endswith(end)), "")
        return self._by_name(bare) or self._by_path(bare) if bare else found

    def at(self, path: str) -> Service:
        """The service, in the variant whose addresses begin like this one."""
        found = [road for road in self._roads if _split(road.base, road.kinds, self._address + path)]
        return max(found, key=lambda road: len(road.base)).service if found else self._catalog.service(self._name)

    def method(self, name: str, variant: str) -> Method | None:
        """The method of a name in a variant."""
        full = f"{name}@{variant}" if variant else name
        trees = self._catalog.trees
        known = full.isprintable() and any(tree.method(self._name, full) for tree in trees)
        return self._catalog.method(self._name, full) if known else None

    def _renewed(self) -> bool:
        """Whether a file came or went since the folders were read; they are read again then."""
        trees = self._catalog.trees
        if all(tree.current() for tree in trees):
            return False
        trees[:] = catalogs.trees([tree.root for tree in trees])
        return True

    def _by_name(self, path: str) -> list[Route]:
        """The routes of methods that have no address of their own: the name stands in it."""
        found: list[Route] = []
        for road in self._roads:
            sending = road.service.request
            default = sending.get("path", "{method}")
            parts = _parted(road, sending.get("base", ""), default, self._address + path)
            method = self.method(parts[1].get("method", ""), road.service.variant) if parts else None
            if method and (method.sending.base, method.sending.path) == (sending.get("base", ""), default):
                found += self._routes(method, [road], path)
        return found

    def _by_path(self, path: str) -> list[Route]:
        """The routes of methods that have an address of their own."""
        plain = unquote(path).lower()
        found: list[Route] = []
        for row in self._catalog.rows(self._name).values():
            name, _, variant = row.name.partition("@")
            if "r" in row.marks or name.lower() in plain:
                roads = [road for road in self._roads if road.service.variant == variant]
                with suppress(SpecError):  # one broken file must not hide the others
                    found += self._routes(self._catalog.method(self._name, row.name), roads, path)
        return found

    def _routes(self, method: Method, roads: Iterable[_Road], path: str) -> Iterator[Route]:
        sending = method.sending
        for road in roads:
            if road.only not in {"", method.name.lower()}:
                continue
            if road.scheme.name not in method.document.get("auth", [road.scheme.name]):
                continue
            parts = _parted(road, sending.base, sending.path, self._address + path)
            if parts and parts[1].get("method", method.name).lower() == method.name.lower():
                literal = len(template.address(sending.path, {}, lambda text, _: text))
                shown = _shown(method, sending.path, *parts).removeprefix(self._address)
                held = {name: value for name, value in parts[1].items() if value and name != "method"}
                yield Route(method, road.scheme, parts[0], held, literal, shown)


def _roads(service: Service, account: Mapping[str, Any]) -> Iterator[_Road]:
    """The roads of a service's schemes; a first call that names no way of its own needs nothing but the address."""
    kinds = service.kinds()
    hosts = {name: account[name] for name, kind in kinds.items() if kind != "integer" and name in account}
    for scheme in service.schemes:
        origin, mark, _ = scheme.base.partition("://")
        known = hosts | {name: account[name] for name in template.names(origin) if mark and name in account}
        road = _Road(service, scheme, str(template.filled(scheme.base, known)), tuple(sorted(kinds.items())))
        yield road
        if scheme.first and "auth" not in scheme.first:
            bare = Scheme(f"{scheme.name} (first)", scheme.title, (), scheme.base, {}, None)
            yield replace(road, scheme=bare, only=scheme.first["method"].lower())


@lru_cache(maxsize=64)
def _split(base: str, kinds: tuple[tuple[str, str], ...], address: str) -> tuple[Mapping[str, str], str] | None:
    """The credentials in the base of an address, and what follows it."""
    fields = template.matched(base + _REST, address, dict(kinds))
    return None if fields is None else (fields, fields.pop("rest_of_it"))


def _parted(road: _Road, base: str, path: str, address: str) -> tuple[dict[str, str], dict[str, str], str] | None:
    """The credentials and the values of an address that fits a base and a path, and the base."""
    whole, form = urljoin(road.base, base) if base else road.base, _known(path, road.service.variant)
    split = _split(whole, road.kinds, address)
    if split is None or not split[1].startswith(form.partition("{")[0]):
        return None
    values = template.matched(form, split[1], {})
    return None if values is None else (_plain(split[0]), _plain(values), whole)


def _known(path: str, variant: str) -> str:
    return re.sub(r"\{[+/]?variant\}", variant, path)


def _plain(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: unquote(value) for name, value in fields.items()}


def _shown(method: Method, path: str, credentials: Mapping[str, str], values: Mapping[str, str], base: str) -> str:
    """The address with every secret in it masked."""
    secrets = method.service.secrets()
    known = {name: MASK if name in secrets else value for name, value in credentials.items()}
    veiled = {name: MASK if (param := method.param(name)) and param.secret else value for name, value in values.items()}
    written = template.address(_known(path, method.service.variant), veiled, lambda text, kept: quote(text, kept + "*"))
    return template.plain(base, known) + written
