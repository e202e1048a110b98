from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import template

KINDS = {"portal": "hostname", "user": "integer", "root": "uri"}
HOOK = "{scheme}://{portal}/rest/{user}/{code}/"


def quoted(text: str, keep: str) -> str:
    return quote(text, safe=keep)


def test_fields_are_named_in_order() -> None:
    assert template.names("{a}/{+b}{/c}?{a}") == ["a", "b", "c", "a"]


def test_a_plain_text_is_filled_as_it_is() -> None:
    assert template.plain("Bearer {token}", {"token": "a/b c"}) == "Bearer a/b c"
    with pytest.raises(KeyError):
        template.plain("{token}", {})


@pytest.mark.parametrize(
    ("pattern", "values", "address"),
    [
        ("b/{id}", {"id": "a/b c"}, "b/a%2Fb%20c"),
        ("b/{+id}", {"id": "a/b c"}, "b/a/b%20c"),
        ("b{/id}", {"id": "a/b"}, "b/a%2Fb"),
        ("b{/id}", {}, "b"),
        ("b/{id}.json", {"id": None}, "b/.json"),
        ("b/{id}", {"id": 7}, "b/7"),
    ],
)
def test_an_address_is_filled_with_escaped_fields(pattern: str, values: dict[str, object], address: str) -> None:
    assert template.address(pattern, values, quoted) == address


def test_a_value_is_filled_at_every_depth() -> None:
    node = {"{key}": ["{value}", "n={value}", {"x": "{none}"}, 5, None, True]}
    assert template.filled(node, {"key": "k", "value": [1]}) == {"k": [[1], "n=[1]", {"x": "{none}"}, 5, None, True]}


def test_a_text_that_is_one_field_becomes_the_value_itself() -> None:
    assert template.filled("{total}", {"total": 7}) == 7
    assert template.filled("{total} rows", {"total": 7}) == "7 rows"
    assert template.filled("{total}{more}", {"total": 7}) == "7{more}"


@pytest.mark.parametrize(
    ("pattern", "text", "fields"),
    [
        (HOOK, "https://b.example/rest/1/s3/", {"scheme": "https", "portal": "b.example", "user": "1", "code": "s3"}),
        (HOOK, "https://b.example:8080/rest/1/s3/",
         {"scheme": "https", "portal": "b.example:8080", "user": "1", "code": "s3"}),
        (HOOK, "https://b.example/rest/one/s3/", None),
        (HOOK, "https://u@b.example/rest/1/s3/", None),
        (HOOK, "https://b.example/rest/1/s3", None),
        (HOOK, "https://b.example/rest/1/s3/?x=1", None),
        ("{root}/api", "https://b.example/x/api", {"root": "https://b.example/x"}),
        ("a{/id}", "a", {}),
        ("a{/id}", "a/7", {"id": "7"}),
        ("a/{+path}", "a/b/c", {"path": "b/c"}),
        ("{a}.{a}", "x.x", {"a": "x"}),
        ("a+b", "aab", None),
    ],
)  # fmt: skip
def test_a_template_runs_backwards(pattern: str, text: str, fields: dict[str, str] | None) -> None:
    assert template.matched(pattern, text, KINDS) == fields


WORD = st.text(alphabet="abcXYZ019-_~", min_size=1)


@settings(max_examples=100, deadline=None, database=None)
@given(scheme=WORD, portal=WORD, user=st.integers(min_value=0), code=WORD)
def test_what_a_template_writes_it_splits_again(scheme: str, portal: str, user: int, code: str) -> None:
    fields = {"scheme": scheme, "portal": portal, "user": str(user), "code": code}
    assert template.matched(HOOK, template.plain(HOOK, fields), KINDS) == fields
