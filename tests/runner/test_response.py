"""A reply read: a result, a refusal, or no usable answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner import AuthError, ServiceError, TransportError, response
from runner.response import Reply, Result

if TYPE_CHECKING:
    from runner.catalog import Catalog


def test_a_result_keeps_its_reply_and_does_not_show_it(catalog: Catalog) -> None:
    reply = Reply(200, {"x-a": "1"}, b'{"value": 1, "total": 2}')
    result = response.read(catalog.method("library", "book.get"), reply)
    assert result == Result(1, {"total": 2}, {"value": 1, "total": 2})
    assert result.reply is reply
    assert "reply" not in repr(result)


@pytest.mark.parametrize("body", [b"", b"GIF89a\xff", b'{"value": 1}'])
def test_bytes_are_a_success_of_any_content(catalog: Catalog, body: bytes) -> None:
    assert response.read(catalog.method("library", "book.cover.get"), Reply(200, {}, body)).value == body


def test_text_that_is_no_text_is_no_answer(catalog: Catalog) -> None:
    with pytest.raises(TransportError, match="not UTF-8 text: a�b"):
        response.read(catalog.method("library", "book.text.get"), Reply(200, {}, b"a\xffb"))


def test_json_that_is_no_text_is_no_answer(catalog: Catalog) -> None:
    with pytest.raises(TransportError, match="the answer is not UTF-8 text"):
        response.read(catalog.method("library", "book.get"), Reply(200, {}, b"\xff\xfe\xfd"))


def test_json_that_is_nested_too_deeply_is_no_answer(catalog: Catalog) -> None:
    with pytest.raises(TransportError, match="cut short"):
        response.read(catalog.method("library", "book.get"), Reply(200, {}, b"[" * 200_000))


def test_a_redirect_to_nowhere_says_so(catalog: Catalog) -> None:
    with pytest.raises(TransportError, match="it points to another address of the same host") as caught:
        response.read(catalog.method("library", "book.get"), Reply(304, {}, b""))
    assert caught.value.outcome == "not sent"


def test_an_error_page_leaves_a_read_without_a_warning(catalog: Catalog) -> None:
    with pytest.raises(TransportError) as caught:
        response.read(catalog.method("library", "book.get"), Reply(418, {}, b"[1]"))
    assert (caught.value.hint, caught.value.outcome, caught.value.status) == ("", "unknown", 418)
    assert caught.value.method == "book.get"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "usage"), (401, "auth"), (403, "forbidden"), (404, "not_found"), (409, "conflict"), (429, "rate_limit")],
)
def test_a_status_tells_the_kind_where_no_file_does(catalog: Catalog, status: int, kind: str) -> None:
    method = catalog.method("library", "book.get")
    bare = replace(method, service=replace(method.service, errors={}))
    with pytest.raises(ServiceError) as caught:
        response.read(bare, Reply(status, {}, b"{}"))
    assert (caught.value.kind, caught.value.code) == (kind, "")


def test_a_failure_of_the_service_is_told_by_its_status(catalog: Catalog) -> None:
    method = catalog.method("library", "book.get")
    bare = replace(method, service=replace(method.service, errors={}))
    with pytest.raises(ServiceError) as caught:
        response.read(bare, Reply(500, {}, b'{"a": 1}'))
    assert (caught.value.kind, caught.value.details) == ("server", {"a": 1})


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b'{"fault": {"code": "NO_BOOK", "text": "Lost", "about": [1]}}', ("NO_BOOK", "Lost", [1])),
        (404, b'{"fault": {"text": "Lost"}}', ("404", "Lost", {"fault": {"text": "Lost"}})),
        (404, b"{}", ("404", "Not Found", {})),
        (404, b"[1]", ("404", "Not Found", [1])),
        (404, b"Gone for good", ("404", "Gone for good", None)),
        (404, b"", ("404", "Not Found", None)),
        (599, b"{}", ("599", "", {})),
        (418, b"{}", ("", "I'm a Teapot", {})),
    ],
)
def test_a_refusal_known_by_its_status_says_what_its_body_says(
    status: int, body: bytes, said: tuple[str, str, Any], catalog: Catalog
) -> None:
    method = catalog.method("library", "book.get")
    with pytest.raises(ServiceError) as caught:
        response.read(replace(method, reading=replace(method.reading, when="")), Reply(status, {}, body))
    assert (caught.value.code, caught.value.message, caught.value.details) == said


@pytest.mark.parametrize("body", [{"fault": None}, {"fault": False}, {}, [], "text", 7])
def test_what_names_no_error_is_no_refusal(catalog: Catalog, body: Any) -> None:
    response.refuse(catalog.method("library", "book.get"), body, 200)


def test_a_service_that_names_no_place_of_errors_never_refuses_by_its_body(catalog: Catalog) -> None:
    method = catalog.method("library", "book.get")
    response.refuse(replace(method, reading=replace(method.reading, when="")), {"fault": {"code": "A"}}, 200)


def test_a_refusal_may_have_no_place_for_its_words(catalog: Catalog) -> None:
    method = catalog.method("library", "book.get")
    silent = replace(method, reading=replace(method.reading, code="", message="", details=""))
    with pytest.raises(ServiceError) as caught:
        response.refuse(silent, {"fault": {"code": "FIRE"}}, 401)
    assert isinstance(caught.value, AuthError)
    assert (caught.value.code, caught.value.message, caught.value.details) == ("", "", None)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", ""),
        (b"\n\n  first \t line \nsecond", "first line"),
        (b"<html><TITLE lang=en>\n Log\n in </TITLE>", "Log in"),
        (b"\x1b[31mred\x07", "[31mred"),
        (b"x" * 200, "x" * 119 + "…"),
    ],
)
def test_the_first_line_of_a_body_is_fit_to_be_shown(body: bytes, line: str) -> None:
    assert response.first_line(Reply(200, {}, body)) == line
