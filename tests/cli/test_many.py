"""One call for several profiles: all asked at once, every answer and every error marked by its profile."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runner import TransportError, profiles
from runner.cli import many
from runner.client import Client
from tests.cli.conftest import Said

Line = Callable[..., Said]
ROWS = [{"id": 1, "profile": "own"}, {"id": 2}]


class House:
    """A service with several accounts: it answers by the token, and remembers who asked for what."""

    def __init__(self) -> None:
        self.says: dict[str, Callable[..., Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.url = ""


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    house: House

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        who = self.headers["Authorization"].removeprefix("Bearer ")
        self.house.asked.append((who, self.path))
        says: Callable[..., Any] = self.house.says.get(who, lambda *_: {"result": who})
        said = says(self.path, body)
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Answers,), {"house": made})) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever asked may have gone
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for name in ("anna", "bob", "carl"):
            profiles.save("notes", name, {"server": made.url, "token": f"t-{name}"}, frozenset({"token"}), ring=False)
        yield made
        server.shutdown()
        thread.join()


def refuses(*_: Any) -> Any:
    return {"error": "NO_NOTE", "text": "It is gone"}


def lists(_: str, body: Any) -> Any:
    at = body.get("from", 0)
    return {"result": [{"id": at + 1}, {"id": at + 2}], **({"next": at + 2} if at < 4 else {})}


def test_every_profile_is_asked_once_and_answers_under_its_name(house: House, line: Line) -> None:
    said = line("notes", "note.add", "title=x", "--profile", "carl, anna")
    assert (said.code, said.err) == (0, "")
    assert said.data == {"carl": {"result": "t-carl"}, "anna": {"result": "t-anna"}}
    assert sorted(house.asked) == [("t-anna", "/note.add"), ("t-carl", "/note.add")]


def test_all_profiles_are_all_that_there_are(house: House, line: Line) -> None:
    said = line("notes", "note.add", "title=x", "--all-profiles", "--output", "yaml")
    assert said.out == "anna:\n  result: t-anna\nbob:\n  result: t-bob\ncarl:\n  result: t-carl\n"
    assert len(house.asked) == 3


def test_all_are_asked_at_the_same_time(house: House, line: Line) -> None:
    meeting = threading.Barrier(3, timeout=10)
    house.says = {f"t-{name}": lambda *_: {"result": meeting.wait() < 3} for name in ("anna", "bob", "carl")}
    said = line("notes", "note.add", "title=x", "--all-profiles")
    assert said.data == {name: {"result": True} for name in ("anna", "bob", "carl")}


def test_more_profiles_than_threads_are_all_asked(house: House, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "AT_ONCE", 1)
    assert len(line("notes", "note.add", "title=x", "--all-profiles").data) == 3
    assert len(house.asked) == 3


def test_where_some_fail_the_others_stand(house: House, line: Line) -> None:
    house.says["t-bob"] = refuses
    said = line("notes", "note.add", "title=x", "--all-profiles")
    assert said.code == 7
    assert said.data["anna"] == {"result": "t-anna"}
    assert said.data["bob"]["error"]["code"] == "NO_NOTE"
    assert said.err == "bob: error: NO_NOTE: It is gone; Look for another\n"
    said = line("notes", "note.add", "title=x", "--all-profiles", "--output=ndjson")
    assert [row["profile"] for row in map(json.loads, said.out.splitlines())] == ["anna", "carl"]
    told = json.loads(said.err)
    assert (said.code, told["profile"], told["error"]["code"]) == (7, "bob", "NO_NOTE")


def test_where_all_fail_the_code_is_that_of_the_error(house: House, line: Line) -> None:
    house.says = dict.fromkeys(("t-anna", "t-bob", "t-carl"), refuses)
    said = line("notes", "note.add", "title=x", "--all-profiles", "--output=csv")
    assert (said.code, said.out, said.err.count("error:")) == (4, "profile\n", 3)


def test_a_profile_that_is_broken_fails_by_itself(house: House, line: Line) -> None:
    profiles.save("notes", "dora", {"server": 1}, frozenset(), ring=False)
    profiles.save("notes", "emil", {"server": house.url}, frozenset(), ring=False)
    for more in ((), ("--dry-run",)):
        said = line("notes", "note.add", "title=x", "--all-profiles", *more)
        assert (said.code, list(said.data)[:3]) == (7, ["anna", "bob", "carl"])
        told = f"dora: error: the profile 'dora' in {profiles.path()}: 1 does not fit the credential server"
        assert told in said.err
        assert "emil: error: no credentials for Notes: token missing" in said.err
    said = line("notes", "note.add", "title=x", "--profile", "dora,", "--output=ndjson")
    assert (said.code, said.out, "does not fit the credential server" in said.err) == (2, "", True)


def test_an_input_that_does_not_fit_is_sent_to_nobody(house: House, line: Line) -> None:
    said = line("notes", "note.add", "size=x", "--all-profiles")
    assert (said.code, said.err.count("title")) == (2, 1)
    assert house.asked == []


def test_a_warning_is_said_once(house: House, line: Line) -> None:
    assert line("notes", "note.add", "title=x", "size=1", "--all-profiles").err.count("is short") == 1


def test_pages_are_read_for_each_and_their_rows_are_marked(house: House, line: Line) -> None:
    house.says = {"t-anna": lists, "t-bob": refuses, "t-carl": lambda *_: {"result": ROWS}}
    said = line("notes", "note.list", "--all", "--all-profiles", "--output=csv")
    rows = sorted(csv.reader(io.StringIO(said.out)))
    assert said.code == 7
    assert rows[-1] == ["profile", "id", "profile_"]
    assert rows[:-1] == [["anna", str(n), ""] for n in range(1, 7)] + [["carl", "1", "own"], ["carl", "2", ""]]
    said = line("notes", "note.list", "--limit=3", "--profile=anna,carl")
    assert said.data == {"anna": {"result": [{"id": 1}, {"id": 2}, {"id": 3}]}, "carl": {"result": ROWS}}
    said = line("notes", "note.list", "--all", "--query=length(@)", "--profile=anna,carl", "--output=ndjson")
    assert said.out == '{"profile":"anna","value":6}\n{"profile":"carl","value":2}\n'


def test_more_rows_than_are_held_are_all_written(house: House, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "AHEAD", 1)
    house.says["t-anna"] = lists
    said = line("notes", "note.list", "--all", "--profile=anna,", "--output=ndjson")
    assert [json.loads(row)["id"] for row in said.out.splitlines()] == [1, 2, 3, 4, 5, 6]


def test_rows_go_to_a_file(house: House, line: Line, desk: Path) -> None:
    house.says = {"t-anna": lambda *_: {"result": [{"id": 1}]}, "t-bob": lambda *_: {"result": []}}
    said = line("notes", "note.list", "--profile=anna,bob", "--out=all.sqlite")
    assert (said.code, said.out, said.err) == (0, "", "1 row written to all.sqlite\n")
    base = sqlite3.connect(desk / "all.sqlite")
    assert base.execute("SELECT * FROM rows").fetchall() == [("anna", 1)]
    base.close()
    said = line("notes", "note.list", "--profile=carl,anna", "--out=all.csv", "--quiet")
    assert (said.err, (desk / "all.csv").read_text()) == ("", "profile,value,id\ncarl,t-carl,\nanna,,1\n")
    assert line("notes", "note.list", "--profile=anna,bob", "--out=all.json").code == 0
    assert json.loads((desk / "all.json").read_text())["bob"] == {"result": []}


def test_the_requests_are_shown_and_not_sent(house: House, line: Line) -> None:
    said = line("notes", "note.add", "title=x", "--all-profiles", "--dry-run", "--query=bob.headers.Authorization")
    assert said.data == "Bearer ***"
    said = line("notes", "note.add", "title=x", "--all-profiles", "--curl")
    assert "# anna\ncurl" in said.out
    assert "t-anna" not in said.out
    assert "t-anna" in line("notes", "note.add", "title=x", "--all-profiles", "--curl", "--show-secrets").out
    assert house.asked == []


def test_the_whole_answer_and_what_is_sent_are_shown_for_each(house: House, line: Line) -> None:
    said = line("notes", "note.add", "title=x", "--profile=anna,bob", "--raw", "--verbose")
    assert said.data["bob"] == {"result": {"result": "t-bob"}}
    assert f"anna: > POST {house.url}/note.add" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--all-profiles", "--profile", "anna"), "--all-profiles and --profile don't go together"),
        (("--profile=anna,bob", "--sandbox"), "several profiles and --sandbox don't go together"),
        (("--profile=anna,bob", "--labels"), "several profiles and --labels don't go together"),
        (("--profile=anna,bob", "--link", "http://127.0.0.1#s3cret"), "several profiles and --link don't go together"),
        (("--profile=anna,bob,anna",), "the profile 'anna' is named twice"),
        (("--profile=anna,bert",), "there is no profile 'bert' for notes"),
        (("--profile=,",), "there is no profile for notes"),
    ],
)
def test_what_has_no_meaning_with_several_is_refused(
    words: tuple[str, ...], message: str, house: House, line: Line
) -> None:
    said = line("notes", "note.add", "title=x", *words)
    assert (said.code, message in said.err, house.asked) == (2, True, [])
    assert "s3cret" not in said.err


def test_a_method_that_answers_with_a_file_is_for_one(house: House, line: Line) -> None:
    assert "answers with no JSON" in line("notes", "note.picture", "--all-profiles").err
    assert house.asked == []


def test_a_write_whose_answer_can_not_be_printed_was_made(house: House, line: Line) -> None:
    said = line("notes", "note.add", "title=x", "--profile=anna,bob", "--query=abs(@)")
    assert said.code == 7
    assert said.err.count("note.add was carried out, but") == 2
    said = line("notes", "note.list", "--profile=anna,bob", "--query=abs(@)")
    assert said.code == 2
    assert "carried out" not in said.err


@pytest.fixture
def stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody stops it when anna's answer has come, carl was refused, and bob's request is on its way."""
    held, asked = threading.Event(), threading.Event()

    def holds(*_: Any) -> Any:
        asked.set()
        return {"result": held.wait(10)}

    house.says |= {"t-bob": holds, "t-carl": refuses}

    def stop(crowd: Any) -> None:
        assert asked.wait(10)
        while not (crowd._asked[0].done and crowd._asked[2].error):
            held.wait(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(many._Crowd, "wait", stop)
    yield
    held.set()


@pytest.mark.usefixtures("stopped")
def test_a_stop_tells_for_whom_it_was_carried_out_and_loses_no_answer(line: Line) -> None:
    said = line("notes", "note.add", "title=x", "--profile=anna,bob,carl")
    told = "interrupted: note.add was carried out for anna and may have been carried out for bob"
    assert (said.code, said.err.splitlines()[-1]) == (130, told)
    assert list(said.data) == ["anna", "carl"]
    assert (list(said.data["anna"]), said.data["carl"]["error"]["code"]) == (["result"], "NO_NOTE")


@pytest.mark.usefixtures("stopped")
def test_a_stop_leaves_rows_as_rows_and_files_as_they_were(line: Line, home: Path) -> None:
    said = line("notes", "note.add", "title=x", "--profile=anna,bob,carl", "--output=csv")
    assert (said.code, said.out.splitlines()[0], said.out.count("anna,")) == (130, "profile,value", 1)
    place = home / "answer.json"
    said = line("notes", "note.add", "title=x", "--profile=anna,bob,carl", "--out", str(place))
    assert (said.code, said.out, place.exists()) == (130, "", False)


def test_a_bug_in_a_thread_is_told_as_one(house: House, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(Client, "run", broken)
    said = line("notes", "note.add", "title=x", "--profile=anna,bob")
    assert (said.code, "this is a bug in declarest: ZeroDivisionError" in said.err) == (1, True)


def test_rows_that_nobody_takes_hold_no_thread_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "AHEAD", 1)
    given = threading.Event()

    def ask(one: Any) -> Iterator[int]:
        yield 1
        given.set()
        yield 2
        yield 3

    crowd = many._Crowd([many._Asked("anna"), many._Asked("bob", error=TransportError("lost"))], ask)
    assert given.wait(10)
    crowd.close()
    for thread in crowd._threads:
        thread.join(10)
        assert not thread.is_alive()
