"""The library's face: one object that calls the methods of one service, and its async twin.

Both drive the same conversations; all that they add is sending and sleeping.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from . import auth, encoding, paging, validation
from . import batch as batching
from . import settings as accounts
from .batch import Command
from .catalog import Catalog
from .dispatch import Call, Conversation, Send, Session, Wait, converse, prepare
from .errors import CallError, InvalidArguments, Problem, RunnerError, TransportError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from .index import Row
    from .request import Request
    from .response import Reply, Result
    from .spec import Batch, Method

    Calls = Mapping[str, tuple[str, Mapping[str, Any]]] | Sequence[tuple[str, Mapping[str, Any]]]
    Outcome = Result | RunnerError

Json = dict[str, Any]


def _dice() -> float:
    from random import random

    return random()  # noqa: S311 - it spreads waits, it guards nothing


class Methods:
    """The methods of one service: named, read, searched."""

    def __init__(self, catalog: Catalog, service: str) -> None:
        self._catalog, self._service = catalog, service

    def names(self) -> list[str]:
        """Every name, in order."""
        return self._catalog.names(self._service)

    def get(self, name: str) -> Method:
        """What a method is. Raises UnknownMethod with the nearest names."""
        return self._catalog.method(self._service, name)

    def find(self, words: str) -> list[Row]:
        """The methods whose name, summary or params hold every word, the nearest first."""
        return self._catalog.find(words, self._service)


class Watch(Protocol):
    """Somebody who is told what goes out and what comes back."""

    def sent(self, step: Send) -> None:
        """A request is about to leave."""
        ...

    def came(self, reply: Reply) -> None:
        """Its reply has come."""
        ...

    def waits(self, seconds: float, why: str) -> None:
        """Time is about to pass."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A call that may be sent: checked, its request not yet built. `warnings` are for a person to read."""

    call: Call
    warnings: tuple[Problem, ...]


