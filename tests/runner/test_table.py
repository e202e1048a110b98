from __future__ import annotations

import datetime as dt
import io
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from runner import CallError
from runner.table import Table, _Marks

if TYPE_CHECKING:
    from pathlib import Path


def read(content: bytes | str, name: str = "a.csv", **words: str) -> list[tuple[int, dict[str, Any], str]]:
    """The rows of a file: line, cells, fault."""
    raw = content.encode() if isinstance(content, str) else content
    return [(row.line, row.cells, row.fault) for row in Table(io.BytesIO(raw), name, **words).rows()]


def cells(content: bytes | str, name: str = "a.csv", **words: str) -> list[dict[str, Any]]:
    return [row[1] for row in read(content, name, **words)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b c\n1,x y\n", {}),
        ("\ufeffa;b c\r\n1;x y\r\n", {}),
        ("a\tb c\r1\tx y", {}),
        ('"a";"b c"\n"1";"x y"\n', {}),
        ("sep=|\na|b c\n1|x y\n", {}),
        ("a:b c\n1:x y\n", {"delimiter": ":"}),
        ("a\tb c\n1\tx y\n", {"delimiter": "tab"}),
        ("a,b c\n1,x y\n".encode("utf-16"), {}),
        ("\n\na, b c ,,\n,,\n1,x y,,\n\n"[2:], {}),
    ],
)
def test_a_table_is_read_as_spreadsheets_write_it(content: bytes | str, words: dict[str, str]) -> None:
    assert cells(content, **words) == [{"a": "1", "b c": "x y"}]


def test_a_table_in_another_encoding_is_read_when_it_is_named() -> None:
    content = "Название;Сумма\nСделка;5\n".encode("cp1251")
    assert cells(content, encoding="cp1251") == [{"Название": "Сделка", "Сумма": "5"}]
    with pytest.raises(CallError, match=r"a\.csv, about line 1: this is not utf-8 text; give its encoding"):
        read(content)
    with pytest.raises(CallError, match="there is no encoding 'cp12'"):
        read(content, encoding="cp12")


def test_each_row_says_on_which_line_it_begins() -> None:
    found = read('a,b\n"x\ny",1\n\n2,3\n')
    assert [(line, row["a"]) for line, row, _ in found] == [(2, "x\ny"), (5, "2")]
    assert [row[0] for row in read("sep=,\na\n1\n2\n")] == [3, 4]


def test_a_row_with_more_cells_than_columns_says_so() -> None:
    assert read("a,b,,\n1,2,3\n4\n")[0][2] == "has 3 cells, and there are 2 columns"
    assert read("a,,b\n1,x,2\n")[0][2] == "has 3 cells, and there are 3 columns"
    assert read("a,,b\n1,,2\n") == [(2, {"a": "1", "b": "2"}, "")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "a.csv has no columns; its first line names them"),
        (",,\n1,2\n", "a.csv has no columns"),
        ("a,b,a\n1,2,3\n", "a.csv has two columns 'a'; rename one of them"),
        ('a\n1\n"x\n', "a.csv, line 3: unexpected end of data; a quotation mark"),
        ('a\n"x"y\n', "a.csv, line 2: ',' expected after '\"'"),
        ("a,_unknown\n1,lost\n", "the rows of a.csv may have been carried out already; look which"),
    ],
)
def test_a_table_that_is_none_is_told(content: str, told: str) -> None:
    with pytest.raises(CallError) as caught:
        read(content)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("delimiter", ["ab", '"', "\n"])
def test_a_delimiter_is_one_letter(delimiter: str) -> None:
    with pytest.raises(CallError, match="--delimiter can't be"):
        read("a\n1\n", delimiter=delimiter)


def test_the_column_of_errors_is_passed_over() -> None:
    assert cells("a,_error\n1,NO: not so\n") == [{"a": "1"}]
    assert cells('{"a": 1, "_error": "x"}\n', "a.ndjson") == [{"a": 1}]
    with pytest.raises(CallError, match="may have been carried out already"):
        cells('{"a": 1, "_unknown": "x"}\n', "a.ndjson")


