from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from runner import output
from runner.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = [{"id": 1, "name": "Anna"}, {"id": 2, "tags": ["a", 2], "name": None}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": "Привет", "b": [1, None]}, '{\n  "a": "Привет",\n  "b": [\n    1,\n    null\n  ]\n}\n'),
        (7, "7\n"),
        (b"123", '"3 bytes"\n'),
        ({"when": complex(1, 2)}, '{\n  "when": "(1+2j)"\n}\n'),
    ],
)
def test_json_is_indented_and_keeps_every_script(value: Any, text: str) -> None:
    assert output.text(value, "json") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ROWS, '{"id":1,"name":"Anna"}\n{"id":2,"tags":["a",2],"name":null}\n'),
        ({"a": "б"}, '{"a":"б"}\n'),
        ([], ""),
    ],
)
def test_lines_of_json_are_one_a_row(value: Any, text: str) -> None:
    assert output.text(value, "ndjson") == text


def test_yaml_keeps_the_order_of_keys() -> None:
    assert output.text({"b": 1, "a": ["x"]}, "yaml") == "b: 1\na:\n- x\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ROWS, 'id,name,tags\n1,Anna,\n2,,"[""a"", 2]"\n'),
        ({"items": ROWS[:1]}, "id,name\n1,Anna\n"),
        ({"id": 1, "tags": [1]}, "id,tags\n1,[1]\n"),
        ([1, "two, three"], 'value\n1\n"two, three"\n'),
        ([{"a": 1}, 5], "a,value\n1,\n,5\n"),
        (True, "value\ntrue\n"),
        ([], ""),
    ],
)
def test_csv_has_a_column_for_every_key_of_any_row(value: Any, text: str) -> None:
    assert output.text(value, "csv") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (ROWS, 'id  name  tags\n1   Anna\n2         ["a", 2]\n'),
        ([{"a": "字", "b": 1}, {"a": "x", "b": 2}], "a   b\n字  1\nx   2\n"),
        ({"id": 7, "name": "Anna"}, "key   value\nid    7\nname  Anna\n"),
        ({"items": [{"a": 1}]}, "a\n1\n"),
        ({}, ""),
        ([1, "two\nlines"], "1\ntwo lines\n"),
        ("\x1b[31mred\x9b", "[31mred\n"),
        ([{"a": "a\x07b"}], "a\na b\n"),
        ([], ""),
    ],
)
def test_a_table_in_a_pipe_is_plain_columns(value: Any, text: str) -> None:
    assert output.text(value, "table") == text


def test_a_table_on_a_terminal_is_as_wide_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = output.text([{"id": 1, "name": "A name that is long"}], "table", width=20)
    assert drawn == " id   name\n ──────────────────\n 1    A name that\n      is long\n"


def test_rows_that_are_wider_than_the_terminal_stand_below_one_another() -> None:
    drawn = output.text([{"id": 1, "имя": "A long name", "a": None}, {"id": 2, "a": "x" * 30}], "table", width=20)
    assert drawn == f"id   1\nимя  A long name\n\nid   2\na    {'x' * 30}\n"


def test_a_table_on_a_terminal_is_coloured_unless_that_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1m" in output.text(ROWS, "table", width=80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in output.text(ROWS, "table", width=80)


def test_markup_of_a_value_is_no_markup() -> None:
    assert "[red]x[/red]" in output.text([{"a": "[red]x[/red]"}], "table", width=80)


def test_a_file_is_written_whole_and_its_bytes_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "answer"
    assert output.save(str(path), iter([b"one", b"two"])) == 6
    assert path.read_bytes() == b"onetwo"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, LookupError])
def test_an_answer_that_breaks_off_leaves_what_was_there(stop: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.write_bytes(b"old")

    def content() -> Iterator[bytes]:
        yield b"new"
        raise stop

    with pytest.raises(stop):
        output.save(str(path), content())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_keeps_its_rights_and_a_link_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "answer", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o600)
    link.symlink_to(path)
    output.save(str(link), [b"new"])
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_device_is_written_to_and_stays_a_device() -> None:
    output.probe(os.devnull)
    assert output.save(os.devnull, [b"new"]) == 3
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_probe_leaves_nothing_behind(tmp_path: Path) -> None:
    output.probe(str(tmp_path / "answer"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere/answer", "can't write {place}: no such file or directory"),
        ("file/answer", "can't write {place}: not a directory"),
    ],
)
def test_a_place_that_can_not_be_written_is_refused(place: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / place)
    for refused in (lambda: output.probe(path), lambda: output.save(path, [b"x"])):
        with pytest.raises(CallError) as caught:
            refused()
        assert str(caught.value) == told.format(place=path)


@pytest.mark.parametrize(
    ("place", "told"), [(" ", "--out needs the name of a file"), (".", "can't write .: it is a folder")]
)
def test_a_place_that_is_none_is_refused_before_anything_else(place: str, told: str) -> None:
    with pytest.raises(CallError) as caught:
        output.probe(place)
    assert str(caught.value) == told
