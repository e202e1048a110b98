"""Many conversations at once: a generator that says which to begin, which to wait for and what to hand out.

Like a conversation it decides everything and does nothing. Threads hold its conversations for the sync client,
tasks for the async one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import CallError, RunnerError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence

    Talk = Generator[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Begin:
    """Hold this conversation beside the others, and give back a ticket for its end.

    One that is `binding` is seen to its end when the flow is left early: it may have been carried out.
    """

    conversation: Talk
    binding: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """Wait for the end of a conversation: give back what it returned, or throw in the error that it raised."""

    ticket: Any


@dataclass(frozen=True, slots=True)
class Give:
    """Hand these out, one by one."""

    values: Sequence[Any]


Flow = Generator[Begin | Take | Give, Any, None]


class Stopped(BaseException):
    """A conversation is left before its next step is done: nobody waits for its end. It is thrown in, to be known."""


class Ticket:
    """A conversation of a sync flow, held by a thread of its own; by the taker's, where it is taken at once."""

    def __init__(self, begun: Begin, drive: Callable[[Talk, threading.Event], Any], stopped: threading.Event) -> None:
        self.begun = begun
        self._drive, self._stopped = drive, stopped
        self._ended: threading.Event | None = None  # a join that is interrupted takes the thread for ended
        self._value: Any = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Let a thread hold it, which does not keep the process alive."""
        self._ended = threading.Event()
        threading.Thread(target=self._hold, daemon=True, name="declarest").start()

    def _hold(self) -> None:
        try:
            self._value = self._drive(self.begun.conversation, self._stopped)
        except BaseException as error:  # noqa: BLE001 - whoever takes it gets it
            self._error = error
        if self._ended is not None:
            self._ended.set()

    def take(self) -> Any:
        """What the conversation returned. Raises what it raised."""
        if self._ended is None:
            self._hold()
        else:
            self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._value

    def settle(self) -> None:
        """Wait for the end where that matters."""
        if self._ended is not None and self.begun.binding:
            self._ended.wait()


def handed(flow: Flow, drive: Callable[[Talk, threading.Event], Any]) -> Generator[Any, None, None]:
    """The values that a flow gives. `drive` holds one conversation, and leaves it when the event is set.

    Raises CallError in a process that was forked meanwhile: the threads are not there, and what the flow does is
    done by the process that began it.
    """
    stopped, tickets, process = threading.Event(), set[Ticket](), os.getpid()
    waiting: Ticket | None = None  # the newest, not yet started: taken at once, it needs no thread
    try:
        step = next(flow)
        while True:
            answer, fault = None, None
            if os.getpid() != process:
                raise CallError(_FORKED, hint="a process that was forked begins its own")
            if waiting is not None and not (isinstance(step, Take) and step.ticket is waiting):
                waiting.start()
                waiting = None
            if isinstance(step, Begin):
                answer = waiting = Ticket(step, drive, stopped)
                tickets.add(waiting)
            elif isinstance(step, Take):
                waiting = None
                try:
                    answer = step.ticket.take()
                except RunnerError as error:
                    fault = error
                tickets.discard(step.ticket)  # not before: an interrupt that comes meanwhile waits for its end as well
            else:
                yield from step.values
            step = flow.throw(fault) if fault is not None else flow.send(answer)
    except StopIteration:
        return
    finally:
        stopped.set()
        flow.close()
        for ticket in tickets if os.getpid() == process else ():
            ticket.settle()


_FORKED = "these rows are being read or sent by another process"


async def handed_async(flow: Flow, drive: Callable[[Talk], Awaitable[Any]]) -> AsyncGenerator[Any, None]:
    """The same for async callers: each conversation is a task, cancelled when nobody waits for it."""
    from asyncio import ensure_future, shield

    tasks: dict[asyncio.Future[Any], bool] = {}
    try:
        step = next(flow)
        while True:
            answer, fault = None, None
            if isinstance(step, Begin):
                answer = ensure_future(drive(step.conversation))
                tasks[answer] = step.binding
            elif isinstance(step, Take):
                try:  # whoever stops waiting for one that is binding does not break it off
                    answer = await (shield(step.ticket) if tasks[step.ticket] else step.ticket)
                except RunnerError as error:
                    fault = error
                del tasks[step.ticket]
            else:
                for value in step.values:
                    yield value
            step = flow.throw(fault) if fault is not None else flow.send(answer)
    except StopIteration:
        return
    finally:
        flow.close()
        for task, binding in tasks.items():
            if not binding:
                task.cancel()
        await _ended(tasks)


def held(conversation: Talk, drive: Callable[[Talk], Any]) -> None:
    """Hold a conversation to its end in a thread that neither an interruption nor the program's end cuts short."""
    errors: list[BaseException] = []

    def hold() -> None:
        try:
            drive(conversation)
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            errors.append(error)

    thread = threading.Thread(target=hold, name="declarest", daemon=False)
    thread.start()
    try:
        thread.join()
    except BaseException:
        thread.join()
        raise
    if errors:
        raise errors[0]


async def held_async(conversation: Talk, drive: Callable[[Talk], Awaitable[Any]]) -> None:
    """The same for async callers: where the one that waits is cancelled, it waits for the end all the same."""
    from asyncio import CancelledError, ensure_future, shield

    task = ensure_future(drive(conversation))
    try:
        await shield(task)
    except CancelledError:
        await _ended([task])
        raise


async def _ended(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Wait for the end of tasks. Whoever is cancelled meanwhile, once or often, is so when all have ended."""
    from asyncio import CancelledError, wait

    cancelled = None
    while not all(task.done() for task in tasks):
        try:
            await wait(tasks)
        except CancelledError as error:  # `wait` leaves the tasks alone, which `gather` would cancel
            cancelled = error
    for task in tasks:
        task.cancelled() or task.exception()  # so that nobody is told that it was never asked for
    if cancelled is not None:
        raise cancelled