def test_lines_of_json_are_objects_as_they_are() -> None:
    content = '\ufeff{"a": [1]}\n\n[1]\n{"a"\n{}\n'
    assert read(content, "a.jsonl") == [
        (1, {"a": [1]}, ""),
        (3, {}, "is no JSON object"),
        (4, {}, "is no JSON: Expecting ':' delimiter, at letter 6"),
        (5, {}, ""),
    ]
    with pytest.raises(CallError, match="about line 1: this is not utf-8 text"):
        read(b'{"a": "\xff"}', "a.ndjson")


def test_a_list_of_json_is_read() -> None:
    assert read('[{"a": 1}, 7]', "a.json") == [(0, {"a": 1}, ""), (0, {}, "is no JSON object")]
    for content, told in ((b"{}", "is no list of rows"), (b"[", "is no JSON"), (b'["\xff"]', "is not utf-8 text")):
        with pytest.raises(CallError, match=told):
            read(content, "a.json")


@pytest.mark.parametrize(
    ("content", "form"), [(' {"a": 1}', "ndjson"), ("[]", "json"), ("a\n1\n", "csv"), ("PK\3\4", "xlsx"), ("", "csv")]
)
def test_a_name_that_says_nothing_leaves_it_to_the_content(content: str, form: str) -> None:
    assert Table(io.BytesIO(content.encode()), "standard input").form == form


