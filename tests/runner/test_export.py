from __future__ import annotations

import csv
import importlib.util
import json
import os
import resource
import sqlite3
import stat
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import pytest

from runner import arguments
from runner.errors import CallError, ServiceError
from runner.export import Export, database
from runner.export.columns import Shape
from runner.export.labels import Labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runner import Client
    from runner.catalog import Catalog

FORMS = ["csv", "ndjson", "json", "xlsx", "parquet", "sqlite"]
ROWS: list[Any] = [
    {"id": 7, "title": "=1+1", "tags": ["a", {"b": "я"}], "code": "007", "sum": 1.5, "open": True},
    {"id": 8, "title": 'two\nlines, "quoted"\r', "sum": 2, "late": {"x": None}, "code": None, "open": False},
]
SHAPE = Shape(described=("code", "title"))


def needs(form: str) -> None:
    """Skip where the library of a form is not installed."""
    for name in {"xlsx": ["xlsxwriter", "openpyxl"], "parquet": ["pyarrow"]}.get(form, []):
        pytest.importorskip(name)


def read(path: Path) -> list[list[Any]]:
    """The head and the rows of a file, as a reader of its own sees them."""
    readers: dict[str, Callable[[Path], list[list[Any]]]] = {
        ".csv": _csv, ".xlsx": _xlsx, ".parquet": _parquet, ".sqlite": _sqlite,
    }  # fmt: skip
    return readers[path.suffix](path)


def _csv(path: Path) -> list[list[Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def _xlsx(path: Path) -> list[list[Any]]:
    import openpyxl

    with closing(openpyxl.load_workbook(path)) as book:
        for sheet in book:
            assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
        return [list(row) for row in book.worksheets[0].iter_rows(values_only=True)]


def _parquet(path: Path) -> list[list[Any]]:
    from pyarrow import parquet

    table = parquet.read_table(path)
    return [table.column_names, *([row[name] for name in table.column_names] for row in table.to_pylist())]


def _sqlite(path: Path) -> list[list[Any]]:
    with closing(sqlite3.connect(path)) as base:
        name = base.execute("SELECT name FROM sqlite_master").fetchone()[0]
        rows = base.execute('SELECT * FROM "{}"'.format(name.replace('"', '""')))
        return [[one[0] for one in rows.description], *map(list, rows)]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[list[Any]]]:
    """Writes rows in a form and reads them back."""

    def written(form: str, rows: list[Any], **words: Any) -> list[list[Any]]:
        needs(form)
        path = tmp_path / f"rows.{form}"
        assert Export(form, str(path), **words).save(iter(rows)) == len(rows)
        assert os.listdir(tmp_path) == [path.name]
        return read(path)

    return written


HEAD = ["code", "title", "id", "tags", "sum", "open", "late"]
TAGS, LATE, LINES = '["a", {"b": "я"}]', '{"x": null}', 'two\nlines, "quoted"\r'


def test_csv_holds_every_value_as_its_text(write: Any) -> None:
    assert write("csv", ROWS, shape=SHAPE) == [
        HEAD,
        ["007", "=1+1", "7", TAGS, "1.5", "true", ""],
        ["", LINES, "8", "", "2", "false", LATE],
    ]


def test_a_workbook_holds_text_as_text_and_numbers_as_numbers(write: Any) -> None:
    lines = LINES.replace("\r", "_x000D_")  # how a workbook writes it; the reader leaves that to its own reader
    found = write("xlsx", ROWS, shape=SHAPE)
    found[2][1] = found[2][1].replace("\r", "_x000D_")
    assert found == [HEAD, ["007", "=1+1", 7, TAGS, 1.5, True, None], [None, lines, 8, None, 2, False, LATE]]


def test_parquet_has_a_type_for_each_column(write: Any, tmp_path: Path) -> None:
    found = write("parquet", ROWS, shape=SHAPE)
    assert found == [HEAD, ["007", "=1+1", 7, TAGS, 1.5, True, None], [None, LINES, 8, None, 2.0, False, LATE]]
    from pyarrow import parquet

    types = {field.name: str(field.type) for field in parquet.read_schema(tmp_path / "rows.parquet")}
    assert types == {
        "code": "string", "title": "string", "id": "int64", "tags": "string", "sum": "double", "open": "bool",
        "late": "string",
    }  # fmt: skip


def test_sqlite_has_an_affinity_for_each_column(write: Any, tmp_path: Path) -> None:
    found = write("sqlite", ROWS, shape=SHAPE, table='my "deals"')
    assert found == [HEAD, ["007", "=1+1", 7, TAGS, 1.5, 1, None], [None, LINES, 8, None, 2.0, 0, LATE]]
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as base:
        columns = base.execute("PRAGMA table_info('my \"deals\"')").fetchall()
    assert [one[2] for one in columns] == ["TEXT", "TEXT", "INTEGER", "TEXT", "REAL", "INTEGER", "TEXT"]


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ("csv", [["a"], ["1"], ["x"], ["12345678901234567890"], ["true"], ["1.5"]]),
        ("xlsx", [["a"], [1], ["x"], ["12345678901234567890"], [True], [1.5]]),
        ("parquet", [["a"], ["1"], ["x"], ["12345678901234567890"], ["true"], ["1.5"]]),
        ("sqlite", [["a"], [1], ["x"], ["12345678901234567890"], [1], [1.5]]),
    ],
)
def test_values_of_several_kinds_stay_what_they_are_or_become_text(form: str, found: Any, write: Any) -> None:
    assert write(form, [{"a": one} for one in (1, "x", 12345678901234567890, True, 1.5)]) == found


