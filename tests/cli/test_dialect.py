from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]

CLERK = """\
dialects:
  clerk:
    title: Clerk
    flags:
      {--data -d: {to: params, read: json}, --hints -h: --empty, --show: --dry-run, --wait: --timeout, --link: link}
    read: {"*": escaped, --marks: list, --picture: file}
    commands:
      Put:
        call: note.add
        also: [Вложить]
        flags:
          --name -n: title
          --size -o: {to: size, warn: other tools say it in pages}
          --word -v: {to: params.token, read: text}
          --marks -q: marks
          --shelf: {to: place.shelf}
          --picture: {to: picture, named: --name}
          --done: {to: done, values: {"true": false, "false": true, maybe: null}}
          --lost: {}
        preset: {kind: Round, place.room: hall}
      Form: {skeleton: note.add, flags: {--old: {}}}
      Room: {skeleton: note.add, at: place}
      Slip: {print: {a: "{name}", b: "<what>", c: [["<which>"], "<when>"], d: 1}, of: note.add, flags: {--name: name}}
      Door: {link: "{server}/door?who={who}", of: note.list, flags: {--at: link, --who: who}}
      Gate: {link: "{server}/gate/{color}", of: note.list, flags: {--at: link, --color: color}}
"""


@pytest.fixture(autouse=True)
def clerk(desk: Path) -> None:
    path = desk / "methods" / "notes" / "_dialects" / "clerk.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(CLERK, encoding="utf-8")


def put(line: Run, site: Any, *words: str) -> Any:
    """The body that a command would send."""
    said = line("notes", "put", *words, *site.line, "--show")
    assert said.code == 0, said.err
    return said.data["body"]


def test_letters_of_a_command_go_before_the_general_ones(line: Run, site: Any) -> None:
    body = put(line, site, "-n", "A", "-o", "5", "-v", "w", "-q", "[1, 2]", "-d", "{'weight': '2.5'}")
    assert body == {
        "title": "A", "size": 5, "token": "w", "marks": [1, 2], "weight": 2.5, "kind": "Round",
        "place": {"room": "hall"},
    }  # fmt: skip
    assert line("-o", "yaml", "notes", "note.list", "--dry-run", *site.line).out.startswith("verb: POST\n")
    assert line("note.list", "-o", "yaml", "--dry-run", *site.line).out.startswith("verb: POST\n")
    assert line("Put", "-n=B", "-o=7", *site.line, "--show").data["body"]["size"] == 7
    assert line("-v").code == 0


def test_another_name_and_another_case_are_the_same_command(line: Run, site: Any) -> None:
    assert put(line, site, "--name", "A") == line("notes", "вложить", "--name", "A", *site.line, "--show").data["body"]


def test_a_difference_is_said_once(line: Run, site: Any) -> None:
    said = line("notes", "Put", "--name", "A", "-o", "2", *site.line, "--show")
    assert said.err == "warning: --size: other tools say it in pages\n"


def test_empty_values_and_zero_are_sent(line: Run, site: Any) -> None:
    body = put(line, site, "--name", "", "--size", "0", "--marks", "")
    assert (body["title"], body["size"], body["marks"]) == ("", 0, [])


def test_a_preset_gives_way_to_the_line(line: Run, site: Any) -> None:
    body = put(line, site, "--name", "A", "KIND=PLAIN", "PLACE.room=cellar", "--shelf", "3", "--lost", "x")
    assert (body["KIND" if "KIND" in body else "kind"], body["place"]) == ("PLAIN", {"room": "cellar", "shelf": 3})


def test_words_mean_what_the_dialect_says(line: Run, site: Any) -> None:
    assert put(line, site, "--name", "A", "--done", "yes")["done"] is False
    assert put(line, site, "--name", "A", "--done", "НЕТ")["done"] is True
    said = line("notes", "Put", "--name", "A", "--done", "never", *site.line, "--show")
    assert said.code == 2
    assert "'never' is none of true, false, maybe" in said.err


def test_a_form_that_does_not_fit_is_an_error_of_its_param(line: Run, site: Any) -> None:
    said = line("notes", "Put", "--name", "A", "--picture", "nowhere.png", "--size", "x", *site.line, "--show")
    assert said.code == 2
    assert "picture: 'nowhere.png' is no file, no address and no base64; check the path" in said.err
    assert 'size: "x" is not' in said.err


