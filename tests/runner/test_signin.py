from __future__ import annotations

import os
import socket
import threading
from typing import Any

import httpx
import pytest

from runner import signin
from runner.errors import CallError, RunnerError, TransportError
from runner.spec import Scheme

LOGIN: dict[str, Any] = {
    "needs": ["host"],
    "page": "https://{host}/let-in?app={app}&state={state}",
    "back": {"word": "code", "state": "state", "host": "domain"},
    "params": {"code": "{word}", "fixed": 1},
}
SCHEME = Scheme("badge", "badge", ("token",), "", {}, None, login=LOGIN)


def test_values_are_escaped_in_the_address_of_the_page() -> None:
    known = {"host": "a.example:81", "app": "a&b=c/d"}
    assert signin.page(LOGIN, known, "s", "") == "https://a.example:81/let-in?app=a%26b%3Dc%2Fd&state=s"
    how = {"page": "{+place}"}
    for place, told in (("ftp://a.example/", "no address of a web page"), ("http://a.example/", "unencrypted")):
        with pytest.raises(CallError, match=told):
            signin.page(how, {"place": place}, "s", "")
    assert signin.page(how, {"place": "http://a.example/"}, "s", "", insecure=True) == "http://a.example/"
    assert len({signin.new_state() for _ in range(9)}) == 9


def test_a_page_without_state_answers_without_one() -> None:
    scheme = Scheme("badge", "badge", ("token",), "", {}, None, login={"back": {"word": "code"}, "params": {}})
    assert signin.answer(scheme, {"code": "w"}, {}, "s") == {"word": "w"}
    with pytest.raises(CallError):
        signin.pasted(scheme, "w", "s")
    scheme = Scheme("badge", "badge", (), "", {}, None, login=LOGIN | {"back": {"word": "code"}})
    assert signin.pasted(scheme, " 'w' ", "s") == {"code": "w"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://x.example/?code=w&state=s&domain=d", {"code": "w", "state": "s", "domain": "d"}),
        ("<?code=w&state=s>", {"code": "w", "state": "s"}),
        ("w.1-2", {"code": "w.1-2", "state": "mine"}),
        ("http://x.example/?error=denied", {"error": "denied"}),
    ],
)
def test_a_pasted_text_is_an_address_a_query_or_a_code(text: str, found: dict[str, str]) -> None:
    assert signin.pasted(SCHEME, text, "mine") == found


@pytest.mark.parametrize("text", ["", "two words", "https://x.example/", "a/b", "?a=1", "https://x.example/?a=1"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(CallError, match="neither the address that the browser was sent to nor a code"):
        signin.pasted(SCHEME, text, "mine")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8675", "http://127.0.0.1:8675/"),
        ("localhost:1", "http://localhost:1/"),
        ("http://[::1]:80/back", "http://[::1]:80/back"),
    ],
)
def test_a_place_to_listen_at_is_one_of_this_machine(text: str, address: str) -> None:
    assert signin.place(text) == address


def test_the_first_answer_counts_and_a_browser_that_goes_away_is_no_error() -> None:
    listener = signin.Listener(dict)
    with listener.at("http://127.0.0.1:0/"):
        with socket.create_connection(("127.0.0.1", int(listener.address.split(":")[2].strip("/")))) as idle:
            idle.sendall(b"GET")
        with socket.create_connection(("127.0.0.1", int(listener.address.split(":")[2].strip("/")))) as gone:
            gone.sendall(b"\x16\x03\x01 no request\r\n\r\n")
        for number in (1, 2):
            assert httpx.get(listener.address, params={"a": number}).headers["cache-control"] == "no-store"
        assert listener.wait() == {"a": "1"}
    with pytest.raises(TransportError, match="nobody came back"):
        signin.Listener(dict).wait(0)


def lines(content: bytes, monkeypatch: pytest.MonkeyPatch | None = None) -> list[str]:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    try:
        return list(signin._lines(reading, threading.Event()))
    finally:
        os.close(reading)


def test_lines_are_read_to_the_end_whether_they_can_be_watched_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(*_: object) -> None:
        raise OSError(10038, "not a socket")

    assert lines(b"a\n\nb") == ["a", "b"]
    monkeypatch.setattr("select.select", blind)
    assert lines(b"a\nb\n") == ["a", "b"]
    reading, writing = os.pipe()
    os.close(writing)
    os.close(reading)
    assert list(signin._lines(reading, threading.Event())) == []


def test_a_reader_ends_with_the_waiting_and_at_the_end_of_what_is_typed() -> None:
    def refuse(_: str) -> dict[str, str]:
        raise CallError("no")

    told: list[str] = []
    listener = signin.Listener(dict)
    reading, writing = os.pipe()
    os.write(writing, b"x\n")
    with listener.reading(reading, refuse, told.append):
        while not told:
            pass
    assert told == ["no"]
    os.close(writing)
    ended = signin.Listener(dict)
    ended._read(reading, refuse, told.append)
    os.close(reading)


def test_an_error_of_the_judge_is_raised_where_it_is_waited_for() -> None:
    def judge(_: object) -> dict[str, str]:
        raise RunnerError("no")

    listener = signin.Listener(judge)
    said, then = listener.take({})
    then()
    assert str(said) == "no"
    with pytest.raises(RunnerError, match="no"):
        listener.wait()
