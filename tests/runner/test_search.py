from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner import compiler, index, search

Write = Callable[[str, str], Path]


def method(name: str, summary: str = "Do it", more: str = "", effect: str = "write") -> str:
    return f"method: {name}\nsummary: {summary}\neffect: {effect}\n{more}"


def built(root: Path) -> index.Tree:
    return compiler.build(str(root), str(root.parent / "cache"), "1")


def found(trees: list[index.Tree], words: str, service: str = "", lang: str = "") -> list[str]:
    return [row.name for row in search.search(trees, words, service, lang)[0]]


@pytest.fixture
def library(root: Path, write: Write) -> index.Tree:
    write("toy/box.add.yaml", method("box.add", "Make a new box", "params: {COLOUR: {}}"))
    write("toy/box.list.yaml", method("box.list", "Show every box"))
    write("toy/toolbox.add.yaml", method("toolbox.add", "Make a place for tools"))
    write("toy/lid.yaml", method("lid", "Close a box"))
    write("pen/pen.add.yaml", method("pen.add", "Make a pen"))
    write(
        "toy/ru.overlay.yaml",
        """
lang: ru
methods:
  box.add: {summary: Создать коробку}
  box.*: {summary: Работать с коробкой}
  LID: {summary: Закрыть коробку}
""",
    )
    write("toy/ru2.overlay.yaml", "lang: ru\nmethods: {lid: {description: Подробнее}, box.list: {description: x}}")
    write("toy/a.ru.overlay.yaml", "lang: ru\nmethods: {lid: {description: Раньше всех}}")
    return built(root)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("box", ["box.add", "box.list", "lid", "toolbox.add"]),
        ("BOX Add", ["box.add", "toolbox.add"]),
        ("new colour", ["box.add"]),
        ("close", ["lid"]),
        ("коробку", ["lid", "box.add"]),
        ("закрыть КОРОБКУ", ["lid"]),
        ("коробки", ["lid", "box.add"]),
        ("close the box", ["lid"]),
        ("for", ["toolbox.add"]),
        ("работать", []),
        ("nothing at all", []),
        ("", []),
        ("  ", []),
    ],
)
def test_methods_are_found_by_every_word_the_nearest_first(words: str, names: list[str], library: index.Tree) -> None:
    assert found([library], words) == names


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("create box", "box.add"),
        ("get box", "box.list"),
        ("завести коробку", "box.add"),
        ("создать pen", "pen.add"),
    ],
)
def test_people_say_other_verbs_than_services(words: str, first: str, library: index.Tree) -> None:
    assert found([library], words)[0] == first
    assert search.search([library], words)[1]


def test_where_nothing_holds_every_word_the_nearest_are_found(library: index.Tree) -> None:
    assert found([library], "close every") == ["lid", "box.list"]
    assert not search.search([library], "close every")[1]
    assert found([library], "make new place", "pen") == ["pen.add"]
    assert found([library], "close qwerty") == []
    assert search.search([library], "close the")[1]


def test_words_of_the_name_and_the_beginning_of_the_summary_weigh_most(root: Path, write: Write) -> None:
    write("toy/cup.handle.delete.yaml", method("cup.handle.delete", "Delete a handle of a cup"))
    write("toy/cup.delete.yaml", method("cup.delete", "Delete a cup, its handle, its saucer and all that was in it"))
    write("toy/room.empty.yaml", method("room.empty", "Delete everything in a room, be it a plate or a cup"))
    assert found([built(root)], "delete cup") == ["cup.delete", "cup.handle.delete", "room.empty"]


def test_a_verb_is_no_noun_in_another_case(root: Path, write: Write) -> None:
    for name in ("a", "b", "c"):
        write(f"toy/{name}.yaml", method(name))
    summaries = "a: {summary: Сделать ещё раз}, b: {summary: Найти все сделки}, c: {summary: Сделать копию сделки}"
    write("toy/ru.overlay.yaml", f"lang: ru\nmethods: {{{summaries}}}")
    assert found([built(root)], "сделка") == ["b", "c", "a"]
    assert found([built(root)], "сделать") == ["a", "c"]


def test_what_is_deprecated_stands_behind_and_a_noun_alone_asks_to_see(root: Path, write: Write) -> None:
    write("toy/cup.a.yaml", method("cup.a", "Wash cups", "deprecated: cup.b\n"))
    write("toy/cup.b.yaml", method("cup.b", "Wash cups"))
    write("toy/cup.c.yaml", method("cup.c", "Count cups", effect="read"))
    assert found([built(root)], "cups") == ["cup.c", "cup.b", "cup.a"]
    assert found([built(root)], "wash cups") == ["cup.b", "cup.a"]


def test_a_number_is_searched_in_words_and_not_in_the_places_of_rows(root: Path, write: Write) -> None:
    for number in range(60):
        write(f"toy/thing{number}.yaml", method(f"thing{number}.get"))
    tree = built(root)
    assert found([tree], "thing53") == ["thing53.get"]
    assert found([tree], "0000000") == []
    assert len(found([tree], "6")) == len([number for number in range(60) if "6" in str(number)])


def test_a_search_may_be_held_to_one_service(library: index.Tree) -> None:
    assert found([library], "make", "pen") == ["pen.add"]
    assert found([library], "make", "none") == []


def test_what_is_found_is_shown_in_the_wanted_language(library: index.Tree) -> None:
    ((row,), _) = search.search([library], "close", lang="ru")
    assert row.summary == "Закрыть коробку"
    ((row,), _) = search.search([library], "close", lang="de")
    assert row.summary == "Close a box"
    ((row,), _) = search.search([library], "every", lang="ru")
    assert row.summary == "Show every box"


def test_words_of_a_method_that_another_folder_hides_do_not_count(tmp_path: Path, library: index.Tree) -> None:
    (tmp_path / "mine/toy").mkdir(parents=True)
    (tmp_path / "mine/toy/lid.yaml").write_text(method("lid", "Open it"), encoding="utf-8")
    mine = compiler.build(str(tmp_path / "mine"), str(tmp_path / "cache"), "1")
    assert found([mine, library], "close") == []
    assert found([mine, library], "open") == ["lid"]
