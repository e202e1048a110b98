"""Many conversations at once: begun, taken in any order, left early."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from runner import CallError
from runner.flow import Begin, Give, Take, handed, handed_async

if TYPE_CHECKING:
    from collections.abc import Generator

    from runner.flow import Flow


def says(value: Any) -> Generator[Any, Any, Any]:
    """A conversation that asks for one thing, and returns it or raises it."""
    answer = yield value
    if isinstance(answer, Exception):
        raise answer
    return answer


def drive(conversation: Any, _stopped: threading.Event) -> Any:
    try:
        conversation.send(next(conversation))
    except StopIteration as end:
        return end.value


async def drive_async(conversation: Any) -> Any:
    return drive(conversation, threading.Event())


def two_at_once() -> Flow:
    first = yield Begin(says(1))
    second = yield Begin(says(2))
    yield Give([(yield Take(second)), (yield Take(first))])


def mended() -> Flow:
    for value in (CallError("no"), 3):
        try:
            yield Give([(yield Take((yield Begin(says(value)))))])
        except CallError as error:
            yield Give([str(error)])


def endless(begun: list[int], *, binding: bool = False) -> Flow:
    tickets = []
    while True:
        begun.append(len(begun))
        tickets.append((yield Begin(says(len(begun)), binding=binding)))
        if len(tickets) > 2:
            yield Give([(yield Take(tickets.pop(0)))])


@pytest.mark.parametrize(("flow", "given"), [(two_at_once, [2, 1]), (mended, ["no", 3])])
async def test_a_flow_gives_what_its_conversations_return(flow: Any, given: list[Any]) -> None:
    assert list(handed(flow(), drive)) == given
    assert [one async for one in handed_async(flow(), drive_async)] == given


def test_what_is_taken_at_once_needs_no_thread() -> None:
    held: list[threading.Thread] = []

    def where(conversation: Any, stopped: threading.Event) -> Any:
        held.append(threading.current_thread())
        return drive(conversation, stopped)

    assert list(handed(mended(), where)) == ["no", 3]
    assert set(held) == {threading.current_thread()}
    list(handed(two_at_once(), where))
    assert threading.current_thread() not in held[2:3]


def test_a_flow_that_is_left_begins_nothing_more() -> None:
    begun: list[int] = []
    events: list[threading.Event] = []

    def seen(conversation: Any, stopped: threading.Event) -> Any:
        events.append(stopped)
        return drive(conversation, stopped)

    given = handed(endless(begun), seen)
    assert next(given) == 1
    given.close()
    assert begun == [0, 1, 2]
    assert all(event.is_set() for event in events)


def test_what_is_binding_is_seen_to_its_end() -> None:
    done: list[Any] = []
    hurry = threading.Event()

    def slowly(conversation: Any, stopped: threading.Event) -> Any:
        value = drive(conversation, stopped)
        if value > 1:
            assert stopped.wait(10)  # until the flow is left
        done.append(value)
        hurry.set()
        return value

    given = handed(endless([], binding=True), slowly)
    assert next(given) == 1
    given.close()
    assert sorted(done) == [1, 2, 3]


async def test_a_task_is_cancelled_when_nobody_waits_unless_it_is_binding() -> None:
    ended: list[str] = []

    async def slowly(conversation: Any) -> Any:
        value = drive(conversation, threading.Event())
        try:
            if value > 1:
                await asyncio.sleep(0.01)
            ended.append("done")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return value

    for binding, last in ((False, "cancelled"), (True, "done")):
        ended.clear()
        given = handed_async(endless([], binding=binding), slowly)
        assert await anext(given) == 1
        await asyncio.sleep(0)
        await given.aclose()
        assert ended[0] == "done"
        assert set(ended[1:]) == {last}


async def test_a_task_that_is_binding_is_seen_to_its_end_however_often_its_taker_is_cancelled() -> None:
    ended: list[str] = []
    held, begun = asyncio.Event(), asyncio.Event()

    async def slowly(conversation: Any) -> Any:
        begun.set()
        await held.wait()
        ended.append("done")
        return drive(conversation, threading.Event())

    async def take() -> None:
        async for _ in handed_async(endless([], binding=True), slowly):
            pass

    taker = asyncio.ensure_future(take())
    await begun.wait()
    for _ in range(3):
        taker.cancel()
        await asyncio.sleep(0)
    assert not taker.done()
    held.set()
    with pytest.raises(asyncio.CancelledError):
        await taker
    assert ended == ["done"] * 3


def test_a_flow_is_not_carried_on_in_a_process_that_was_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def slowly(conversation: Any, stopped: threading.Event) -> Any:
        value = drive(conversation, stopped)
        if value > 1:
            assert done.wait(10)  # a thread that is not there in the other process
        return value

    given = handed(endless([], binding=True), slowly)
    assert next(given) == 1
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: -1)
        with pytest.raises(CallError, match="by another process; a process that was forked begins its own"):
            next(given)
    done.set()
