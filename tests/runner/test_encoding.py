from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import encoding
from runner.encoding import File
from runner.errors import CallError
from runner.node import resolved

PICTURE = File("cat.png", b"\x89PNG")
PACKED = base64.b64encode(b"\x89PNG").decode()
ENCODERS = {"yn": {"true": "Y", "false": "N"}, "one": {"true": 1, "false": 0}, "file": ["{name}", "{base64}"]}
DEFS: dict[str, dict[str, Any]] = {
    "flag": {"encode": "yn"},
    "far": {"$ref": "#/$defs/flag"},
    "photo": {"type": "string", "contentEncoding": "base64"},
    "book": {
        "properties": {"id": {"$ref": "#/$defs/far", "title": "a number"}, "open": {"encode": "yn"}},
        "patternProperties": {"^x": {"type": "string"}},
        "required": ["id"],
    },
}


def test_a_file_knows_its_base64_and_its_type() -> None:
    assert (PICTURE.base64, PICTURE.type) == (PACKED, "image/png")
    assert File("strange.zzz9", b"x").type == "application/octet-stream"


def test_a_path_bytes_and_a_file_mean_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"hello")
    assert encoding.file_of(tmp_path / "a.txt") == File("a.txt", b"hello")
    assert encoding.file_of(b"hello") == File("file", b"hello")
    assert encoding.file_of(PICTURE) is PICTURE
    assert encoding.file_of("a.txt") is None


def test_a_file_that_is_not_there_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"can't read .*none\.txt: no such file or directory; check the path"):
        encoding.read_file(tmp_path / "none.txt")


def test_an_empty_file_is_the_callers_mistake(tmp_path: Path) -> None:
    (tmp_path / "void").touch()
    with pytest.raises(CallError, match="void is empty"):
        encoding.read_file(tmp_path / "void")


@pytest.mark.parametrize(
    ("node", "whole"),
    [
        ({"type": "string"}, {"type": "string"}),
        ({"$ref": "#/$defs/far", "title": "x"}, {"encode": "yn", "title": "x"}),
        ({"$ref": "#/$defs/none", "title": "x"}, {"title": "x"}),
        (True, {}),
        (None, {}),
    ],
)
def test_a_reference_is_followed_with_its_own_words_laid_over(node: object, whole: dict[str, Any]) -> None:
    assert resolved(node, DEFS) == whole


@pytest.mark.parametrize(
    ("own", "both"),
    [
        ({"properties": {"id": {"default": 1}}}, {"id": {"$ref": "#/$defs/far", "title": "a number", "default": 1}}),
        ({"properties": {"id": True}}, {"id": True}),
        ({"properties": {"size": {"type": "integer"}}}, {"size": {"type": "integer"}}),
    ],
)
def test_the_keys_of_a_type_stay_where_a_node_says_more_of_some(own: dict[str, Any], both: dict[str, Any]) -> None:
    book = DEFS["book"]
    found = resolved({"$ref": "#/$defs/book", "required": ["open", "id"], **own}, DEFS)
    assert found == {
        "properties": {**book["properties"], **both},
        "patternProperties": book["patternProperties"],
        "required": ["id", "open"],
    }


