"""Calls planned: the account of a client, the checking of inputs, calls packed into batches. Nothing is sent here."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import auth, encoding, ledger, pacing, validation
from . import batch as batching
from . import settings as accounts
from .batch import Command
from .catalog import Catalog
from .dispatch import Call, Conversation, Session, converse, prepare
from .errors import CallError, InvalidArguments, Problem, RunnerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .response import Result
    from .spec import Batch, Method

    Calls = Mapping[str, tuple[str, Mapping[str, Any]]] | Sequence[tuple[str, Mapping[str, Any]]]
    Outcome = Result | RunnerError

Json = dict[str, Any]


def _dice() -> float:
    from random import random

    return random()  # noqa: S311 - it spreads waits, it guards nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """A call that may be sent: checked, its request not yet built. `warnings` are for a person to read."""

    call: Call
    warnings: tuple[Problem, ...]


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
        given: Mapping[str, Any],
    ) -> None:
        self.catalog = methods if isinstance(methods, Catalog) else Catalog(methods)
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
        self.session = Session(account, self.method, time.time, _dice, insecure=insecure, book=book)
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
        named = {method.canonical(name) for name in found}
        for name, param in method.params.items():
            if name in named:
                continue
            for word in ("send", "preset"):
                if word in param.schema:
                    found[name] = param.schema[word]
            if "generate" in param.schema:
                found[name] = self._generated(param.schema)

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
        """Every misfit of an input, errors first."""
        method = self.method(name)
        values = self.values(method, params, more)
        return validation.check(method, _checkable(values)) + _constants(method, values)

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
        call = Call(method, name.rpartition("@")[0] or name, values)
        if not self.check_input:
            return Plan(call, ())
        found = validation.check(method, _checkable(values), more=unknown) + _constants(method, values)
        if loose:
            found = [one for one in found if _strange(method, one) or loose not in str(_at(values, one.path))]
        errors = [one for one in found if one.level == "error"]
        if errors:
            raise InvalidArguments(errors, method=method.full_name)
        return Plan(call, tuple(found))

    def packs(self, calls: Calls, *, halt: bool) -> list[Pack]:
        """The batches of many calls: in order, by variant, none larger than the service takes."""
        named = calls.items() if hasattr(calls, "items") else ((f"c{n}", one) for n, one in enumerate(calls, 1))
        packs: list[Pack] = []
        for key, one in named:
            if not isinstance(one, (tuple, list)) or len(one) != 2 or not isinstance(one[0], str):  # noqa: PLR2004
                raise CallError(f"{key} is no call of a batch", hint="a call is (name, params)")
            name, params = one
            method = self.method(name)
            how = method.service.batch
            plan = self.plan(name, params, {}, loose=how.reference if how else "")
            alone = how is None or method.document.get("batch") is False or _has_file(plan.call.values)
            scheme = replace(auth.choose(method, self.session.credentials), send={})
            request = prepare(plan.call, self.session, scheme)
            command = Command(str(key), method, plan.call.called, plan.call.values, request)
            if any(command.key == other.key for pack in packs for other in pack.commands):
                raise CallError(f"two calls of the batch are called {command.key!r}")
            if not packs or alone or not packs[-1].takes(method):
                packs.append(Pack(how, [], alone=alone, halt=halt))
            packs[-1].demand_known(command)
            packs[-1].commands.append(command)
        return packs

    def conversation(self, pack: Pack) -> Conversation:
        """The conversation of a batch: one call of the service's batch method, or of the one call it holds."""
        if pack.how is None or pack.alone:
            command = pack.commands[0]
            return converse(Call(command.method, command.called, command.values), self.session)
        variant = pack.commands[0].method.service.variant
        name = pack.how.method
        method = self.method(f"{name}@{variant}" if variant and self._has(f"{name}@{variant}") else name)
        values = batching.fold(pack.how, pack.commands, halt=pack.halt)
        face = batching.fold(pack.how, [command.shown for command in pack.commands], halt=pack.halt)
        inside = tuple(command.method for command in pack.commands)
        harmless = all(map(batching.repeatable, pack.commands))
        return converse(Call(method, name, values, face=face, harmless=harmless, inside=inside), self.session)

    def _has(self, name: str) -> bool:
        return self.catalog.has(self.service.name, name)


@dataclass(slots=True)
class Pack:
    """Calls that travel together: in one batch, or one call alone."""

    how: Batch | None
    commands: list[Command]
    alone: bool
    halt: bool

    def takes(self, method: Method) -> bool:
        """Whether one more call, of this method, may join."""
        same = self.commands[0].method.service.variant == method.service.variant
        return not self.alone and same and self.how is not None and len(self.commands) < self.how.size

    def outcomes(self, result: Result) -> list[Outcome]:
        """The outcome of each call, in order, from the answer of the whole."""
        if self.how is None or self.alone:
            return [result]
        return batching.unfold(self.how, self.commands, result, halt=self.halt)

    def demand_known(self, command: Command) -> None:
        """Refuse a call that refers to the answer of one which does not travel before it in the same batch."""
        if self.how is None or not self.how.reference:
            return
        known = set() if self.alone else {one.key for one in self.commands}
        for key in re.findall(re.escape(self.how.reference.rstrip("[")) + r"\[([^\]]+)\]", str(dict(command.values))):
            if key not in known:
                hint = f"a batch takes {self.how.size} calls; a reference reaches an earlier one of the same batch"
                message = f"{command.key} refers to {key!r}, which does not travel before it"
                raise InvalidArguments([Problem("error", "", message, hint)], method=command.method.full_name)


def _strange(method: Method, problem: Problem) -> bool:
    """Whether a misfit is that of a name, which no reference can mend."""
    return bool(problem.path) and method.param(method.canonical(problem.path.split(".")[0])) is None


def _has_file(value: Any) -> bool:
    """Whether a file is among the values of a call, which no command of a batch can hold."""
    if isinstance(value, dict):
        return any(map(_has_file, value.values()))
    return isinstance(value, encoding.File)


def _checkable(values: Json) -> Json:
    """The values as JSON: a file that travels as it is stands there by its name."""
    return {name: value.name if isinstance(value, encoding.File) else value for name, value in values.items()}


def _constants(method: Method, values: Json) -> list[Problem]:
    found = []
    for name, value in values.items():
        param = method.param(method.canonical(name))
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
