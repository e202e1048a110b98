"""What is known of an error: its names in their order, and the message that tells meanings apart."""

from __future__ import annotations

from typing import Any

import pytest

from runner.refusal import Refusal, blocks, known

MINE: dict[str, Any] = {"A_*": {"kind": "conflict"}, "A_B": {"kind": "blocked"}, "404": {"kind": "not_found"}}
ALL: dict[str, Any] = {
    "*": {"message": "no", "kind": "auth"},
    "4XX": {"kind": "forbidden"},
    "a_b_*_d": {"kind": "server"},
}


@pytest.mark.parametrize(
    ("code", "status", "message", "kind"),
    [
        ("a_b", 400, "", "blocked"),
        ("A_C", 400, "", "conflict"),
        ("A_B_C_D", 400, "", "conflict"),
        ("XA_C", 404, "", "not_found"),
        ("", 404, "no", "not_found"),
        ("", 409, "no", "forbidden"),
        ("", 200, "", "forbidden"),
        ("", 500, "No!", "auth"),
        ("", 500, "", None),
        ("*", 500, "", None),
    ],
)
def test_the_most_exact_name_of_an_error_is_taken(code: str, status: int, message: str, kind: str | None) -> None:
    found = known([MINE, ALL], code, status, message)
    assert (found.kind if found else None) == kind


def test_signs_of_a_code_are_themselves() -> None:
    assert known([{"A[*]": {"kind": "blocked"}}], "a[S7]", 500) == Refusal("blocked")
    assert known([{"A[*]": {"kind": "blocked"}}], "aS", 500) is None


@pytest.mark.parametrize(
    ("message", "hint"),
    [("Gone", "mine"), ("It was TAKEN", "theirs"), ("Wrong", "plain"), ("Hm", "plain")],
)
def test_the_message_tells_the_kind_and_of_one_kind_the_earlier_book_the_hint(message: str, hint: str) -> None:
    mine: dict[str, Any] = {"E": [{"message": "gone", "kind": "not_found", "hint": "mine"}, {"hint": "plain"}]}
    theirs = [{"message": "taken", "kind": "conflict", "hint": "theirs"}, {"message": "wrong", "hint": "wrong"}]
    found = known([mine, {"E": theirs}], "E", 400, message)
    assert found is not None
    assert found.hint == hint


def test_one_block_is_a_list_of_one() -> None:
    assert blocks({"kind": "usage"}) == [{"kind": "usage"}]
    assert blocks([{}, {}]) == [{}, {}]
