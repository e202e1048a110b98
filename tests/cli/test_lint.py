from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]

SERVICE = "spec: 1\nservice: letters\ntitle: Letters\nauth: {none: {base: 'https://letters.example/'}}\n"
METHOD = "method: letter.add\nsummary: Write a letter\neffect: write\nparams:\n  title: {type: string}\n"


@pytest.fixture
def letters(desk: Path) -> Path:
    """A service with one method, in the working folder."""
    path = desk / "methods" / "letters" / "letter" / "letter.add.yaml"
    path.parent.mkdir(parents=True)
    (desk / "methods" / "letters" / "_service.yaml").write_text(SERVICE)
    path.write_text(METHOD)
    return path


def test_files_without_faults_pass(line: Run, letters: Path) -> None:
    assert line("check", str(letters)) == (0, "", "1 file, 0 errors, 0 warnings\n")
    assert line("check", "methods") == (0, "", "2 files, 0 errors, 0 warnings\n")
    assert line("check", "methods/letters", str(letters)) == (0, "", "3 files, 0 errors, 0 warnings\n")


def test_a_file_by_a_name_that_is_not_looked_for_is_told(line: Run, letters: Path) -> None:
    other = letters.rename(letters.with_suffix(".yml"))
    said = line("check", "methods")
    assert said.code == 2
    assert said.out == (
        "methods/letters/letter/letter.add.yml: error: a file whose name ends with .yml is not read; "
        "name it letter.add.yaml\n"
    )
    assert line("check", str(other)).code == 2
    assert "name it letter.add.yaml" in line("letters", "letter.add").err


def test_without_a_path_everything_is_checked(line: Run, letters: Path, shelf: Path) -> None:
    letters.write_text(METHOD + "sumary: x\n")
    said = line("check")
    assert said.code == 2
    assert said.out == f"{letters}:6:1: error: the key 'sumary' is not known; did you mean summary?\n"
    assert int(said.err.split()[0]) > 40


def test_every_fault_has_its_place_and_its_fix(line: Run, letters: Path) -> None:
    letters.write_text(METHOD.replace("type:", "typ:").replace("write", "wrte"))
    said = line("check", "methods/letters/letter/letter.add.yaml")
    assert said == (
        2,
        'methods/letters/letter/letter.add.yaml:3:9: error: effect can\'t be "wrte"; did you mean write?\n'
        "methods/letters/letter/letter.add.yaml:5:11: error: the key 'typ' is not known; did you mean type?\n",
        "1 file, 2 errors, 0 warnings\n",
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("spec: 1", "spec: 2", "1:7: error: spec must be 1, not 2"),
        ("title:", "titel:", "1:1: error: the file lacks title; add title: …"),
        (
            "service: letters",
            "service: leters",
            "2:10: error: the service 'leters' stands in a folder called 'letters'; rename one",
        ),
    ],
)
def test_what_is_wrong_with_a_service_is_told_once(old: str, new: str, told: str, line: Run, letters: Path) -> None:
    letters.with_name("letter.get.yaml").write_text(METHOD.replace("letter.add", "letter.get"))
    letters.parents[1].joinpath("_service.yaml").write_text(SERVICE.replace(old, new))
    said = line("check", "methods")
    assert said.code == 2
    assert said.out.splitlines()[0] == f"methods/letters/_service.yaml:{told}"
    assert "letter.add.yaml" not in said.out
    assert "letter.get.yaml" not in said.out


def test_warnings_hinder_nobody(line: Run, letters: Path) -> None:
    other = letters.with_name("add.yaml")
    letters.rename(other)
    assert line("check", str(other)) == (
        0,
        f"{other}:1:9: warning: the file of letter.add is called letter.add.yaml; rename add.yaml\n",
        "1 file, 0 errors, 1 warning\n",
    )


def test_a_folder_that_is_not_called_methods_can_be_checked(line: Run, letters: Path, desk: Path) -> None:
    (desk / "methods").rename(desk / "mine")
    path = "mine/letters/letter/letter.add.yaml"
    assert line("check", "mine") == (0, "", "2 files, 0 errors, 0 warnings\n")
    assert line("check", path) == (0, "", "1 file, 0 errors, 0 warnings\n")
    (desk / "mine" / "notes" / "note").mkdir(parents=True)
    other = desk / "mine" / "notes" / "note" / "note.more.yaml"
    other.write_text(METHOD.replace("letter.add", "note.more"))
    assert line("check", str(other), "--methods", "mine") == (0, "", "1 file, 0 errors, 0 warnings\n")
    assert line("check", str(other)).code == 2
    assert line("check", "mine/notes", "--methods", "mine").code == 0


def test_a_method_of_another_folders_service_is_checked_where_methods_are(line: Run, desk: Path) -> None:
    path = desk / "methods" / "notes" / "note" / "note.more.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(METHOD.replace("letter.add", "note.more"))
    assert line("check", str(path)) == (0, "", "1 file, 0 errors, 0 warnings\n")


def test_a_service_that_can_not_be_called_is_an_error(line: Run, desk: Path) -> None:
    for name in ("find", "login"):
        folder = desk / "methods" / name
        folder.mkdir(parents=True)
        (folder / "_service.yaml").write_text(SERVICE.replace("letters\n", f"{name}\n", 1))
    said = line("check", "methods")
    assert said.code == 2
    assert [one.partition(": ")[2] for one in said.out.splitlines()] == [
        "error: find is a command, which a service can't be called; take another name",
        "error: login is a command, which a service can't be called; take another name",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.yaml"], "there is no file nowhere.yaml"),
        (["--methods", "nowhere"], "there is no folder 'nowhere'; --methods takes a folder of services"),
        (["--fix"], "check has no option --fix; it has --methods"),
        (["-o", "csv"], "check has no option --output; it has --methods"),
    ],
)
def test_a_slip_of_the_line_is_told(words: list[str], told: str, line: Run) -> None:
    said = line("check", *words)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_check_says_how_it_is_used(line: Run) -> None:
    said = line("check", "--help")
    assert said == (0, "declarest check [PATH...]\n\n  check YAML files: what is wrong, where, and the fix\n", "")
