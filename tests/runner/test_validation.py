from __future__ import annotations

import base64
from typing import Any

import pytest

from runner import document, validation
from runner.compiler import checked
from runner.spec import Method, Service

SERVICE = """
spec: 1
service: toy
title: Toy
auth: {open: {base: "https://toy.example/"}}
encode: {yn: {"true": "Y", "false": "N"}}
types:
  id: {type: integer, minimum: 1}
  colour: {enum: [RED, GREEN, PINK], title: colours}
  secret: {type: string, writeOnly: true, minLength: 8}
  password: {$ref: "#secret", description: "A password. Nobody sees it"}
"""


def made(text: str, name: str = "box.add") -> Method:
    """A method of a toy service, from what its file says besides its name."""
    whole = f"method: {name}\nsummary: Add a box\neffect: write\n{text}"
    service = checked(document.load(SERVICE), "service", SERVICE, "service")
    data = checked(document.load(whole), "method", whole, "method")
    return Method.read(data, Service.read(service), service["types"].get, "method")


def said(text: str, values: dict[str, Any], **how: Any) -> list[str]:
    """The problems of an input, as a person reads them; a warning begins with an exclamation mark."""
    problems = validation.check(made(text), values, **how)
    return [("! " if problem.level == "warning" else "") + str(problem) for problem in problems]


def test_what_fits_has_no_problems() -> None:
    assert said("params: {TITLE: {type: string}, N: {$ref: '#id'}}", {"title": "x", "N": 1.0}) == []


def test_all_misfits_come_at_once_in_the_order_of_the_input() -> None:
    text = """
params:
  COLOUR: {$ref: "#colour"}
  SIZE: {type: integer}
  USERS: {type: array, items: {type: integer}}
  NAME: {type: string}
required: [SIZE, NAME]
"""
    users = [1, 2, "c", 4, 5, 6, 7, 8, 9, 10, "k"]
    values = {"USERS": users, "SIZE": "big", "COLOUR": "PNK", "TITEL": 1}
    assert said(text, values) == [
        "NAME: is required",
        "TITEL: box.add has no parameter TITEL; it has COLOUR, SIZE, USERS, NAME",
        'USERS.2: "c" is not a whole number',
        'USERS.10: "k" is not a whole number',
        'SIZE: "big" is not a whole number',
        'COLOUR: "PNK" is not one of RED, GREEN, PINK; did you mean PINK?',
    ]


def test_a_long_list_of_values_is_counted() -> None:
    text = f"params: {{A: {{title: letters, enum: [{', '.join(f'word{n}' for n in range(16))}]}}}}"
    first = ", ".join(f"word{n}" for n in range(12))
    assert said(text, {"A": "word77"}) == ['A: "word77" is not one of 16 letters; did you mean word7?']
    assert said(text, {"A": "zzz"}) == [f'A: "zzz" is not one of 16 letters; they begin {first}']


def test_values_that_are_no_words_are_listed_as_json() -> None:
    assert said("params: {A: {enum: [1, null, '', x]}}", {"A": []}) == ['A: [] is not one of 1, null, "", x']


