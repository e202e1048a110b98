from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner import precheck
from runner.compiler import grammar
from runner.folders import built_in

TEXTS = st.sampled_from(["", "a", "b", "ab", "Ba", "x1", "1", "a\n", "é"])
NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 0.0, 1.0, 2.5, -0.0, 1e300, 10**30])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
SIZES = st.integers(0, 3)
FORMS = st.sampled_from(["a", "^a$", "^[ab]+$", "1|b", "", "^$"])
NAMES = st.lists(TEXTS, max_size=2, unique=True)
SILENT = {"title": "t", "description": "d", "default": 1, "examples": [1], "writeOnly": True, "format": "date"}


def nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    maps = st.dictionaries(TEXTS, inner, max_size=3)
    forms = st.dictionaries(FORMS, inner, max_size=2)
    lists = st.lists(inner, min_size=1, max_size=3)
    words: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=4),
        "const": VALUES,
        "$ref": st.sampled_from(["#/$defs/one", "#/$defs/two"]),
        "required": NAMES,
        "properties": maps,
        "patternProperties": forms,
        "additionalProperties": inner,
        "propertyNames": inner,
        "items": inner,
        "prefixItems": lists,
        "allOf": lists,
        "anyOf": lists,
        "oneOf": lists,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "dependentRequired": st.dictionaries(TEXTS, NAMES, max_size=2),
        "dependentSchemas": maps,
        "pattern": FORMS,
        "minLength": SIZES,
        "maxLength": SIZES,
        "minimum": NUMBERS,
        "maximum": NUMBERS,
        "exclusiveMinimum": NUMBERS,
        "exclusiveMaximum": NUMBERS,
        "minItems": SIZES,
        "maxItems": SIZES,
        "minProperties": SIZES,
        "maxProperties": SIZES,
        **{word: st.just(value) for word, value in SILENT.items()},
    }
    return st.lists(st.sampled_from(sorted(words)), max_size=4, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({word: words[word] for word in chosen})
    )


LEAVES = st.booleans() | st.fixed_dictionaries({"type": TYPES})
SCHEMAS = nodes(LEAVES | nodes(LEAVES | nodes(LEAVES)))
DEFS = {"one": {"type": ["string", "integer"]}, "two": {"items": {"$ref": "#/$defs/one"}, "minItems": 1}}


@settings(max_examples=150, deadline=None, database=None)
@given(SCHEMAS, st.lists(VALUES, min_size=1, max_size=6))
def test_it_never_contradicts_the_validator(schema: dict[str, Any], values: list[Any]) -> None:
    whole = {**schema, "$defs": DEFS}
    validator = Draft202012Validator(whole)
    for value in values:
        assert precheck.fits(value, whole) == validator.is_valid(value)


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(SCALARS, max_size=5))
def test_items_are_unique_as_the_validator_sees_it(value: list[Any]) -> None:
    schema = {"uniqueItems": True}
    assert precheck.fits(value, schema) == Draft202012Validator(schema).is_valid(value)


BASES: dict[str, Any] = {
    "method": {"method": "a.b", "summary": "Do it", "effect": "read", "params": {"A": {"type": "string"}}},
    "service": {"spec": 1, "service": "x", "title": "X", "auth": {"open": {"base": "https://x.example"}}},
    "overlay": {"target": "a.*", "patch": {"summary": "x"}},
    "profile": {"x": {"default": "main", "main": {"url": "https://x.example", "id": 1}}},
}


@pytest.mark.parametrize("kind", sorted(BASES))
def test_a_good_document_fits_its_grammar(kind: str) -> None:
    assert precheck.fits(BASES[kind], grammar(kind))


@settings(max_examples=100, deadline=None, database=None)
@given(st.data())
def test_it_never_contradicts_the_validator_on_the_grammar(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(BASES)))
    schema = grammar(kind)
    words = [*schema["properties"], "stranger"] if "properties" in schema else ["x"]
    changed = data.draw(st.dictionaries(st.sampled_from(words), VALUES | SCHEMAS, max_size=2))
    value = BASES[kind] | changed
    assert precheck.fits(value, schema) == Draft202012Validator(schema).is_valid(value)


def test_of_the_words_that_a_node_may_have_it_leaves_three_to_the_validator() -> None:
    words = grammar("method")["$defs"]["node"]["properties"]
    assert set(words) - set(precheck._RULES) - precheck._SILENT == {"multipleOf", "contains", "unevaluatedProperties"}


def test_the_grammar_itself_is_json_schema() -> None:
    for path in sorted(Path(built_in("schemas")).glob("*.json")):
        Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("word", ["multipleOf", "contains", "unevaluatedProperties", "strange"])
