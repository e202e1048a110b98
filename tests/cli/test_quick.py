from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runner.catalog import Catalog
from runner.cli import quick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]


@pytest.fixture(params=[True, False], ids=["index at hand", "no index yet"])
def quickly(request: pytest.FixtureRequest, desk: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the index alone can answer."""
    if request.param:
        Catalog()
    else:
        monkeypatch.setenv("DECLAREST_CACHE_DIR", str(desk / "cache"))
    return bool(request.param)


def test_search_is_answered_with_and_without_an_index(quickly: bool, line: Run) -> None:
    assert (quick.answer(["find", "notes", "write", "note"]) == 0) is quickly
    assert line("find", "notes", "write", "note") == (0, "notes note.add  Write a note\n", "")
    assert "bitrix24 " in line("find", "NOTES", "write", "note").out  # a word, and no service to hold the search to
    assert line("find", "notes", "note.get") == (0, "notes note.get  Read a note\n", "")


def test_names_are_completed_with_and_without_an_index(quickly: bool, line: Run) -> None:
    assert (quick.answer(["--complete", "notes", "note.a"]) == 0) is quickly
    assert line("--complete", "notes", "note.a") == (0, "note.add\n", "")


def test_a_search_that_is_nearly_right_says_so(desk: Path, line: Run) -> None:
    assert line("find", "notes", "picture", "list") == line("find", "notes", "picture", "list", "--lang", "en")
    assert line("find", "notes", "picture", "list").err == quick.NEAREST


def test_search_with_options_and_search_that_finds_nothing_are_left_to_others(desk: Path) -> None:
    Catalog()
    assert quick.answer(["find", "--lang", "ru", "note"]) is None
    assert quick.answer(["find", "nothing-of-the-kind"]) is None
    assert quick.answer(["find"]) is None
    assert quick.answer(["--complete", "notes", "note.add", ""]) is None


def test_a_file_that_was_edited_since_is_not_shown_from_the_index(desk: Path, line: Run) -> None:
    path = desk / "methods" / "letters" / "ping.yaml"
    path.parent.mkdir(parents=True)
    (path.parent / "_service.yaml").write_text(
        "spec: 1\nservice: letters\ntitle: Letters\nauth: {none: {base: 'https://letters.example/'}}\n"
    )
    path.write_text("method: ping\nsummary: Unheard of\neffect: read\n")
    assert line("find", "unheard").out == "letters ping  Unheard of\n"
    path.write_text("method: ping\nsummary: Unheard and unseen\neffect: read\n")
    assert quick.answer(["find", "unheard"]) is None


@pytest.mark.parametrize(
    ("surroundings", "language"),
    [
        ({}, ""),
        ({"LANG": "C.UTF-8"}, ""),
        ({"LANG": "en_US.UTF-8"}, ""),
        ({"LANG": "POSIX"}, ""),
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C"}, ""),
        ({"LANG": "C", "DECLAREST_LANG": "RU"}, "ru"),
    ],
)
def test_the_language_is_that_of_the_surroundings(
    surroundings: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    assert quick.language() == language


def test_search_speaks_the_language_of_the_person(line: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "ru_RU.UTF-8")
    assert "Создать чат" in line("find", "im.chat.add").out
    assert line("find", "--lang", "en", "im.chat.add").out == "bitrix24 im.chat.add  Create a chat\n"


def test_a_search_that_finds_much_shows_the_first_of_it() -> None:
    rows = Catalog().find("crm", "bitrix24")
    text = quick.listed(rows, services=False, most=2)
    assert len(rows) > 2
    assert text.splitlines()[-1] == f"… and {len(rows) - 2} more: say another word"
    assert quick.listed([], services=True) == ""


def test_one_is_singular() -> None:
    assert [quick.counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], [*quick.COMMANDS, "bitrix24", "notes"]),
        ([""], [*quick.COMMANDS, "bitrix24", "notes"]),
        (["b"], ["batch", "bulk", "bitrix24"]),
        (["N"], ["new", "notes"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["completion", "z"], ["zsh"]),
        (["batch", ""], ["bitrix24", "notes"]),
        (["new", "n"], ["notes"]),
        (["show", "n"], ["notes"]),
        (["sandbox", ""], ["serve", "reset", "bitrix24", "notes"]),
        (["sandbox", "serve", "n"], ["notes"]),
        (["notes", "note.a"], ["note.add"]),
        (["notes", "n"], ["NewNote", "NoteShape", "note.add", "note.drop", "note.get", "note.list", "note.picture",
                          "note.scan"]),
        (["show", "notes", "note.g"], ["note.get"]),
        (["new", "notes", "note.g"], ["note.get"]),
        (["batch", "notes", ""], None),
        (["notes", "-"], None),
        (["notes", "--output", ""], None),
        (["notes", "note.add", ""], None),
        (["find", ""], None),
    ],
)  # fmt: skip
def test_what_may_come_next(words: list[str], found: list[str] | None) -> None:
    assert quick.candidates(Catalog().trees, words) == found


def test_show_completes_methods_where_there_is_one_service(desk: Path) -> None:
    trees = [tree for tree in Catalog().trees if "shelf" in tree.root]
    assert quick.candidates(trees, ["show", "note.a"]) == ["note.add"]
