"""Secrets that nobody could mistake, sent through every path there is; none may come out anywhere.

Each secret begins with the same mark. What is printed, logged, raised, pickled or written is searched for the mark
in any letter case, so that a part of a secret, or one in another spelling, is found as well.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

import runner
from runner import AsyncClient, Client, RunnerError, ServiceError, profiles, renewal
from runner.request import Request

MARK = "zqhidden"
TOKEN, CODE, PASSWORD = f"{MARK}-tok/en+1", f"{MARK}Code2", f'{MARK} pass"wörd&3'
CLIENT_SECRET, REFRESH = f"{MARK}_client_4", f"{MARK}.refresh.5"
PIN, DEEP = f"{MARK}<pin>6", f"{MARK}~deep7"
PACKED = base64.b64encode(f"me:{PASSWORD}".encode())
SECRETS = ["token", "code", "password", "client_secret", "refresh_token"]

FILES = {
    "_service.yaml": """\
spec: 1
service: vault
title: Vault
profile:
  properties:
    scheme: {enum: [https, http], default: https}
    host: {type: string, format: hostname}
    user: {type: string}
    code: {type: string, writeOnly: true}
    token: {type: string, writeOnly: true}
    password: {type: string, writeOnly: true}
    client_secret: {type: string, writeOnly: true}
    refresh_token: {type: string, writeOnly: true}
  accept: {url: ["{scheme}://{host}/r/{code}/", "{scheme}://{host}"]}
auth:
  token:
    title: token
    needs: [host, token]
    base: "{scheme}://{host}/"
    send: {header: {Authorization: "Bearer {token}"}}
  pair:
    title: pair
    needs: [host, user, password]
    base: "{scheme}://{host}/"
    send: {basic: ["{user}", "{password}"]}
  first:
    title: first call
    needs: [host, client_secret]
    base: "{scheme}://{host}/"
    first: {method: enter, params: {secret: "{client_secret}"}, keep: {session: session}}
    send: {query: {session: "{session}"}, cookie: {session: "{session}"}, body: {session: "{session}"}}
  body: {title: body, needs: [host, refresh_token], base: "{scheme}://{host}/", send: {body: {auth: "{refresh_token}"}}}
  link: {title: link, needs: [host, code], base: "{scheme}://{host}/r/{code}/"}
request: {verb: POST, path: "{method}", in: body, nested: brackets}
response:
  result: value
  meta: {next: next}
  error: {when: fault, code: fault.code, message: fault.text, details: fault.about}
errors: {FULL: {kind: rate_limit}, NO: {kind: auth}}
retry: {tries: 2, base: 1ms, factor: 1, max: 1ms, deadline: 20s, on: [network, server, rate_limit]}
limits: [{rate: 100/s, burst: 100, per: [host, token, code, password, client_secret, refresh_token]}]
pages: {offset: {send: {from: $next}, next: next, items: value, size: 2}}
batch:
  method: batch
  size: 5
  commands: calls
  as: map
  command: "{method}?{query}"
  halt: halt
  answers: {results: value.done, errors: value.failed}
sandbox:
  credentials: {scheme: http, host: "{host}", token: sandbox}
  success: {body: {value: "{value}"}}
  refusal: {status: 400, body: {fault: {code: "{code}", text: "{message}"}}}
  refusals: {input: {code: BAD, message: "{name} is wrong"}}
""",
    "enter.yaml": """\
method: enter
summary: Come in
effect: write
params: {secret: {type: string, writeOnly: true}}
""",
    "batch.yaml": """\
method: batch
summary: Several calls
effect: write
params: {calls: {type: object}, halt: {type: boolean}}
""",
    "item/item.add.yaml": """\
method: item.add
summary: Put an item in
effect: write
idempotent: true
params:
  title: {type: string}
  pin: {type: string, minLength: 3, writeOnly: true}
  inside: {type: array, items: {type: object, properties: {key: {type: string, writeOnly: true}, n: {type: integer}}}}