def test_a_switch_of_the_tool_takes_no_value_and_an_option_one(line: Run, site: Any) -> None:
    assert put(line, site, "--name", "A", "--wait", "5")["title"] == "A"
    assert line("notes", "Put", "--name", "A", "--wait", "0", *site.line).code == 2


def test_a_structure_is_printed_without_hints_or_with_them(line: Run) -> None:
    plain = line("notes", "Form")
    assert (
        plain.data == line("show", "notes", "note.add", "--skeleton").data == line("notes", "Form", "-h", "true").data
    )
    assert line("notes", "Form", "--hints=false", "--old", "x").data["title"] == "<What it is called>"
    assert line("notes", "Room", "--output", "yaml").out == "room: ''\nshelf: 0\n"
    assert line("notes", "Slip", "--name", "<A>").data == {"a": "<A>", "b": "", "c": [[]], "d": 1}
    assert line("notes", "Slip", "--name=A", "-h", "false").data["c"] == [["<which>"], "<when>"]


def test_a_misfit_is_told_with_the_option_that_gives_the_value(line: Run) -> None:
    said = line("notes", "Put", "--size", "big", "--sandbox")
    assert [one.strip() for one in said.err.splitlines() if one.startswith("  ")] == [
        "title: is required; --name gives it",
        'size: "big" is not a whole number; --size gives it',
    ]


def test_a_link_takes_the_connection_and_the_options(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    said = line("notes", "Door", "--at", "https://n.example#opener", "--who", "Anna & Ash", "--show")
    assert said == (0, "https://n.example/door?who=Anna%20%26%20Ash\n", "")
    monkeypatch.setenv("DECLAREST_NOTES_LINK", "https://m.example#opener")
    assert line("notes", "Door", "--who", "A").out == "https://m.example/door?who=A\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["Door", "--at", "https://n.example#x"], "error: Door needs --who\n"),
        (["Door", "--who", "A"], "error: Door needs --at\n"),
        (["Gate", "--at", "https://n.example#x"], "error: Gate needs --color\n"),
        (["Slip"], "error: Slip needs --name\n"),
        (["Slip", "--name"], "error: --name needs a value\n"),
        (["Slip", "--nam", "x"], "error: Slip has no option --nam; did you mean --name?\n"),
        (["Form", "--qqqqq", "x"], "error: Form has no option --qqqqq; it has --data, -d, --hints"),
    ],
)
def test_what_a_command_lacks_is_named(words: list[str], told: str, line: Run) -> None:
    said = line("notes", *words)
    assert said.code == 2
    assert said.err.startswith(told)


def test_help_says_what_a_command_stands_for_and_what_it_takes(line: Run) -> None:
    page = line("notes", "вложить", "--help").out
    assert page.startswith("Put, Вложить (Clerk) calls note.add\n\nOptions of Put:\n")
    assert "  -o, --size              size; other tools say it in pages\n" in page
    assert "  --lost                  means nothing here\n" in page
    assert "\nnote.add: Write a note\n" in page
    assert line("notes", "Form", "--help").out.startswith("Form (Clerk) prints a structure for note.add\n")
    assert line("notes", "Slip", "--help").out.startswith("Slip (Clerk) prints a structure for note.add\n")
    assert line("notes", "Door", "--help").out.startswith("Door (Clerk) prints an address for note.list\n")


def test_a_command_is_found_shown_and_completed(line: Run) -> None:
    assert line("find", "вложить").out.endswith("note.add  Write a note\n")
    assert line("find", "Slip").out.endswith("note.add  Write a note\n")
    assert line("show", "notes", "Door").out.startswith("note.list: List the notes\n")
    assert line("show", "notes", "Put", "--output", "json").data["method"] == "note.add"
    assert line("--complete", "notes", "Вл").out == "Вложить\n"
    assert line("--complete", "notes", "Put", "--sh").out.split() == ["--show", "--shelf", "--show-secrets"]
    assert json.loads(line("notes", "Form").out)["kind"] == "PLAIN"
