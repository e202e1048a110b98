from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner.catalog import Catalog
from runner.cli import help as pages
from runner.cli.quick import COMMANDS
from runner.cli.words import SWITCHES, VALUES

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]

PAGE = """\
note.add: Write a note

Writes one note, which can be read at once.

  declarest notes note.add --title … [options]

Parameters:
  -t, --title             title (required): text; What it is called
  --kind                  kind: word; Its form; one of PLAIN, Round, 007, 2, ""; the service's
                          default is "PLAIN"
  --lines                 lines: list of texts
  --marks                 marks: list of integers
  --size                  size: integer
  --weight                weight: number
  --done                  done: yes or no; Whether it is done
  --either                either: integer or text
  --maybe                 maybe: integer or null
  --any                   any: value
  --place                 place: object
    place.room=…          text
    place.shelf=…         integer
  --phone                 phone: list of objects
    phone.0.VALUE=…       text
  limit=…                 limit: integer; Its length
  --color                 color: text; Its colour; such as red, blue
  token=…                 token: text; A word of its own
  --picture               picture: a picture, @file or @https://…; Its picture
  --pin                   PIN: text
  --old                   old: text; deprecated
  --entity-type           ENTITY_TYPE: text
  --key                   key: text
  ^extra_=…               integer; Something more

Examples:
  # A short note
  declarest notes note.add --title @@home --lines a,b place.room=hall --color red limit=3

effect: write; may be repeated
scope:  notes or papers
auth:   token
docs:   https://notes.example/docs/add
file:   FILE
Options of every call: declarest --help
"""


def test_the_page_of_a_method_says_what_it_takes(line: Run, shelf: Path) -> None:
    said = line("notes", "note.add", "--help")
    assert said == (0, PAGE.replace("FILE", str(shelf / "notes/note/note.add.yaml")), "")


def test_the_page_of_a_method_without_params_says_so(line: Run) -> None:
    out = line("notes", "note.picture", "--help").out
    assert out.startswith("note.picture: Fetch the picture of a note\n\n  declarest notes note.picture\n\nIt takes no")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("note.list", "\nDeprecated, use note.find.\n"),
        ("note.get", "\nDeprecated.\n"),
        ("note.list", "\npages:  offset (--all reads them)\n"),
        ("note.list", "\nExamples:\n  declarest notes note.list\n"),
        ("note.drop", "\neffect: destroy\n"),
    ],
)
def test_facts_stand_on_the_page_where_there_are_any(name: str, told: str, line: Run) -> None:
    assert told in line("notes", name, "-h").out


def test_the_first_page_names_every_service_command_and_option(line: Run) -> None:
    out = line().out
    assert "  notes                   Notes, 7 methods\n" in out
    for name in (*COMMANDS, *SWITCHES, *VALUES):
        assert f"  {name}" in out
    assert out.endswith("\ndeclarest bitrix24 lists its areas; --help after a method shows what it takes.\n")


def test_the_first_page_of_an_empty_shelf_has_no_example(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog()
    monkeypatch.setattr(catalog, "services", dict)
    assert "Services:\n\nCommands:\n" in pages.top(catalog)


def test_the_page_of_a_service_has_areas_methods_and_credentials(line: Run) -> None:
    assert line("notes") == (
        0,
        "Notes  https://notes.example/docs\n"
        "\n"
        "Areas:\n"
        "  note                    6 methods\n"
        "\n"
        "Methods:\n"
        "  batch                   Make several calls in one\n"
        "\n"
        "Credentials:\n"
        "  --link                  SERVER#TOKEN; or DECLAREST_NOTES_LINK\n"
        "  --server                Address of the notes; or DECLAREST_NOTES_SERVER\n"
        "  --token                 What opens them (a secret: - reads standard input, @file a file); or\n"
        "                          DECLAREST_NOTES_TOKEN\n"
        "  --color                 Colour of the connection; or DECLAREST_NOTES_COLOR\n"
        "\n"
        "  Ask the keeper of the notes\n"
        "\n"
        "declarest notes AREA lists its methods, declarest find WORDS searches them.\n",
        "",
    )


def test_a_service_may_have_areas_alone_and_nobody_to_ask(line: Run, desk: Path) -> None:
    folder = desk / "methods" / "letters" / "letter"
    folder.mkdir(parents=True)
    (folder.parent / "_service.yaml").write_text(
        "spec: 1\nservice: letters\ntitle: Letters\nauth: {none: {base: 'https://letters.example/'}}\n"
    )
    (folder / "letter.add.yaml").write_text("method: letter.add\nsummary: Write a letter\neffect: write\n")
    out = line("letters").out
    assert "Areas:\n  letter                  1 method\n\nCredentials:\n\n" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_how_it_is_used(name: str, line: Run) -> None:
    said = line(name, "--help")
    assert said.code == 0
    assert said.out.startswith(f"declarest {name}")


@pytest.mark.parametrize(
    ("node", "word"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"enum": [1]}, "word"),
        ({}, "value"),
        ({"type": "array"}, "array"),
        ({"type": "array", "items": {"type": ["integer", "string"]}}, "list of integer or text"),
        ({"encode": "file"}, "a file, @file"),
        ({"contentEncoding": "base64"}, "a file, @file"),
        ({"contentEncoding": "base64", "contentMediaType": "image/png"}, "a picture, @file or @https://…"),
        ({"$ref": "#/$defs/id"}, "integer"),
        ({"type": "integer", "title": "a whole number"}, "whole number"),
        ({"type": "array", "items": {"type": "integer", "title": "a whole number"}}, "list, each a whole number"),
        ({"type": "array", "items": {"enum": ["RED"], "title": "colours"}}, "list of words"),
    ],
)
def test_the_kind_of_a_value_is_a_word_or_two(node: Any, word: str) -> None:
    assert pages.kind(node, {"id": {"type": "integer"}}) == word


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"title": "A"}, "--title A"),
        ({"TITLE": "A b"}, "--title 'A b'"),
        ({"title": "-5"}, "--title=-5"),
        ({"title": "-"}, "'title:=\"-\"'"),
        ({"title": "@@x"}, "--title @@@x"),
        ({"token": "@x"}, "token=@@x"),
        ({"lines": ["a,b"]}, "'lines:=[\"a,b\"]'"),
        ({"lines": []}, "'lines:=[]'"),
        ({"lines": ["", "a"]}, '\'lines:=["", "a"]\''),
        ({"either": "7"}, "'either:=\"7\"'"),
        ({"either": 7}, "--either 7"),
        ({"done": False}, "--done false"),
        ({"maybe": None}, "maybe:=null"),
        ({"any": "x"}, "--any x"),
        ({"other": "x"}, "other=x"),
        ({"other": 5}, "other:=5"),
        ({"place": {"room": "hall"}}, "place.room=hall"),
        ({"place": {"room": "@hall", "shelf": [1]}}, "place.room=@@hall 'place.shelf:=[1]'"),
        ({"place": {"1": "hall"}}, '\'place:={"1": "hall"}\''),
        ({"place": {}}, "'place:={}'"),
    ],
)
def test_a_line_makes_the_call_of_an_example(params: dict[str, Any], words: str, shelf: Path, desk: Path) -> None:
    method = Catalog(str(shelf)).method("notes", "note.add")
    assert pages.command_line(method, params) == f"declarest notes note.add {words}"


def test_what_a_way_of_authorising_needs_is_marked(line: Run) -> None:
    root = str(Path(__file__).parents[1] / "service")
    out = line("library", "desk.ring", "--help", "--methods", root).out
    assert "bell (required with the link of a reader): " in out
    assert "whom (required): " in out
