"""What tests of the command stand on: a service of their own, a site on this machine, a line that is run and read."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from runner.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILES = {
    "_service.yaml": """\
spec: 1
service: notes
title: Notes
docs: https://notes.example/docs
profile:
  properties:
    server: {type: string, format: uri, description: Address of the notes}
    token: {type: string, writeOnly: true, description: What opens them}
    color: {type: string, description: Colour of the connection}
  accept: {link: ["{server}#{token}"]}
  help: Ask the keeper of the notes
auth:
  token:
    title: access token
    needs: [server, token]
    base: "{server}/"
    send: {header: {Authorization: "Bearer {token}"}}
request: {verb: POST, path: "{method}", in: body}
response:
  result: result
  meta: {next: next}
  error: {when: error, code: error, message: text}
errors: {NO_NOTE: {kind: not_found, rejected: true, hint: Look for another}, LOCKED: {kind: auth, rejected: true}}
retry: {tries: 1}
pages: {offset: {send: {from: $next}, next: next, items: result, size: 2}}
batch:
  method: batch
  size: 5
  commands: calls
  command: {method: "{method}", params: "{params}"}
  halt: halt
  answers: {results: result.done, errors: result.failed}
sandbox:
  credentials: {server: "http://{host}", token: sandbox}
  success: {body: {result: "{value}"}}
  refusal: {status: 400, body: {error: "{code}", text: "{message}"}}
  refusals: {input: {code: BAD, message: "{name} is wrong"}}
""",
    "_dialects/other.yaml": """\
dialects:
  other:
    unknown: allow
    flags: {--data: {to: params}, --secret: {to: token}, --caption: {to: title}}
    commands: {NewNote: {call: note.add}, NoteShape: {skeleton: note.add}}
""",
    "batch.yaml": """\
method: batch
summary: Make several calls in one
effect: write
params: {calls: {type: object}, halt: {type: boolean}}
""",
    "note/note.add.yaml": """\
method: note.add
summary: Write a note
description: Writes one note, which can be read at once.
docs: https://notes.example/docs/add
scope: [notes, papers]
effect: write
idempotent: key
auth: [token]
params:
  title: {type: string, cli: [-t], description: What it is called}
  kind: {enum: [PLAIN, Round, "007", 2, null], default: PLAIN, description: Its form}
  lines: {type: array, items: {type: string}}
  marks: {type: array, items: {type: integer}}
  size: {type: integer}
  weight: {type: number}
  done: {type: boolean, description: Whether it is done}
  either: {type: [integer, string]}
  maybe: {type: [integer, "null"]}
  any: {}
  place: {type: object, properties: {room: {type: string}, shelf: {type: integer}}}
  phone: {type: array, items: {type: object, properties: {VALUE: {type: string}}}}
  limit: {type: integer, description: Its length}
  color: {type: string, examples: [red, blue], description: Its colour}
  token: {type: string, description: A word of its own}
  picture: {type: string, contentEncoding: base64, contentMediaType: image/*, description: Its picture}
  PIN: {type: string, writeOnly: true}
  old: {type: string, deprecated: true}
  ENTITY_TYPE: {type: string}
  key: {type: string}
patterns: {"^extra_": {type: integer, description: Something more}}
required: [title]
warn: [{if: {properties: {size: {const: 1}}, required: [size]}, say: A note of one line is short}]
returns: {type: integer}
examples:
  - title: A short note
    params: {title: "@home", lines: [a, b], place: {room: hall}, color: red, limit: 3}
    response: {result: 7}
""",
    "note/note.list.yaml": """\
method: note.list
summary: List the notes
effect: read
deprecated: note.find
pages: [offset]
params: {from: {type: integer}, filter: {type: object}}
examples: [{params: {}, response: {result: []}}]
""",
    "note/note.get.yaml": """\
method: note.get
summary: Read a note
effect: read
deprecated: true
params: {id: {type: integer}}
required: [id]
""",
    "note/note.picture.yaml": """\
method: note.picture
summary: Fetch the picture of a note
effect: read
response: {answer: bytes}
""",
    "note/note.scan.yaml": """\
method: note.scan
summary: Hand in a scan
effect: write
params: {scan: {type: string, in: part}, fields: {type: object}}
""",
    "note/note.drop.yaml": "method: note.drop\nsummary: Drop a note\neffect: destroy\nparams: {id: {type: integer}}\n",
}


class Said(NamedTuple):
    """What a line said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The answer as JSON."""
        return json.loads(self.out)


class Asked(NamedTuple):
    """A request that the site got."""

    verb: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


@dataclass
class Site:
    """A site on this machine that answers from a list and remembers what it was asked."""

    url: str = ""
    replies: list[Any] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def say(self, *replies: Any) -> None:
        """Answer these next: a value as JSON, bytes as they are, (status, bytes), (status, bytes, promised length)."""
        self.replies += replies

    @property
    def line(self) -> list[str]:
        """The credentials of a line that calls this site."""
        return ["--link", f"{self.url}#opener"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.site.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        reply = self.site.replies.pop(0) if self.site.replies else {"result": True}
        if reply == "silence":
            self.site.release.wait(60)
            self.close_connection = True
            return
        status, content, length = 200, b"", 0
        if isinstance(reply, tuple):
            status, content, length = (*reply, 0)[:3]
        else:
            content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = bool(length)

    do_GET = do_POST = _answer  # noqa: N815 - the server's own names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="session")
def street() -> Iterator[Site]:
    """The site of the whole run."""
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def site(street: Site) -> Iterator[Site]:
    """The site with nothing asked and nothing to say yet."""
    street.asked.clear()
    street.replies.clear()
    street.release.clear()
    yield street
    street.release.set()


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the service of these tests."""
    root = tmp_path_factory.mktemp("shelf") / "methods"
    for name, text in FILES.items():
        path = root / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for folder in {root, *(path for path in root.rglob("*") if path.is_dir())}:
        os.utime(folder, (1e9, 1e9))  # an index holds a folder for unsettled that was changed just now
    return root


@pytest.fixture(autouse=True)
def desk(home: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, the tests' service in reach, the plainest surroundings."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("DECLAREST_METHODS", str(shelf))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a line in this process."""

    def called(*words: str) -> Said:
        capsys.readouterr()
        code = run(list(words))
        return Said(code, *capsys.readouterr())

    return called


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Puts bytes on standard input."""
    return lambda content: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


@pytest.fixture
def picture(desk: Path) -> Path:
    """A picture in the working folder."""
    path = desk / "picture.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0JFIF")
    return path