@pytest.mark.parametrize(
    ("text", "values", "line"),
    [
        ("params: {TITLE: {}, more: {}}", {"titel": 1}, "titel: box.add has no parameter titel; did you mean TITLE?"),
        ("params: {}", {"x": 1}, "x: box.add has no parameter x; it takes none"),
        (
            f"params: {{{', '.join(f'p{n}: {{}}' for n in range(14))}}}",
            {"zzz": 1},
            f"zzz: box.add has no parameter zzz; it has {', '.join(f'p{n}' for n in range(12))}…",
        ),
        ("params: {fields: {properties: {TITLE: {}}}, more: {}}", {"title": 1},
         "title: box.add has no parameter title; did you mean fields.TITLE?"),
        ("params: {titles: {}, a: {properties: {SIZE: {}}}, b: {properties: {SIZE: {}}}, c: {properties: {SIZE: {}}}}",
         {"SIZE": 1}, "SIZE: box.add has no parameter SIZE; did you mean a.SIZE or b.SIZE?"),
        ("params: {o: {properties: {size: {}}, additionalProperties: false}}", {"o": {"sise": 1}},
         "o.sise: has no key sise; did you mean size?"),
        ("params: {o: {properties: {a: {}}, patternProperties: {'^x': {}}, additionalProperties: false}}",
         {"o": {"a": 1, "x1": 1, "b": 1}}, "o.b: has no key b; it has a"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_an_error_with_the_nearest_one(text: str, values: dict[str, Any], line: str) -> None:
    assert said(text, values) == [line]


def test_a_missing_key_is_told_with_the_one_that_stands_in_its_place() -> None:
    text = "params: {o: {type: object, properties: {NAME: {}, AGE: {}}, required: [NAME]}}"
    assert said(text, {"o": {"name": 1}}) == [
        "o.NAME: is required; name stands there; inside an object every letter counts"
    ]
    assert said(text, {"o": {"AGE": 1}}) == ["o.NAME: is required"]


def test_text_in_the_place_of_an_object_is_told_where_it_belongs() -> None:
    text = "params: {phones: {type: array, items: {type: object, properties: {VALUE: {}, KIND: {}, ID: {}}}}}"
    assert said(text, {"phones": ["+7"]}) == [
        'phones.0: "+7" is not an object; give phones.0.VALUE, phones.0.KIND and the like'
    ]
    assert said(text, {"phones": [5]}) == ["phones.0: 5 is not an object"]


def test_unknown_names_pass_where_the_method_or_the_caller_says_so() -> None:
    assert said("more: true", {"x": 1}) == []
    assert said("params: {a: {type: string}}", {"x": 1}, more=True) == []
    assert said("params: {a: {type: string}}", {"x": 1, "a": 2}, more=True) == ["a: 2 is not text"]


def test_names_made_by_the_caller_are_checked_by_their_pattern() -> None:
    text = "patterns: {'^min_': {type: number}}"
    assert said(text, {"min_size": 1}) == []
    assert said(text, {"min_size": "x"}) == ['min_size: "x" is not a number']


def test_letter_case_of_names_does_not_matter_and_the_callers_spelling_is_shown() -> None:
    text = "params: {FIELDS: {properties: {Name: {type: string}}}}"
    assert said(text, {"fields": {"Name": 5}}) == ["fields.Name: 5 is not text"]


def test_nested_keys_are_taken_letter_by_letter() -> None:
    text = "params: {fields: {properties: {NAME: {type: string}}}}"
    assert said(text, {"fields": {"name": 5}}) == []


def test_a_name_given_twice_is_an_error() -> None:
    line = "TITLE: is given twice, as title and as TITLE; the service would keep only one of them"
    assert said("params: {TITLE: {type: string}}", {"title": "a", "TITLE": "b"}) == [line]


@pytest.mark.parametrize(
    ("rules", "values", "line"),
    [
        ("{dependentRequired: {a: [b, c]}}", {"a": 1, "c": 1}, "b: is needed with a"),
        ("{anyOf: [{required: [a]}, {required: [b, c]}]}", {}, "give a, or b and c"),
        ("{oneOf: [{required: [a]}, {required: [b]}]}", {}, "give a, or b; one way only"),
        ("{oneOf: [{required: [a]}, {required: [b]}]}", {"a": 1, "b": 1}, "give a, or b; one way only"),
        ("{minProperties: 2}", {"a": 1}, '{"a": 1} has fewer keys than 2'),
        ("{not: {required: [a]}}", {"a": 1}, "{\"a\": 1} does not fit the rule 'not'"),
        ("{if: {required: [a]}, then: {required: [b]}}", {"a": 1}, "b: is required"),
    ],
)
def test_rules_over_the_whole_input_are_told_in_plain_words(rules: str, values: dict[str, Any], line: str) -> None:
    assert said(f"params: {{a: {{}}, b: {{}}, c: {{}}}}\nrules: {rules}", values) == [line]


@pytest.mark.parametrize(
    ("node", "value", "line"),
    [
        ("{items: false, prefixItems: [true]}", [1, 2], "[1, 2] does not fit the rule 'items'"),
        ("{type: [string, 'null']}", 5, "5 is not text or null"),
        ("{type: boolean}", 1, "1 is not true or false"),
        ("{type: array}", {}, "{} is not a list"),
        ("{type: object}", [], "[] is not an object"),
        ("{type: 'null'}", 0, "0 is not null"),
        ("{const: x}", "y", '"y" is not "x"'),
        ("{pattern: '^a', description: Begins with a. Really}", "b", '"b" has not the form ^a; Begins with a'),
        ("{minimum: 2}", 1, "1 is less than 2"),
        ("{maximum: 2}", 3, "3 is more than 2"),
        ("{exclusiveMinimum: 2}", 2, "2 is not more than 2"),
        ("{exclusiveMaximum: 2}", 2, "2 is not less than 2"),
        ("{multipleOf: 5}", 7, "7 is not a multiple of 5"),
        ("{minLength: 2}", "a", '"a" is shorter than 2'),
        ("{maxLength: 1}", "ab", '"ab" is longer than 1'),
        ("{minItems: 2}", [1], "[1] has fewer items than 2"),
        ("{maxItems: 1}", [1, 2], "[1, 2] has more items than 1"),
        ("{minProperties: 1}", {}, "{} has fewer keys than 1"),
        ("{maxProperties: 0}", {"b": 1}, '{"b": 1} has more keys than 0'),
        ("{uniqueItems: true}", [1, 1], "[1, 1] has an item twice"),
        ("{contains: {const: 1}, description: Holds a one}", [2], "[2] does not fit the rule 'contains'; Holds a one"),
        ("false", 1, "may not be given"),
        ("{not: {type: integer}}", 1, "1 does not fit the rule 'not'"),
        ("{encode: yn}", "maybe", '"maybe" is not one of true, false, Y, N'),
        ("{propertyNames: {pattern: '^a'}}", {"b": 1}, '"b" has not the form ^a'),
        ("{anyOf: [{type: string}, {$ref: '#id'}]}", [], "[] is not text or a whole number"),
        ("{anyOf: [{enum: [x, y]}, {type: integer}]}", "z", '"z" is not one of "x", "y" or a whole number'),
        ("{anyOf: [{minimum: 3, description: three or more}, {const: 1}]}", 2, "2 is not three or more"),
        ("{oneOf: [{minimum: 1}, {minimum: 2}]}", 5, "5 does not fit exactly one of its forms"),
        ("{anyOf: [{const: 1}, {const: 2}]}", 5, "5 does not fit exactly one of its forms"),
        ("{anyOf: [{type: string}, false]}", 5, "5 is not text"),
        ("{pattern: x}", "y" * 80, f'"{"y" * 58}… has not the form x'),
        ("{type: string}", b"x", "a Python bytes is not text"),
    ],
)
def test_what_was_expected_and_what_came_are_told_in_plain_words(node: str, value: object, line: str) -> None:
    assert said(f"params: {{A: {node}}}", {"A": value}) == [f"A: {line}"]


def test_of_several_forms_the_deepest_misfit_is_told() -> None:
    text = "params: {A: {anyOf: [{type: string}, {type: array, items: {type: integer}}]}}"
    assert said(text, {"A": [1, "x"]}) == ['A.1: "x" is not a whole number']


def test_nested_rules_are_told_with_their_path() -> None:
    text = "params: {f: {properties: {a: {type: array, items: {required: [x], dependentRequired: {x: [y]}}}}}}"
    assert said(text, {"F": {"a": [{}, {"x": 1}]}}) == ["F.a.0.x: is required", "F.a.1.y: is needed with x"]


@pytest.mark.parametrize(
    ("params", "values"),
    [
        ("{P: {type: string, writeOnly: true, minLength: 9}}", {"P": "hush-1"}),
        ("{P: {$ref: '#secret'}}", {"p": "hush-1"}),
        ("{P: {$ref: '#password'}}", {"p": "hush-1"}),
        ("{P: {$ref: '#password', type: object}}", {"p": "hush-1"}),
        ("{P: {writeOnly: true, type: object, additionalProperties: {type: integer}}}", {"p": {"x": "hush-1"}}),
        ("{P: {writeOnly: true, enum: [hush-2]}}", {"p": "hush-1"}),
        ("{P: {writeOnly: true, contentEncoding: base64}}", {"p": "hush-1"}),
        ("{F: {properties: {P: {$ref: '#password'}}}}", {"F": {"P": "hush-1"}}),
        ("{F: {maxProperties: 0, properties: {P: {$ref: '#password'}}}}", {"F": {"P": "hush-1"}}),
        ("{F: {maxProperties: 0, patternProperties: {'^P': {$ref: '#password'}}}}", {"F": {"P": "hush-1"}}),
        ("{F: {maxProperties: 0, additionalProperties: {$ref: '#password'}}}", {"F": {"P": "hush-1"}}),
        ("{F: {maxItems: 0, items: {$ref: '#password'}}}", {"F": ["hush-1"]}),
        ("{F: {anyOf: [{type: integer}, {items: {type: integer}, writeOnly: true}], writeOnly: true}}",
         {"F": ["hush-1"]}),
        ("{P: {type: string, writeOnly: true}}\nrules: {minProperties: 5}", {"P": "hush-1"}),
        ("{P: {type: string, writeOnly: true}}\nrules: {not: {required: [P]}}", {"P": "hush-1"}),
    ],
)  # fmt: skip
def test_a_secret_is_never_shown(params: str, values: dict[str, Any]) -> None:
    problems = said(f"params: {params}", values)
    assert problems
    assert "hush-1" not in " ".join(problems)


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("kind", "value", "lines"),
    [
        ("image/*", packed(b"\x89PNG\r\n\x1a\nrest"), []),
        ("image/png", packed(b"\xff\xd8\xff"), ["f: the file is no picture (png)"]),
        ("image/*", packed(b"hello"), ["f: the file is no picture (jpeg, png, gif, bmp, webp)"]),
        ("image/tiff", packed(b"hello"), ["f: the file is no picture (jpeg, png, gif, bmp, webp)"]),
        ("image/*", packed(b"<?xml?><svg>"), []),
        ("text/plain", packed(b"hello"), []),
        ("text/plain", "", ["f: the file is empty"]),
        ("text/plain", "cat.png", ['f: "cat.png" is not base64; to send a file write @cat.png']),
        ("text/plain", "é", ['f: "é" is not base64; to send a file write @é']),
        ("text/plain", "%" * 300,
         [f'f: "{"%" * 58}… is not base64; it must be the file\'s content in base64']),
        ("text/plain", 5, ["f: 5 is not text"]),
    ],
)  # fmt: skip
def test_a_file_is_looked_into(kind: str, value: object, lines: list[str]) -> None:
    node = f"{{type: string, contentEncoding: base64, contentMediaType: {kind}}}"
    assert said(f"params: {{F: {node}}}\nmore: true", {"f": value, "other": 1}) == lines


def test_a_key_that_looks_like_a_slip_is_a_warning() -> None:
    text = "params: {F: {properties: {TITLE: {}, STAGE: {properties: {NAME: {}}}}}}"
    assert said(text, {"f": {"TITEL": 1, "UF_X": 2, "STAGE": {"NAMR": 3}}}) == [
        "! f.TITEL: is not a known key; did you mean TITLE?",
        "! f.STAGE.NAMR: is not a known key; did you mean NAME?",
    ]


@pytest.mark.parametrize("key", ["title", "TITLES", "ID", "x_TITLE"])
def test_a_key_that_is_meant_is_no_slip(key: str) -> None:
    """Another letter case, a key whose sister is given as well, a short one, one that a pattern takes."""
    text = "params: {F: {properties: {TITLE: {}, IDS: {}}, patternProperties: {^x_: {}}}}"
    assert said(text, {"F": {"TITLE": 1, key: 1}}) == []


def test_slips_in_lists_and_through_references_are_found() -> None:
    text = "params: {F: {items: {properties: {TITLE: {}}}}, G: {$ref: '#id', properties: {NAME: {}}}}"
    assert said(text, {"F": [{"TITLE": 1}, {"TILTE": 1}, 5]}) == [
        "! F.1.TILTE: is not a known key; did you mean TITLE?"
    ]


def test_a_field_that_the_rows_lack_is_a_warning() -> None:
    filtered = "F: {type: object, names: rows, properties: {STAGES: {}}}"
    text = f"params: {{{filtered}}}\nreturns: {{type: array, items: {{properties: {{TITLE: {{}}, STAGE_ID: {{}}}}}}}}"
    assert said(text, {"f": {"!STAGE": 1, "STAGES": 1, "TITEL": 2}}) == [
        "! f.!STAGE: is not a known field; did you mean STAGES?",
        "! f.TITEL: is not a known field; did you mean TITLE?",
    ]


def test_what_is_deprecated_is_a_warning_with_the_way_out() -> None:
    text = "params: {OLD: {deprecated: true, description: Use NEW}}"
    assert said(text, {"old": 1}) == ["! old: is deprecated; Use NEW"]


@pytest.mark.parametrize(
    ("condition", "values", "lines"),
    [
        ("{properties: {A: {const: 1}}, required: [A]}", {"a": 1}, ["! Think twice"]),
        ("{properties: {A: {const: 1}}, required: [A]}", {"a": 2}, []),
        ("{properties: {A: {$ref: '#id'}}}", {"a": 0}, []),
        ("{properties: {A: {multipleOf: 5}}}", {"a": 10}, ["! Think twice"]),
        ("{properties: {A: {multipleOf: 5}}}", {"a": 11}, []),
        ("true", {}, ["! Think twice"]),
    ],
)
def test_advice_is_given_where_the_input_fits_it(condition: str, values: dict[str, Any], lines: list[str]) -> None:
    assert said(f"params: {{A: {{}}}}\nwarn: [{{if: {condition}, say: Think twice}}]", values) == lines


def test_errors_come_before_warnings() -> None:
    text = "params: {OLD: {deprecated: true}, N: {type: integer}}"
    assert said(text, {"OLD": 1, "N": "x"}) == ['N: "x" is not a whole number', "! OLD: is deprecated"]


@pytest.mark.parametrize(
    ("value", "text"),
    [("é", '"é"'), ([1], "[1]"), ("x" * 100, f'"{"x" * 58}…'), (b"x", "a Python bytes")],
)
def test_a_value_is_shown_as_json_cut_to_fit_a_sentence(value: object, text: str) -> None:
    assert validation.shown(value) == text


def test_a_schema_that_is_none_is_told() -> None:
    assert validation.faults_of_schema({"type": "string"}) == ""
    assert validation.faults_of_schema(True) == ""
    assert "'text' is not valid" in validation.faults_of_schema({"type": "text"})