@pytest.mark.parametrize("form", ["parquet", "sqlite", "xlsx"])
def test_numbers_that_a_form_would_round_are_text(form: str, write: Any) -> None:
    large = 2**63
    assert write(form, [{"a": None}, {"a": large}]) == [["a"], [None], [str(large)]]


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet", "sqlite"])
def test_rows_that_are_no_objects_have_one_column(form: str, write: Any) -> None:
    assert write(form, ["x", None, {"id": "1"}])[0] == ["value", "id"]
    assert [row[0] or None for row in write(form, ["x", None, "y"])] == ["value", "x", None, "y"]


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet", "sqlite"])
def test_no_row_leaves_the_columns_that_are_known(form: str, write: Any) -> None:
    assert write(form, [], shape=SHAPE) == [["code", "title"]]
    empty = write(form, [])
    assert empty in ([], [[]], [["value"]])


def test_json_is_the_text_of_the_whole_list_and_lines_are_one_a_row(tmp_path: Path) -> None:
    for rows in (ROWS, [1, "x", None, []], []):
        for form in ("json", "ndjson", "yaml"):
            path = tmp_path / f"rows.{form}"
            assert Export(form, str(path)).save(rows) == len(rows)
        assert (tmp_path / "rows.json").read_text() == json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
        assert [json.loads(one) for one in (tmp_path / "rows.ndjson").read_text().split("\n")[:-1]] == rows