required: [title]
""",
    "item/item.list.yaml": """\
method: item.list
summary: List the items
effect: read
pages: [offset]
params: {from: {type: integer}, pin: {type: string, writeOnly: true}}
""",
}
INPUT = {"title": "x", "pin": PIN, "inside": [{"key": DEEP, "n": 1}]}


class Gossip(BaseHTTPRequestHandler):
    """Repeats all that it was told, in the way that the test has chosen."""

    protocol_version = "HTTP/1.1"
    way = "message"
    held = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        head = " ".join(f"{name}: {value}" for name, value in self.headers.items())
        told = f"{unquote(self.path)} {self.path} {body} {head} {self.path.upper()}"
        if self.path.endswith("/enter"):
            self._say(200, {"value": {"session": f"{MARK}-session8"}})
        else:
            getattr(self, f"say_{self.way}")(told, f"http://{self.headers['Host']}{self.path}")

    do_GET = do_POST  # noqa: N815 - the server's own name

    def _say(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def say_message(self, told: str, _: str) -> None:
        self._say(400, {"fault": {"code": "BAD", "text": told}})

    def say_code(self, told: str, _: str) -> None:
        self._say(400, {"fault": {"code": told, "text": "no", "about": [{told: told}]}})

    def say_auth(self, told: str, _: str) -> None:
        self._say(401, {"fault": {"code": "NO", "text": told, "about": {"deep": [told]}}})

    def say_full(self, told: str, _: str) -> None:
        self._say(429, {"fault": {"code": "FULL", "text": told}})

    def say_text(self, told: str, _: str) -> None:
        self._say(404, told.encode())

    def say_page(self, told: str, _: str) -> None:
        self._say(502, f"<html><title>{told.replace('<', '&lt;')}</title></html>".encode())

    def say_cut(self, told: str, _: str) -> None:
        """A secret is where the shown part of an answer ends."""
        self._say(200, f"{'x' * 100}{told[told.find(MARK) :]}".encode())

    def say_short(self, told: str, _: str) -> None:
        self._say(200, f"{'x' * 109} {told[told.find(MARK) :]}".encode())

    def say_moved(self, told: str, url: str) -> None:
        self._say(302, b"", Location=f"{url}?{quote(told)}")

    def say_away(self, _: str, url: str) -> None:
        self._say(302, b"", Location=f"https://{url.rpartition('/r/')[2].partition('/')[0]}.example{url}")

    def say_break(self, _: str, __: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        self.close_connection = True

    def say_nothing(self, _: str, __: str) -> None:
        self.held.wait(10)

    def say_failed(self, told: str, _: str) -> None:
        fault = {"fault": {"code": "BAD", "text": told, "about": [told]}}
        self._say(200, {"value": {"done": {}, "failed": dict.fromkeys(("a", "b", "c1", "c2"), fault)}})

    def say_fine(self, _: str, __: str) -> None:
        self._say(200, {"value": 7}, **{"Set-Cookie": f"a={MARK}"})

    def log_message(self, *_: object) -> None:
        """Its own log is not ours."""


WAYS = ["message", "code", "auth", "full", "text", "page", "cut", "short", "moved", "away", "break", "failed"]


@pytest.fixture(scope="module")
def vault() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Gossip) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever asked may have gone
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the service of these tests."""
    root = tmp_path_factory.mktemp("shelf")
    for name, text in FILES.items():
        path = root / "vault" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(autouse=True)
