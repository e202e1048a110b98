from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runner import arguments
from runner.arguments import Reader
from runner.encoding import File
from runner.errors import CallError
from runner.skeleton import skeleton
from runner.spec import Method, Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.catalog import Catalog

SERVICE = Service.read(
    {
        "spec": 1,
        "service": "notes",
        "title": "Notes",
        "auth": {"none": {"base": "https://notes.example/"}},
        "encode": {
            "yn": {"true": "Y", "false": "N"},
            "level": {"low": 1, "high": 9},
            "pair": ["{name}", "{base64}"],
        },
    }
)
PARAMS = {
    "title": {"type": "string", "cli": ["-t", "--name"]},
    "ENTITY_TYPE": {"type": "string"},
    "имя": {"type": "string"},
    "kind": {"enum": ["PLAIN", "Round", "007", 2, 0.5, True, None]},
    "rank": {"enum": [1, 2, 3]},
    "level": {"encode": "level"},
    "yes": {"encode": "yn"},
    "shade": {"anyOf": [{"enum": ["red"]}, {"type": "integer"}]},
    "lines": {"type": "array", "items": {"type": "string"}},
    "marks": {"type": "array", "items": {"$ref": "#id"}},
    "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
    "size": {"type": "integer"},
    "weight": {"type": "number"},
    "done": {"type": "boolean"},
    "either": {"type": ["integer", "string"]},
    "parts": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]},
    "maybe": {"type": ["integer", "null"]},
    "any": {},
    "all": {"type": "object", "additionalProperties": {"type": "integer"}},
    "place": {"properties": {"room": {"type": "string"}, "shelf": {"type": "integer"}}},
    "phone": {"type": "array", "items": {"type": "object", "properties": {"VALUE": {"type": "string"}}}},
    "picture": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
    "paper": {"encode": "pair"},
    "scan": {"type": "string", "in": "part"},
    "filter": {"type": "object"},
    "old": {"type": "string", "deprecated": True},
    "made": {"generate": "uuid"},
    "fixed": {"send": 1},
    "sort": {"type": "string", "default": "ASC"},
    "deep": {
        "properties": {"a": {"properties": {"b": {"properties": {"c": {"properties": {"d": {"type": "string"}}}}}}}}
    },
}
METHOD = Method.read(
    {
        "method": "note.add",
        "summary": "Write a note",
        "effect": "write",
        "params": PARAMS,
        "patterns": {"^min_": {"type": "integer"}},
    },
    SERVICE,
    {"id": {"type": "integer", "minimum": 1}}.get,
)
PNG = b"\x89PNG\r\n\x1a\n"


class Drawer:
    """Files, addresses and standard input, all in one place."""

    def __init__(self, **content: bytes) -> None:
        self.content = content

    def file(self, path: str) -> File:
        return self._found(path)

    def address(self, url: str) -> File:
        return self._found(url.rpartition("/")[2])

    def stdin(self) -> bytes:
        return self._found("stdin").content

    def _found(self, name: str) -> File:
        if name not in self.content:
            raise CallError(f"can't read {name}", hint="look again")
        return File(name, self.content[name])


def read(*words: str, **content: bytes) -> dict[str, Any]:
    """The values of words, which all fit."""
    reader = taken(*words, **content)
    assert reader.problems == []
    return reader.values


def taken(*words: str, **content: bytes) -> Reader:
    """The reader after it took words."""
    reader = Reader(METHOD, Drawer(**content))
    for word in words:
        found = arguments.split(word)
        assert found is not None
        reader.take(*found)
    return reader


def misfits(*words: str, **content: bytes) -> list[str]:
    """What is wrong with words."""
    return list(map(str, taken(*words, **content).problems))


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("title=A", (["title"], "=", "A")),
        ("title=", (["title"], "=", "")),
        ("title=a=b:=c@d", (["title"], "=", "a=b:=c@d")),
        ("marks:=[1]", (["marks"], ":=", "[1]")),
        ("scan@a.txt", (["scan"], "@", "a.txt")),
        ("place.room=hall", (["place", "room"], "=", "hall")),
        ("phone.0.VALUE=1", (["phone", "0", "VALUE"], "=", "1")),
        ("filter.>=ID=5", (["filter", ">=ID"], "=", "5")),
        ("filter[>=ID]=5", (["filter", ">=ID"], "=", "5")),
        ("filter.!@ID=5", (["filter", "!@ID"], "=", "5")),
        ("filter.=%NAME=x", (["filter", "=%NAME"], "=", "x")),
        ("title=two\nlines", (["title"], "=", "two\nlines")),
    ],
)
def test_a_word_is_a_path_a_sign_and_a_text(word: str, parts: Any) -> None:
    assert arguments.split(word) == parts