def test_the_columns_are_the_same_in_any_order_of_pages(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    heads = set()
    for rows in (ROWS, ROWS[::-1]):
        shape = Shape(("ID", "o*", "absent", "far.away"), ("code", "open", "title", "tags", "sum"))
        Export("csv", str(path), shape).save(rows)
        heads.add(path.read_text().split("\n")[0])
    assert heads == {"id,open,absent,code,title,tags,sum,late"}


@pytest.mark.parametrize(
    ("chosen", "seen", "found"),
    [
        ((), ["z", "b", "a"], ["a", "b", "z"]),
        (("z", "a"), ["b", "a", "z"], ["z", "a", "b"]),
        (("*", "z"), ["z", "b"], ["b", "z"]),
        (("RESPONSIBLE_ID", "new"), ["id", "responsibleId"], ["responsibleId", "new", "id"]),
        (("new",), [], ["new"]),
        ((), [], ["a", "b"]),
    ],
)
def test_chosen_columns_come_first_then_described_ones(chosen: Any, seen: Any, found: Any) -> None:
    assert Shape(chosen, ("a", "b")).ordered(seen) == found


@pytest.mark.parametrize(
    ("name", "values", "paged", "shape"),
    [
        ("book.list", {"SELECT": ["title", "id"]}, True, ("title", "id")),
        ("book.list", {"select": "title, id"}, True, ("title", "id")),
        ("book.list", {"select": 5}, True, ()),
        ("book.get", {}, False, ()),
    ],
)
def test_a_method_tells_the_shape_of_its_rows(
    name: str, values: Any, paged: bool, shape: Any, catalog: Catalog
) -> None:
    found = Shape.of(catalog.method("library", name), values, paged=paged)
    assert found == Shape(shape, ("id", "title", "pages", "kind", "follows"))


def test_rows_are_described_inside_the_list_that_pages_are_read_from(catalog: Catalog) -> None:
    tasks = catalog.method("bitrix24", "tasks.task.list")
    for paged in (True, False):
        assert Shape.of(tasks, {}, paged=paged).described[:2] == ("id", "title")
    assert Shape.of(catalog.method("library", "shelf.walk"), {}, paged=True) == Shape()


def test_rows_of_several_kinds_have_the_fields_of_all_of_them(portal: Client) -> None:
    returns = {"items": {"properties": {"a": {}}, "anyOf": [{"properties": {"b": {}, "a": {}}}, True]}}
    method = replace(portal.methods.get("book.list"), returns=returns)
    assert Shape.of(method, {}, paged=True).described == ("a", "b")


def test_a_mark_in_front_of_csv_is_there_where_it_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    Export("csv", str(path), bom=True).save([{"имя": "Ёлкин"}])
    assert path.read_bytes() == b"\xef\xbb\xbf" + "имя\nЁлкин\n".encode()


@pytest.mark.parametrize("form", FORMS)
def test_half_a_letter_is_written_as_its_escape(form: str, tmp_path: Path) -> None:
    needs(form)
    path = tmp_path / f"rows.{form}"
    Export(form, str(path)).save([{"a": "x\ud800я"}])
    text = path.read_text() if form in {"json", "ndjson"} else read(path)[1][0]
    assert "x\\ud800я" in text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stop", [KeyboardInterrupt, ServiceError, SystemExit])
def test_rows_that_break_off_leave_what_was_there(form: str, stop: Any, tmp_path: Path) -> None:
    needs(form)
    path = tmp_path / f"rows.{form}"
    path.write_bytes(b"old")
    path.chmod(0o640)

    def rows() -> Iterator[Any]:
        yield {"a": 1}
        raise stop("enough")

    with pytest.raises(stop):
        Export(form, str(path)).save(rows())
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", [path.name])
    Export(form, str(path)).save([{"a": 1}])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_bytes() != b"old"


@pytest.mark.parametrize("form", FORMS)
def test_a_disk_that_is_full_leaves_what_was_there(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs(form)
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # half of a file would stay
    path = tmp_path / f"rows.{form}"
    path.write_bytes(b"old")
    full = resource.getrlimit(resource.RLIMIT_FSIZE)
    if form == "parquet":
        import pyarrow.parquet  # noqa: F401 - its own files are not written by it

    rows = [{"a": os.urandom(40).hex()} for _ in range(9000)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, full[1]))
        with pytest.raises(CallError) as caught:
            Export(form, str(path)).save(rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, full)
    assert str(caught.value) == f"can't write {path}: file too large"
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", [path.name])


@pytest.mark.parametrize("form", ["xlsx", "sqlite", "parquet"])
def test_a_disk_that_is_full_at_the_end_leaves_what_was_there(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(form)
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # half of a file would stay
    path = tmp_path / f"rows.{form}"
    path.write_bytes(b"old")
    full = resource.getrlimit(resource.RLIMIT_FSIZE)
    rows = [{str(number): number for number in range(500)}]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (7_000, full[1]))
        with pytest.raises(CallError):
            Export(form, str(path)).save(rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, full)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", [path.name])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "can't write {}: no space left on device"),
        (zipfile.LargeZipFile(), "the workbook can't be written: Filesize would require ZIP64 extensions"),
    ],
)
def test_a_workbook_that_fails_at_its_end_is_told(
    error: Exception, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("xlsx")
    import xlsxwriter

    def fail(_book: object) -> None:
        raise error

    monkeypatch.setattr(xlsxwriter.Workbook, "_store_workbook", fail)
    path = tmp_path / "rows.xlsx"
    with pytest.raises(CallError) as caught:
        Export("xlsx", str(path)).save(ROWS)
    assert str(caught.value).startswith(told.format(path))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("form", "library"), [("xlsx", "xlsxwriter"), ("parquet", "pyarrow")])
