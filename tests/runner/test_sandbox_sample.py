"""A value made from a schema: it fits the schema that it is made from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner import validation
from runner.sandbox import sample

DEFS = {
    "id": {"type": "integer", "minimum": 3},
    "tree": {"type": "object", "properties": {"name": {"type": "string"}, "inside": {"$ref": "#/$defs/tree"}}},
}


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"const": 5}, 5),
        ({"default": None}, None),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "string", "examples": ["x"]}, "x"),
        ({"examples": [], "type": "boolean"}, True),
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "maximum": 0}, 0),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "integer", "exclusiveMaximum": 1}, 0),
        ({"type": "integer", "minimum": 4, "multipleOf": 5}, 5),
        ({"type": ["null", "string"]}, None),
        ({"type": "null"}, None),
        ({"type": "array"}, []),
        ({"items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False}, ["text", 1]),
        ({"properties": {"a": {"type": "boolean"}}}, {"a": True}),
        ({"$ref": "#/$defs/id"}, 3),
        ({"$ref": "#id", "minimum": 7}, 7),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({"oneOf": [{"const": 2}]}, 2),
        ({"allOf": [{"required": ["a"]}], "properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({}, None),
        (True, None),
    ],
)
def test_a_value_is_made_that_fits(node: Any, value: Any) -> None:
    assert sample.made(node, DEFS) == value
    if isinstance(node, dict) and node.get("$ref") != "#id":
        assert not validation.misfits(value, {**node, "$defs": DEFS})


def test_a_type_that_holds_itself_comes_to_an_end() -> None:
    found = sample.made({"$ref": "#/$defs/tree"}, DEFS)
    assert found["inside"]["inside"]["name"] == "text"
    assert '"inside": null' in json.dumps(found)
