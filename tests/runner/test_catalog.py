from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner import catalog
from runner.catalog import Catalog
from runner.errors import SpecError, UnknownMethod
from runner.folders import built_in

Write = Callable[[str, str], Path]
SERVICE = """
spec: 1
service: toy
title: Toy
auth: {open: {base: "https://toy.example/"}}
types: {id: {type: integer}}
variants: {v3: {title: Toy 3}, v4: {}}
dialects: {other: {commands: {AddBox: {call: box.add}}}}
"""


def method(name: str, summary: str = "Do it", more: str = "") -> str:
    return f"method: {name}\nsummary: {summary}\neffect: read\n{more}"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file below the test's folder, which holds a toy service and is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DECLAREST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("DECLAREST_CONFIG_DIR", str(tmp_path / "config"))

    def written(path: str, text: str) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    written("methods/toy/_service.yaml", SERVICE)
    written("methods/toy/box.add.yaml", method("box.add", "Add a box", "params: {ID: {$ref: '#id'}}"))
    return written


def test_a_file_that_is_dropped_is_found_at_once(write: Write) -> None:
    assert Catalog().names("toy") == ["box.add"]
    write("methods/toy/deep/box.get.yaml", method("box.get"))
    assert Catalog().names("toy") == ["box.add", "box.get"]
    assert Catalog().method("toy", "BOX.GET").name == "box.get"


def test_a_file_that_is_removed_is_gone(write: Write) -> None:
    file = write("methods/toy/box.get.yaml", method("box.get"))
    open_one = Catalog()
    assert "box.get" in open_one.names("toy")
    file.unlink()
    assert Catalog().names("toy") == ["box.add"]
    with pytest.raises(UnknownMethod):
        open_one.method("toy", "box.get")


