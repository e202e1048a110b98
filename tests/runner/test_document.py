from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import document
from runner.errors import SpecError

OLD_NUMBERS = [
    "1e3",
    "0o17",
    "0x1F",
    "NO",
    "on",
    "12:30",
    "2025-10-01",
    "0644",
    "1_000",
    "=",
    "<<",
    "~",
    ".5",
    "1.",
    ".",
]
TEXTS = st.text() | st.sampled_from(OLD_NUMBERS) | st.text(alphabet="a \n\t\r:#-|>'\"…\u2028\x85é", max_size=12)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "text",
    ["NO", "no", "Yes", "on", "off", "y", "12:30", "2025-10-01", "2025-10-01T12:00:00Z", "0644", "1_000", "=", "<<",
     "+", ".", "1.2.3", "0b1", "-0o7", "0xZZ", "tRUE", "nULL", "1e", "inf", "nan", "-.nan", "é"],
)  # fmt: skip
def test_what_yaml_1_2_does_not_know_stays_text(text: str) -> None:
    assert document.load(f"a: {text}") == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
        ("null", None), ("Null", None), ("NULL", None), ("~", None), ("", None),
        ("0", 0), ("-7", -7), ("+7", 7), ("0o17", 15), ("0x1F", 31),
        ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("-.5", -0.5), ("1e3", 1000.0), ("1.5E-2", 0.015), (".inf", math.inf),
        ("-.INF", -math.inf), ("'1'", "1"), ('"true"', "true"), ("! 12", 12),
    ],
)  # fmt: skip
def test_core_scalars_are_read(text: str, value: object) -> None:
    found = document.load(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_read() -> None:
    assert math.isnan(document.load(".nan"))


def test_keys_are_text_whatever_they_look_like() -> None:
    assert document.load("1: a\ntrue: b\n~: c\n1.5: d\n<<: e\n") == {
        "1": "a", "true": "b", "~": "c", "1.5": "d", "<<": "e",
    }  # fmt: skip


def test_an_empty_text_is_null() -> None:
    assert document.load("") is None


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1", "the key 'a' stands twice"),
        ("1: a\n'1': b\n", "2:1", "the key '1' stands twice"),
        ("x: {a: 1, a: 2}", "1:11", "the key 'a' stands twice"),
        ("? [a, b]\n: c", "1:3", "a key must be text"),
        ("{{a: 1}: 2}", "1:2", "a key must be text"),
        ("a: !!str 5", "1:4", "the tag 'tag:yaml.org,2002:str' is not taken"),
        ("- !!map [a]", "1:3", "the tag 'tag:yaml.org,2002:map' is not taken"),
        ("!!bool x", "1:1", "the tag 'tag:yaml.org,2002:bool' is not taken"),
        ("a: !!python/object/apply:os.getcwd []", "1:4", "is not taken; write plain YAML"),
        ("a: !mine x", "1:4", "the tag '!mine' is not taken"),
        ("a:\n\t- b", "2:1", "indent with spaces, not with tabs"),
        ("a: @x", "1:4", "put the text in quotes, it begins with @"),
        ("a: b: c", "1:5", "put the text in quotes, it holds a colon"),
        ("a: [1", "2:1", "did not find expected ',' or ']'"),
        ("a: {b: c", "2:1", "close the bracket; a text that holds { } [ ] or , stands in quotes"),
        ("a: *x y", "1:7", "check the indentation; a text that begins with *"),
        ("a: 1\n---\nb: 2\n", "2:1", "another document"),
        ("- *nobody", "1:3", "undefined alias"),
        ("a: &a [*a]", "1:4", "an alias holds itself"),
        ("a: 1\nb: x\0", "2:5", r"the character '\x00' can't stand in YAML"),
        ("a: \ud800", "1:4", r"the character '\ud800' can't stand in YAML"),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_with_line_and_column(text: str, place: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        document.load(text, "x.yaml")
    assert caught.value.where == f"x.yaml:{place}"
    assert message in str(caught.value)


def test_a_number_too_long_for_the_machine_is_refused() -> None:
    with pytest.raises(SpecError, match="4300 digits"):
        document.load("1" * 5000, "x.yaml")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "- ? "])
def test_deep_nests_are_refused_before_they_break_the_parser(opening: str) -> None:
    with pytest.raises(SpecError, match="nested more than 64 levels deep"):
        document.load(opening * 60_000)


def test_deep_indentation_is_refused() -> None:
    text = "".join(f"{' ' * level}a:\n" for level in range(100))
    with pytest.raises(SpecError, match="nested more than 64 levels deep"):
        document.load(text)


def test_many_brackets_side_by_side_are_fine() -> None:
    assert document.load("a: [" + "[1], " * 500 + "]") == {"a": [[1]] * 500}


def test_aliases_that_unfold_into_too_much_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(SpecError, match="unfold into more than 200000 nodes"):
        document.load("\n".join(lines), "x.yaml")


def test_modest_anchors_are_fine() -> None:
    assert document.load("a: &a {x: 1}\nb: *a\nc: [*a, *a]") == {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}] * 2}


def test_an_anchor_alone_is_fine() -> None:
    assert document.load("a: &a 1") == {"a": 1}


def test_stars_and_marks_inside_texts_are_fine() -> None:
    assert document.load("a: image/*\nb: '*x'\nc: |\n  *bold* !important &co\n") == {
        "a": "image/*", "b": "*x", "c": "*bold* !important &co\n",
    }  # fmt: skip


def test_a_byte_order_mark_is_passed_over() -> None:
    assert document.load("\ufeffa: 1") == {"a": 1}


TEXT = """\
method: a.b
params:
  TITLE: {type: text}
  LIST:
    - one
    - two: 2
"""


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        ([], False, (1, 1)),
        (["method"], False, (1, 9)),
        (["method"], True, (1, 1)),
        (["params", "TITLE", "type"], False, (3, 17)),
        (["params", "TITLE", "type"], True, (3, 11)),
        (["params", "LIST", 1, "two"], True, (6, 7)),
        (["params", "LIST", 1], True, (6, 7)),
        (["params", "LIST", 9], False, (5, 5)),
        (["params", "LIST", "x"], False, (5, 5)),
        (["params", "NONE", "x"], False, (3, 3)),
        (["method", "x"], False, (1, 9)),
    ],
)
def test_a_path_is_located_by_line_and_column(path: list[str | int], key: bool, place: tuple[int, int]) -> None:
    assert document.locate(TEXT, path, key=key) == place


def test_the_place_in_an_empty_text_is_its_start() -> None:
    assert document.locate("", ["a"]) == (1, 1)


def test_lists_stand_under_their_key_and_long_texts_in_blocks() -> None:
    value = {"z": ["a", "b"], "a": "one\n\ntwo\n", "ключ": "слово", "e": {}}
    assert document.dump(value) == "z:\n- a\n- b\na: |\n  one\n\n  two\nключ: слово\ne: {}\n"


def test_a_value_that_stands_twice_is_written_twice() -> None:
    shared = [1]
    assert document.dump({"a": shared, "b": shared}) == "a:\n- 1\nb:\n- 1\n"


@pytest.mark.parametrize("text", ["...\n", "a\n", "NO", "1e3", "0o17", "x\n\n", " x\ny", "x \ny", "a\r\nb", "---", ""])
def test_awkward_texts_survive_writing(text: str) -> None:
    assert document.load(document.dump(text)) == text


@settings(max_examples=200, deadline=None, database=None)
@given(VALUES)
def test_what_is_written_is_read_again(value: Any) -> None:
    again = document.load(document.dump(value))
    assert again == value
    assert repr(again) == repr(value)
