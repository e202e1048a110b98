from __future__ import annotations

import subprocess
import sys

import pytest

from runner import query
from runner.errors import CallError, SpecError

BODY = {"result": {"items": [{"ID": "1"}, {"ID": "2"}], "none": None}, "total": 2}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("@", BODY),
        ("total", 2),
        ("result.none", None),
        ("result.items.ID", None),
        ("total.more", None),
        ("missing", None),
        ("result.items[-1].ID", "2"),
        ("result.items[].ID", ["1", "2"]),
        ("missing || total", 2),
        ('result."items"[0].ID', "1"),
        ("abs(result)", None),
    ],
)
def test_a_path_finds_what_stands_there_or_nothing(path: str, found: object) -> None:
    assert query.search(path, BODY) == found


def test_plain_words_are_walked_as_jmespath_walks_them() -> None:
    import jmespath

    values: list[object] = [BODY, [BODY], "text", None, 5, {"result": []}]
    for value in values:
        for path in ("result", "result.items", "total.x.y"):
            assert query.search(path, value) == jmespath.search(path, value)


def test_plain_words_do_not_import_jmespath() -> None:
    code = "import sys; from runner import query; query.search('a.b', {}); print('jmespath' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_broken_path_in_a_file_is_the_files_mistake() -> None:
    with pytest.raises(SpecError, match=r"'result\[' is no JMESPath"):
        query.search("result[", BODY)


def test_a_callers_path_finds_what_stands_there() -> None:
    assert query.ask("result.items[?ID=='2'] | [0]", BODY) == {"ID": "2"}


def test_a_broken_path_of_a_caller_is_the_callers_mistake() -> None:
    with pytest.raises(CallError, match=r"'result\[' is no JMESPath.*jmespath.org"):
        query.ask("result[", BODY)


def test_a_callers_path_that_does_not_fit_the_answer_is_told() -> None:
    with pytest.raises(CallError, match=r"'abs\(result\)' does not fit the answer"):
        query.ask("abs(result)", BODY)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("total", 2),
        ("header.Retry-After", "7"),
        ("header.X-None", None),
        ("link.next", "https://api.example/?page=2"),
        ("link.last", "https://api.example/?page=9"),
        ("link.prev", None),
    ],
)
def test_a_place_is_in_the_body_or_in_a_header(path: str, found: object) -> None:
    link = '<https://api.example/?page=2>; rel="next", <https://api.example/?page=9>; title="x"; rel=last'
    assert query.place(path, BODY, {"retry-after": "7", "link": link}) == found


def test_an_answer_without_a_link_header_has_no_next_address() -> None:
    assert query.place("link.next", BODY, {}) is None