def room(home: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home, where nothing has been written yet."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setenv("DECLAREST_METHODS", str(shelf))
    Gossip.held.clear()
    return home


def ways_in(vault: str) -> dict[str, dict[str, Any]]:
    """The credentials of every way of authorising."""
    place = {"scheme": "http", "host": vault}
    return {
        "token": {**place, "token": TOKEN},
        "pair": {**place, "user": "me", "password": PASSWORD},
        "first": {**place, "client_secret": CLIENT_SECRET},
        "body": {**place, "refresh_token": REFRESH},
        "link": {"url": f"http://{vault}/r/{CODE}/"},
    }


def demand_clean(*texts: object) -> None:
    """No text or bytes holds the mark, in any letter case, or the name and the password in base64."""
    for one in texts:
        data = one if isinstance(one, bytes) else str(one).encode()
        found = data.lower().find(MARK.encode())
        assert found < 0, data[max(0, found - 200) : found + 60]
        assert PACKED not in data


def written(home: Path, *but: str) -> Iterator[bytes]:
    """The bytes of every file below a folder."""
    for path in home.rglob("*"):
        if path.is_file() and path.name not in but:
            yield path.read_bytes()
            demand_clean(path.name)


def traces(error: BaseException) -> Iterator[str]:
    """An error in every form in which tools print it."""
    ours = error.__traceback__  # what the caller keeps in frames of its own is the caller's
    while ours is not None and ours.tb_frame.f_globals["__name__"].partition(".")[0] != "runner":
        ours = ours.tb_next
    yield "".join(traceback.TracebackException(type(error), error, ours, capture_locals=True).format())
    behind: BaseException | None = error
    while behind is not None:
        trace = behind.__traceback__
        while trace is not None:
            if "runner" in trace.tb_frame.f_code.co_filename.split(os.sep):
                yield repr(trace.tb_frame.f_locals)
            trace = trace.tb_next
        behind = behind.__context__
    yield f"{error} {error!r} {error.args!r} {vars(error)!r}"
    for one in (pickle.dumps(error), pickle.dumps(copy.copy(error))):
        yield repr(one)
    if isinstance(error, RunnerError):
        yield json.dumps(error.as_dict())


@pytest.mark.parametrize("scheme", ["token", "pair", "first", "body", "link"])
@pytest.mark.parametrize("way", WAYS)
def test_no_error_tells_what_was_sent(way: str, scheme: str, vault: str, caplog: pytest.LogCaptureFixture) -> None:
    Gossip.way = way
    caplog.set_level(logging.DEBUG)
    with Client("vault", limits="memory", **ways_in(vault)[scheme]) as client:
        for ask in (
            lambda: client.call("item.add", {"title": "x", "pin": PIN, "inside": [{"key": DEEP, "n": 1}]}),
            lambda: list(client.iterate("item.list", pin=PIN)),
            lambda: client.batch([("item.add", {"title": "x", "pin": PIN}), ("item.list", {"pin": PIN})]),
        ):
            demand_clean(*all_traces(ask))
        demand_clean(repr(client), repr(client._planner.session), repr(client._planner.session.credentials))
    demand_clean(caplog.text)


def all_traces(ask: Callable[[], Any]) -> list[str]:
    """The forms of the errors that a call raises or gives."""
    try:
        given = ask()
    except RunnerError as error:
        return list(traces(error))
    outcomes = given if isinstance(given, list) else []
    return [text for one in outcomes if isinstance(one, RunnerError) for text in traces(one)]


@pytest.mark.parametrize("way", WAYS)
def test_no_error_of_the_async_client_tells_what_was_sent(
    way: str, vault: str, caplog: pytest.LogCaptureFixture
) -> None:
    Gossip.way = way
    caplog.set_level(logging.DEBUG)

    async def asked() -> list[str]:
        async with AsyncClient("vault", limits="memory", **ways_in(vault)["link"]) as client:
            found = [repr(client)]
            try:
                await client.call("item.add", INPUT)
            except RunnerError as error:
                found += traces(error)
            try:
                _ = [row async for row in client.iterate("item.list", pin=PIN)]
            except RunnerError as error:
                found += traces(error)
            for one in await client.batch([("item.add", INPUT), ("item.list", {"pin": PIN})]):
                found += traces(one) if isinstance(one, RunnerError) else []
            return found

    demand_clean(*asyncio.run(asked()), caplog.text)


@pytest.mark.parametrize(
    "given",
    [
        {"scheme": "http", "host": "127.0.0.1:1", "tokn": TOKEN},
        {"url": f"http://127.0.0.1:1/r/{CODE}/item.add?x={TOKEN}"},
        {"url": f"127.0.0.1:1//{CODE}"},
        {"host": f"{CODE}@127.0.0.1", "token": TOKEN},
        {"host": "portal.example", "scheme": "http", "token": TOKEN},
        {"host": "portal.example", "password": PASSWORD},
        {"host": "portal.example", "token": f"{TOKEN}\n"},
        {"host": "portal.example", "token": [TOKEN]},
        {"profile": "nobody", "token": TOKEN},
    ],
    ids=[str(number) for number in range(9)],
)
def test_no_refusal_of_credentials_tells_them(given: dict[str, Any]) -> None:
    with pytest.raises(RunnerError) as caught:
        Client("vault", limits="memory", **given).prepare("item.add", {"title": "x", "pin": PIN})
    demand_clean(*traces(caught.value))


@pytest.mark.parametrize(
    "params",
    [
        {"pin": PIN},
        {"title": 5, "pin": [PIN], "inside": [{"key": [DEEP], "n": DEEP}][:0]},
        {"title": "x", "inside": [{"key": {"a": DEEP}}]},
        {"title": "x", "pin": {PIN: PIN}},
        {"title": "x", "pin": (PIN,)},
    ],
    ids=["lacks", "types", "deep", "key", "tuple"],
)
def test_no_misfit_tells_a_secret(params: dict[str, Any]) -> None:
    client = Client("vault", limits="memory", host="portal.example", token=TOKEN)
    demand_clean(*client.check("item.add", params))
    with pytest.raises(RunnerError) as caught:
        client.call("item.add", params)
    demand_clean(*traces(caught.value))


def test_nothing_that_is_made_for_a_call_shows_a_secret(vault: str) -> None:
    for given in ways_in(vault).values():
        client = Client("vault", limits="memory", **given)
        plan = client.plan("item.add", INPUT, {})
        made = client.request(plan)
        session = client._planner.session
        scheme = plan.call.method.service.schemes[0]
        demand_clean(repr(client), repr(client._planner), repr(plan), repr(plan.call), repr(session), repr(scheme))
        demand_clean(repr(made), str(made), made.curl(), json.dumps(made.as_dict()), repr(made.shown))
        demand_clean(repr(session.account), repr(session.book), repr(client.__dict__), repr(session.credentials))
        assert isinstance(made, Request)


def test_a_traceback_that_is_drawn_with_its_values_tells_none(vault: str) -> None:
    from rich.console import Console
    from rich.traceback import Traceback

    Gossip.way = "message"
    drawn = Console(file=io.StringIO(), width=500)
    with Client("vault", limits="memory", **ways_in(vault)["link"]) as client:
        with pytest.raises(RunnerError) as caught:
            client.call("item.add", {"title": "x", "pin": PIN})
        drawn.print(Traceback.from_exception(caught.type, caught.value, caught.tb, show_locals=True, width=500))
    assert "dispatch.py" in drawn.file.getvalue()  # type: ignore[attr-defined]
    demand_clean(drawn.file.getvalue())  # type: ignore[attr-defined]


def test_a_bug_of_ours_tells_the_lines_and_no_values(vault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("runner.response.read", broken)
    Gossip.way = "fine"
    link = ways_in(vault)["link"]
    with Client("vault", limits="memory", **link) as client, pytest.raises(ZeroDivisionError) as caught:
        client.call("item.add", {"title": "x", "pin": PIN})
    demand_clean(*traces(caught.value))
    assert "dispatch.py" in "".join(traceback.format_exception(caught.value))


def test_a_saver_that_fails_does_not_tell_what_it_was_to_save() -> None:
    def saver(values: dict[str, Any]) -> None:
        raise OSError(f"the disk is full, {len(values)}")

    account = renewal.Unkept(saver)
    with pytest.raises(RunnerError) as caught, renewal.saving({"token": TOKEN}):
        account.save({"token": TOKEN})
    demand_clean(str(caught.value), repr(caught.value), repr(account))


def test_a_result_is_the_answer_and_nothing_of_the_request(vault: str) -> None:
    Gossip.way = "fine"
    for given in ways_in(vault).values():
        with Client("vault", limits="memory", **given) as client:
            result = client.call("item.add", INPUT)
            demand_clean(repr(result), pickle.dumps((result.value, result.meta, result.raw)))


COMMAND = [sys.executable, "-m", "runner"]


def environment(home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": str(Path(runner.__file__).parents[1]),
        "DECLAREST_METHODS": os.environ["DECLAREST_METHODS"],
        "DECLAREST_CACHE_DIR": os.environ["DECLAREST_CACHE_DIR"],
        **more,
    }


def ran(home: Path, *words: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """A command that is run as a process, and searched for secrets with all that it wrote."""
    found = subprocess.run(
        [*COMMAND, *words],
        env=environment(home, **more),
        cwd=home, input=given, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    demand_clean(found.stdout, found.stderr)
    demand_clean(*written(home, profiles.SECRETS, "pin", "calls.json"))
    return found


def in_the_environment(vault: str) -> dict[str, str]:
    return {
        "DECLAREST_VAULT_SCHEME": "http",
        "DECLAREST_VAULT_HOST": vault,
        "DECLAREST_VAULT_TOKEN": TOKEN,
        "DECLAREST_VAULT_PASSWORD": PASSWORD,
        "DECLAREST_VAULT_CLIENT_SECRET": CLIENT_SECRET,
    }


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["vault", "--help"],
        ["vault", "item.add", "--help"],
        ["find", "item"],
        ["show", "vault", "item.add"],
        ["completion", "bash"],
        ["--complete", "vault", "item.add", "--t"],
        ["vault", "item.add", "title=x", "--dry-run"],
        ["vault", "item.add", "title=x", "pin=@pin", 'inside:=[{"n": 1}]', "--dry-run", "--output=yaml"],
        ["vault", "item.add", "title=x", "pin=@pin", "--curl"],
        ["vault", "item.add", "title=x", "pin=@pin", "--nosuch"],
        ["vault", "item.add", "pin=@pin"],
    ],
    ids=" ".join,
)
def test_what_is_shown_without_a_call(words: list[str], vault: str, room: Path) -> None:
    (room / "pin").write_text(PIN)
    ran(room, *words, DECLAREST_DEBUG="1", **in_the_environment(vault))


@pytest.mark.parametrize("way", [*WAYS[:-1], "fine"])
def test_a_call_of_the_command(way: str, vault: str, room: Path) -> None:
    Gossip.way = way
    (room / "pin").write_text(PIN)
    words = ["vault", "item.add", "title=x", "pin=@pin", "--verbose", "--output=json", "--token", "-"]
    told = ran(room, *words, given=TOKEN, DECLAREST_DEBUG="1", **in_the_environment(vault))
    assert (told.returncode == 0) is (way == "fine")
    assert "> POST" in told.stderr


def test_a_batch_of_the_command(vault: str, room: Path) -> None:
    Gossip.way = "failed"
    calls = {"a": ["item.add", INPUT], "b": ["item.list", {"pin": PIN}]}
    (room / "calls.json").write_text(json.dumps(calls))
    told = ran(room, "batch", "vault", "calls.json", "--output=json", "-v", **in_the_environment(vault))
    assert told.returncode != 0


def test_an_export_leaves_no_draft_with_a_secret(vault: str, room: Path) -> None:
    Gossip.way = "moved"
    (room / "pin").write_text(PIN)
    told = ran(room, "vault", "item.list", "pin=@pin", "--all", "--out=rows.csv", **in_the_environment(vault))
    assert (told.returncode, (room / "rows.csv").exists()) == (5, False)


@pytest.mark.parametrize("way", ["fine", "failed"])
def test_a_journal_holds_rows_and_no_credential(vault: str, room: Path, way: str) -> None:
    Gossip.way = way
    (room / "rows.csv").write_text("title\nx\ny\n")
    words = ["bulk", "vault", "item.add", "--in=rows.csv", "--out=results.csv", "--failed=failed.csv", "-v"]
    ran(room, *words, **in_the_environment(vault))
    assert (room / "results.csv").exists()
    ran(room, *words, "--resume", **in_the_environment(vault))


def test_several_profiles(vault: str, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DECLAREST_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    Gossip.way = "auth"
    fields = {"scheme": "http", "host": vault}
    for name in ("one", "two"):
        profiles.save("vault", name, {**fields, "token": TOKEN}, frozenset(SECRETS), ring=False)
    told = ran(room, "vault", "item.add", "title=x", "--profile=one,two", "-v", "--output=json")
    assert told.returncode == 3
    assert (room / ".config" / "declarest" / profiles.SECRETS).exists()
    for shown in ("--dry-run", "--curl"):
        ran(room, "vault", "item.add", "title=x", "--all-profiles", shown)


def test_secrets_are_shown_where_they_are_asked_for_and_only_there(vault: str, room: Path) -> None:
    line = ["vault", "item.add", "title=x", "--curl", "--show-secrets"]
    told = subprocess.run(
        [*COMMAND, *line],
        env=environment(room, **in_the_environment(vault)),
        cwd=room, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert TOKEN in told.stdout
    demand_clean(told.stderr)


def test_the_list_of_processes_does_not_show_what_came_another_way(vault: str, room: Path) -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("there is no /proc")
    Gossip.way = "nothing"
    (room / "pin").write_text(PIN)
    (room / "token").write_text(TOKEN)
    words = ["vault", "item.add", "title=x", "pin=@pin", "--token", "@token", "-v"]
    with subprocess.Popen(
        [*COMMAND, *words], env=environment(room, **in_the_environment(vault)), cwd=room,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr
        line = process.stderr.readline()
        demand_clean(line, Path(f"/proc/{process.pid}/cmdline").read_bytes())
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            demand_clean((task / "comm").read_text())
        process.terminate()
        Gossip.held.set()
        demand_clean(process.stderr.read())


def test_the_log_of_the_sandbox(room: Path) -> None:
    catalog = Client("vault", sandbox=True)._planner.catalog
    from runner.sandbox import start

    served = start(catalog, "vault")
    said: list[str] = []
    served.log = said.append
    try:
        with Client("vault", url=f"{served.address}/r/{CODE}/", limits="memory") as client, pytest.raises(ServiceError):
            client.call("item.add", {"title": "x", "pin": PIN})
        other = Client("vault", url=served.address, token=TOKEN, limits="memory")
        with other as client, pytest.raises(ServiceError):
            client.call("item.add", {"title": "x", "pin": PIN})
    finally:
        served.close()
    assert said
    demand_clean(*said, *written(room), *written(Path(os.environ["DECLAREST_CACHE_DIR"])))


def test_the_file_of_limits_holds_no_secret_and_no_warning_does(vault: str, room: Path) -> None:
    Gossip.way = "fine"
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        for given in ways_in(vault).values():
            with Client("vault", limits=str(room / "limits.db"), **given) as client:
                client.call("item.add", INPUT)
        with Client("vault", limits=f"redis://:{PASSWORD.replace(' ', '')}@127.0.0.1:1/0", **given) as client:
            client.call("item.add", {"title": "x"})
    demand_clean(*written(room), *(one.message for one in noted))
    assert (room / "limits.db").stat().st_size
    assert noted