@pytest.mark.parametrize("word", ["title", "A title", "=x", "1=x", "", "a b=c", "filter.>=ID", "a.=1"])
def test_any_other_word_is_none_of_these(word: str) -> None:
    assert arguments.split(word) is None


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("--title", "title"),
        ("--TITLE", "title"),
        ("-t", "title"),
        ("--name", "title"),
        ("--entity-type", "ENTITY_TYPE"),
        ("--ENTITY_TYPE", "ENTITY_TYPE"),
        ("--entityType", "ENTITY_TYPE"),
        ("--имя", "имя"),
        ("-x", None),
        ("--nothing", None),
    ],
)
def test_a_flag_finds_its_param_in_any_letter_case_and_with_any_separators(flag: str, name: str | None) -> None:
    param = arguments.by_flag(METHOD, flag)
    assert (param.name if param else None) == name


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("title=5", "5"),
        ("title=-", "from stdin"),
        ("title=@@home", "@home"),
        ("title=@@@home", "@@home"),
        ("title=[b]", "[b]"),
        ("kind=plain", "PLAIN"),
        ("kind=ROUND", "Round"),
        ("kind=007", "007"),
        ("kind=2", 2),
        ("kind=0.5", 0.5),
        ("kind=yes", True),
        ("kind=no", False),
        ("kind=null", None),
        ("kind=square", "square"),
        ("rank=1", 1),
        ("rank=yes", "yes"),
        ("rank=02", 2),
        ("level=low", "low"),
        ("level=1", 1),
        ("yes=true", True),
        ("yes=off", False),
        ("yes=да", True),
        ("yes=y", "Y"),
        ("shade=RED", "red"),
        ("shade=7", "7"),
        ("lines=a,b", ["a", "b"]),
        ("lines=a\\,b, c", ["a,b", "c"]),
        ("lines=", []),
        ('lines=["a,b"]', ["a,b"]),
        ("lines=007,-1", ["007", "-1"]),
        ("marks=1, 2", [1, 2]),
        ("marks=1,x", [1, "x"]),
        ("pair=a,1,2", ["a", 1, "2"]),
        ("size=007", 7),
        ("size=-5", -5),
        ("size=+5", 5),
        ("size=5.0", "5.0"),
        ("size=" + "9" * 5000, "9" * 5000),
        ("weight=2.5", 2.5),
        ("weight=1e3", 1000.0),
        ("weight=.5", 0.5),
        ("weight=3", 3),
        ("weight=heavy", "heavy"),
        ("done=Yes", True),
        ("done=0", False),
        ("done=maybe", "maybe"),
        ("either=5", 5),
        ("either=-5", -5),
        ("either=007", "007"),
        ("either=+5", "+5"),
        ("either=five", "five"),
        ("parts=1,2", "1,2"),
        ("parts=[1, 2]", [1, 2]),
        ("parts=[b]bold[/b]", "[b]bold[/b]"),
        ("maybe=null", None),
        ("maybe=7", 7),
        ("maybe=none", "none"),
        ("any=5", "5"),
        ("any=null", "null"),
        ('any={"a": 1}', {"a": 1}),
        ("any={a", "{a"),
        ('all={"a": 1}', {"a": 1}),
        ('all= {"a": 1}', {"a": 1}),
        ("all={'a': 1}", {"a": 1}),
        ('phone={"VALUE": "1"}', [{"VALUE": "1"}]),
        ("unknown=5", "5"),
        ("min_size=5", 5),
        ("size:=7", 7),
        ('any:={"a": [null, true]}', {"a": [None, True]}),
        ("any:=@json", {"b": 2}),
        ("any:=-", "from stdin"),
    ],
)
def test_a_text_means_what_the_schema_says(word: str, value: object) -> None:
    files = {"json": b'\xef\xbb\xbf{"b": 2}', "stdin": b"from stdin"}
    if word == "any:=-":
        files["stdin"] = b'"from stdin"'
    values = read(word, **files)
    found = next(iter(values.values()))
    assert found == value
    assert type(found) is type(value)