@pytest.mark.parametrize(
    ("node", "value", "found"),
    [
        ({"contentEncoding": "base64"}, PICTURE, PACKED),
        ({"$ref": "#/$defs/photo"}, PICTURE, PACKED),
        ({"encode": "file"}, PICTURE, ["cat.png", PACKED]),
        ({"type": "string"}, PICTURE, PICTURE),
        ({}, "text", "text"),
        ({"items": {"$ref": "#/$defs/photo"}}, [PICTURE, "x"], [PACKED, "x"]),
        ({"properties": {"a": {"encode": "file"}}}, {"a": PICTURE, "b": 1}, {"a": ["cat.png", PACKED], "b": 1}),
        ({"additionalProperties": {"encode": "file"}}, {"b": PICTURE}, {"b": ["cat.png", PACKED]}),
        ({"additionalProperties": False}, {"b": 1}, {"b": 1}),
        ({"anyOf": [{"type": "object"}, {"$ref": "#/$defs/photo"}]}, PICTURE, PACKED),
        ({"oneOf": [{"encode": "yn"}, {"allOf": [{"encode": "file"}]}]}, PICTURE, ["cat.png", PACKED]),
        ({"anyOf": [{"type": "object"}, {"items": {"encode": "file"}}]}, [PICTURE], [["cat.png", PACKED]]),
    ],
)
def test_files_are_taken_in_as_the_schema_wants_them(node: dict[str, Any], value: Any, found: Any) -> None:
    assert encoding.absorbed(value, node, DEFS, ENCODERS) == found


@pytest.mark.parametrize(
    ("node", "value", "written"),
    [
        ({"encode": "yn"}, True, "Y"),
        ({"encode": "yn"}, False, "N"),
        ({"encode": "yn"}, "Y", "Y"),
        ({"encode": "yn"}, "true", "Y"),
        ({"encode": "yn"}, None, None),
        ({"encode": "one"}, True, 1),
        ({"$ref": "#/$defs/far"}, True, "Y"),
        ({"encode": "json"}, {"a": ["é", 1]}, '{"a":["é",1]}'),
        ({"encode": "comma"}, [1, "b", True, None], "1,b,true,"),
        ({"encode": "comma"}, "1,2", "1,2"),
        ({"encode": "file"}, ["a", "b"], ["a", "b"]),
        ({"properties": {"a": {"encode": "yn"}}}, {"a": True, "b": True}, {"a": "Y", "b": True}),
        ({"additionalProperties": {"encode": "yn"}}, {"b": [True]}, {"b": [True]}),
        ({"additionalProperties": {"encode": "yn"}}, {"b": True}, {"b": "Y"}),
        ({"items": {"encode": "yn"}}, [True, False], ["Y", "N"]),
        ({}, 5, 5),
        ({"anyOf": [{"$ref": "#/$defs/flag"}, {"type": "null"}]}, True, "Y"),
        ({"anyOf": [{"$ref": "#/$defs/flag", "type": "boolean"}, {"type": "null"}]}, None, None),
        ({"oneOf": [{"type": "integer"}, {"encode": "json", "type": "object"}]}, {"a": 1}, '{"a":1}'),
        ({"oneOf": [{"type": "integer"}, {"encode": "json", "type": "object"}]}, 5, 5),
        ({"oneOf": [{"encode": "one", "type": "string"}, {"encode": "yn", "type": "boolean"}]}, True, "Y"),
        ({"allOf": [{"anyOf": [{"items": {"encode": "yn"}, "type": "array"}]}]}, [True], ["Y"]),
        ({"anyOf": [{"type": "object"}, {"items": {"encode": "yn"}, "maxItems": 1}]}, [True, True], [True, True]),
        ({"items": {"encode": "one"}, "anyOf": [{"items": {"encode": "yn"}}]}, [True], [1]),
        ({"anyOf": [{"properties": {"a": {"encode": "yn"}}}]}, {"a": True}, {"a": "Y"}),
    ],
)
def test_values_are_written_by_their_encoders(node: dict[str, Any], value: Any, written: Any) -> None:
    assert encoding.encoded(value, node, DEFS, ENCODERS) == written


