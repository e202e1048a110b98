"""The library's face for async callers: the twin of `Client`, with `await` and `async for`.

It drives the same conversations; all that it adds is sending and sleeping.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self

from . import flow
from . import pack as packing
from . import rows as reading
from .catalog import Methods
from .discretion import discreet, discreet_async, discretion
from .dispatch import Keep, Step, Wait, Whole, converse, prepare
from .errors import Problem, RunnerError
from .plan import Planner
from .renewal import saving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Mapping

    from .catalog import Catalog
    from .flow import Flow
    from .pack import Outcome
    from .plan import Calls
    from .request import Request
    from .response import Reply, Result

    Rows = Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]] | None


class AsyncClient:
    """The same as `Client`, with `await` and `async for`. It stays on the event loop that first used it."""

    @discreet
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
        limits: str | None = None,
        ca_bundle: str | None = None,
        token_saver: Callable[[dict[str, Any]], Any] | None = None,
        **credentials: Any,
    ) -> None:
        self._planner = Planner(
            service,
            profile=profile,
            sandbox=sandbox,
            methods=methods,
            check=check,
            insecure=insecure,
            limits=limits,
            saver=token_saver,
            given=credentials,
        )
        self._timeout, self._inner, self._ca_bundle = timeout, transport, ca_bundle
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
        return f"<AsyncClient {self._planner.service.name} {self._planner.session.credentials}>"

    async def close(self) -> None:
        """Close the connections, and the sandbox where this client started one."""
        if self._wire is not None and hasattr(self._wire, "close"):
            await self._wire.close()
        from asyncio import to_thread

        await to_thread(self._planner.close)

    @property
    def methods(self) -> Methods:
        """The methods of the service."""
        return Methods(self._planner.catalog, self._planner.service.name)

    @discreet
    def check(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> list[Problem]:
        """As `Client.check`: nothing is sent, so nothing is awaited."""
        return self._planner.problems(name, params, more)

    @discreet
    def prepare(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Request:
        """As `Client.prepare`: nothing is sent, so nothing is awaited."""
        return prepare(self._planner.plan(name, params, more).call, self._planner.session)

    @discreet_async
    async def call(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Result:
        """As `Client.call`."""
        plan = self._planner.plan(name, params, more)
        result: Result = await self._drive(converse(plan.call, self._planner.session))
        return result

    async def iterate(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> AsyncIterator[Any]:
        """As `Client.iterate`."""
        with discretion():
            call = self._planner.plan(name, params, more).call
            del params, more  # what was given may hold a secret
            async with aclosing(self._flow(reading.read(call, self._planner.session))) as given:
                async for row in given:
                    yield row

    @discreet_async
    async def batch(self, calls: Calls, *, halt: bool = False) -> Any:
        """As `Client.batch`."""
        packs = self._planner.packs(calls, halt=halt)
        given = self._flow(packing.flow(packs, self._planner.session, halt=halt))
        return packing.shaped(calls, [one async for one in given])

    def bulk(self, name: str, rows: Rows, /, **how: Any) -> AsyncIterator[Outcome]:
        """As `Client.bulk`. The rows may come from an async iterable as well."""
        from .bulk import Job, carried_async

        return carried_async(lambda: Job(self._planner, name, timeout=self._timeout, **how), rows, self._flow)

    def _flow(self, steps: Flow) -> AsyncGenerator[Any, None]:
        """What a flow gives, its conversations held by tasks."""
        return flow.handed_async(steps, self._drive)

    async def _drive(self, conversation: Generator[Any, Any, Any]) -> Any:
        if self._wire is None:
            from .transport import AsyncTransport

            self._wire = AsyncTransport(timeout=self._timeout, inner=self._inner, ca_bundle=self._ca_bundle)
        try:
            step = next(conversation)
            while True:
                try:
                    answer = await self._do(step)
                except RunnerError as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(answer)
        except StopIteration as end:
            return end.value
        finally:
            conversation.close()

    async def _do(self, step: Step) -> Reply | None:
        if isinstance(step, Keep):
            with saving(step.values):
                told = step.account.save(step.values)
                if hasattr(told, "__await__"):
                    await told
            return None
        if isinstance(step, Whole):
            await flow.held_async(step.conversation, self._drive)
            return None
        if isinstance(step, Wait):
            from asyncio import sleep

            await sleep(step.seconds)
            return None
        reply: Reply = await self._wire.send(step.request, step.largest)
        return reply
