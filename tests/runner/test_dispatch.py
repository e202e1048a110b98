"""One call as a conversation, answered by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner import AuthError, LimitExceeded, ServiceError, TransportError
from runner.bucket import SLACK
from runner.dispatch import Call, Send, Session, Step, Wait, converse, measured, prepare
from runner.response import Reply
from runner.settings import SOURCES, Credentials

if TYPE_CHECKING:
    from runner.catalog import Catalog
    from runner.dispatch import Conversation
    from tests.conftest import Clock

OK = Reply(200, {}, b'{"value": 7}')
HURRY = Reply(429, {}, b'{"fault": {"code": "HURRY", "wait": 3}}')


@pytest.fixture
def session(catalog: Catalog, clock: Clock) -> Session:
    return made(catalog, clock, token="t")


def made(catalog: Catalog, clock: Clock, **fields: str) -> Session:
    values: dict[str, Any] = {"scheme": "https", "host": "library.example", **fields}
    account = Credentials(values, dict.fromkeys(values, SOURCES[0]))
    return Session(
        account,
        lambda name: catalog.method("library", name),
        lambda name: catalog.own("library", name),
        lambda name: catalog.has("library", name),
        clock,
        lambda: 1.0,
    )


def call(catalog: Catalog, name: str, **values: Any) -> Call:
    return Call(catalog.method("library", name), name, values)


def sent(step: Step) -> str:
    assert isinstance(step, Send)
    return step.request.url.removeprefix("https://library.example/api/")


def over(conversation: Conversation, reply: Reply) -> Any:
    with pytest.raises(StopIteration) as end:
        conversation.send(reply)
    return end.value.value.value


def test_a_call_sends_once_and_returns_the_answer(catalog: Catalog, session: Session) -> None:
    steps = converse(call(catalog, "book.get", id=1), session)
    assert sent(next(steps)) == "books/1"
    assert over(steps, OK) == 7


def test_the_largest_answer_is_what_the_method_says(catalog: Catalog, session: Session) -> None:
    for name, largest in (("book.cover.get", 1000), ("book.get", 32 * 2**20)):
        step = next(converse(call(catalog, name, id=1), session))
        assert isinstance(step, Send)
        assert step.largest == largest


def test_slow_down_is_obeyed(catalog: Catalog, session: Session, clock: Clock) -> None:
    steps = converse(call(catalog, "book.lend", id=1), session)
    next(steps)
    step = steps.send(HURRY)
    assert isinstance(step, Wait)
    assert step.seconds == 3.0
    clock.sleep(step.seconds)
    assert sent(steps.send(None)) == "book.lend"
    assert over(steps, OK) == 7


def test_a_lost_answer_is_thrown_in_and_asked_for_again(catalog: Catalog, session: Session) -> None:
    steps = converse(call(catalog, "book.get", id=1), session)
    next(steps)
    step = steps.throw(TransportError("lost"))
    assert isinstance(step, Wait)
    assert step.seconds == 0.5
    assert sent(steps.send(None)) == "books/1"


def test_an_error_names_its_method(catalog: Catalog, session: Session) -> None:
    steps = converse(call(catalog, "book.lend", id=1), session)
    next(steps)
    with pytest.raises(TransportError) as caught:
        steps.throw(TransportError("lost"))
    assert caught.value.method == "book.lend"


def test_no_wait_goes_beyond_the_deadline(catalog: Catalog, session: Session, clock: Clock) -> None:
    steps = converse(call(catalog, "book.lend", id=1), session)
    next(steps)
    clock.now += 118
    with pytest.raises(LimitExceeded) as caught:
        steps.send(HURRY)
    assert caught.value.code == "HURRY"


def test_a_full_bucket_waits_before_the_first_send(catalog: Catalog, session: Session) -> None:
    for _ in range(20):
        session.book.wait(catalog.method("library", "ping"), session.credentials.values, session.clock())
    steps = converse(call(catalog, "book.get", id=1), session)
    step = next(steps)
    assert isinstance(step, Wait)
    assert step.seconds == pytest.approx(0.1 + SLACK)
    assert sent(steps.send(None)) == "books/1"


def test_a_limit_that_would_outlast_the_deadline_refuses_before_anything_is_sent(
    catalog: Catalog, session: Session
) -> None:
    method = catalog.method("library", "book.get")
    cost = {"cost": {"seconds": 60, "free_at": 1_000_121}}
    session.book.note(method, session.credentials.values, cost, session.clock())
    with pytest.raises(LimitExceeded, match="would hold this call for 121 s") as caught:
        next(converse(call(catalog, "book.get", id=1), session))
    assert caught.value.rejected


def test_the_wait_for_its_turn_takes_nothing_away_from_the_time_for_repeats(
    catalog: Catalog, session: Session, clock: Clock
) -> None:
    for _ in range(20 + 1100):
        session.book.wait(catalog.method("library", "ping"), session.credentials.values, session.clock())
    steps = converse(call(catalog, "book.lend", id=1), session)
    turn = next(steps)
    assert isinstance(turn, Wait)
    assert turn.seconds == pytest.approx(110.1 + SLACK)
    clock.sleep(turn.seconds)
    next(steps)
    clock.sleep(110)
    step = steps.send(HURRY)
    assert isinstance(step, Wait)
    assert step.seconds == 3.0


def test_a_call_that_can_not_have_its_turn_in_time_takes_no_place(catalog: Catalog, session: Session) -> None:
    ping = catalog.method("library", "ping")
    while session.book.wait(ping, session.credentials.values, session.clock(), most=120) <= 120:
        pass
    for _ in range(1000):
        with pytest.raises(LimitExceeded, match=r"hold this call for 120 s; other programs"):
            next(converse(call(catalog, "ping"), session))
    assert session.book.wait(ping, session.credentials.values, session.clock()) < 120.2


def test_a_refusal_slows_down_everybody(catalog: Catalog, session: Session) -> None:
    steps = converse(call(catalog, "book.lend", id=1), session)
    next(steps)
    assert isinstance(steps.send(Reply(429, {}, b"{}")), Wait)
    step = next(converse(call(catalog, "ping"), session))
    assert isinstance(step, Wait)
    assert step.seconds == pytest.approx(0.1 + SLACK)


def test_a_refusal_for_the_cost_holds_its_method_alone(catalog: Catalog, session: Session) -> None:
    steps = converse(call(catalog, "book.lend", id=1), session)
    next(steps)
    step = steps.send(Reply(429, {}, b'{"fault": {"code": "FULL", "until": 1000030}}'))
    assert isinstance(step, Wait)
    assert step.seconds == 30.0
    other = next(converse(call(catalog, "book.lend", id=2), session))
    assert isinstance(other, Wait)
    assert other.seconds == 30.0
    assert sent(next(converse(call(catalog, "ping"), session))) == "ping"


def test_a_refusal_for_longer_than_a_call_may_take_is_an_error_at_once(catalog: Catalog, session: Session) -> None:
    steps = converse(call(catalog, "book.lend", id=1), session)
    next(steps)
    with pytest.raises(LimitExceeded) as caught:
        steps.send(Reply(429, {}, b'{"fault": {"code": "FULL", "until": 1000121}}'))
    assert (caught.value.code, caught.value.exit_code) == ("FULL", 6)
    with pytest.raises(LimitExceeded, match="would hold this call for 121 s"):
        next(converse(call(catalog, "book.lend", id=1), session))


def test_what_a_call_carries_inside_waits_for_its_own_windows(catalog: Catalog, session: Session) -> None:
    lend, batch = catalog.method("library", "book.lend"), catalog.method("library", "batch")
    cost = {"cost": {"seconds": 60, "free_at": 1_000_030}}
    session.book.note(lend, session.credentials.values, cost, session.clock())
    step = next(converse(Call(batch, "batch", {"calls": {}}, inside=(lend, lend)), session))
    assert isinstance(step, Wait)
    assert step.seconds == 30.0
    assert sent(next(converse(Call(batch, "batch", {"calls": {}}), session))) == "batch"


def test_what_an_answer_cost_holds_the_next_call(catalog: Catalog, session: Session) -> None:
    steps = converse(call(catalog, "book.get", id=1), session)
    next(steps)
    over(steps, Reply(200, {}, b'{"value": 7, "cost": {"seconds": 61, "free_at": 1000010}}'))
    step = next(converse(call(catalog, "book.get", id=1), session))
    assert isinstance(step, Wait)
    assert step.seconds == 10.0


def test_a_first_call_is_made_once_for_many(catalog: Catalog, clock: Clock) -> None:
    session = made(catalog, clock, card="paper")
    steps = converse(call(catalog, "book.get", id=1), session)
    assert sent(next(steps)) == "desk.open"
    assert sent(steps.send(Reply(200, {}, b'{"value": {"session": "s"}}'))) == "books/1"
    assert over(steps, OK) == 7
    assert sent(next(converse(call(catalog, "book.get", id=2), session))) == "books/2"


def test_a_first_call_that_is_lost_is_made_again_like_any_other(catalog: Catalog, clock: Clock) -> None:
    session = made(catalog, clock, card="paper")
    steps = converse(call(catalog, "book.get", id=1), session)
    assert sent(next(steps)) == "desk.open"
    assert isinstance(steps.throw(TransportError("lost", outcome="not sent")), Wait)
    assert sent(steps.send(None)) == "desk.open"


def test_a_session_that_is_over_is_opened_again_even_for_a_write(catalog: Catalog, clock: Clock) -> None:
    session = made(catalog, clock, card="paper")
    session.kept["desk"] = {"session": "old"}
    steps = converse(call(catalog, "visit.add"), session)
    assert sent(next(steps)) == "visit.add"
    over_it = Reply(401, {}, b'{"fault": {"code": "NO_CARD"}}')
    assert sent(steps.send(over_it)) == "desk.open"
    assert sent(steps.send(Reply(200, {}, b'{"value": {"session": "new"}}'))) == "visit.add"
    with pytest.raises(AuthError):
        steps.send(over_it)


def test_a_session_that_another_thread_has_opened_since_is_used(catalog: Catalog, clock: Clock) -> None:
    session = made(catalog, clock, card="paper")
    session.kept["desk"] = {"session": "old"}
    steps = converse(call(catalog, "visit.add"), session)
    next(steps)
    session.kept["desk"] = {"session": "of another thread"}
    again = steps.send(Reply(401, {}, b'{"fault": {"code": "NO_CARD"}}'))
    assert sent(again) == "visit.add"
    assert isinstance(again, Send)
    assert again.request.headers["X-Session"] == "of another thread"


@pytest.mark.parametrize("code", ["NO_RIGHT", "BAD_INPUT"])
def test_another_refusal_does_not_open_a_session_again(catalog: Catalog, clock: Clock, code: str) -> None:
    session = made(catalog, clock, card="paper")
    session.kept["desk"] = {"session": "s"}
    steps = converse(call(catalog, "ping"), session)
    next(steps)
    with pytest.raises(ServiceError):
        steps.send(Reply(403, {}, json.dumps({"fault": {"code": code}}).encode()))
    assert session.kept == {"desk": {"session": "s"}}


def test_a_request_can_be_prepared_before_a_first_call(catalog: Catalog, clock: Clock) -> None:
    found = prepare(call(catalog, "ping"), made(catalog, clock, card="paper"))
    assert found.headers["X-Session"] == "***"


def test_a_request_of_a_next_page_is_prepared_at_its_address(catalog: Catalog, session: Session) -> None:
    method = catalog.method("library", "shelf.tree")
    assert prepare(Call(method, "shelf.tree", {}, "?page=2"), session).url.endswith("/api/shelves?page=2")


def moved(location: str) -> Reply:
    return Reply(302, {"location": location}, b"")


@pytest.mark.parametrize(
    ("fields", "profile", "accept"),
    [
        ({"token": "t0ken-1"}, "", "call it with --host new.example:8443"),
        ({"token": "t0ken-1"}, "work", "declarest login library work --host new.example:8443"),
    ],
)
def test_a_host_that_moved_is_told_with_what_accepts_it(
    fields: dict[str, str], profile: str, accept: str, catalog: Catalog, clock: Clock
) -> None:
    session = made(catalog, clock, **fields)
    session.credentials = replace(session.credentials, profile=profile)
    steps = converse(call(catalog, "book.get", id=1), session)
    next(steps)
    with pytest.raises(TransportError) as caught:
        steps.send(moved("https://new.example:8443/api/books/1?t=t0ken-1"))
    said = "the service answered with a redirect to new.example:8443: it has moved, or something stands before it; "
    said += "it points to https://new.example:8443; nothing was sent there. If that is the right host: "
    assert str(caught.value) == said + accept
    assert (caught.value.outcome, caught.value.args) == ("not sent", (caught.value.message,))


def test_an_address_that_moved_is_told_as_an_address(catalog: Catalog, clock: Clock) -> None:
    session = made(catalog, clock)
    session.credentials = Credentials({"mirror": "https://copy.example"}, {"mirror": SOURCES[0]})
    steps = converse(call(catalog, "ping"), session)
    next(steps)
    with pytest.raises(TransportError, match=r"call it with --mirror http://new\.example$"):
        steps.send(moved("HTTP://New.example"))


@pytest.mark.parametrize(
    "location",
    ["https://library.example/elsewhere", "/elsewhere", "", "https://$(touch x).example/", "ftp://a.example"],
)
def test_another_redirect_offers_no_other_host(location: str, catalog: Catalog, session: Session) -> None:
    steps = converse(call(catalog, "book.get", id=1), session)
    next(steps)
    with pytest.raises(TransportError, match="the service answered with a redirect") as caught:
        steps.send(moved(location))
    assert "--host" not in caught.value.hint


def test_a_call_waits_for_another_one_that_signs_in_and_uses_what_that_brought(catalog: Catalog, clock: Clock) -> None:
    session = made(catalog, clock, card="paper")
    session.gate.acquire()
    steps = converse(call(catalog, "book.get", id=1), session)
    assert isinstance(next(steps), Wait)
    session.kept["desk"] = {"session": "of another call"}
    session.gate.release()
    step = steps.send(None)
    assert isinstance(step, Send)
    assert step.request.headers["X-Session"] == "of another call"


class Left(BaseException):
    """What ends a conversation that nobody waits for."""


def test_a_measured_conversation_that_is_left_lays_down_what_it_holds_at_once() -> None:
    held = [1]

    def holds() -> Any:
        try:
            yield Wait(1.0)
        finally:
            held.clear()

    talk = measured(holds(), lambda: 0.0)
    next(talk)
    with pytest.raises(Left) as caught:  # it is kept, and with it all frames that it came through
        talk.throw(Left())
    assert held == []
    assert caught.tb is not None