def test_names_are_found_without_letter_case_and_keep_the_files_spelling() -> None:
    assert read("TITLE=A", "entity_type=B") == {"title": "A", "ENTITY_TYPE": "B"}


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["place.room=hall", "place.shelf=3"], {"place": {"room": "hall", "shelf": 3}}),
        (["all.x=3", "all.y=z"], {"all": {"x": 3, "y": "z"}}),
        (["filter.>=ID=5", "filter[<ID]=9"], {"filter": {">=ID": "5", "<ID": "9"}}),
        (["phone.0.VALUE=1", "phone.1.VALUE=2"], {"phone": [{"VALUE": "1"}, {"VALUE": "2"}]}),
        (["marks.0=1", "marks.1=2"], {"marks": [1, 2]}),
        (["any.0.x=1"], {"any": {"0": {"x": "1"}}}),
        (["marks=1", "marks=2,3"], {"marks": [1, 2, 3]}),
        (["parts=[1]", "parts=[2]"], {"parts": [1, 2]}),
        (["parts=a", "parts=b"], {"parts": ["a", "b"]}),
        (["parts=[1]", "parts=b"], {"parts": [1, "b"]}),
        (["title=A", "title=A"], {"title": "A"}),
    ],
)
def test_paths_nest_and_lists_go_on(words: list[str], values: dict[str, Any]) -> None:
    assert read(*words) == values


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["title=A", "title=B"], "title: is given twice"),
        (["TITLE=A", "title=B"], "title: is given twice"),
        (["marks.0=1", "marks.0=2"], "marks.0: is given twice"),
        (["title=A", "title.x=1"], "title.x: title is no object that could hold x"),
        (["title=A", "title.x.y=1"], "title.x.y: title is no object that could hold x"),
        (["marks.1=1"], "marks.1: 1 is no place in the list; places count from 0, without gaps"),
        (["marks.0=1", "marks.x=1"], "marks.x: x is no place in the list; places count from 0, without gaps"),
        (["size:=1,"], "size: size is no JSON: Extra data at line 1, column 2"),
        (
            ["any:={'a'\n: }}"],
            "any: any is no JSON, with single quotes either: did not find expected ',' or '}' at line 2, column 1",
        ),
        (["any:=" + "[" * 100_000], "any: any is no JSON: it is nested too deeply"),
        (["marks=[1"], "marks: the value is no JSON: Expecting ',' delimiter at line 1, column 3"),
        (["title=\udcff"], "title: is not UTF-8 text"),
        (["title=@gone"], "title: can't read gone; look again; a text that begins with @ is written @@"),
        (["title@gone"], "title: can't read gone; look again"),
        (["title=@bytes"], "title: the file bytes is not UTF-8 text; a text that begins with @ is written @@"),
        (["any:=@bytes"], "any: the file bytes is not UTF-8 text"),
        (["picture=@text"], "picture: the file text is no picture (png); a text that begins with @ is written @@"),
        (["picture@text"], "picture: the file text is no picture (png)"),
        (["paper=@empty"], "paper: the file empty is empty; a text that begins with @ is written @@"),
    ],
)
def test_what_does_not_fit_is_kept_with_its_place(words: list[str], told: str) -> None:
    assert misfits(*words, bytes=b"\xff\xfe", text=b"no picture", empty=b"") == [told]


def test_misfits_of_several_words_are_told_together() -> None:
    assert misfits("size:=x", "marks.9=1", "title=fine") == [
        "size: size is no JSON: Expecting value at line 1, column 1",
        "marks.9: 9 is no place in the list; places count from 0, without gaps",
    ]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("title@text", "two\nlines\n"),
        ("title=@text", "two\nlines\n"),
        ("title=@https://files.example/text", "two\nlines\n"),
        ("any@text", "two\nlines\n"),
        ("size@number", 7),
        ("marks@list", [1, 2]),
        ("all@json", {"a": 1}),
        ("picture@png", "iVBORw0KGgo="),
        ("picture=@HTTP://files.example/png", "iVBORw0KGgo="),
        ("paper@png", ["png", "iVBORw0KGgo="]),
        ("scan@png", File("png", PNG)),
        ("unknown@text", "two\nlines\n"),
    ],
)
def test_a_file_is_read_as_the_schema_wants_files(word: str, value: object) -> None:
    files = {"text": b"\xef\xbb\xbftwo\nlines\n", "number": b"7\n", "list": b"1,2\n", "json": b'{"a": 1}', "png": PNG}
    assert list(read(word, **files).values()) == [value]


@pytest.mark.parametrize("text", ['{"title": "A"}', "{'title': 'A'}", "{'title': A}", " {'title': 'A'}", "@json", "-"])
def test_the_whole_input_is_json_in_several_forms(text: str) -> None:
    reader = Reader(METHOD, Drawer(json=b'\xef\xbb\xbf{"title": "A"}', stdin=b'{"title": "A"}'))
    reader.whole(text)
    assert reader.values == {"title": "A"}