class Core:
    """What both clients share: the service, the account, the checking and planning of calls."""

    def __init__(  # noqa: PLR0913 - the words of the public constructor
        self,
        service: str,
        *,
        profile: str | None,
        sandbox: bool | str,
        methods: str | Catalog | None,
        check: bool,
        insecure: bool,
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
        self.session = Session(account, self.method, time.time, _dice, insecure=insecure)
        self._count = 0

    def close(self) -> None:
        """Stop the sandbox, where there is one."""
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
        given = {**(params or {}), **more}
        defs = method.schema.get("$defs", {})
        found: Json = {}
        for name, value in given.items():
            param = method.param(method.canonical(str(name)))
            schema = param.schema if param else {}
            found[str(name)] = encoding.absorbed(value, schema, defs, method.service.encoders)
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
            found = [one for one in found if loose not in str(_at(values, one.path))]
        errors = [one for one in found if one.level == "error"]
        if errors:
            raise InvalidArguments(errors, method=method.full_name)
        return Plan(call, tuple(found))

    def packs(self, calls: Calls, *, halt: bool) -> list[_Pack]:
        """The batches of many calls: in order, by variant, none larger than the service takes."""
        named = calls.items() if hasattr(calls, "items") else ((f"c{n}", one) for n, one in enumerate(calls, 1))
        packs: list[_Pack] = []
        for key, (name, params) in named:
            method = self.method(name)
            how = method.service.batch
            plan = self.plan(name, params, {}, loose=how.reference if how else "")
            alone = how is None or method.document.get("batch") is False or _has_file(plan.call.values)
            scheme = replace(auth.choose(method, self.session.credentials), send={})
            request = prepare(plan.call, self.session, scheme)
            command = Command(str(key), method, plan.call.called, plan.call.values, request)
            if packs and not alone and packs[-1].takes(method):
                packs[-1].commands.append(command)
            else:
                packs.append(_Pack(how, [command], alone=alone, halt=halt))
        return packs

    def conversation(self, pack: _Pack) -> Conversation:
        """The conversation of a batch: one call of the service's batch method, or of the one call it holds."""
        if pack.how is None or pack.alone:
            command = pack.commands[0]
            return converse(Call(command.method, command.called, command.values), self.session)
        variant = pack.commands[0].method.service.variant
        name = pack.how.method
        method = self.method(f"{name}@{variant}" if variant and self.has(f"{name}@{variant}") else name)
        values = batching.fold(pack.how, pack.commands, halt=pack.halt)
        face = batching.fold(pack.how, [command.shown for command in pack.commands], halt=pack.halt)
        safe = all(command.method.repeatable for command in pack.commands)
        return converse(Call(_as_safe(method, safe=safe), name, values, face=face), self.session)

    def has(self, name: str) -> bool:
        """Whether the service has a method of exactly this name."""
        return name in self.catalog.names(self.service.name)


@dataclass(slots=True)
class _Pack:
    how: Batch | None
    commands: list[Command]
    alone: bool
    halt: bool

    def takes(self, method: Method) -> bool:
        same = self.commands[0].method.service.variant == method.service.variant
        return not self.alone and same and self.how is not None and len(self.commands) < self.how.size

    def outcomes(self, result: Result) -> list[Outcome]:
        if self.how is None or self.alone:
            return [result]
        return batching.unfold(self.how, self.commands, result)


def _as_safe(method: Method, *, safe: bool) -> Method:
    """The batch method with the effect of what it carries: it may be repeated where each of its calls may."""
    return replace(method, effect="read" if safe else "write", document={**method.document, "idempotent": safe})


def _has_file(value: Any) -> bool:
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


class Client:
    """Calls the methods of one service. It may be used from many threads; close it, or use it in a `with`.

    `credentials` are the service's own words, such as `url` or `token`; what is not given comes from the
    environment and the profile. `sandbox` takes the service on this machine instead: True for the user's own
    one, or the path of its file. `methods` is one more folder of YAML files, `check=False` sends any input,
    `insecure` lets credentials travel without TLS, `timeout` is in seconds. `transport` is an httpx transport.
    """

    def __init__(  # noqa: PLR0913
        self,
        service: str,
        *,
        profile: str | None = None,
        sandbox: bool | str = False,
        methods: str | Catalog | None = None,
        timeout: float = 60.0,
        transport: Any = None,
        check: bool = True,
        insecure: bool = False,
        **credentials: Any,
    ) -> None:
        self._core = Core(
            service,
            profile=profile,
            sandbox=sandbox,
            methods=methods,
            check=check,
            insecure=insecure,
            given=credentials,
        )
        self._timeout, self._inner = timeout, transport
        self._wire: Any = transport if hasattr(transport, "send") else None
        self._sleep = time.sleep
        self.watch: Watch | None = None
        self.in_flight = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self._core.service.name} {self._core.session.credentials}>"

    def close(self) -> None:
        """Close the connections, and the sandbox where this client started one."""
        if self._wire is not None and hasattr(self._wire, "close"):
            self._wire.close()
        self._core.close()

    @property
    def methods(self) -> Methods:
        """The methods of the service."""
        return Methods(self._core.catalog, self._core.service.name)

    def check(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> list[Problem]:
        """Every misfit of an input, errors first. Nothing is sent."""
        return self._core.problems(name, params, more)

    def prepare(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Request:
        """The request that a call would send. Nothing is sent. Raises InvalidArguments as the call would."""
        return prepare(self.plan(name, params, more).call, self._core.session)

    def plan(
        self, name: str, params: Mapping[str, Any] | None, more: Mapping[str, Any], *, unknown: bool = False
    ) -> Plan:
        """The checked call with its warnings: what the command line shows before it sends."""
        return self._core.plan(name, params, more, unknown=unknown)

    def request(self, plan: Plan) -> Request:
        """The request of a planned call. Nothing is sent."""
        return prepare(plan.call, self._core.session)

    @property
    def sandbox_note(self) -> str:
        """What the sandbox has to say of itself, such as that it could not write its file."""
        return str(self._core.served.note) if self._core.served else ""

    def call(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Result:
        """Call a method. Its result holds `value`, `meta` and `raw`, the whole answer.

        Raises UnknownMethod, InvalidArguments or MissingCredentials before anything is sent; ServiceError where
        the service says no; TransportError where no usable answer comes.
        """
        return self.run(self.plan(name, params, more))

    def run(self, plan: Plan) -> Result:
        """Send a planned call."""
        return self._drive(converse(plan.call, self._core.session))

    def iterate(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Iterator[Any]:
        """The rows of all pages of a list, one by one, each page asked for when its first row is."""
        return self.rows(self.plan(name, params, more))

    def rows(self, plan: Plan) -> Iterator[Any]:
        """The rows of a planned call."""
        walk = paging.begin(plan.call.method, plan.call.values)
        while not walk.over:
            call = Call(plan.call.method, plan.call.called, walk.values, walk.follow)
            yield from paging.rows(walk, plan.call.method, self._drive(converse(call, self._core.session)))

    def batch(self, calls: Calls, *, halt: bool = False) -> Any:
        """Many calls in as few requests as the service allows: a mapping or a sequence of (name, params).

        The answer has the same shape, with a Result or the error of each call in its place. With `halt` nothing
        is called after the first refusal. Raises InvalidArguments, before anything is sent, where an input does
        not fit.
        """
        found: list[Outcome] = []
        for pack in self._core.packs(calls, halt=halt):
            if halt and any(isinstance(one, RunnerError) for one in found):
                found += [_unreached(command.method) for command in pack.commands]
                continue
            try:
                found += pack.outcomes(self._drive(self._core.conversation(pack)))
            except RunnerError as error:
                found += [error] * len(pack.commands)
        return _shaped(calls, found)

    def _drive(self, conversation: Conversation) -> Result:
        """Do what a conversation asks for until it returns."""
        with self._core.session.lock:
            if self._wire is None:
                from .transport import Transport

                self._wire = Transport(timeout=self._timeout, inner=self._inner)
        answer: Reply | None = None
        try:
            step = next(conversation)
            while True:
                try:
                    answer = self._do(step)
                except TransportError as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _do(self, step: Send | Wait) -> Reply | None:
        watch = self.watch
        if isinstance(step, Wait):
            if watch:
                watch.waits(step.seconds, step.why)
            self._sleep(step.seconds)
            return None
        if watch:
            watch.sent(step)
        self.in_flight = True
        reply: Reply = self._wire.send(step.request, step.largest)
        self.in_flight = False
        if watch:
            watch.came(reply)
        return reply


def _unreached(method: Method) -> RunnerError:
    return batching.never(method)


def _shaped(calls: Any, found: Iterable[Outcome]) -> Any:
    return dict(zip(calls, found, strict=True)) if hasattr(calls, "items") else list(found)


class AsyncClient:
    """The same as `Client`, with `await` and `async for`. It stays on the event loop that first used it."""

    def __init__(  # noqa: PLR0913
        self,
        service: str,
        *,
        profile: str | None = None,
        sandbox: bool | str = False,
        methods: str | Catalog | None = None,
        timeout: float = 60.0,
        transport: Any = None,
        check: bool = True,
        insecure: bool = False,
        **credentials: Any,
    ) -> None:
        self._core = Core(
            service,
            profile=profile,
            sandbox=sandbox,
            methods=methods,
            check=check,
            insecure=insecure,
            given=credentials,
        )
        self._timeout, self._inner = timeout, transport
        self._wire: Any = transport if hasattr(transport, "send") else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __await__(self) -> Any:
        """`portal = await AsyncClient(…)` is the client itself, so that either form of writing works."""

        async def itself() -> AsyncClient:
            return self

        return itself().__await__()

    def __repr__(self) -> str:
        return f"<AsyncClient {self._core.service.name} {self._core.session.credentials}>"

    async def close(self) -> None:
        """Close the connections, and the sandbox where this client started one."""
        if self._wire is not None and hasattr(self._wire, "close"):
            await self._wire.close()
        from asyncio import to_thread

        await to_thread(self._core.close)

    @property
    def methods(self) -> Methods:
        """The methods of the service."""
        return Methods(self._core.catalog, self._core.service.name)

    def check(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> list[Problem]:
        """As `Client.check`: nothing is sent, so nothing is awaited."""
        return self._core.problems(name, params, more)

    def prepare(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Request:
        """As `Client.prepare`: nothing is sent, so nothing is awaited."""
        return prepare(self._core.plan(name, params, more).call, self._core.session)

    async def call(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Result:
        """As `Client.call`."""
        plan = self._core.plan(name, params, more)
        return await self._drive(converse(plan.call, self._core.session))

    async def iterate(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> AsyncIterator[Any]:
        """As `Client.iterate`."""
        call = self._core.plan(name, params, more).call
        walk = paging.begin(call.method, call.values)
        while not walk.over:
            one = Call(call.method, call.called, walk.values, walk.follow)
            for row in paging.rows(walk, call.method, await self._drive(converse(one, self._core.session))):
                yield row

    async def batch(self, calls: Calls, *, halt: bool = False) -> Any:
        """As `Client.batch`."""
        found: list[Outcome] = []
        for pack in self._core.packs(calls, halt=halt):
            if halt and any(isinstance(one, RunnerError) for one in found):
                found += [_unreached(command.method) for command in pack.commands]
                continue
            try:
                found += pack.outcomes(await self._drive(self._core.conversation(pack)))
            except RunnerError as error:
                found += [error] * len(pack.commands)
        return _shaped(calls, found)

    async def _drive(self, conversation: Conversation) -> Result:
        if self._wire is None:
            from .transport import AsyncTransport

            self._wire = AsyncTransport(timeout=self._timeout, inner=self._inner)
        try:
            step = next(conversation)
            while True:
                try:
                    answer = await self._do(step)
                except TransportError as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _do(self, step: Send | Wait) -> Reply | None:
        if isinstance(step, Wait):
            from asyncio import sleep

            await sleep(step.seconds)
            return None
        reply: Reply = await self._wire.send(step.request, step.largest)
        return reply