def test_a_file_with_a_look_ahead_of_its_own_is_read_from_it(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("a\n1\n")
    with open(tmp_path / "rows", "rb") as file:
        assert [row.cells for row in Table(file, "rows").rows()] == [{"a": "1"}]
        assert not file.closed


HALF_PAST_SEVEN = dt.datetime(2026, 1, 5, 7, 30)  # noqa: DTZ001 - a workbook knows no zones


def workbook(*rows: list[Any], more: str = "") -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if more:
        book.create_sheet(more).append(["z"])
        book[more].append([1])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_a_workbook_keeps_its_numbers_and_writes_dates_as_iso() -> None:
    content = workbook(
        [],
        ["n", "x", "day", "at", "time", "yes", "text", "none", None],
        [5, 2.5, dt.date(2026, 1, 5), HALF_PAST_SEVEN, dt.time(7, 30), True, "a", None],
        [None, ""],
        [1e3],
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        ["#N/A"],
        [dt.timedelta(hours=30)],
    )
    found = read(content, "a.xlsx")
    assert found[0] == (
        3,
        {
            "n": 5, "x": 2.5, "day": "2026-01-05", "at": "2026-01-05T07:30:00", "time": "07:30:00", "yes": True,
            "text": "a",
        },
        "",
    )  # fmt: skip
    assert (found[1][0], found[1][1]["n"]) == (5, 1000)
    assert found[2][2].endswith("and there are 8 columns")
    assert found[3][2] == "the cell n is an error of the workbook"
    assert isinstance(found[4][1]["n"], str)


def test_a_sheet_is_chosen_by_its_name() -> None:
    content = workbook(["a"], [1], more="Second")
    assert cells(content, "a.xlsx", sheet="Second") == [{"z": 1}]
    with pytest.raises(CallError, match=r"a\.xlsx has no sheet 'Third'; it has Sheet, Second"):
        cells(content, "a.xlsx", sheet="Third")


def test_a_workbook_may_come_through_a_pipe() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    assert [row.cells for row in Table(Pipe(workbook(["a"], [1])), "a.xlsx").rows()] == [{"a": 1}]


def test_what_is_no_workbook_is_told() -> None:
    with pytest.raises(CallError, match=r"a\.xlsx is no xlsx file"):
        read(b"PK\3\4 and nothing more", "a.xlsx")


def changed(content: bytes, member: str, old: str, new: str) -> bytes:
    """A workbook with something else written in one of its files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as book, zipfile.ZipFile(stream, "w") as made:
        for name in book.namelist():
            text = book.read(name).decode()
            made.writestr(name, text.replace(old, new) if name == member else text)
    return stream.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def test_a_formula_without_a_value_is_no_empty_cell() -> None:
    content = workbook(["a", "b", None], ["x", "=1+1", None], ["=2+2"], ["y", 5, "=3+3"])
    found = read(content, "a.xlsx")
    told = "is a formula without a value; open it in a spreadsheet program and save it"
    assert [row[2] for row in found] == [f"the cell b {told}", f"the cell a {told}", ""]
    saved = changed(content, SHEET, "<f>1+1</f><v />", "<f>1+1</f><v>2</v>")
    assert read(saved, "a.xlsx")[0] == (2, {"a": "x", "b": 2}, "")
    empty = changed(content, SHEET, '"B2"><f>1+1</f>', '"B2" t="str"><f>1+1</f>')  # which is what it came to
    assert read(empty, "a.xlsx")[0] == (2, {"a": "x", "b": None}, "")


def test_a_cell_that_is_part_of_another_one_is_no_empty_cell() -> None:
    book = openpyxl.Workbook()
    for row in (["a", "b"], ["x", 1], [None, 2], ["y", None, "note"], [None, None], ["z", 3]):
        book.active.append(row)
    for merged in ("A2:A3", "B4:B5", "A1:A1", "AA6:AB7"):
        book.active.merge_cells(merged)
    stream = io.BytesIO()
    book.save(stream)
    told = "is merged with another one, which alone has a value; part them"
    faults = {row[0]: row[2] for row in read(stream.getvalue(), "a.xlsx")}
    assert (faults[2], faults[3], faults[5], faults[6]) == ("", f"the cell a {told}", f"the cell b {told}", "")


def test_an_empty_sheet_is_told_with_the_names_of_the_others() -> None:
    with pytest.raises(CallError, match=r"a\.xlsx has no columns; --sheet takes another one: Second"):
        read(workbook(more="Second"), "a.xlsx")
    with pytest.raises(CallError, match=r"a\.xlsx has no columns; its first line names them"):
        read(workbook(), "a.xlsx")


def test_a_damaged_workbook_is_told() -> None:
    content = workbook(["a"], ["x"])
    with pytest.raises(CallError, match=r"a\.xlsx is a damaged workbook: .*; open it in a spreadsheet program"):
        read(changed(content, SHEET, "</sheetData>", "<sheetData>"), "a.xlsx")
    with pytest.raises(CallError, match=r"a\.xlsx is no xlsx file"):
        read(changed(content, "xl/workbook.xml", "<sheets>", "<sheets><sheet/>"), "a.xlsx")


def test_a_sheet_that_is_not_where_it_should_be_is_read_as_it_is() -> None:
    assert not _Marks(io.BytesIO(workbook(["a"], ["=1"])), "").formulas


def test_a_key_that_stands_twice_is_told_and_not_lost() -> None:
    assert read(b'{"a": {"b": 1, "c": 2, "b": 3}}\n{"a": 1}\n', "a.ndjson") == [
        (1, {}, "has the key 'b' twice"),
        (2, {"a": 1}, ""),
    ]
    with pytest.raises(CallError, match=r"a\.json: an object has the key 'a' twice; leave one of them"):
        read(b'[{"a": 1, "a": 1}]', "a.json")
    assert read("[" * 100_000, "a.ndjson")[0][2].startswith("is no JSON: maximum recursion depth")
    assert read(b'{"a": 1\n', "a.ndjson")[0][2] == "is no JSON: Expecting ',' delimiter, at letter 9"


def test_reading_workbooks_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(CallError, match=r"reading xlsx needs openpyxl; pip install 'declarest\[xlsx\]'"):
        read(b"PK", "a.xlsx")