def test_an_unknown_word_is_left_to_the_validator(word: str) -> None:
    with pytest.raises(precheck.Unknown, match=word):
        precheck.fits(1, {word: 2})


def test_a_reference_out_of_the_schema_is_left_to_the_validator() -> None:
    with pytest.raises(precheck.Unknown, match=r"other\.json"):
        precheck.fits(1, {"$ref": "other.json#/$defs/x"})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        ("1", 1, False),
        (None, None, True),
        (None, 0, False),
        ([1, {"a": 1}], [1.0, {"a": 1}], True),
        ([1], [True], False),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": [1], "b": 2}, {"b": 2.0, "a": [1]}, True),
        ({}, [], False),
    ],
)
def test_values_are_equal_as_in_json(one: object, other: object, same: bool) -> None:
    assert precheck.equal(one, other) is same
    assert precheck.equal(other, one) is same


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), True, "1", 1.5])
def test_what_is_no_whole_number_is_no_integer(value: object) -> None:
    assert not precheck.fits(value, {"type": "integer"})


@pytest.mark.parametrize("value", [1, 1.0, -0.0, 10**40, 1e300])
def test_a_float_without_a_fraction_is_an_integer(value: object) -> None:
    assert precheck.fits(value, {"type": "integer"})


@pytest.mark.parametrize("value", [b"x", object(), (1,), {1, 2}])
def test_what_json_cannot_hold_has_no_type(value: object) -> None:
    kinds = ["string", "integer", "number", "boolean", "array", "object", "null"]
    assert not any(precheck.fits(value, {"type": kind}) for kind in kinds)


ONE = {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "good", "bad", "other"),
    [
        ({"required": ["a"]}, {"a": 1}, {}, "a"),
        ({"properties": {"a": ONE}}, {"a": 1, "b": "x"}, {"a": "x"}, []),
        ({"patternProperties": {"^a": ONE}}, {"ab": 1, "b": "x"}, {"ab": "x"}, []),
        ({"additionalProperties": ONE, "properties": {"a": True}}, {"a": "x", "b": 1}, {"b": "x"}, []),
        ({"additionalProperties": False, "patternProperties": {"^a": True}}, {"ab": "x"}, {"b": "x"}, []),
        ({"propertyNames": {"maxLength": 1}}, {"a": 1}, {"ab": 1}, "ab"),
        ({"items": ONE}, [1, 2], [1, "x"], {}),
        ({"prefixItems": [True], "items": ONE}, ["x", 1], ["x", "x"], {}),
        ({"prefixItems": [ONE, ONE]}, [1], [1, "x"], {}),
        ({"uniqueItems": True}, [1, True], [1, 1.0], "aa"),
        ({"allOf": [ONE, {"minimum": 2}]}, 2, 1, 3),
        ({"anyOf": [ONE, {"type": "null"}]}, None, "x", 5),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 1, 2, 1.5),
        ({"not": ONE}, "x", 1, None),
        ({"if": ONE, "then": {"minimum": 2}, "else": {"type": "string"}}, "x", 1, 2),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}, []),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1, "b": 1}, {"a": 1}, []),
        ({"$ref": "#/$defs/one", "$defs": {"one": ONE}}, 1, "x", 2),
        ({"const": 1}, 1.0, True, 1),
        ({"enum": [1, "x"]}, "x", True, 1),
        ({"type": ["string", "null"]}, None, 1, "x"),
        ({"pattern": "b"}, "abc", "x", 5),
        ({"minLength": 2, "maxLength": 3}, "ab", "abcd", 5),
        ({"minimum": 1, "maximum": 2}, 1.5, 3, True),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 2}, 1.5, 2, "1"),
        ({"minItems": 1, "maxItems": 2}, [1], [], {}),
        ({"minProperties": 1, "maxProperties": 2}, {"a": 1}, {}, []),
    ],
)
def test_every_word_takes_refuses_and_lets_be(schema: dict[str, Any], good: object, bad: object, other: object) -> None:
    validator = Draft202012Validator(schema)
    assert precheck.fits(good, schema)
    assert precheck.fits(other, schema)
    assert not precheck.fits(bad, schema)
    assert not validator.is_valid(bad)
    assert validator.is_valid(good)
    assert validator.is_valid(other)


def test_what_is_always_right_and_what_never_is() -> None:
    assert precheck.fits(1, {"items": False, "not": False})
    assert not precheck.fits([1], {"items": False})


def test_uniqueness_may_be_left_open() -> None:
    assert precheck.fits([1, 1], {"uniqueItems": False})
    assert precheck.fits("aa", {"uniqueItems": True})
