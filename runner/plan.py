"""Calls planned: the account of a client, the checking of inputs, calls packed into batches. Nothing is sent here."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import auth, encoding, ledger, pacing, profiles, renewal, validation
from . import pack as packing
from . import settings as accounts
from .catalog import Catalog, shared
from .dispatch import Call, Session
from .errors import CallError, InvalidArguments, MissingCredentials, Problem
from .pack import Pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .batch import Command
    from .spec import Method, Service

    Calls = Mapping[str, tuple[str, Mapping[str, Any]]] | Sequence[tuple[str, Mapping[str, Any]]]

Json = dict[str, Any]


def _dice() -> float:
    from random import random

    return random()  # noqa: S311 - it spreads waits, it guards nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """A call that may be sent: checked, its request not yet built. `warnings` are for a person to read."""

    call: Call
    warnings: tuple[Problem, ...]


def _keeper(service: Service, account: accounts.Credentials, saver: renewal.Saver | None) -> renewal.Account:
    """Who keeps a renewed authorisation: the profile that it came from, or the caller."""
    if not renewal.own(service, account):
        return renewal.Unkept(saver)
    hosts = {name: account.values[name] for name in accounts.hosts(service) & account.values.keys()}
    return profiles.Kept(service.name, account.profile, saver, hosts)


class Planner:
    """What the sync and the async client share: the service, the account, the planning of calls."""

    def __init__(  # noqa: PLR0913 - the words of the public constructor
        self,
        service: str,
        *,
        profile: str | None,
        sandbox: bool | str,
        methods: str | Catalog | None,
        check: bool,
        insecure: bool,
        limits: str | None,
        saver: renewal.Saver | None,
        given: Mapping[str, Any],
    ) -> None:
        self.catalog = methods if isinstance(methods, Catalog) else shared(methods)
        self.service = self.catalog.service(service)
        self.check_input = check
        self.served: Any = None
        if sandbox:
            from .sandbox import start

            self.served = start(self.catalog, service, state=sandbox if isinstance(sandbox, str) else None)
            account = accounts.Credentials(self.served.credentials, {})
        else:
            account = accounts.credentials(self.service, given, profile)
        kept = self.served is None
        book = pacing.Book(kept, ledger.choose(limits if kept else "memory"), time.monotonic)
        keeper = _keeper(self.service, account, saver)
        self.session = Session(
            account, self.method, self._own, self._has, time.time, _dice, insecure=insecure, book=book, account=keeper
        )
        self._count = 0

    def close(self) -> None:
        """Close the limits, and stop the sandbox where there is one."""
        self.session.book.ledger.close()
        if self.served is not None:
            self.served.close()
            self.served = None

    def method(self, name: str) -> Method:
        """A method of the service, by name."""
        return self.catalog.method(self.service.name, name)

    def values(self, method: Method, params: Mapping[str, Any] | None, more: Mapping[str, Any]) -> Json:
        """The input of a call: given values with files absorbed, constants, presets and made values added."""
        if params is not None and not hasattr(params, "items"):
            message = f"the input of {method.full_name} must be a mapping, not {type(params).__name__}"
            raise CallError(message, method=method.full_name)
        given = {str(name): value for name, value in {**(params or {}), **more}.items()}
        fault = encoding.fault_of_json(given)
        if fault:
            raise InvalidArguments([fault], method=method.full_name)
        defs = method.schema.get("$defs", {})
        found: Json = {}
        for name, value in given.items():
            param = method.param(method.canonical(name))
            schema = param.schema if param else {}
            found[name] = encoding.absorbed(value, schema, defs, method.service.encoders)
        self._complete(method, found)
        return found

    def _complete(self, method: Method, found: Json) -> None:
        words = ("send", "preset", "generate")
        if "completed" not in method.memo:
            given = {name: param.schema for name, param in method.params.items()}
            method.memo["completed"] = {name: one for name, one in given.items() if any(word in one for word in words)}
        if not method.memo["completed"]:
            return
        named = {method.canonical(name) for name in found}
        for name, schema in method.memo["completed"].items():
            if name in named:
                continue
            for word in ("send", "preset"):
                if word in schema:
                    found[name] = schema[word]
            if "generate" in schema:
                found[name] = self._generated(schema)

    def _generated(self, schema: Json) -> object:
        kind = schema["generate"]
        if kind == "uuid":
            from uuid import uuid4

            return str(uuid4())
        if kind == "now":
            now = self.session.clock()
            return (
                int(now)
                if schema.get("type") == "integer"
                else time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now))
            )
        with self.session.lock:
            self._count += 1
            return self._count

    def problems(self, name: str, params: Mapping[str, Any] | None, more: Mapping[str, Any]) -> list[Problem]:
        """Every misfit of an input, errors first; what only the way of authorising asks for is a warning here."""
        method = self.method(name)
        values = self.values(method, params, more)
        found = validation.check(method, _checkable(values)) + _constants(method, values)
        return found + [replace(one, level="warning") for one in self._by_way(method, values)]

    def _by_way(self, method: Method, values: Json) -> list[Problem]:
        """The misfits of an input that the way of authorising makes which a call would take, where there is one."""
        if not method.by_auth:
            return []
        try:
            way = auth.choose(method, self.session.credentials, _checkable(values))
        except MissingCredentials:  # told when it is sent
            return []
        return validation.demanded(method, way, _checkable(values))

    def plan(
        self,
        name: str,
        params: Mapping[str, Any] | None,
        more: Mapping[str, Any],
        *,
        unknown: bool = False,
        loose: str = "",
    ) -> Plan:
        """The call, where its input fits. Raises InvalidArguments with every misfit.

        `unknown` lets names pass that the method does not list; values that begin with `loose` are not checked.
        """
        method = self.method(name)
        values = self.values(method, params, more)
        called = method.name if method.document.get("exact") else name.rpartition("@")[0] or name
        call = Call(method, called, values)
        if not self.check_input:
            return Plan(call, ())
        found = validation.check(method, _checkable(values), more=unknown) + _constants(method, values)
        found += self._by_way(method, values)
        if loose:
            found = [one for one in found if _strange(method, one) or loose not in str(_at(values, one.path))]
        errors = [one for one in found if one.level == "error"]
        if errors:
            raise InvalidArguments(errors, method=method.full_name)
        return Plan(call, tuple(found))

    def _own(self, name: str) -> Method:
        return self.catalog.own(self.service.name, name)

    def _has(self, name: str) -> bool:
        return self.catalog.has(self.service.name, name)

    def packs(self, calls: Calls, *, halt: bool) -> list[Pack]:
        """The batches of many calls: in order, by variant, none larger than the service takes.

        A call stays with those that it refers to.
        """
        named = calls.items() if hasattr(calls, "items") else ((f"c{n}", one) for n, one in enumerate(calls, 1))
        found: list[tuple[Command, bool]] = []
        keys: set[str] = set()
        for key, one in named:
            if not isinstance(one, (tuple, list)) or len(one) != 2 or not isinstance(one[0], str):  # noqa: PLR2004
                raise CallError(f"{key} is no call of a batch", hint="a call is (name, params)")
            name, params = one
            method = self.method(name)
            how = method.service.batch
            plan = self.plan(name, params, {}, loose=how.reference if how else "")
            alone = how is None or method.document.get("batch") is False or has_file(plan.call.values)
            command = packing.command(str(key), plan.call, self.session)
            command.made()  # what can't be sent is refused before anything is
            if command.key in keys:
                raise CallError(f"two calls of the batch are called {command.key!r}")
            keys.add(command.key)
            found.append((command, alone))
        return packing.packed(found, halt=halt)


def _strange(method: Method, problem: Problem) -> bool:
    """Whether a misfit is that of a name, which no reference can mend."""
    return bool(problem.path) and method.param(method.canonical(problem.path.split(".")[0])) is None


def has_file(value: Any) -> bool:
    """Whether a file is among the values of a call, which no command of a batch can hold."""
    if isinstance(value, dict):
        return any(map(has_file, value.values()))
    return isinstance(value, encoding.File)


def _checkable(values: Json) -> Json:
    """The values as JSON: a file that travels as it is stands there by its name."""
    return {name: value.name if isinstance(value, encoding.File) else value for name, value in values.items()}


def _constants(method: Method, values: Json) -> list[Problem]:
    if "constants" not in method.memo:
        method.memo["constants"] = any("send" in param.schema for param in method.params.values())
    if not method.memo["constants"]:
        return []
    found = []
    for name, value in values.items():
        param = method.params.get(method.canonical(name))
        if param and "send" in param.schema and value != param.schema["send"]:
            found.append(
                Problem("error", name, f"is always {validation.shown(param.schema['send'])} here", "leave it out")
            )
    return found


def _at(values: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(values, dict):
            values = values.get(step)
        elif isinstance(values, list) and step.isdigit() and int(step) < len(values):
            values = values[int(step)]
    return values
