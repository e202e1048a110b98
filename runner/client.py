"""The library's face: one object that calls the methods of one service.

It drives conversations; all that it adds is sending and sleeping. Its async twin is `aclient`.
"""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, Self

from . import flow
from . import pack as packing
from . import rows as reading
from .catalog import Methods
from .discretion import discreet, discretion
from .dispatch import Keep, Send, Step, Wait, Whole, converse, prepare
from .errors import Problem, RunnerError, TransportError
from .plan import Plan, Planner
from .renewal import saving

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from threading import Event

    from .bulk import Job, Told
    from .catalog import Catalog
    from .flow import Flow
    from .pack import Outcome
    from .plan import Calls
    from .request import Request
    from .response import Reply, Result


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

    def counted(self, total: int | None) -> None:
        """The first page of a list tells how many rows there are, or does not."""
        ...


class Client:
    """Calls the methods of one service. It may be used from many threads; close it, or use it in a `with`.

    `credentials` are the service's own words, such as `url` or `token`; what is not given comes from the
    environment and the profile. `sandbox` takes the service on this machine instead: True for the user's own
    one, or the path of its file. `methods` is one more folder of YAML files, `check=False` sends any input,
    `insecure` lets credentials travel without TLS, `timeout` is in seconds. `transport` is an httpx transport.
    `limits` says who shares the limits of the service: None all programs of this machine, through a file in the
    user's state folder; a path those that name the same file; `redis://host:port/0` those that name the same
    Redis; `memory` the threads of this client. `ca_bundle` is a file or a folder of certificates that are trusted
    besides those of this machine. `token_saver` is told the new fields of an authorisation that was
    renewed, before they are used; the async client's may be a coroutine function.
    """

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
        self._sleep = time.sleep
        self.watch: Watch | None = None
        self._flying: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self._planner.service.name} {self._planner.session.credentials}>"

    def close(self) -> None:
        """Close the connections, and the sandbox where this client started one."""
        if self._wire is not None and hasattr(self._wire, "close"):
            self._wire.close()
        self._planner.close()

    @property
    def in_flight(self) -> bool:
        """Whether a request is on its way whose reply has not come."""
        return bool(self._flying)

    @property
    def methods(self) -> Methods:
        """The methods of the service."""
        return Methods(self._planner.catalog, self._planner.service.name)

    @discreet
    def check(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> list[Problem]:
        """Every misfit of an input, errors first; a warning where only the way of authorising asks for more.

        Nothing is sent.
        """
        return self._planner.problems(name, params, more)

    @discreet
    def prepare(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Request:
        """The request that a call would send. Nothing is sent. Raises InvalidArguments as the call would."""
        return prepare(self.plan(name, params, more).call, self._planner.session)

    @discreet
    def plan(
        self, name: str, params: Mapping[str, Any] | None, more: Mapping[str, Any], *, unknown: bool = False
    ) -> Plan:
        """The checked call with its warnings: what the command line shows before it sends."""
        return self._planner.plan(name, params, more, unknown=unknown)

    @discreet
    def request(self, plan: Plan) -> Request:
        """The request of a planned call. Nothing is sent."""
        return prepare(plan.call, self._planner.session)

    @property
    def sandbox_note(self) -> str:
        """What the sandbox has to say of itself, such as that it could not write its file."""
        return str(self._planner.served.note) if self._planner.served else ""

    @discreet
    def call(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Result:
        """Call a method. Its result holds `value`, `meta` and `raw`, the whole answer.

        Raises UnknownMethod, InvalidArguments or MissingCredentials before anything is sent; ServiceError where
        the service says no; TransportError where no usable answer comes.
        """
        return self.run(self.plan(name, params, more))

    @discreet
    def run(self, plan: Plan) -> Result:
        """Send a planned call."""
        result: Result = self._drive(converse(plan.call, self._planner.session))
        return result

    @discreet
    def iterate(self, name: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Iterator[Any]:
        """The rows of all pages of a list, in order. The first page is asked for with the first row.

        A long list is read several pages at once, as the service allows: by ranges of ids where they are numbers,
        so that rows which are added or deleted meanwhile make none be lost or doubled.
        """
        return self.rows(self.plan(name, params, more))

    def rows(self, plan: Plan, limit: int | None = None) -> Generator[Any, None, None]:
        """The rows of a planned call; `limit` is how many are wanted, where that is known."""
        given = self._flow(reading.read(plan.call, self._planner.session, limit, self._counted))
        with discretion(), closing(given):
            yield from islice(given, limit)

    def _counted(self, total: int | None) -> None:
        if self.watch:
            self.watch.counted(total)

    @discreet
    def batch(self, calls: Calls, *, halt: bool = False) -> Any:
        """Many calls in as few requests as the service allows: a mapping or a sequence of (name, params).

        The answer has the same shape, with a Result or the error of each call in its place. With `halt` nothing
        is called after the first refusal. Raises InvalidArguments, before anything is sent, where an input does
        not fit.
        """
        return packing.shaped(calls, self.outcomes(calls, halt=halt))

    def outcomes(self, calls: Calls, *, halt: bool = False) -> Iterator[Outcome]:
        """The outcomes of such calls in order, as they come: what somebody needs who may stop in between."""
        packs = self._planner.packs(calls, halt=halt)
        return self._flow(packing.flow(packs, self._planner.session, halt=halt))

    def bulk(self, name: str, rows: Iterable[Mapping[str, Any]] | None, /, **how: Any) -> Iterator[Outcome]:
        """One outcome a row, in order: a Result, or the error that it met. Rows come from any iterable.

        All rows are checked before the first is sent; InvalidArguments tells of every misfit by the row's number.
        Nothing is read or sent before the first outcome is asked for. `journal` is a file that keeps what became of
        each row, so that with `resume=True` a run that was stopped goes on: what was done is not sent again, and a
        row whose answer was lost is a TransportError with the outcome "unknown". `rows=None` goes on with the rows
        of the journal. `restart=True` forgets an earlier run. With `stop_on_error` nothing is begun after the first
        error; rows that were not reached are NotReached. `ahead=1` sends a batch when the one before is answered.
        """
        from .bulk import carried

        return carried(lambda: self.job(name, **how), rows, self._flow)

    def job(self, name: str, **how: Any) -> Job:
        """A bulk run of which the caller takes and sends the rows by hand, as the command does."""
        from .bulk import Job

        return Job(self._planner, name, timeout=self._timeout, **how)

    def carry(self, job: Job) -> Iterator[Told]:
        """Send the rows of such a run: what became of each, in order."""
        return self._flow(job.flow())

    def _flow(self, steps: Flow) -> Generator[Any, None, None]:
        """What a flow gives, its conversations held by threads."""
        return flow.handed(steps, self._drive)

    def _drive(self, conversation: Generator[Any, Any, Any], stopped: Event | None = None) -> Any:
        """Do what a conversation asks for until it returns; leave it when nobody waits for it any more."""
        if self._wire is None:
            self._connect()
        answer: Reply | None = None
        try:
            step = next(conversation)
            while True:
                if stopped is not None and stopped.is_set():
                    conversation.throw(flow.Stopped())
                try:
                    answer = self._do(step, stopped)
                except RunnerError as error:
                    step = conversation.throw(error)
                else:
                    step = conversation.send(answer)
        except StopIteration as end:
            return end.value
        finally:
            conversation.close()  # whatever came out of it lays down the locks that it holds

    def _connect(self) -> None:
        """Make the transport, one for all threads."""
        from .transport import Transport

        with self._planner.session.lock:
            self._wire = self._wire or Transport(timeout=self._timeout, inner=self._inner, ca_bundle=self._ca_bundle)

    def _do(self, step: Step, stopped: Event | None) -> Reply | None:
        watch = self.watch
        if isinstance(step, Keep):
            with saving(step.values):
                step.account.save(step.values)
            return None
        if isinstance(step, Whole):
            flow.held(step.conversation, self._drive)
            return None
        if isinstance(step, Wait):
            if watch:
                watch.waits(step.seconds, step.why)
            (stopped.wait if stopped is not None and self._sleep is time.sleep else self._sleep)(step.seconds)
            return None
        if watch:
            watch.sent(step)
        self._flying.add(id(step))
        try:
            reply: Reply = self._wire.send(step.request, step.largest)
        except TransportError:
            self._flying.discard(id(step))
            raise
        self._flying.discard(id(step))
        if watch:
            watch.came(reply)
        return reply
