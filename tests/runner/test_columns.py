from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runner import CallError
from runner.catalog import Catalog
from runner.columns import Columns, wanted
from runner.table import Row

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]


@pytest.fixture
def columns(ledger: Any) -> Callable[..., Columns]:
    """Makes the columns of `line.add`; the first argument are words of --map."""
    method = Catalog(ledger.root).method("ledger", "line.add")

    def make(*words: str, **more: Any) -> Columns:
        return Columns(method, wanted(words), more.pop("constants", {}), **more)

    return make


def values(found: Columns, cells: Json) -> Json:
    """The input of a row in which everything could be read."""
    values, problems = found.input(Row(2, cells))
    assert problems == []
    return values


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ({"text": "a", "SUM": "5"}, {"text": "a", "sum": 5}),
        ({"sum": "2.5", " Text ": " a "}, {"sum": 2.5, "text": " a "}),
        ({"name": "A", "fields.Size": " 7 ", "X_1": "x"}, {"fields": {"Name": "A", "Size": 7, "X_1": "x"}}),
        ({"fields.Name": "A", "fields[Size]": "7"}, {"fields": {"Name": "A", "Size": 7}}),
        ({"kind": "a", "marks": "x, y"}, {"fields": {"Kind": "A", "Marks": ["x", "y"]}}),
        ({"marks": '["x, y"]', "deep": "3"}, {"fields": {"Marks": ["x, y"]}, "more": {"Deep": 3}}),
        ({"fields": '{"Name": "A"}'}, {"fields": {"Name": "A"}}),
        ({"text": "", "name": None, "fields.Size": 5}, {"fields": {"Size": 5}}),
        ({"name": 7, "fields.Size": "7"}, {"fields": {"Name": "7", "Size": 7}}),
        (
            {"name": True, "sum": 2, "kind": 7, "marks": 5},
            {"fields": {"Name": "true", "Kind": 7, "Marks": ["5"]}, "sum": 2},
        ),
        ({"text": "-", "name": "@/etc/passwd"}, {"text": "-", "fields": {"Name": "@/etc/passwd"}}),
        ({"fields.Anything": "5", "": "nothing"}, {"fields": {"Anything": "5"}}),
    ],
)
def test_a_column_finds_its_param_by_its_name(cells: Json, wanted: Json, columns: Callable[..., Columns]) -> None:
    assert values(columns(), cells) == wanted


def test_columns_go_where_they_are_sent(columns: Callable[..., Columns]) -> None:
    found = columns(
        "fields.Name=Full name", "text=FULL NAME", "fields.Phones.0.value=Phone", "fields.Phones.1.value=Other"
    )
    assert values(found, {"full name": "A", "Phone": "1", "Other": "2"}) == {
        "text": "A",
        "fields": {"Name": "A", "Phones": [{"value": "1"}, {"value": "2"}]},
    }
    assert values(found, {"Phone": "", "Other": "2"}) == {"fields": {"Phones": [{"value": "2"}]}}


def test_constants_stand_where_a_cell_is_empty(columns: Callable[..., Columns]) -> None:
    constants = {"TEXT": "none", "fields": {"Phones": [{"type": "work"}], "Name": "B"}}
    found = columns("fields.Phones.0.value=Phone", constants=constants)
    assert values(found, {"text": "", "Phone": "1"}) == {
        "text": "none",
        "fields": {"Phones": [{"type": "work", "value": "1"}], "Name": "B"},
    }
    assert values(found, {"text": "a", "fields": '{"Phones": [{}, {"value": "2"}]}'}) == {
        "text": "a",
        "fields": {"Phones": [{"type": "work"}, {"value": "2"}], "Name": "B"},
    }


def test_an_empty_cell_may_be_an_empty_text(columns: Callable[..., Columns]) -> None:
    assert values(columns(empty=True), {"text": "", "name": None}) == {"text": ""}


def test_objects_are_taken_as_they_are(columns: Callable[..., Columns]) -> None:
    found = columns("fields.Name=who", as_text=False)
    assert values(found, {"text": 5, "sum": None, "fields": {"Size": "7"}, "who": ""}) == {
        "text": 5,
        "sum": None,
        "fields": {"Size": "7", "Name": ""},
    }


def test_columns_may_be_left_out(columns: Callable[..., Columns]) -> None:
    found = columns(ignored=["Extra", "TEXT"])
    assert values(found, {"text": "a", "extra": "b", "name": "A"}) == {"fields": {"Name": "A"}}
    assert values(columns(lenient=True), {"text": "a", "extra": "b"}) == {"text": "a"}


def test_columns_that_nothing_takes_are_told_with_what_may_be_meant(columns: Callable[..., Columns]) -> None:
    with pytest.raises(CallError) as caught:
        columns().demand(["text", "Nam", "zzz", ""])
    assert str(caught.value).startswith(
        "line.add takes no column 'Nam'; did you mean Name?; line.add takes no column 'zzz'; write --map PARAM=COLUMN"
    )
    _, problems = columns(as_text=False).input(Row(3, {"Nam": 1, "zzz": 2}))
    assert [str(one) for one in problems] == [
        "Nam: line.add takes no column 'Nam'; did you mean Name?",
        f"zzz: line.add takes no column 'zzz'; {caught.value.hint}",
    ]
    columns().demand(["text", "name"])


def test_a_column_that_was_named_must_be_there(columns: Callable[..., Columns]) -> None:
    for there, hint in ((["text", "Full name"], "did you mean Full name?"), (["text"], "it has text")):
        with pytest.raises(CallError) as caught:
            columns("fields.Name=Full nme").demand(there)
        assert str(caught.value) == f"the file has no column 'Full nme'; {hint}"


def test_a_column_that_may_be_two_things_is_told(columns: Callable[..., Columns]) -> None:
    with pytest.raises(CallError) as caught:
        columns().demand(["size"])
    assert str(caught.value) == (
        "the column 'size' may be fields.Size or more.Size; write --map fields.Size=size or --map more.Size=size"
    )


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"fields": "{x", "text": "a"}, "fields: the value is no JSON: "),
        ({"text": "a", "TEXT": "b"}, "text: is given twice; two columns go to the same place"),
        ({"text": "a", "text.b": "b"}, "text.b: is given twice; two columns go to the same place"),
    ],
)
def test_a_cell_that_can_not_be_read_is_told(cells: Json, told: str, columns: Callable[..., Columns]) -> None:
    _, problems = columns().input(Row(2, cells))
    assert [str(one)[: len(told)] for one in problems] == [told]


def test_a_row_that_is_wrong_as_a_whole_is_told(columns: Callable[..., Columns]) -> None:
    assert [str(one) for one in columns().input(Row(2, {}, "is no JSON"))[1]] == ["is no JSON"]


@pytest.mark.parametrize("word", ["text", "text=", "text:=5", "text= "])
def test_a_word_that_maps_nothing_is_told(word: str) -> None:
    with pytest.raises(CallError, match="--map takes PARAM=COLUMN, not"):
        wanted([word])