def test_the_whole_input_is_read_from_the_path_of_a_file(tmp_path: Any) -> None:
    path = tmp_path / "note.json"
    path.write_text('{"title": "A"}')
    reader = Reader(METHOD, Drawer(**{str(path): path.read_bytes()}))
    reader.whole(str(path))
    assert reader.values == {"title": "A"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1]", "the input must be a JSON object, not list"),
        ("", "the input is no JSON: Expecting value at line 1, column 1"),
        ("-x", "the input is no JSON: Expecting value at line 1, column 1"),
        ("x" * 300, f"the input is no JSON, and no file: '{'x' * 60}'; check the path; JSON begins with {{ or ["),
        ("no file", "the input is no JSON, and no file: 'no file'; check the path; JSON begins with { or ["),
        ("true", "the input must be a JSON object, not bool"),
        (
            "{'a': 'b'",
            "the input is no JSON, with single quotes either: did not find expected ',' or '}' at its end",
        ),
        (
            "{'a': 'it's'}",
            "the input is no JSON, with single quotes either: did not find expected ',' or '}' at line 1, column 11; "
            "a single quote inside a text is written twice",
        ),
        (
            '{"a": 1,\n  b}',
            "the input is no JSON: Expecting property name enclosed in double quotes at line 2, column 3",
        ),
        ("@bytes", "the file bytes is not UTF-8 text"),
    ],
)
def test_a_whole_input_that_is_none_is_refused_with_line_and_column(text: str, told: str) -> None:
    with pytest.raises(CallError) as caught:
        Reader(METHOD, Drawer(bytes=b"\xff")).whole(text)
    assert str(caught.value) == told


def test_a_value_joins_the_whole_input_in_the_spelling_of_that() -> None:
    reader = Reader(METHOD, Drawer())
    reader.whole('{"PLACE": {"room": "hall"}, "Marks": [1]}')
    reader.take(["place", "shelf"], "=", "2")
    reader.take(["marks"], "=", "2")
    assert reader.values == {"PLACE": {"room": "hall", "shelf": 2}, "Marks": [1, 2]}


def test_known_values_of_a_param_or_of_its_items_are_words() -> None:
    assert arguments.known_values(PARAMS["kind"], {}) == ["PLAIN", "Round", "007", "2", "0.5", "true", ""]
    assert arguments.known_values({"type": "array", "items": {"enum": ["a", "b"]}}, {}) == ["a", "b"]
    assert arguments.known_values(PARAMS["size"], {}) == []


def test_a_skeleton_has_every_param_that_a_caller_fills() -> None:
    assert skeleton(METHOD) == {
        "title": "",
        "ENTITY_TYPE": "",
        "имя": "",
        "kind": "",
        "rank": "",
        "level": "",
        "yes": "",
        "shade": 0,
        "lines": [],
        "marks": [],
        "pair": [],
        "size": 0,
        "weight": 0,
        "done": False,
        "either": "",
        "parts": [],
        "maybe": 0,
        "any": "",
        "all": {},
        "place": {"room": "", "shelf": 0},
        "phone": [{"VALUE": ""}],
        "picture": "",
        "paper": "",
        "scan": "",
        "filter": {},
        "sort": "ASC",
        "deep": {"a": {"b": {"c": {}}}},
    }


@pytest.fixture(params=["library", "bitrix24"])
def every_method(request: pytest.FixtureRequest, catalog: Catalog) -> list[Method]:
    return [catalog.method(request.param, name) for name in catalog.names(request.param)]


def test_every_skeleton_can_be_made(every_method: list[Method]) -> None:
    for method in every_method:
        assert skeleton(method).keys() <= method.params.keys(), method.origin


def test_the_line_of_every_example_is_read_as_the_example(every_method: list[Method]) -> None:
    import shlex

    from runner.cli import help as pages
    from runner.cli import words

    nothing: Callable[[], Drawer] = Drawer
    for method in every_method:
        for example in method.document.get("examples", ()):
            text = pages.command_line(method, example["params"])
            line = words.general(shlex.split(text)[3:])
            given = words.of_method(line.rest, method, {})
            reader = Reader(method, nothing())
            for value in given.values:
                reader.take(*value)
            assert (reader.values, reader.problems, line.options) == (example["params"], [], {}), text


def test_texts_within_json_become_what_the_schema_wants_where_they_can() -> None:
    reader = Reader(METHOD, Drawer())
    reader.whole('{"PLACE": {"shelf": "2"}, "Marks": ["1", "one"]}')
    reader.suit()
    assert reader.values == {"PLACE": {"shelf": 2}, "Marks": [1, "one"]}
    reader.values = {"PLACE": "{no JSON"}
    reader.suit()
    assert reader.values == {"PLACE": "{no JSON"}
