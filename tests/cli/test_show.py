from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runner.folders import built_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]


def test_find_lists_the_methods_that_hold_every_word(line: Run) -> None:
    assert line("find", "note", "picture", "fetch", "--lang", "en") == (
        0,
        "notes note.picture  Fetch the picture of a note\n",
        "",
    )
    assert line("find", "notes", "list", "--methods", ".").out.startswith("notes note.list  List the notes\n")


def test_find_answers_in_every_form(line: Run) -> None:
    assert line("find", "notes", "note.get", "-o", "csv").out == "service,method,summary\nnotes,note.get,Read a note\n"
    assert line("find", "nothing-like-it", "-o", "json") == (0, "[]\n", "")


def test_find_without_luck_says_so(line: Run) -> None:
    assert line("find", "qwerty", "asdf") == (
        2,
        "",
        "error: no method has qwerty and asdf; say it in other words\n",
    )


def test_find_says_which_words_nothing_has_and_when_no_method_has_all(line: Run) -> None:
    assert line("find", "note", "qwerty").err == "error: no method has qwerty; say it in other words\n"
    said = line("find", "notes", "picture", "list", "--lang", "en")
    assert said.out.startswith("notes note.")
    assert said.err == "no method has all of these words; the nearest are\n"


def test_find_tells_of_broken_files(line: Run, desk: Path) -> None:
    folder = desk / "methods" / "notes" / "note"
    folder.mkdir(parents=True)
    (folder / "note.bad.yaml").write_text("method: note.bad\n")
    said = line("find", "note.get")
    assert said.code == 0
    assert line("find", "qwerty").err.startswith("warning: ")


@pytest.mark.parametrize("name", ["find", "show"])
def test_a_command_without_words_says_how_it_is_used(name: str, line: Run) -> None:
    said = line(name)
    assert said.code == 0
    assert said.out.startswith(f"declarest {name} ")
    assert line(name, "--help") == said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["find", "note", "--dry-run"], "find has no option --dry-run; it has --output, --methods, --lang"),
        (["show", "note.add", "--skeletn"], "show has no option --skeletn; did you mean --skeleton?"),
        (["show", "notes", "note.add", "note.get"], "show takes one method; write declarest show SERVICE METHOD"),
        (["show", "nothing"], "which service has 'nothing'?; write declarest show SERVICE METHOD"),
        (["show", "note", "note.add"], "there is no service 'note'; did you mean notes?"),
        (["show", "notes", "note.ad"], "there is no method 'note.ad' in notes; did you mean note.add"),
    ],
)
def test_a_slip_is_met_with_what_was_meant(words: list[str], told: str, line: Run) -> None:
    said = line(*words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {told}")


def test_show_says_what_a_method_is(line: Run) -> None:
    page = line("notes", "note.add", "--help")
    assert page.code == 0
    for words in (["note.add"], ["notes", "note.add"], ["NOTE.ADD"], ["notes", "NewNote"], ["NoteShape"]):
        assert line("show", *words) == page


def test_show_of_a_service_is_its_first_page(line: Run) -> None:
    assert line("show", "notes") == line("notes")


def test_show_answers_with_the_file_and_the_schema(line: Run) -> None:
    data = line("show", "note.get", "-o", "json").data
    assert data == {
        "service": "notes",
        "method": "note.get",
        "summary": "Read a note",
        "effect": "read",
        "deprecated": True,
        "params": {"id": {"type": "integer"}},
        "required": ["id"],
        "input": {
            "type": "object",
            "properties": {"id": {"type": "integer"}},
            "required": ["id"],
            "additionalProperties": False,
        },
    }


def test_a_skeleton_is_written_in_every_form(line: Run) -> None:
    assert line("show", "note.get", "--skeleton") == (0, '{\n  "id": 0\n}\n', "")
    assert line("show", "--skeleton", "-o", "yaml", "note.get") == (0, "id: 0\n", "")


def test_where_there_is_one_service_it_is_meant(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.folders.built_in", lambda what: "nowhere" if what == "methods" else built_in(what))
    said = line("show", "note.ad")
    assert said.err.startswith("error: there is no method 'note.ad' in notes; did you mean note.add")
