"""One method called for many rows: checked before the first is sent, packed, sent at the limit, kept in a journal.

A row is `waiting` until its request is about to leave, `sent` from then on, and `done`, `refused` or `unknown` as
soon as its answer is read. What was `sent` when a run was killed is never sent again, unless that does no harm.
"""

from __future__ import annotations

from collections import deque
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import batch as batching
from . import journal as states
from . import pack as packing
from .dispatch import Call, Send
from .errors import (
    CallError,
    LimitExceeded,
    NotReached,
    RunnerError,
    ServiceError,
    TransportError,
)
from .flow import Begin, Give, Stopped, Take
from .intake import Intake, Record
from .journal import Entry
from .pack import Pack
from .plan import has_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence

    from .batch import Command
    from .flow import Flow
    from .limit import Limit
    from .pack import Outcome, Outcomes
    from .plan import Planner

Json = dict[str, Any]
AHEAD = 64  # packs in flight: as many as a burst of 50 needs, and a few that wait for the limit
PROBE = 2  # rows of the first pack, which tells how long a row takes
SHARE = 3  # a batch takes this part of the time-out at most
_PATIENCE = 30  # seconds that a pack waits for the limit at most
_STOPPING = ("auth", "blocked", "rate_limit")


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a row: its number, its line, its state, and the outcome of its call."""

    number: int
    line: int
    state: int
    outcome: Outcome


@dataclass(slots=True, eq=False)
class Run:
    """A pack on its way. `left` are the numbers of rows without an outcome, `marked` says that they are `sent`.

    `flying` says that its request was handed over and has not come back, `took` how many seconds the last one took.
    """

    pack: Pack
    numbers: list[int]
    lines: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    states: dict[int, int] = field(default_factory=dict)
    found: dict[int, Outcome] = field(default_factory=dict)
    marked: bool = False
    ever: bool = False
    flying: bool = False
    took: float = 0.0
    ticket: Any = None


class Job(Intake):
    """One bulk run: its rows taken and checked, then sent by a flow. Close it at the end."""

    def __init__(  # noqa: PLR0913 - the words of `Client.bulk`
        self,
        planner: Planner,
        name: str,
        *,
        timeout: float = 60.0,
        journal: str | None = None,
        resume: bool = False,
        restart: bool = False,
        stop_on_error: bool = False,
        ahead: int = AHEAD,
    ) -> None:
        super().__init__(planner, name, journal=journal, resume=resume, restart=restart)
        self.budget, self.stop_on_error = timeout / SHARE, stop_on_error
        self.ahead = min([ahead, *(int(one.burst + one.rate * _PATIENCE) for one in self._buckets)])
        self.stopped: RunnerError | None = None  # why nothing more is begun
        self.pace: float | None = None  # seconds that a row takes, once that is known

    @property
    def _buckets(self) -> list[Limit]:
        return [limit for limit in self.method.service.limits if limit.rate]

    def least(self, requests: int) -> float:
        """The seconds that the limits take for so many requests, when nobody else uses them."""
        return max((max(0.0, (requests - one.burst) / one.rate) for one in self._buckets), default=0.0)

    def flow(self) -> Flow:
        """What became of the rows, in order, each a Told."""
        parts, queue = self.parts(), deque[Any]()
        over = False
        try:
            while queue or not over:
                while not over and len(queue) < self._window(queue):
                    part = next(parts, None)
                    if isinstance(part, Run):
                        part.ticket = yield Begin(self._recorded(part), binding=True)
                        yield Give(())  # a thread holds it from now on: an interrupt of the taker does not break it off
                    over = part is None
                    queue.extend([] if over else [part])
                if queue:
                    yield Give((yield from self._ended(queue[0])))
                    queue.popleft()
        except GeneratorExit:
            self.stopped = self.stopped or _STOP
            runs = [one for one in queue if isinstance(one, Run)]
            self.leaving(sum(one.flying for one in runs))
            for one in runs:
                if not one.flying and hasattr(one.ticket, "cancel"):  # an async one, which would sleep on
                    one.ticket.cancel()
            raise

    def leaving(self, flying: int) -> None:
        """The run is left early, with so many requests on their way. Somebody may want to be told."""

    def _ended(self, part: Any) -> Generator[Take, Any, list[Told]]:
        """What became of the rows of a part, when that is known."""
        if not isinstance(part, Run):
            return list(part)
        try:
            found = yield Take(part.ticket)
        except CallError:
            if part.flying:  # the request could not be made, so it did not leave
                self.journal.mark(part.left, states.WAITING)
            self.stopped = self.stopped or _STOP
            raise
        return [
            Told(number, line, part.states.get(number, states.WAITING), one)
            for number, line, one in zip(part.numbers, part.lines, found, strict=True)
        ]

    def _window(self, queue: Iterable[Any]) -> int:
        """How many parts may be under way: one until it is known how long a row takes."""
        known = self.pace is not None or not any(isinstance(one, Run) for one in queue)
        return self.ahead if known else 1

    def size(self, most: int) -> int:
        """How many rows the next batch takes: as many as the service does, if it stays far from the time-out."""
        if self.pace is None:
            return min(PROBE, most)
        return max(1, min(most, int(self.budget / max(self.pace, 1e-9))))

    def parts(self) -> Iterator[Run | list[Told]]:
        """The rows in order: packs to be sent, and rows whose outcome is known with it."""
        part: Any = []
        for entry in self.journal.entries():
            told, command = self._settled(entry)
            alone = command is not None and self._alone(command)
            if part and (alone or isinstance(part, Run) is (command is None)):
                yield part
                part = []
            if command is None:
                part.append(told)
            else:
                part = part or Run(Pack(self.method.service.batch, [], alone=alone, halt=self.stop_on_error), [])
                part.pack.commands.append(command)
                part.numbers.append(entry.number)
                part.lines.append(entry.line)
            if self._full(part):
                yield part
                part = []
        if part:
            yield part

    def _full(self, part: Run | list[Any]) -> bool:
        """Whether nothing more joins a pack, or a list of rows whose outcome is known."""
        if not isinstance(part, Run):
            return len(part) >= states.CHUNK
        how = part.pack.how
        return part.pack.alone or how is None or len(part.numbers) >= self.size(how.size)

    def _settled(self, entry: Entry) -> tuple[Told | None, Command | None]:
        """What became of a row that is not sent, or the call of one that is."""
        outcome, state = entry.outcome, entry.state
        if outcome is None:
            command = packing.command(f"r{entry.number}", Call(self.method, self.name, entry.values), self.session)
            if state == states.SENT and not self._repeatable(command):
                outcome, state = self._lost(entry), states.UNKNOWN
            elif self.stopped is None:
                return None, command
            else:
                outcome, state = batching.never(self.method), states.WAITING
        return Told(entry.number, entry.line, state, outcome), None

    def _lost(self, entry: Entry) -> TransportError:
        """The outcome of a row that was on its way when an earlier run was killed."""
        lost = TransportError(
            "the run was stopped while this row was on its way",
            hint="the service may have acted; look before you send it again",
            method=self.method.full_name,
        )
        self.journal.tell([(entry.number, states.UNKNOWN, lost)])
        return lost

    def _alone(self, command: Command) -> bool:
        """Whether a call does not travel in a batch.

        It can't; or what makes it harmless to repeat has no place there; or a refusal of its neighbour would refuse
        it too; or a text in it would be read as a reference to another call.
        """
        how = self.method.service.batch
        if how is None or self.method.document.get("batch") is False or has_file(command.values):
            return True
        once = self.method.repeatable(command.values) and not batching.repeatable(command)
        return once or how.all_or_nothing or bool(Pack(how, [], alone=False, halt=False).references(command))

    def _repeatable(self, command: Command) -> bool:
        """Whether a call may be made twice, in the way that it travels."""
        return self.method.repeatable(command.values) if self._alone(command) else batching.repeatable(command)

    def _recorded(self, run: Run) -> Outcomes:
        """The life of a pack, each step of it in the journal before the next is made."""
        run.left = list(run.numbers)
        talk = packing.outcomes(run.pack, self.session, lambda places, found: self._heard(run, places, found))
        with closing(talk):  # however it is left: it may hold locks
            return (yield from self._steps(run, talk))

    def _steps(self, run: Run, talk: Outcomes) -> Outcomes:
        """The steps of a pack on its way, and its outcomes."""
        answer: Any = None
        error: TransportError | None = None
        while True:
            try:
                step = talk.throw(error) if error is not None else talk.send(answer)
            except StopIteration as end:
                found: list[Outcome] = end.value
                self._judge(found, over=True)
                return found
            answer, error = None, None
            if run.marked:  # it asks for something else: what was sent is known to have done nothing, or no harm
                self._mark(run, states.WAITING)
            if self.stopped is not None:
                never = batching.never(self.method)
                return [never if number in run.left else run.found[number] for number in run.numbers]
            if not isinstance(step, Send):
                yield step
                continue
            self._mark(run, states.SENT)
            began = self.session.passed()
            run.flying = run.ever = True
            try:
                answer = yield step
            except TransportError as fault:
                error = fault
            except Stopped:  # it was not sent
                self._mark(run, states.WAITING)
                raise
            run.flying, run.took = False, self.session.passed() - began

    def _heard(self, run: Run, places: Sequence[int], found: Sequence[Outcome]) -> None:
        """Keep what an answer says of rows."""
        told = []
        for place, one in zip(places, found, strict=True):
            command = run.pack.commands[place]
            harmless = self.method.repeatable(command.values) if run.pack.alone else batching.repeatable(command)
            told.append((run.numbers[place], state_of(one, harmless=harmless, sent=run.ever), one))
        self.journal.tell(told)
        run.found.update((number, one) for number, _, one in told)
        run.states.update((number, state) for number, state, _ in told)
        run.left = [number for number, state, _ in told if state == states.WAITING]
        run.marked = False
        if not all(isinstance(one, RunnerError) and _hopeless(one) for one in found):
            self._measure(run.took / len(found))
        self._judge(found, over=False)

    def _mark(self, run: Run, state: int) -> None:
        self.journal.mark(run.left, state)
        run.marked = state == states.SENT

    def _measure(self, seconds: float) -> None:
        """Remember how long a row takes: slower is believed at once, faster by and by."""
        self.pace = seconds if self.pace is None else max(seconds, 0.8 * self.pace + 0.2 * seconds)

    def _judge(self, found: Sequence[Outcome], *, over: bool) -> None:
        """Stop where the next row would meet the same, or where the caller wants to stop at the first error.

        What a limit refused counts when it is `over`: before that it is asked again.
        """
        errors = [one for one in found if isinstance(one, RunnerError) and not isinstance(one, NotReached)]
        if not over:
            errors = [one for one in errors if not isinstance(one, LimitExceeded)]
        hopeless = len(errors) == len(found) and all(map(_hopeless, errors))
        if errors and (hopeless or self.stop_on_error) and self.stopped is None:
            self.stopped = errors[0]


_STOP = CallError("the run was stopped")


def _hopeless(error: RunnerError) -> bool:
    """Whether the call after this one would meet the same: no way to the service, or none into it."""
    if isinstance(error, TransportError):
        return error.outcome == "not sent"
    return isinstance(error, ServiceError) and error.kind in _STOPPING


def state_of(outcome: Outcome, *, harmless: bool, sent: bool) -> int:
    """The state of a row with this outcome. `harmless` says that it may be made twice, `sent` that it left.

    What was rejected by something that has nothing to do with the row waits for a better time.
    """
    if not isinstance(outcome, RunnerError):
        return states.DONE
    doubtful = states.REFUSED if harmless or not sent else states.UNKNOWN
    if isinstance(outcome, NotReached):
        return states.WAITING
    if isinstance(outcome, ServiceError):
        if outcome.rejected and outcome.kind in _STOPPING:
            return states.WAITING
        return doubtful if outcome.outcome == "unknown" else states.REFUSED
    if isinstance(outcome, TransportError) and outcome.outcome == "not sent":
        return states.WAITING
    return doubtful


def carried(
    begin: Callable[[], Job], rows: Iterable[Any] | None, hold: Callable[[Flow], Iterator[Any]]
) -> Iterator[Outcome]:
    """The outcomes of rows, in order, for a sync caller. The journal of a run of which all was done is deleted."""
    with closing(begin()) as job:
        if rows is None:
            job.go_on()
        else:
            for row in rows:
                job.take(Record(row))
            job.seal()
        with closing(hold(job.flow())) as found:  # type: ignore[type-var]
            for told in found:
                yield told.outcome
        finish(job)


async def carried_async(
    begin: Callable[[], Job], rows: Any, hold: Callable[[Flow], AsyncIterator[Any]]
) -> AsyncIterator[Outcome]:
    """The same for async callers, whose rows may come from an async iterable."""
    from asyncio import sleep

    with closing(begin()) as job:
        if rows is None:
            job.go_on()
        else:
            if hasattr(rows, "__aiter__"):
                async for row in rows:
                    job.take(Record(row))
            else:
                for row in rows:
                    job.take(Record(row))
                    if job.total % 100 == 0:
                        await sleep(0)
            job.seal()
        async with aclosing(hold(job.flow())) as found:  # type: ignore[type-var]
            async for told in found:
                yield told.outcome
        finish(job)


def finish(job: Job) -> bool:
    """Delete the journal of a run of which all was done; whether that is so."""
    counts = job.journal.counts()
    over = counts["done"] == sum(counts.values())
    if over:
        job.journal.remove()
    return over
