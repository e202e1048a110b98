"""Names that look like slips: keys of open objects, fields of rows."""

from __future__ import annotations

from typing import Any

import pytest

from runner.slips import of_fields, of_keys
from runner.spec import Method, Service

SERVICE = Service.read({"spec": 1, "service": "notes", "title": "Notes", "auth": {}})
ROW = {
    "type": "object",
    "properties": {"ID": {}, "STAGE_ID": {}, "DATE_CREATE": {}, "TITLE": {}},
    "patternProperties": {"^UF_": {}},
}
RETURNS = [
    {"type": "array", "items": ROW},
    {"type": "object", "properties": {"count": {"type": "integer"}, "items": {"type": "array", "items": ROW}}},
]


def method(returns: Any) -> Method:
    return Method.read(
        {"method": "note.list", "effect": "read", "summary": "List", "returns": returns}, SERVICE, lambda _: None
    )


def told(names: Any, returns: Any = RETURNS[0], more: tuple[str, ...] = ()) -> list[str]:
    return [f"{one.path} {one.message}; {one.hint}" for one in of_fields("filter", names, more, method(returns))]


@pytest.mark.parametrize("returns", RETURNS)
def test_a_field_that_looks_like_another_of_the_rows_is_told(returns: Any) -> None:
    assert told({"STAGE": "NEW", ">DATE_CREATED": "2026-01-01", "UF_TITEL": 1, "ID": 2}, returns) == [
        "filter.STAGE is not a known field; did you mean STAGE_ID?",
        "filter.>DATE_CREATED is not a known field; did you mean DATE_CREATE?",
    ]
    assert told(["ID", "TITEL", "*", "UF_*"], returns) == ["filter.TITEL is not a known field; did you mean TITLE?"]


@pytest.mark.parametrize("names", [["stageId", "title"], {"!@STAGE_ID": []}, ["OTHER", "0", ""], [None, {"a": 1}, 3]])
def test_what_is_known_or_like_nothing_is_not_told(names: Any) -> None:
    assert told(names) == []


def test_names_that_a_condition_has_of_its_own_are_known() -> None:
    assert told({"STAGE": 1, "STAGES": 1}, more=("STAGE", "STAGES")) == []
    assert told({"STGAES": 1}, more=("STAGES",)) == ["filter.STGAES is not a known field; did you mean STAGES?"]


@pytest.mark.parametrize("returns", [None, {"type": "boolean"}, {"type": "array", "items": {"type": "integer"}}])
def test_nothing_is_told_where_no_rows_are_known(returns: Any) -> None:
    assert told({"STAGE": 1}, returns) == []


def test_a_key_that_looks_like_another_of_its_object_is_told() -> None:
    part: Any = {"properties": {"title": {}, "place": {"properties": {"room": {}}}}}
    value = {"titel": 1, "place": {"roon": 2}, "else": 3}
    assert [f"{one.path}: {one.hint}" for one in of_keys("fields", value, part, {})] == [
        "fields.titel: did you mean title?",
        "fields.place.roon: did you mean room?",
    ]
