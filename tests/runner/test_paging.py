"""Pages: which style a call takes, what the next page is asked with, where a walk ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner import CallError, ServiceError, paging
from runner.response import Reply, Result
from runner.spec import Style

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.catalog import Catalog
    from runner.spec import Method


@pytest.fixture
def books(catalog: Catalog) -> Method:
    return catalog.method("library", "book.list")


def styled(method: Method, **words: Any) -> Method:
    return replace(method, styles=(Style.read("own", words),))


def page(body: Any, headers: Mapping[str, str] | None = None) -> Result:
    return Result(None, {}, body, Reply(200, headers or {}, b""))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "keyset"),
        ({"order": {"id": "desc"}}, "number"),
        ({"FROM": 3}, "number"),
        ({"from": 0, "count": 3}, "offset"),
    ],
)
def test_the_first_style_that_the_caller_leaves_room_for_is_taken(
    books: Method, values: dict[str, Any], name: str
) -> None:
    assert paging.style(books, values).name == name


def test_the_last_style_is_taken_where_none_has_room(books: Method) -> None:
    assert paging.style(styled(books, send={"count": 3, "page": "$page"}), {"count": 9}).name == "own"


def test_a_method_without_pages_is_an_error_of_the_call(catalog: Catalog) -> None:
    with pytest.raises(CallError, match=r"book.get answers with one page only; call it without --all"):
        paging.begin(catalog.method("library", "book.get"), {"id": 1})


def test_the_values_of_the_caller_are_not_changed(books: Method) -> None:
    given = {"filter": {"a": 1}}
    walk = paging.begin(books, given)
    paging.rows(walk, books, page({"value": [{"id": 1}, {"id": 2}, {"id": 3}]}))
    assert walk.values["filter"] == {"a": 1, ">id": 3}
    assert given == {"filter": {"a": 1}}


def test_a_mark_is_put_under_the_caller_s_spelling(books: Method) -> None:
    walk = paging.begin(books, {"Filter": {"a": 1}})
    paging.rows(walk, books, page({"value": [{"id": 1}, {"id": 2}, {"id": 3}]}))
    assert "filter" not in walk.values
    assert walk.values["Filter"] == {"a": 1, ">id": 3}


def test_a_value_that_is_no_object_makes_way_for_one(books: Method) -> None:
    walk = paging.begin(books, {"filter": 7})
    paging.rows(walk, books, page({"value": [{"id": 1}, {"id": 2}, {"id": 3}]}))
    assert walk.values["filter"] == {">id": 3}


@pytest.mark.parametrize(
    ("stop", "sizes", "pages"),
    [
        ("absent", [3, 3, 0], 3),
        ("empty", [3, 1, 0], 3),
        ("short", [3, 3, 1], 3),
        ("total", [3, 3, 1], 3),
    ],
)
def test_a_walk_ends_as_its_style_says(books: Method, stop: str, sizes: list[int], pages: int) -> None:
    method = styled(books, send={"page": "$page"}, items="value", size=3, total="total", stop=stop)
    walk = paging.begin(method, {})
    asked = []
    for size in sizes:
        assert not walk.over
        asked.append(walk.values["page"])
        paging.rows(walk, method, page({"value": [[len(asked), row] for row in range(size)], "total": 7}))
    assert walk.over
    assert asked == list(range(1, pages + 1))


def test_a_count_that_is_none_ends_a_walk_by_count(books: Method) -> None:
    method = styled(books, send={"page": "$page"}, items="value", total="total", stop="total")
    walk = paging.begin(method, {})
    assert paging.rows(walk, method, page({"value": [1], "total": "many"})) == [1]
    assert walk.over


def test_a_count_may_stand_in_a_header(books: Method) -> None:
    method = styled(books, send={"page": "$page"}, items="@", total="header.X-Count", stop="total")
    walk = paging.begin(method, {})
    paging.rows(walk, method, page([1, 2], {"x-count": "3"}))
    assert not walk.over
    paging.rows(walk, method, page([3], {"x-count": "3"}))
    assert walk.over


def test_a_number_without_end_is_no_count(books: Method) -> None:
    method = styled(books, send={"page": "$page"}, items="value", total="total", stop="total")
    walk = paging.begin(method, {})
    assert paging.rows(walk, method, page({"value": [1], "total": float("1e400")})) == [1]  # JSON reads it so
    assert walk.over


@pytest.mark.parametrize(("mark", "sent"), [(4, 5), ("4", 5), ("m", "m")])
def test_a_number_is_added_to_a_mark_that_is_one(catalog: Catalog, mark: Any, sent: Any) -> None:
    method = catalog.method("library", "shelf.marks")
    method = replace(method, styles=(method.styles[1],))
    walk = paging.begin(method, {})
    paging.rows(walk, method, page({"value": [{"place": mark}]}))
    assert walk.values["after"] == sent


@pytest.mark.parametrize("mark", [None, "", False])
def test_a_mark_that_says_nothing_ends_a_walk(catalog: Catalog, mark: Any) -> None:
    method = catalog.method("library", "shelf.walk")
    walk = paging.begin(method, {})
    paging.rows(walk, method, page({"value": {"rows": [1]}, "next": mark}))
    assert walk.over


def test_a_mark_of_zero_is_a_mark(catalog: Catalog) -> None:
    method = catalog.method("library", "shelf.walk")
    walk = paging.begin(method, {})
    paging.rows(walk, method, page({"value": {"rows": [1]}, "next": 0}))
    assert (walk.over, walk.values) == (False, {"range": {"token": 0}})


def test_rows_are_counted_from_where_the_caller_begins(catalog: Catalog) -> None:
    method = catalog.method("library", "shelf.dust")
    walk = paging.begin(method, {"SKIP": "10"})
    paging.rows(walk, method, page({"value": [1, 2]}))
    assert walk.values == {"SKIP": 12}


def test_a_page_deep_in_the_values_is_where_the_walk_begins(catalog: Catalog) -> None:
    method = styled(catalog.method("library", "shelf.walk"), send={"range.most": "$page"}, items="@", stop="empty")
    assert paging.begin(method, {"range": {"most": 5}}).values == {"range": {"most": 5}}
    assert paging.begin(method, {"range": 7}).values == {"range": {"most": 1}}


def test_an_answer_without_a_reply_has_no_headers(catalog: Catalog) -> None:
    method = catalog.method("library", "shelf.tree")
    walk = paging.begin(method, {})
    assert paging.rows(walk, method, Result([1], {}, [1])) == [1]
    assert walk.over


def test_a_page_that_comes_again_is_an_error(catalog: Catalog) -> None:
    method = catalog.method("library", "shelf.tree")
    walk = paging.begin(method, {})
    paging.rows(walk, method, page([1], {"link": "</a>; rel=next"}))
    assert walk.follow == "/a"
    with pytest.raises(ServiceError, match="lead in a circle: the mark '/a' came twice"):
        paging.rows(walk, method, page([1], {"link": "</a>; rel=next"}))


def test_rows_without_the_mark_of_the_next_page_are_an_error_and_not_the_end(books: Method) -> None:
    method = styled(books, send={"after": "$last"}, items="value", last="[-1].id", size=2, stop="short")
    with pytest.raises(ServiceError, match=r"have nothing at '\[-1\].id', from which the next page is asked for"):
        paging.rows(paging.begin(method, {}), method, page({"value": [{"title": "a"}, {"title": "b"}]}))


@pytest.mark.parametrize(
    ("path", "whole"),
    [("value", {"value": [1], "total": 5}), ("a.b", {"a": {"b": [1]}, "total": 5}), ("@", [1]), ("a || b", None)],
)
def test_the_answer_of_a_call_of_a_batch_is_read_like_one_that_came_alone(books: Method, path: str, whole: Any) -> None:
    method = replace(books, reading=replace(books.reading, result=path))
    assert paging.stands_alone(method) == (whole is not None)
    if whole is not None:
        assert paging.whole(method, Result([1], {"total": 5, "strange": 6}, [1])).raw == whole


def test_rows_that_are_text_are_no_rows(catalog: Catalog) -> None:
    method = catalog.method("library", "shelf.tree")
    with pytest.raises(ServiceError, match="the page has no rows at '@'"):
        paging.rows(paging.begin(method, {}), method, page("text"))
