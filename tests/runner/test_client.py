"""The library's face: one object that calls the methods of one service, and its async twin."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import runner
from runner import (
    AsyncClient,
    CallError,
    Client,
    InvalidArguments,
    MissingCredentials,
    Problem,
    ServiceError,
    TransportError,
    UnknownMethod,
)
from runner.dispatch import converse
from runner.flow import Stopped
from runner.plan import _at
from runner.response import Reply, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.catalog import Catalog
    from runner.dispatch import Send
    from tests.conftest import AsyncWire, Clock, Wire

FIRE = {"fault": {"code": "FIRE", "text": "No"}}
ROWS = [{"id": 1}, {"id": 2}, {"id": 3}]


# One call


def test_a_call_gives_value_meta_and_the_whole_answer(portal: Client, wire: Wire) -> None:
    wire.say({"value": {"id": 1}, "total": 1, "more": 2})
    result = portal.call("book.get", {"id": 1})
    assert (result.value, result.meta) == ({"id": 1}, {"total": 1})
    assert result.raw == {"value": {"id": 1}, "total": 1, "more": 2}


def test_params_may_be_given_by_name(portal: Client, wire: Wire) -> None:
    wire.say({"value": 1}, {"value": 2})
    portal.call("book.old", id=1)
    portal.call("book.old", {"id": 1}, id=2)
    assert wire.bodies == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("params", [[1], "id=1", 7])
def test_params_that_are_no_mapping_are_refused(portal: Client, params: Any) -> None:
    with pytest.raises(CallError, match=r"the input of book.old must be a mapping, not (list|str|int)"):
        portal.call("book.old", params)


def test_a_name_that_is_no_text_is_read_as_text(portal: Client, wire: Wire) -> None:
    with pytest.raises(InvalidArguments, match=r"book.old has no parameter 7"):
        portal.call("book.old", {7: 1})  # type: ignore[dict-item]


def test_the_caller_s_values_are_not_changed(portal: Client, wire: Wire) -> None:
    given = {"lent": True, "title": "a", "place": {"locked": True}}
    wire.say({"value": 1})
    portal.call("book.add", given)
    assert given == {"lent": True, "title": "a", "place": {"locked": True}}
    assert wire.bodies[0]["place"] == {"locked": "Y"}


def test_made_values_are_made_for_every_call(portal: Client, wire: Wire) -> None:
    wire.say(*[{"value": 1}] * 2)
    for _ in range(2):
        portal.call("book.add", title="a")
    first, second = (request.headers["X-Request-Id"] for request in wire.sent)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first)
    assert first != second


def test_a_counter_goes_up_and_the_clock_is_the_session_s(portal: Client, wire: Wire) -> None:
    wire.say(*[{"value": {}}] * 2)
    for _ in range(2):
        portal.call("visit.add")
    assert [body["turn"] for body in wire.bodies] == [1, 2]
    assert wire.bodies[0]["at"] == "1970-01-12T13:46:40+00:00"
    assert wire.bodies[0]["second"] == 1_000_000


def test_an_error_says_what_the_service_said(portal: Client, wire: Wire) -> None:
    wire.say({"fault": {"code": "TAKEN", "text": "It is lent"}})
    with pytest.raises(ServiceError) as caught:
        portal.call("book.lend", id=1)
    assert str(caught.value) == "TAKEN: It is lent; Somebody has it already"
    assert caught.value.method == "book.lend"


def test_a_wait_is_slept_through(portal: Client, wire: Wire, clock: Clock) -> None:
    wire.say({"fault": {"code": "HURRY", "wait": 3}}, {"value": True})
    assert portal.call("book.lend", id=1).value is True
    assert clock.slept == [3.0]


def test_an_unexpected_error_is_not_swallowed(portal: Client, wire: Wire) -> None:
    wire.say(ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        portal.call("book.get", id=1)


def test_somebody_may_watch(portal: Client, wire: Wire) -> None:
    said: list[Any] = []

    class Watch:
        def sent(self, step: Send) -> None:
            said.append(repr(step.request))
            assert not portal.in_flight

        def came(self, reply: Reply) -> None:
            said.append(reply.status)

        def waits(self, seconds: float, why: str) -> None:
            said.append(seconds)

        def counted(self, total: int | None) -> None:
            said.append(total)

    portal.watch = Watch()
    wire.say({"fault": {"code": "HURRY", "wait": 3}}, {"value": True})
    portal.call("book.lend", id=1)
    shown = "<Request POST https://library.example/api/book.lend>"
    assert said == [shown, 200, 3.0, shown, 200]
    assert not portal.in_flight
    said.clear()
    wire.say({"value": [{"id": 1}], "total": 1})
    assert list(portal.iterate("book.list")) == [{"id": 1}]
    assert said[-1] == 1


# Before a call


def test_a_check_tells_every_misfit_and_sends_nothing(portal: Client, wire: Wire) -> None:
    found = portal.check("book.add", {"pages": 0, "lent": "maybe"}, titel="a")
    assert {(one.level, one.path) for one in found} == {
        ("error", "pages"),
        ("error", "lent"),
        ("error", "titel"),
        ("error", "title"),
    }
    assert next(one for one in found if one.path == "titel").hint == "did you mean title?"
    assert wire.sent == []


def test_a_check_tells_advice_after_the_errors(portal: Client) -> None:
    found = portal.check("book.add", {"title": "a", "pages": 1, "author_id": 7, "place": {"shelv": "A"}})
    assert found == [
        Problem("warning", "", "A book of one page is a note"),
        Problem("warning", "author_id", "is deprecated", "Give authors"),
        Problem("warning", "place.shelv", "is not a known key", "did you mean shelf?"),
    ]


def test_advice_does_not_hinder_a_call(portal: Client, wire: Wire) -> None:
    wire.say({"value": 3})
    plan = portal.plan("book.add", {"title": "a", "pages": 1}, {})
    assert [one.message for one in plan.warnings] == ["A book of one page is a note"]
    assert portal.request(plan).url == "https://library.example/api/book.add"
    assert portal.run(plan).value == 3


def test_a_constant_is_checked(portal: Client) -> None:
    assert portal.check("visit.add", source="door") == []
    assert portal.check("visit.add", source="roof") == [
        Problem("error", "source", 'is always "door" here', "leave it out")
    ]


def test_unknown_names_pass_where_a_plan_lets_them(portal: Client) -> None:
    plan = portal.plan("book.old", {"id": 1, "colour": "red"}, {}, unknown=True)
    assert json.loads(portal.request(plan).body or b"") == {"id": 1, "colour": "red"}


def test_a_request_is_prepared_and_not_sent(portal: Client, wire: Wire) -> None:
    made = portal.prepare("book.get", id=1)
    assert (made.verb, made.url) == ("GET", "https://library.example/api/books/1")
    assert wire.sent == []


def test_an_input_that_does_not_fit_is_not_prepared(portal: Client) -> None:
    with pytest.raises(InvalidArguments) as caught:
        portal.prepare("book.get", id="x")
    assert [one.path for one in caught.value.problems] == ["id"]


def test_any_input_is_sent_without_the_check(library: Callable[..., Client], wire: Wire) -> None:
    wire.say({"value": 1})
    library(check=False).call("book.old", {"id": "x", "b": [1]})
    assert wire.bodies == [{"id": "x", "b": [1]}]


# Files


def test_a_path_is_read_and_written_as_its_param_wants(portal: Client, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    values = {"title": "a", "cover": picture, "scan": picture, "label": picture, "back": picture}
    body = json.loads(portal.prepare("book.add", values).body or b"")
    text = "iVBORw0KGgo="
    assert body == {
        "title": "a",
        "cover": text,
        "scan": ["a.png", text],
        "back": {"file": "a.png", "inside": {"kind": "image/png", "content": text}},
        "label": f"data:image/png;name=a.png;base64,{text}",
    }


def test_bytes_are_a_file_without_a_name(portal: Client) -> None:
    made = portal.prepare("book.cover.set", id=1, cover=b"\x89PNG")
    assert (made.body, made.headers["Content-Type"]) == (b"\x89PNG", "application/octet-stream")


def test_a_path_is_a_part_of_a_form(portal: Client, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG")
    assert b'filename="a.png"' in (portal.prepare("book.cover.upload", id=1, cover=picture).body or b"")


@pytest.mark.parametrize(("content", "message"), [(None, "can't read .*no such file"), (b"", "the file .* is empty")])
def test_a_file_that_can_not_be_sent_is_an_error_of_the_call(
    portal: Client, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CallError, match=message):
        portal.prepare("book.cover.set", id=1, cover=path)


def test_a_file_that_is_no_picture_is_told(portal: Client) -> None:
    found = portal.check("book.add", title="a", cover=b"text")
    assert [one.path for one in found] == ["cover"]
    assert "no picture" in found[0].message


# Pages


def test_rows_come_one_by_one_and_a_page_is_asked_for_when_it_is_needed(portal: Client, wire: Wire) -> None:
    wire.say({"value": ROWS}, {"value": [{"id": 4}]})
    rows = portal.iterate("book.list")
    assert wire.sent == []
    assert [next(rows) for _ in ROWS] == ROWS
    assert len(wire.sent) == 1
    assert list(rows) == [{"id": 4}]
    assert len(wire.sent) == 2


def test_an_input_that_does_not_fit_is_told_before_the_first_row(portal: Client) -> None:
    with pytest.raises(InvalidArguments):
        portal.iterate("book.list", page="x")


def test_an_error_in_the_middle_comes_after_the_rows_before_it(portal: Client, wire: Wire) -> None:
    wire.say({"value": ROWS}, {"fault": {"code": "CLOSED"}})
    rows = portal.iterate("book.list")
    assert [next(rows) for _ in ROWS] == ROWS
    with pytest.raises(ServiceError):
        next(rows)


# Batches


def test_a_batch_answers_in_the_shape_of_its_calls(portal: Client, wire: Wire) -> None:
    wire.say(*[{"value": {"answers": {"a": 1, "c1": 1}}}] * 2)
    assert portal.batch({"a": ("book.old", {"id": 1})}) == {"a": Result(1, {}, 1)}
    assert portal.batch([("book.old", {"id": 1})]) == [Result(1, {}, 1)]


def test_no_calls_are_no_batch(portal: Client, wire: Wire) -> None:
    assert (portal.batch({}), portal.batch([])) == ({}, [])
    assert wire.sent == []


def test_a_batch_with_a_file_that_travels_as_it_is_is_made_one_by_one(portal: Client, wire: Wire) -> None:
    wire.say({"value": True}, {"value": {"answers": {"c2": 2}}}, {"value": 3})
    found = portal.batch(
        [("book.cover.set", {"id": 1, "cover": b"\x89PNG"}), ("book.old", {"id": 1}), ("desk.open", {"card": "a"})]
    )
    assert [one.value for one in found] == [True, 2, 3]
    assert [request.verb for request in wire.sent] == ["PUT", "POST", "POST"]


def test_variants_do_not_travel_in_one_batch(portal: Client, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.pack._AHEAD", 1)
    wire.say({"value": {"answers": {"c1": 1}}}, {"responses": [{"id": "c2", "status": 200, "body": {"id": 2}}]})
    found = portal.batch([("book.get", {"id": 1}), ("book.get@v2", {"id": 2})])
    assert [one.value for one in found] == [1, {"id": 2}]


def test_a_service_without_batches_is_called_one_by_one(
    library: Callable[..., Client], wire: Wire, tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "methods" / "plain"
    folder.mkdir(parents=True)
    (folder / "_service.yaml").write_text(
        "spec: 1\nservice: plain\ntitle: Plain\nauth: {none: {base: 'https://plain.example/'}}\n"
    )
    (folder / "ping.yaml").write_text("method: ping\nsummary: Ask\neffect: read\n")
    client = Client("plain", methods=str(tmp_path / "methods"), transport=wire)
    wire.say(1, 2)
    assert client.batch([("ping", {}), ("ping", {})]) == [Result(1, {}, 1), Result(2, {}, 2)]
    assert wire.urls == ["https://plain.example/ping"] * 2


def test_a_batch_does_not_show_the_secrets_of_its_calls(portal: Client, wire: Wire) -> None:
    wire.say({"value": {"answers": {"c1": 1}}})
    portal.batch([("visit.add", {"secret": "s3cret", "at": "a"})])
    request = wire.sent[0]
    assert b"s3cret" in (request.body or b"")
    assert "s3cret" not in json.dumps(request.as_dict()) + request.curl()


@pytest.mark.parametrize("jump", [600.0, -600.0])
def test_a_clock_of_the_machine_that_is_set_meanwhile_ends_no_call(
    portal: Client, wire: Wire, clock: Clock, jump: float
) -> None:
    times = iter([clock.now] * 3)
    portal._planner.session.clock = lambda: next(times, clock.now + jump)
    lost = TransportError("the connection was lost")
    wire.say(lost, lost, {"value": "pong"})
    assert portal.call("ping").raw == {"value": "pong"}
    assert clock.slept == [0.5, 1.0]


def test_a_reference_deep_in_a_list_is_not_checked(portal: Client, wire: Wire) -> None:
    wire.say({"value": {"answers": {"c1": 1, "c2": 1}}})
    calls: Any = [("book.pick", {"ids": [1]}), ("book.pick", {"ids": [1, "$answer[c1]"]})]
    assert portal.batch(calls) == [Result(1, {}, 1), Result(1, {}, 1)]
    with pytest.raises(InvalidArguments):
        portal.batch([("book.pick", {"ids": [1, "two"]})])


@pytest.mark.parametrize(
    ("path", "found"), [("a.1.b", 7), ("a.9", [0, {"b": 7}]), ("c.d", 1), ("", None), ("e.f", None)]
)
def test_the_value_of_a_problem_is_found_as_far_as_its_path_leads(path: str, found: Any) -> None:
    assert _at({"a": [0, {"b": 7}], "c": 1}, path) == found


# The client itself


def test_a_client_shows_no_secret(portal: Client) -> None:
    assert repr(portal) == "<Client library <Credentials gate, host, scheme, token>>"


def test_a_client_throws_dice_of_its_own(catalog: Catalog) -> None:
    dice = Client("library", methods=catalog)._planner.session.dice
    throws = {dice() for _ in range(20)}
    assert len(throws) > 1
    assert all(0 <= one <= 1 for one in throws)


def test_a_client_closes_its_wire(portal: Client, wire: Wire) -> None:
    with portal as same:
        assert same is portal
    assert wire.closed


def test_a_client_that_sent_nothing_has_nothing_to_close(catalog: Catalog) -> None:
    with Client("library", methods=catalog, host="library.example", token="t") as client:
        assert client.sandbox_note == ""


def test_a_client_makes_its_wire_when_it_needs_it(catalog: Catalog) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"value": request.url.path})

    inner = httpx.MockTransport(answer)
    with Client("library", methods=catalog, host="library.example", token="t", transport=inner) as client:
        with ThreadPoolExecutor(8) as pool:
            values = list(pool.map(lambda n: client.call("book.get", id=n).value, range(1, 9)))
        assert values == [f"/api/books/{n}" for n in range(1, 9)]


def test_many_threads_share_one_client(portal: Client, wire: Wire) -> None:
    wire.say(*[{"value": {}}] * 40)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: portal.call("visit.add"), range(40)))
    assert sorted(body["turn"] for body in wire.bodies) == list(range(1, 41))


def test_the_methods_are_named_read_and_searched(portal: Client) -> None:
    assert "book.get" in portal.methods.names()
    assert portal.methods.get("BOOK.GET").summary == "Read a book"
    assert portal.methods.find("read who")[0].name == "reader.me"
    with pytest.raises(UnknownMethod, match=r"did you mean book.get or book.get@v2"):
        portal.methods.get("book.gett")


def test_a_client_without_credentials_says_so_when_it_calls(catalog: Catalog, wire: Wire) -> None:
    client = Client("library", methods=catalog, transport=wire)
    with pytest.raises(MissingCredentials):
        client.call("ping")
    assert client.check("book.get", id=1) == []


def test_a_credential_that_the_service_has_not_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CallError, match="library has no credential called 'tokn'; did you mean token"):
        Client("library", methods=catalog, tokn="x")


def test_the_sandbox_answers_in_the_place_of_the_service(catalog: Catalog, tmp_path: Path) -> None:
    with Client("library", methods=catalog, sandbox=str(tmp_path / "state.db")) as client:
        assert client.sandbox_note == ""
        new = client.call("book.add", title="New").value
        assert client.call("book.get", id=new).value["title"] == "New"
        assert "127.0.0.1" in client.prepare("ping").url
    client.close()


def test_the_sandbox_may_be_the_user_s_own(catalog: Catalog, home: Path) -> None:
    with Client("library", methods=catalog, sandbox=True) as client:
        assert client.call("ping").raw["value"] is True
    assert list((home / "state").rglob("*"))


def test_the_package_has_its_public_names() -> None:
    for name in runner.__all__:
        assert getattr(runner, name).__name__ == name
    assert set(runner.__all__) <= set(dir(runner))
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        runner.Cleint  # noqa: B018


# The async twin


async def test_an_async_call_gives_the_same(async_library: Callable[..., AsyncClient], async_wire: AsyncWire) -> None:
    client = async_library()
    async_wire.say({"value": 7})
    assert await client.call("book.get", id=1) == Result(7, {}, {"value": 7})
    assert client.check("book.get", id="x")[0].path == "id"
    assert client.prepare("book.get", id=1).url.endswith("/books/1")
    assert client.methods.get("ping").name == "ping"
    assert repr(client) == "<AsyncClient library <Credentials gate, host, scheme, token>>"


async def test_an_async_client_may_be_awaited_and_entered(
    async_library: Callable[..., AsyncClient], async_wire: AsyncWire
) -> None:
    client = await async_library()
    async with client as same:
        assert same is client
    assert async_wire.closed


async def test_an_async_call_waits_and_asks_again(
    async_library: Callable[..., AsyncClient], async_wire: AsyncWire, clock: Clock
) -> None:
    async_wire.say(TransportError("lost", outcome="not sent"), {"value": True})
    assert (await async_library().call("book.lend", id=1)).value is True
    assert clock.slept == [0.5]


async def test_async_rows_come_one_by_one(async_library: Callable[..., AsyncClient], async_wire: AsyncWire) -> None:
    async_wire.say({"value": ROWS}, {"value": []})
    assert [row async for row in async_library().iterate("book.list")] == ROWS


async def test_an_async_batch_is_the_same_batch(
    async_library: Callable[..., AsyncClient], async_wire: AsyncWire
) -> None:
    async_wire.say({"value": {"answers": {"a": 1}, "faults": {"b": FIRE}}})
    found = await async_library().batch({"a": ("book.old", {"id": 1}), "b": ("book.old", {"id": 2})})
    assert found["a"] == Result(1, {}, 1)
    assert isinstance(found["b"], ServiceError)


async def test_an_async_batch_halts_and_fails_as_a_whole(
    async_library: Callable[..., AsyncClient], async_wire: AsyncWire
) -> None:
    client = async_library()
    async_wire.say({"fault": {"code": "CLOSED"}})
    found = await client.batch([("book.old", {"id": n}) for n in range(1, 5)], halt=True)
    assert [one.code for one in found[:3]] == ["CLOSED"] * 3
    assert "it was not reached" in str(found[3])


async def test_an_async_client_makes_its_wire_when_it_needs_it(catalog: Catalog) -> None:
    inner = httpx.MockTransport(lambda _: httpx.Response(200, json={"value": 7}))
    words: dict[str, Any] = {"host": "library.example", "token": "t", "transport": inner}
    async with AsyncClient("library", methods=catalog, **words) as client:
        assert [(await client.call("book.get", id=n)).value for n in (1, 2)] == [7, 7]
    async with AsyncClient("library", methods=catalog, **words):
        pass


async def test_an_async_client_has_the_sandbox_too(catalog: Catalog, tmp_path: Path) -> None:
    async with AsyncClient("library", methods=catalog, sandbox=str(tmp_path / "state.db")) as client:
        assert (await client.call("book.get", id=1)).value["title"] == "Paper boats"


def test_a_conversation_that_nobody_waits_for_is_left_before_it_sends(portal: Client, wire: Wire) -> None:
    from threading import Event

    stopped = Event()
    stopped.set()
    with pytest.raises(Stopped):
        portal._drive(converse(portal.plan("ping", {}, {}).call, portal._planner.session), stopped)
    assert wire.sent == []


def test_what_one_way_of_authorising_asks_for_is_a_warning_of_the_check(library: Callable[..., Client]) -> None:
    by_link = library(url="https://library.example/r/7/secret/")
    (told,) = by_link.check("desk.ring", {"whom": {"sign": "A1"}})
    assert (told.level, str(told)) == ("warning", "bell: is required with the link of a reader")
    with pytest.raises(InvalidArguments, match="bell: is required with the link of a reader"):
        by_link.prepare("desk.ring", {"whom": {"sign": "A1"}})
    assert by_link.check("desk.ring", {"whom": {"sign": "A1"}, "bell": 1}) == []
    assert library().check("desk.ring", {"whom": {}}) == []


def test_nothing_is_asked_for_besides_where_nobody_calls(library: Callable[..., Client]) -> None:
    nobody = library(reader=7)
    assert nobody.check("desk.ring", {"whom": {}}) == []
    with pytest.raises(MissingCredentials):
        nobody.prepare("desk.ring", {"whom": {}})