def test_a_library_that_is_missing_is_named_with_the_way_to_it(
    form: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    Export("sqlite", "rows.sqlite").demand()
    with pytest.raises(CallError) as caught:
        Export(form, f"rows.{form}").demand()
    assert str(caught.value) == (
        f"{form} files need {library}, which is not installed; "
        f"pip install 'declarest[{form}]', or take .csv, .ndjson or .sqlite"
    )


def test_a_device_takes_text_and_no_database(tmp_path: Path) -> None:
    assert Export("csv", os.devnull).save(ROWS) == 2
    with pytest.raises(CallError, match=f"sqlite needs a file, and {os.devnull} is none"):
        Export("sqlite", os.devnull).demand()
    with pytest.raises(CallError, match="can't write /dev/full: no space left on device"):
        Export("csv", "/dev/full").save(ROWS)


def test_columns_that_differ_in_case_alone_are_told_apart_in_sqlite(write: Any) -> None:
    rows = [{"id": 1, "ID": "x", "Id_2": 3, "": 4, 'a"b\0': 5}]
    assert write("sqlite", rows) == [["id", "ID_2", "Id_2_2", "", 'a"b '], [1, "x", 3, 4, 5]]


@pytest.mark.parametrize("form", ["sqlite", "xlsx"])
def test_more_columns_than_a_form_has_are_refused(form: str, tmp_path: Path) -> None:
    needs(form)
    row = {str(number): None for number in range(20_000)}
    with pytest.raises(CallError) as caught:
        Export(form, str(tmp_path / "rows")).save([row])
    assert "columns" in str(caught.value)
    assert "take .csv" in caught.value.hint
    assert os.listdir(tmp_path) == []


def test_what_sqlite_says_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="SQLite can't write the rows: object name reserved for internal use"):
        Export("sqlite", str(tmp_path / "rows"), table="sqlite_x").save(ROWS)
    assert os.listdir(tmp_path) == []
    assert database._stored(True) is True


def test_a_sheet_that_is_full_goes_on_in_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("xlsx")
    import openpyxl

    monkeypatch.setattr("runner.export.workbook.ROWS", 4)
    path = tmp_path / "rows.xlsx"
    Export("xlsx", str(path), table="a[b]/" + "c" * 40).save([{"n": number} for number in range(7)])
    with closing(openpyxl.load_workbook(path)) as book:
        sheets = {sheet.title: [row[0] for row in sheet.iter_rows(values_only=True)] for sheet in book}
    start = "a b  " + "c" * 26
    assert sheets == {start: ["n", 0, 1, 2], f"{start[:27]} (2)": ["n", 3, 4, 5], f"{start[:27]} (3)": ["n", 6]}
    for name, sheet in (("[]", "rows"), ("History", "History_"), ("'it's'", "it's")):
        Export("xlsx", str(path), table=name).save([])
        with closing(openpyxl.load_workbook(path)) as book:
            assert book.sheetnames == [sheet]


@pytest.mark.parametrize(
    ("text", "letters"), [("x" * 32_768, "32,768"), ("😀" * 16_384, "32,768"), (["x" * 40_000], "40,004")]
)
def test_more_letters_than_a_cell_holds_are_refused_where_they_come(text: Any, letters: str, tmp_path: Path) -> None:
    needs("xlsx")
    taken = []

    def rows() -> Iterator[Any]:
        for row in ({"a": "x" * 32_767}, {"a": text}, {"a": 1}):
            taken.append(row)
            yield row

    with pytest.raises(CallError) as caught:
        Export("xlsx", str(tmp_path / "rows.xlsx")).save(rows())
    message = f"row 2 has {letters} letters in a, and a cell holds 32,767; take .csv, .parquet or .sqlite"
    assert str(caught.value) == message
    assert (len(taken), os.listdir(tmp_path)) == (2, [])
    with pytest.raises(CallError, match="row 1 has 40,000 letters in value"):
        Export("xlsx", str(tmp_path / "rows.xlsx")).save(["x" * 40_000])


def test_parquet_is_written_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("parquet")
    from pyarrow import parquet

    monkeypatch.setattr("runner.export.parquet._GROUP", 6)
    monkeypatch.setattr("runner.export.parquet._PART", 2)
    path = tmp_path / "rows.parquet"
    Export("parquet", str(path)).save([{"n": number} for number in range(15)])
    with parquet.ParquetFile(path) as file:
        assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [6, 6, 3]
        assert file.read().to_pydict() == {"n": list(range(15))}


def test_parquet_holds_the_cells_of_few_rows_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("parquet")
    from runner.export import parquet

    alive, most = 0, 0

    class Cell(str):
        __slots__ = ()

        def __new__(cls, text: str) -> Self:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            return super().__new__(cls, text)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    monkeypatch.setattr("runner.output.cell", Cell)
    Export("parquet", str(tmp_path / "rows.parquet")).save([{"n": f"{number}"} for number in range(20_000)])
    assert 0 < most <= 2 * parquet._PART


