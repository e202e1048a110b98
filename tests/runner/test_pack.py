"""Packs of calls: what a limit refused in a batch is made again, and it alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runner import AuthError, CallError, InvalidArguments, LimitExceeded, Result, ServiceError
from tests.conftest import reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner import AsyncClient, Client
    from runner.request import Request
    from runner.response import Reply
    from tests.conftest import AsyncWire, Clock, Wire

Json = dict[str, Any]
CALLS = {"a": ("ping", {}), "b": ("book.get", {"id": 2}), "c": ("book.get", {"id": 3})}


def answered(*keys: str, refused: tuple[str, ...] = (), code: str = "HURRY") -> Json:
    faults = {key: {"fault": {"code": code, "text": "later"}} for key in refused}
    return {"value": {"answers": {key: key.upper() for key in keys}, "faults": faults}}


def values(found: Json) -> Json:
    return {key: one.value if isinstance(one, Result) else one for key, one in found.items()}


def commands(wire: Wire) -> list[Any]:
    return [list(body["calls"]) if body and "calls" in body else "alone" for body in wire.bodies]


def test_a_call_that_can_not_be_written_is_refused_before_anything_is_sent(portal: Client, wire: Wire) -> None:
    with pytest.raises(CallError, match="the header X-Trace can't hold this value"):
        portal.batch({**CALLS, "d": ("visit.add", {"visitor": 1, "trace": "ключ"})})
    assert wire.sent == []


def test_one_call_is_made_again_by_itself(portal: Client, wire: Wire, clock: Clock) -> None:
    wire.say(answered("a", "c", refused=("b",)), {"value": "B"})
    assert values(portal.batch(CALLS)) == {"a": "A", "b": "B", "c": "C"}
    assert commands(wire) == [["a", "b", "c"], "alone"]
    assert clock.slept == [0.5]


def test_several_calls_are_made_again_in_a_batch_of_their_own(portal: Client, wire: Wire) -> None:
    wire.say(answered("a", refused=("b", "c")), answered("b", refused=("c",)), {"value": "C"})
    assert values(portal.batch(CALLS)) == {"a": "A", "b": "B", "c": "C"}
    assert commands(wire) == [["a", "b", "c"], ["b", "c"], "alone"]


def test_a_call_that_is_refused_for_ever_is_the_error_in_its_place(portal: Client, wire: Wire) -> None:
    wire.say(answered("a", refused=("b", "c")), *[answered(refused=("b", "c"))] * 3)
    found = portal.batch(CALLS)
    assert found["a"].value == "A"
    assert isinstance(found["b"], LimitExceeded)
    assert isinstance(found["c"], LimitExceeded)
    assert wire.replies == []


def test_what_was_answered_stands_where_asking_again_fails(portal: Client, wire: Wire) -> None:
    wire.say(answered("a", "c", refused=("b",)), reply({"fault": {"code": "NO_RIGHT", "text": "no"}}, 403))
    found = portal.batch(CALLS)
    assert (found["a"].value, found["c"].value) == ("A", "C")
    assert isinstance(found["b"], AuthError)


def test_a_refusal_that_is_no_limit_is_never_made_again(portal: Client, wire: Wire) -> None:
    wire.say(answered("a", "c", refused=("b",), code="FIRE"))
    assert isinstance(portal.batch(CALLS)["b"], ServiceError)
    assert len(wire.sent) == 1


def test_with_a_halt_the_calls_after_the_one_that_a_limit_refused_are_made_too(portal: Client, wire: Wire) -> None:
    wire.say(answered("a", refused=("b",)), answered("b", "c"))
    assert values(portal.batch(CALLS, halt=True)) == {"a": "A", "b": "B", "c": "C"}
    assert commands(wire) == [["a", "b", "c"], ["b", "c"]]


def test_a_call_that_refers_to_another_is_not_made_again_without_it(portal: Client, wire: Wire) -> None:
    wire.say(answered("a", refused=("b",)))
    found = portal.batch({"a": ("ping", {}), "b": ("book.list", {"filter": {"id": "$answer[a]"}})})
    assert isinstance(found["b"], LimitExceeded)
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("calls", "packs"),
    [
        ("a b c d e", "abc de"),
        ("a b c d>c e", "ab cde"),  # not where the first batch would be full
        ("a b c>b d>c e>d", ""),  # too many
        ("a b c>a d>b", ""),
        ("a b c d e>d f>d g>f", ""),
        ("a b c d e>d g f>g", "abc de gf"),
        ("a b>x c", ""),  # refers to nothing
        ("a>b b", ""),  # or to what comes later
        ("a>a", ""),
        ("a b c>b A d>c", ""),  # a call between them travels alone
        ("a b A c d>c B", "ab A cd B"),
    ],
)
def test_a_call_travels_with_those_that_it_refers_to(portal: Client, calls: str, packs: str) -> None:
    def call(word: str) -> tuple[str, Json]:
        name, _, other = word.partition(">")
        if name.isupper():
            return "card.ask", {"name": "A", "word": "w"}
        return ("book.list", {"filter": {"id": f"$answer[{other}]"}}) if other else ("ping", {})

    named = {word[0]: call(word) for word in calls.split()}
    if not packs:
        with pytest.raises(InvalidArguments, match=r"refers to '.', which does not travel before it"):
            portal._planner.packs(named, halt=False)
        return
    found = portal._planner.packs(named, halt=False)
    assert " ".join("".join(one.key for one in pack.commands) for pack in found) == packs


@pytest.mark.parametrize("halt", [False, True])
def test_batches_of_reads_travel_beside_each_other_and_stay_in_order(
    portal: Client, wire: Wire, monkeypatch: pytest.MonkeyPatch, halt: bool
) -> None:
    def answer(request: Request, _largest: int) -> Reply:
        body = json.loads(request.body or b"{}")
        return reply(answered(*body["calls"]) if "calls" in body else {"value": "C7"})

    monkeypatch.setattr(wire, "send", answer)  # whichever comes first
    found = portal.batch([("ping", {})] * 7, halt=halt)
    assert [one.value for one in found] == ["C1", "C2", "C3", "C4", "C5", "C6", "C7"]


async def test_the_async_client_makes_it_again_too(
    async_library: Callable[..., AsyncClient], async_wire: AsyncWire
) -> None:
    async_wire.say(answered("a", "c", refused=("b",)), {"value": "B"})
    async with async_library() as client:
        assert values(await client.batch(CALLS)) == {"a": "A", "b": "B", "c": "C"}