@pytest.mark.parametrize(
    ("nested", "value", "found"),
    [
        ("brackets", {"b": [1, {"c": "x"}]}, [("a[b][0]", "1"), ("a[b][1][c]", "x")]),
        ("brackets", [], [("a[]", "")]),
        ("brackets", {"b": {}}, [("a[b][]", "")]),
        ("brackets", [True, False, None, 1.5], [("a[0]", "1"), ("a[1]", "0"), ("a[2]", ""), ("a[3]", "1.5")]),
        ("repeat", [1, "b", [2]], [("a", "1"), ("a", "b"), ("a", "[2]")]),
        ("repeat", {"b": 1}, [("a", '{"b":1}')]),
        ("repeat", True, [("a", "true")]),
        ("comma", [1, True, {"b": "é"}], [("a", '1,true,{"b":"é"}')]),
        ("comma", {"b": 1}, [("a", '{"b":1}')]),
        ("json", [1, {"b": None}], [("a", '[1,{"b":null}]')]),
        ("json", None, [("a", "")]),
        ("json", "x", [("a", "x")]),
    ],
)
def test_values_become_pairs_in_four_styles(nested: str, value: Any, found: list[tuple[str, str]]) -> None:
    assert list(encoding.pairs("a", value, nested)) == found


def test_brackets_references_and_stars_stay_readable_in_a_query() -> None:
    items = [("filter[>ID]", "$result[me][ID]"), ("a b", "x&y=z/é"), ("n*", "*")]
    assert encoding.urlencoded(items) == "filter[%3EID]=$result[me][ID]&a%20b=x%26y%3Dz%2F%C3%A9&n*=*"


@settings(max_examples=100, deadline=None, database=None)
@given(st.text(), st.one_of(st.text(), st.text("aZ09_.~-")))
def test_what_needs_no_escape_has_none(name: str, text: str) -> None:
    assert encoding.urlencoded([(name, text)]) == f"{quote(name, safe='[]*')}={quote(text, safe='*$[]')}"


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5))
def test_a_query_is_read_back_as_it_was_meant(items: list[tuple[str, str]]) -> None:
    assert parse_qsl(encoding.urlencoded(items), keep_blank_values=True) == items


def test_a_form_with_a_file_is_written_part_by_part() -> None:
    kind, body = encoding.multipart([("title", "Hé"), ('fi"le\r\n', File('ca"t.png', b"\x00\r\n")), ("n", 5)])
    boundary = kind.removeprefix("multipart/form-data; boundary=").encode()
    assert body == b"".join([
        b"--" + boundary + b'\r\nContent-Disposition: form-data; name="title"\r\n\r\nH\xc3\xa9\r\n',
        b"--" + boundary + b'\r\nContent-Disposition: form-data; name="fi%22le%0D%0A"; filename="ca%22t.png"\r\n',
        b"Content-Type: image/png\r\n\r\n\x00\r\n\r\n",
        b"--" + boundary + b'\r\nContent-Disposition: form-data; name="n"\r\n\r\n5\r\n',
        b"--" + boundary + b"--\r\n",
    ])  # fmt: skip


def test_json_keeps_letters_of_every_script() -> None:
    assert encoding.json_text({"a": ["é", 1, None]}) == '{"a":["é",1,null]}'.encode()


@pytest.mark.parametrize(
    ("text", "written"),
    [("я", "я"), ("a\ud83d", "a\ufffd"), ("\ude00b", "\ufffdb"), ("\ud83d\ude00", "\N{GRINNING FACE}")],
)
def test_half_a_letter_is_written_as_browsers_do_where_it_can_not_be_escaped(text: str, written: str) -> None:
    assert encoding.whole(text) == written
    assert encoding.urlencoded([(text, text)]) == encoding.urlencoded([(written, written)])
    assert written.encode() in encoding.multipart([("a", text)])[1]


def test_half_a_letter_is_escaped() -> None:
    assert encoding.json_text("\ud83d") == b'"\\ud83d"'


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize("value", [float("nan"), {"a": {1, 2}}, circle()], ids=["nan", "set", "circle"])
def test_what_json_cannot_say_is_the_callers_mistake(value: Any) -> None:
    with pytest.raises(CallError, match=r"the input can't be written as JSON: .*; give text, numbers"):
        encoding.json_text(value)
