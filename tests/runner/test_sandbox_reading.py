"""A request taken apart: every place and form of a value, each under its param's name and in its type."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from runner import document
from runner.catalog import Catalog
from runner.encoding import File, multipart
from runner.sandbox import reading, start
from runner.sandbox.envelope import Refused
from runner.sandbox.portal import Portal
from runner.sandbox.reading import Asked
from runner.sandbox.store import Store
from runner.spec import Method, Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERVICE = """
spec: 1
service: desk
title: Desk
profile: {properties: {host: {format: hostname}}}
auth: {open: {needs: [host], base: "http://{host}/"}}
response: {result: value}
encode:
  yn: {"true": "Y", "false": "N"}
  one: {"true": 1, "false": 0}
  file: ["{name}", "{base64}"]
  odd: ["{name}"]
  data: "data:{type};base64,{base64}"
  bare: "file {name}"
types: {id: {type: integer}, file: {encode: file, type: string}}
"""


HEAD = "method: note.put\nsummary: Put\neffect: write\n"


@pytest.fixture(scope="module")
def method() -> Callable[..., Method]:
    """A method of the service with this text."""
    data = document.load(SERVICE, "service")
    service = Service.read(data)

    def make(text: str) -> Method:
        return Method.read(document.load(HEAD + text, "method"), service, data["types"].get)

    return make


def read(method: Method, target: str = "/", body: bytes = b"", **headers: str) -> Any:
    sent = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return reading.values(method, reading.content(Asked("POST", target, sent, body)), {})


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("node", "text", "value"),
    [
        ("{type: string}", "5", "5"),
        ("{type: integer}", "5", 5),
        ("{type: integer}", "five", "five"),
        ("{type: number}", "2.5", 2.5),
        ("{type: number}", "1e999", "1e999"),
        ("{type: boolean}", "1", True),
        ("{type: boolean}", "0", False),
        ("{type: boolean}", "true", True),
        ("{type: 'null'}", "", None),
        ("{type: object}", '{"a": 1}', {"a": 1}),
        ("{type: object}", "[" * 5000, "[" * 5000),
        ("{type: array, items: {$ref: '#id'}}", "1,2", [1, 2]),
        ("{type: array, items: {$ref: '#id'}}", "[1, 2]", [1, 2]),
        ("{type: array, items: {$ref: '#id'}}", "7", [7]),
        ("{type: array, items: {$ref: '#id'}}", "", []),
        ("{type: array, items: {type: string}, minItems: 1, maxItems: 1}", "a,b", ["a,b"]),
        ("{type: array, items: {type: string}, encode: comma}", "a,b", ["a", "b"]),
        ("{type: [string, object], encode: json}", '{"a": 1}', {"a": 1}),
        ("{encode: yn}", "Y", "Y"),
        ("{encode: one}", "1", True),
        ("{encode: one}", "3", "3"),
        ("{type: string, encode: data, contentEncoding: base64, maxLength: 4}", "data:text/plain;base64,QQ==", "QQ=="),
        ("{type: string, encode: data, maxLength: 2}", "long", "long"),
        ("{type: string, encode: bare, maxLength: 2}", "file x", "file x"),
        ("{contains: {type: integer}}", "5", "5"),
    ],
)
def test_text_gets_the_type_that_the_schema_wants(
    method: Callable[..., Method], node: str, text: str, value: Any
) -> None:
    one = method(f"params: {{a: {node}}}")
    assert read(one, f"/?a={quote(text)}") == {"a": value}


@pytest.mark.parametrize(
    ("node", "text", "value"),
    [
        ("{type: object}", "a[b][c]=1&a[d]=2", {"b": {"c": "1"}, "d": "2"}),
        ("{type: array, items: {type: integer}}", "a[0]=1&a[1]=2", [1, 2]),
        ("{type: array, items: {type: integer}}", "a[]=1&a[]=2", [1, 2]),
        ("{type: array, items: {type: integer}}", "a=1&a=2&a=3", [1, 2, 3]),
        ("{type: array, items: {type: object}}", "a[][x]=1", [{"x": "1"}]),
        ("{type: array}", "a[]=", []),
        ("{type: object}", "a[]=", {}),
        ("{type: object, additionalProperties: {type: integer}}", "a[0]=5", {"0": 5}),
        ("{type: array}", "a[3]=x&a[5]=y", ["x", "y"]),
        ("{type: object, properties: {n: {type: integer}}}", "a[n]=5", {"n": 5}),
        ("{anyOf: [{type: array, items: {type: integer}}, {type: string}]}", "a[0]=5", [5]),
        ("{oneOf: [{type: string}, {type: object, properties: {n: {type: integer}}}]}", "a[n]=5", {"n": 5}),
        ("{type: string}", "a[n]=5", {"n": "5"}),
        ("{}", "a" + "[x]" * 40 + "=1", None),
        ("{}", "a[b]=1&a[b][c]=2", {"b": {"c": "2"}}),
    ],
)
def test_brackets_are_unfolded(method: Callable[..., Method], node: str, text: str, value: Any) -> None:
    one = method(f"params: {{a: {node}}}")
    assert read(one, "/", text.encode(), Content_Type=FORM).get("a") == value
    assert read(one, f"/?{text}").get("a") == value


def test_other_styles_keep_brackets_in_names(method: Callable[..., Method]) -> None:
    assert read(method("request: {nested: repeat}\nparams: {a: {}}"), "/?a[b]=1") == {"a[b]": "1"}


def test_values_of_json_keep_their_types(method: Callable[..., Method]) -> None:
    one = method("params: {a: {type: integer}, b: {encode: one}, c: {encode: json, type: object}, f: {$ref: '#file'}}")
    body = b'{"A": "5", "b": 1, "c": "{\\"x\\": 1}", "f": ["a.txt", "QQ=="]}'
    assert read(one, "/", body) == {"a": "5", "b": True, "c": {"x": 1}, "f": "QQ=="}
    odd = method("params: {f: {encode: odd, type: string}, g: {encode: file, type: string}}")
    assert read(odd, "/", b'{"f": ["a"], "g": ["a"]}', Content_Type="application/x+json") == {"f": ["a"], "g": ["a"]}


def test_every_place_is_read_under_its_wire_name(method: Callable[..., Method]) -> None:
    one = method(
        "params:\n"
        "  book: {type: integer, in: query, wire: id}\n"
        "  reader: {type: integer, wire: id}\n"
        "  trace: {type: integer, in: header, wire: X-Trace}\n"
        "  theme: {in: cookie}\n"
        "  lost: {in: header}\n"
        "patterns: {^min_: {type: integer}}\n"
    )
    found = read(one, "/?id=1&min_x=5", b'{"id": 2}', X_Trace="7", Cookie="theme=dark%20blue; =; x=1")
    assert found == {"book": 1, "min_x": 5, "trace": 7, "theme": "dark blue", "reader": 2}


def test_a_positional_body_is_named(method: Callable[..., Method]) -> None:
    one = method("positional: true\nrequest: {slot: ''}\nparams: {a: {}, b: {}, q: {in: query}, c: {}}")
    assert read(one, "/?q=1", b'[1, "", 3]') == {"q": "1", "a": 1, "c": 3}
    assert read(one, "/", b'{"a": 1}') == {"a": 1}


def test_a_form_with_files_is_read(method: Callable[..., Method]) -> None:
    one = method(
        "request: {in: part}\nparams: {file: {type: string}, frame: {type: object}, n: {type: integer, in: form}}"
    )
    kind, body = multipart([("file", File('a".png', b"\x89\r\n--\xff")), ("frame", '{"a": 1}'), ("n", "5")])
    assert read(one, "/", body, Content_Type=kind) == {"file": 'a".png', "frame": {"a": 1}, "n": 5}
    broken = body.replace(b"\r\n\r\n5", b"\r\n\r\n\xff")
    with pytest.raises(Refused):
        read(one, "/", broken, Content_Type=kind)


def test_one_param_may_be_the_whole_body(method: Callable[..., Method]) -> None:
    one = method("params: {text: {in: payload}, note: {in: query}}")
    assert read(one, "/?note=n", b"plain", Content_Type="text/plain") == {"note": "n", "text": "plain"}
    assert read(one, "/", b"[1]") == {"text": [1]}
    assert read(one, "/", b"\x89\xff", Content_Type="image/png") == {"text": "file"}
    assert read(one) == {}


def test_a_body_without_a_type_is_known_by_its_looks(method: Callable[..., Method]) -> None:
    one = method("params: {a: {}}")
    assert read(one, "/", b' {"a": 1}') == {"a": 1}
    assert read(one, "/", b"a=1") == {"a": "1"}
    with pytest.raises(Refused):
        read(one, "/", b"plain")
    assert read(one, "/", b"a=%D1%8F", Content_Type=f"{FORM}; charset=utf-8") == {"a": "я"}


@pytest.mark.parametrize("place", ["query", "body", "cookie", "header"])
def test_a_credential_is_taken_out_of_its_place(place: str) -> None:
    form = reading.content(Asked("POST", "/?a=1&b=2", {"cookie": "a=1; b=2", "a": "1"}, b"a=1&b=2"))
    assert form.held(place, "a") == form.take(place, "a") == "1"
    assert form.take(place, "a") == ("1" if place == "header" else None)
    bare = reading.content(Asked("POST", "/?a=1", {}, b""))
    assert (bare.take("body", "a"), bare.query) == ("1", [])
    data = reading.content(Asked("POST", "/?a=1", {}, b'{"b": 5}'))
    assert (data.take("body", "b"), data.take("body", "b"), data.data) == ("5", None, {})


@pytest.mark.parametrize(
    ("answer", "text", "verb", "status", "body"),
    [
        ("text", "response: Hello", "POST", 200, b"Hello"),
        ("text", "returns: {type: string}", "POST", 200, b"text"),
        ("bytes", "response: GIF", "POST", 200, b"GIF"),
        ("empty", "", "POST", 204, b""),
        ("empty", "status: 201", "HEAD", 201, b""),
        ("[empty, json]", "", "POST", 204, b""),
        ("[empty, json]", "response: {value: 1}", "POST", 200, b'{"value":1}'),
        ("[json, text]", "response: Hello", "POST", 200, b"Hello"),
        ("json", "response: Hello", "POST", 200, b'"Hello"'),
    ],
)
def test_an_answer_has_the_form_that_the_method_declares(
    tmp_path: Path, answer: str, text: str, verb: str, status: int, body: bytes
) -> None:
    example = "" if text.startswith("returns") or not text else f"examples: [{{params: {{}}, {text}}}]\n"
    folder = tmp_path / "methods" / "desk"
    folder.mkdir(parents=True)
    (folder / "_service.yaml").write_text(SERVICE)
    more = f"request: {{verb: {verb}}}\nresponse: {{answer: {answer}}}\n{example}{'' if example else text}\n"
    (folder / "note.put.yaml").write_text(HEAD + more)
    catalog, store = Catalog(str(tmp_path / "methods")), Store(":memory:")
    portal = Portal(catalog, "desk", store, address="http://h", account={"host": "h"})
    found = portal.answer(Asked(verb, "/note.put"))
    assert (found.status, found.body) == (status, body)
    store.close()
    with start(catalog, "desk", state=":memory:") as served:
        connection = http.client.HTTPConnection(served.address.removeprefix("http://"), timeout=5)
        connection.request(verb, "/note.put")
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (status, body)
        connection.close()