def settled(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        os.utime(folder, ns=(1, 10**18))


def test_an_edit_in_place_is_seen_when_the_method_is_read(write: Write, tmp_path: Path) -> None:
    settled(tmp_path / "methods")
    open_one = Catalog()
    write("methods/toy/box.add.yaml", method("box.add", "Add two boxes"))
    assert open_one.method("toy", "box.add").summary == "Add two boxes"
    assert Catalog().method("toy", "box.add").summary == "Add two boxes"


def test_a_file_that_is_mended_in_place_is_found(write: Write, tmp_path: Path) -> None:
    write("methods/toy/box.get.yaml", "method: box.get\n")
    settled(tmp_path / "methods")
    with pytest.raises(SpecError, match=r"box\.get\.yaml:1:1: the file lacks summary, effect"):
        Catalog().method("toy", "box.get")
    write("methods/toy/box.get.yaml", method("box.get"))
    assert Catalog().method("toy", "box.get").name == "box.get"


def test_broken_files_are_listed_and_hide_no_other(write: Write) -> None:
    file = write("methods/toy/bad.yaml", "method: bad\n")
    write("methods/pen/_service.yaml", "spec: 9")
    found = Catalog()
    assert found.names("toy") == ["box.add"]
    assert found.broken("toy") == [f"{file}:1:1: the file lacks summary, effect; add summary: …"]
    assert len(found.broken()) == 2


def test_a_file_by_a_name_that_is_not_looked_for_is_told_where_its_method_is_asked_for(write: Write) -> None:
    write("methods/toy/box/box.more.yml", method("box.more"))
    with pytest.raises(SpecError, match=r"box\.more\.yml: a file whose name ends with \.yml is not read; name it box"):
        Catalog().method("toy", "box.more")
    write("methods/nut/_service.yml", SERVICE)
    with pytest.raises(SpecError, match=r"name it _service\.yaml"):
        Catalog().service("nut")


def test_a_broken_service_says_what_is_wrong_with_it(write: Write) -> None:
    write("methods/pen/_service.yaml", "spec: 9")
    with pytest.raises(SpecError, match=r"_service\.yaml:1:1: the file lacks service, title, auth"):
        Catalog().service("pen")
    write("methods/pen/a.yaml", "method: a")
    with pytest.raises(SpecError, match="the file lacks service"):
        Catalog().method("pen", "b")


def test_a_method_is_read_once(write: Write) -> None:
    found = Catalog()
    assert found.method("toy", "box.add") is found.method("toy", "Box.Add")
    assert found.service("toy") is found.service("toy")


def test_a_folder_that_another_thread_reads_anew_meanwhile_is_the_same_folder(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Catalog()
    found = shared._found("toy", "box.add")
    shared._trees[0] = shared._again(shared._trees[0])
    monkeypatch.setattr(shared, "_found", lambda *_: found)
    assert shared.method("toy", "box.add").name == "box.add"


def test_an_unknown_service_is_answered_with_the_nearest(write: Write) -> None:
    with pytest.raises(UnknownMethod, match=r"there is no service 'tou'; did you mean toy\?"):
        Catalog().service("tou")
    with pytest.raises(UnknownMethod, match=r"there is no service 'zzz'; there is .*toy"):
        Catalog().service("zzz")
    write("methods/lost/a.yaml", method("a"))
    write("methods/lost/b.yaml", "no: method")
    with pytest.raises(UnknownMethod, match="there is no service 'lost'"):
        Catalog().method("lost", "a")


def test_without_folders_there_are_no_services(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "search_path", lambda first: [])
    with pytest.raises(UnknownMethod, match="no folder of methods was found"):
        Catalog().service("toy")
    assert Catalog().variants("toy") == []


def test_an_unknown_method_is_answered_with_the_nearest(write: Write) -> None:
    write("methods/toy/bad.yaml", "method: bad\n")
    for name, hint in [
        ("box.ad", "did you mean box.add?"),
        ("addbax", "did you mean AddBox?"),
        ("x", "did you mean box.add or AddBox?"),
        ("zzz", "declarest find zzz searches"),
    ]:
        with pytest.raises(UnknownMethod) as caught:
            Catalog().method("toy", name)
        assert str(caught.value) == f"there is no method {name!r} in toy; {hint}"


def test_an_unknown_variant_is_told_with_the_known_ones(write: Write) -> None:
    assert Catalog().variants("toy") == ["v3", "v4"]
    assert Catalog().service("toy", "v3").title == "Toy 3"
    with pytest.raises(SpecError, match="has no variant 'v5'; it has v3, v4"):
        Catalog().service("toy", "v5")


def test_a_method_of_one_variant_needs_no_suffix(write: Write) -> None:
    write("methods/toy/lid.yaml", method("lid", more="variant: v3"))
    write("methods/toy/box.add@v3.yaml", method("box.add", "Add it anew", "variant: v3"))
    for variant in ("v3", "v4"):
        write(f"methods/toy/pen@{variant}.yaml", method("pen", more=f"variant: {variant}"))
    found = Catalog()
    assert found.method("toy", "lid").full_name == "lid@v3"
    assert found.method("toy", "box.add").summary == "Add a box"
    assert found.method("toy", "box.add@v3").summary == "Add it anew"
    for name in ("pen", "pen@v5"):
        with pytest.raises(UnknownMethod):
            found.method("toy", name)


def test_the_first_folder_that_has_a_name_wins(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("first/toy/box.add.yaml", method("box.add", "By flag"))
    write("second/toy/box.add.yaml", method("box.add", "By variable"))
    write("second/toy/box.get.yaml", method("box.get", "By variable"))
    write("config/methods/toy/box.get.yaml", method("box.get", "By the user"))
    write("config/methods/toy/box.put.yaml", method("box.put", "By the user"))
    monkeypatch.setenv("DECLAREST_METHODS", "second")
    found = Catalog("first")
    assert {name: row.summary for name, row in found.rows("toy").items()} == {
        "box.add": "By flag", "box.get": "By variable", "box.put": "By the user",
    }  # fmt: skip
    assert Catalog().method("toy", "box.add").summary == "By variable"
    assert found.services()["toy"] == "Toy"


def test_the_built_in_services_stand_behind_the_users(write: Write) -> None:
    own = {path.name for path in Path(built_in("methods")).iterdir() if (path / "_service.yaml").exists()}
    assert own < set(Catalog().services())


def test_types_are_taken_from_the_folder_of_the_method_first(write: Write) -> None:
    write("more/toy/_types/id.yaml", "types: {id: {type: string}, name: {type: string}}")
    write("more/toy/lid.yaml", method("lid", more="params: {A: {$ref: '#id'}}"))
    write("methods/toy/pen.yaml", method("pen", more="params: {A: {$ref: '#id'}, B: {$ref: '#name'}}"))
    write("methods/toy/cap.yaml", method("cap", more="params: {A: {$ref: '#none'}}"))
    found = Catalog("more")
    assert found.method("toy", "lid").schema["$defs"] == {"id": {"type": "string"}}
    assert found.method("toy", "pen").schema["$defs"] == {"id": {"type": "integer"}, "name": {"type": "string"}}
    with pytest.raises(SpecError, match=r"cap\.yaml: cap refers to the type #none"):
        found.method("toy", "cap")


def test_overlays_are_laid_on_by_name_and_by_glob_the_first_folder_last(write: Write) -> None:
    write("methods/toy/a.overlay.yaml", "methods: {BOX.*: {summary: By glob, docs: 'https://toy.example/'}}")
    write("first/toy/b.overlay.yaml", "target: [box.add, pen]\npatch: {summary: By name, params: {ID: null, N: {}}}")
    found = Catalog("first").method("toy", "box.add")
    assert (found.summary, found.document["docs"], list(found.params)) == ("By name", "https://toy.example/", ["N"])


def test_a_translation_is_laid_on_where_its_language_is_shown(write: Write) -> None:
    write("methods/toy/ru.overlay.yaml", "lang: ru\nmethods: {box.add: {summary: Создать коробку}}")
    assert Catalog().method("toy", "box.add").summary == "Add a box"
    assert Catalog(lang="ru").method("toy", "box.add").summary == "Создать коробку"
    assert Catalog(lang="ru").rows("toy")["box.add"].summary == "Создать коробку"
    assert [row.name for row in Catalog().find("коробку")] == ["box.add"]


def test_an_overlay_that_makes_a_method_invalid_is_told_by_its_file(write: Write) -> None:
    write("methods/toy/bad.overlay.yaml", "target: box.add\npatch: {effect: wirte}")
    with pytest.raises(SpecError, match=r"bad\.overlay\.yaml:1:1: effect can't be \"wirte\"; did you mean write?"):
        Catalog().method("toy", "box.add")


def test_names_of_other_tools_stand_for_methods(write: Write) -> None:
    found = Catalog()
    assert found.aliases("toy") == {"AddBox": "box.add"}
    assert found.command("toy", "ADDBOX") == {"call": "box.add", "dialect": "other", "alias": "AddBox", "flags": {}}
    assert found.command("toy", "none") is None


def test_the_owner_of_a_name_is_the_one_service_that_has_it(write: Write) -> None:
    assert Catalog().owner("box.ADD") == "toy"
    assert Catalog().owner("addbox") == "toy"
    assert Catalog().owner("none") == ""
    write("methods/pen/_service.yaml", SERVICE.replace("toy", "pen"))
    assert Catalog().owner("addbox") == ""


def test_a_search_may_be_held_to_one_service(write: Write) -> None:
    assert [row.name for row in Catalog().find("box", "toy")] == ["box.add"]
    assert Catalog().find("box", "pen") == []


@pytest.mark.parametrize("content", [b"", b"declarest-index 1 9.9.9 00000000 0 5", b"\0" * 500])
def test_a_damaged_or_foreign_cache_is_written_again(content: bytes, write: Write, tmp_path: Path) -> None:
    Catalog()
    files = list((tmp_path / "cache/index").iterdir())
    assert files
    for file in files:
        file.write_bytes(content)
    assert Catalog().names("toy") == ["box.add"]
    assert all(file.stat().st_size > 600 for file in files)


def test_a_cache_that_cannot_be_written_is_no_error(write: Write, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("here stands a file")
    assert Catalog().method("toy", "box.add").name == "box.add"


def test_a_catalogue_that_is_looked_at_in_one_place_still_finds_what_was_dropped_elsewhere(
    write: Write, tmp_path: Path
) -> None:
    for number in range(80):
        write(f"methods/toy/area/thing{number}/area.thing{number}.get.yaml", method(f"area.thing{number}.get"))
    for folder, _, _ in os.walk(tmp_path / "methods"):
        os.utime(folder, ns=(1, 10**18))
    assert len(Catalog().names("toy")) >= 80
    write("methods/toy/area/thing7/area.late.get.yaml", method("area.late.get"))
    catalog = Catalog(near="toy/area/late")
    assert catalog.beginning("none", "area.") == []
    catalog = Catalog(near="toy/area/thing8")
    assert catalog.has("toy", "area.thing8.get")
    assert catalog.has("toy", "area.late.get")
    assert not catalog.has("toy", "area.never.get")
    assert "area.late.get" in catalog.beginning("toy", "area.l")


def test_a_glob_in_another_language_changes_nothing(write: Write) -> None:
    write("methods/toy/de.overlay.yaml", "lang: de\ntarget: box.*\npatch: {summary: Ablegen}")
    assert Catalog(lang="ru").method("toy", "box.add").summary != "Ablegen"
    assert Catalog(lang="de").method("toy", "box.add").summary == "Ablegen"