def test_cells_of_csv_are_read_back_as_the_values_that_they_were(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    row = {"TITLE": '["no list"]', "PHONE": [{"VALUE": "+1, 2", "VALUE_TYPE": "WORK"}], "ID": 7, "UF_CRM_A": ["1"]}
    Export("csv", str(path)).save([row])
    method = catalog.method("bitrix24", "crm.contact.add")
    defs = method.schema["$defs"]
    head, cells = read(path)
    nodes = {"TITLE": {"type": "string"}, "ID": {"type": "integer"}, "UF_CRM_A": {}, "PHONE": defs["multifields"]}
    back = {name: arguments.typed(text, nodes[name], defs, {}) for name, text in zip(head, cells, strict=True)}
    assert back == row


def test_rows_printed_come_after_the_last_was_read_unless_they_are_lines() -> None:
    def rows() -> Iterator[int]:
        yield 1
        message = "the next page"
        raise LookupError(message)

    assert next(Export("ndjson").parts(rows())) == "1\n"
    for form in ("csv", "json", "yaml"):
        with pytest.raises(LookupError):
            next(Export(form).parts(rows()))
    assert "".join(Export("csv").parts([1, 2])) == "value\n1\n2\n"
    assert "".join(Export("json").parts([1])) == "[\n  1\n]\n"
    assert "".join(Export("table").parts([{"a": 1}])) == "a\n1\n"


BOOKS: list[Any] = [
    {"id": 1, "title": "A", "kind": "N", "follows": None, "own_shape": ["r", "q", "x"], "own_note": "r"},
    {"id": 2, "title": "B", "kind": "Z", "follows": 1, "own_shape": None},
    {"id": 3, "title": "C", "follows": 5, "own_shape": [], "kind": None},
    {"id": 4, "title": "D", "follows": 2},
    7,
]


def labels(client: Client, name: str = "book.list") -> Labels:
    def ask(name: str, params: dict[str, Any]) -> Any:
        plan = client.plan(name, params, {})
        return list(client.rows(plan)) if plan.call.method.styles else client.run(plan).value

    return Labels.of(client.methods.get(name), ask, paged=True)


def test_names_stand_beside_the_values_that_they_belong_to(portal: Client, wire: Any, tmp_path: Path) -> None:
    wire.say(
        {"value": [{"id": 1, "title": "A", "part": 1}, {"id": 2, "title": "B", "part": None}]},
        {"value": []},
        {"value": [{"id": 5, "title": None}]},
        {"value": []},
        {"value": {"own_shape": {"list": [{"code": "r", "name": "round"}, {"code": "q", "name": 4}]}, "own_note": {}}},
    )
    path = tmp_path / "rows.csv"
    export = Export("csv", str(path), Shape(("follows",), ("id",)), labels=labels(portal))
    assert export.save(BOOKS) == 5
    assert export.missing == {}
    assert _csv(path) == [
        ["follows", "follows_label", "id", "title", "kind", "kind_label", "own_shape", "own_shape_label", "own_note",
         "value"],
        ["", "", "1", "A", "N", "Novel", '["r", "q", "x"]', "round, 4", "r", ""],
        ["1", "A 1", "2", "B", "Z", "", "", "", "", ""],
        ["5", "", "3", "C", "", "", "[]", "", "", ""],
        ["2", "B", "4", "D", "", "", "", "", "", ""],
        ["", "", "", "", "", "", "", "", "", "7"],
    ]  # fmt: skip
    asked = ["ids=1%2C2", "ids=1%2C2&skip=2", "ids=5", "ids=5&skip=1"]
    assert [url.partition("?")[2] for url in wire.urls[:4]] == asked
    assert len(wire.urls) == 5


def test_names_stand_in_lines_and_lists_too(portal: Client, wire: Any) -> None:
    rows = [{"kind": "P", "id": 1}]
    assert Export("json", labels=labels(portal)).listed(rows) == [{"kind": "P", "kind_label": "Poems", "id": 1}]
    lines = Export("ndjson", labels=labels(portal)).parts(rows)
    assert "".join(lines) == '{"kind":"P","kind_label":"Poems","id":1}\n'
    assert Export("json").listed(iter(rows)) == rows


def test_names_that_can_not_be_had_are_told_and_the_rows_written(portal: Client, wire: Any, tmp_path: Path) -> None:
    wire.say({"fault": {"code": "NO_RIGHT", "text": "No"}})
    export = Export("ndjson", str(tmp_path / "rows"), labels=labels(portal))
    export.save([{"follows": 1, "kind": "P"}])
    assert (tmp_path / "rows").read_text() == '{"follows":1,"kind":"P","kind_label":"Poems"}\n'
    assert list(export.missing) == ["follows"]
    assert export.missing["follows"].exit_code == 3


@pytest.mark.parametrize("form", ["sqlite", "parquet", "xlsx"])
def test_a_date_stays_the_text_that_it_was(form: str, write: Any) -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC).isoformat()
    assert write(form, [{"at": moment}]) == [["at"], [moment]]
