from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]

LOGIN = ["--server", "https://letters.example", "--token", "x"]


def test_a_new_service_is_written_to_the_users_folder_and_works_at_once(line: Run, desk: Path) -> None:
    root = desk / "config" / "methods"
    assert line("new", "letters", "letter.add") == (
        0,
        f"{root}/letters/_service.yaml\n{root}/letters/letter/letter.add.yaml\n",
        f"edit it, then: declarest check {root}/letters/letter/letter.add.yaml\n"
        "               declarest letters letter.add id=1 --sandbox\n",
    )
    assert line("check", str(root)) == (0, "", "2 files, 0 errors, 0 warnings\n")
    assert line("letters", "letter.add", "id=1", *LOGIN, "--dry-run").data == {
        "verb": "POST",
        "url": "https://letters.example/letter.add",
        "headers": {"Content-Type": "application/json", "Authorization": "Bearer ***"},
        "body": {"id": 1},
    }
    assert line("letters", "letter.add", "id=1", "--sandbox").code == 0


def test_a_folder_of_methods_in_the_working_folder_comes_first(line: Run, desk: Path) -> None:
    (desk / "methods").mkdir()
    assert line("new", "letters", "ping").out == "methods/letters/_service.yaml\nmethods/letters/ping.yaml\n"


def test_a_method_joins_a_service_that_is_there(line: Run, desk: Path) -> None:
    said = line("new", "notes", "note.more", "--methods", "mine")
    assert said == (
        0,
        "mine/notes/note/note.more.yaml\n",
        "edit it, then: declarest check mine/notes/note/note.more.yaml --methods mine\n"
        "               declarest notes note.more id=1 --sandbox --methods mine\n",
    )
    assert line("check", "mine/notes/note/note.more.yaml", "--methods", "mine").code == 0
    words = ["--server", "https://notes.example", "--token", "x", "--dry-run", "--methods", "mine"]
    assert line("notes", "note.more", "id=1", *words).code == 0


@pytest.mark.parametrize("name", ["my.deal.archive.list", "my.ping@v3", "Get-Me", "x_1"])
def test_every_name_that_is_taken_makes_a_file_without_faults(name: str, line: Run, desk: Path) -> None:
    (desk / "methods").mkdir()
    said = line("new", "bitrix24", name)
    assert said.code == 0
    assert line("check", "methods") == (0, "", "1 file, 0 errors, 0 warnings\n")
    assert line("bitrix24", name, "id=1", "--url", "p.example", "--token", "x", "--dry-run").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["Letters", "ping"], "'Letters' can't be a service; lower-case letters, digits, - and _"),
        (["find", "ping"], "'find' is a command of declarest and can't be a service; take another name"),
        (["mcp", "ping"], "'mcp' is a command of declarest and can't be a service; take another name"),
        (["letters", "a..b"], "'a..b' can't be a method; words parted by dots, such as note.add"),
        (["letters", "../x"], "'../x' can't be a method; words parted by dots, such as note.add"),
        (["letters", "письмо"], "'письмо' can't be a method; words parted by dots, such as note.add"),
        (["letters", "ping@v2"], "letters has no variant 'v2'; it has none"),
        (["bitrix24", "ping@v9"], "bitrix24 has no variant 'v9'; it has v3"),
        (["letters", "ping", "--sandbox"], "new has no option --sandbox; it has --methods"),
    ],
)
def test_a_name_that_could_not_be_called_is_refused(words: list[str], told: str, line: Run, desk: Path) -> None:
    assert line("new", *words) == (2, "", f"error: {told}\n")
    assert not (desk / "config").exists()


def test_a_file_that_is_there_is_never_written_over(line: Run, desk: Path) -> None:
    (desk / "methods").mkdir()
    line("new", "letters", "ping")
    path = desk / "methods" / "letters" / "ping.yaml"
    path.write_text("mine")
    assert line("new", "letters", "ping") == (
        2,
        "",
        "error: methods/letters/ping.yaml is there already; edit it, or take another name\n",
    )
    assert path.read_text() == "mine"


def test_a_place_that_can_not_be_written_is_told(line: Run, desk: Path) -> None:
    (desk / "taken").touch()
    said = line("new", "letters", "ping", "--methods", "taken")
    assert said == (2, "", "error: can't write taken/letters/_service.yaml: not a directory\n")


@pytest.mark.parametrize(("words", "code"), [([], 0), (["--help"], 0), (["letters"], 2), (["a", "b", "c"], 2)])
def test_new_says_how_it_is_used(words: list[str], code: int, line: Run) -> None:
    said = line("new", *words)
    assert said == (code, "declarest new SERVICE METHOD\n\n  write a starting file for a method of your own\n", "")
