from __future__ import annotations

import pytest

from runner import errors
from runner.errors import (
    AuthError,
    CallError,
    InvalidArguments,
    LimitExceeded,
    MissingCredentials,
    Problem,
    RunnerError,
    ServiceError,
    SpecError,
    TransportError,
    UnknownMethod,
)


@pytest.mark.parametrize(
    ("error", "family", "kind", "exit_code"),
    [
        (RunnerError("x"), Exception, "bug", 1),
        (SpecError("x"), RunnerError, "spec", 2),
        (CallError("x"), RunnerError, "usage", 2),
        (UnknownMethod("x"), CallError, "usage", 2),
        (InvalidArguments([]), CallError, "usage", 2),
        (MissingCredentials("x"), CallError, "auth", 3),
        (ServiceError("x", kind="not_found"), RunnerError, "not_found", 4),
        (AuthError("x", kind="auth"), ServiceError, "auth", 3),
        (LimitExceeded("x", kind="rate_limit"), ServiceError, "rate_limit", 6),
        (TransportError("x"), RunnerError, "network", 5),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_error_says_who_must_act(error: RunnerError, family: type[Exception], kind: str, exit_code: int) -> None:
    assert isinstance(error, family)
    assert (error.kind, error.exit_code) == (kind, exit_code)
    assert error.as_dict()["kind"] == kind


def test_every_error_class_is_a_runner_error() -> None:
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    classes = [one for one in found if not issubclass(one, Warning)]
    assert all(issubclass(one, RunnerError) for one in classes)
    assert len(classes) == 11


def test_a_hint_ends_the_sentence() -> None:
    assert str(CallError("no such thing", hint="look again")) == "no such thing; look again"
    assert str(CallError("no such thing")) == "no such thing"


def test_an_error_is_shown_as_json_with_its_kind_code_hint_and_method() -> None:
    error = CallError("no", hint="look", method="book.get")
    assert error.as_dict() == {
        "kind": "usage",
        "code": "CallError",
        "message": "no",
        "hint": "look",
        "method": "book.get",
    }


def test_an_error_of_a_file_begins_with_its_place() -> None:
    assert str(SpecError("no", where="a.yaml:2:3")) == "a.yaml:2:3: no"
    assert SpecError("no", where="a.yaml:2:3").where == "a.yaml:2:3"
    assert str(SpecError("no")) == "no"


def test_an_unknown_name_is_answered_with_the_nearest_ones() -> None:
    error = UnknownMethod("book.gat", ["book.get", "book.set"], where="library")
    assert str(error) == "there is no method 'book.gat' in library; did you mean book.get or book.set?"
    assert (error.name, error.near, error.method) == ("book.gat", ("book.get", "book.set"), "book.gat")
    assert str(UnknownMethod("lib", what="service")) == "there is no service 'lib'"


def test_every_misfit_has_a_line_of_its_own() -> None:
    problems = [Problem("error", "a.b", "is wrong", "write 1"), Problem("error", "", "too much")]
    error = InvalidArguments(problems, method="m")
    assert str(error) == "a.b: is wrong; write 1\ntoo much"
    assert error.as_dict()["problems"] == [
        {"path": "a.b", "message": "is wrong", "hint": "write 1"},
        {"path": "", "message": "too much", "hint": ""},
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ServiceError("no", code="E1"), "E1: no"),
        (ServiceError("no"), "no"),
        (ServiceError("", code="E1", hint="wait"), "E1; wait"),
        (ServiceError("", status=404), "refused with status 404"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_the_service(error: ServiceError, text: str) -> None:
    assert str(error) == text


def test_a_refusal_is_shown_as_json_with_status_and_details() -> None:
    error = ServiceError("no", code="E1", status=400, rejected=True, details={"field": "x"})
    assert error.rejected
    assert error.as_dict() == {
        "kind": "usage",
        "code": "E1",
        "message": "no",
        "hint": "",
        "method": "",
        "status": 400,
        "details": {"field": "x"},
    }
    assert "details" not in ServiceError("no").as_dict()


def test_a_refusal_that_leaves_a_doubt_says_so() -> None:
    assert "outcome" not in ServiceError("no", kind="server").as_dict()
    assert ServiceError("no", kind="server", outcome="unknown").as_dict()["outcome"] == "unknown"


def test_a_lost_answer_says_whether_the_server_may_have_acted() -> None:
    assert TransportError("lost").as_dict()["outcome"] == "unknown"
    assert TransportError("lost", outcome="not sent", status=502).as_dict() | {"hint": ""} == {
        "kind": "network",
        "code": "TransportError",
        "message": "lost",
        "hint": "",
        "method": "",
        "outcome": "not sent",
        "status": 502,
    }


def test_the_class_of_a_refusal_follows_from_its_kind() -> None:
    assert {"auth": AuthError, "forbidden": AuthError, "rate_limit": LimitExceeded} == errors.REFUSALS


@pytest.mark.parametrize(
    ("word", "most", "found"),
    [
        ("titel", 1, ["TITLE"]),
        ("TITLE", 1, ["TITLE"]),
        ("tite", 2, ["TITLE", "tile"]),
        ("zzz", 3, []),
        ("", 1, []),
    ],
)
def test_the_nearest_words_are_found_without_letter_case(word: str, most: int, found: list[str]) -> None:
    assert errors.nearest(word, ["TITLE", "tile", "colour"], most) == found


@pytest.mark.parametrize("word", ["di", "ix", "i", "idd"])
def test_a_word_of_two_letters_is_near_by_one_of_them(word: str) -> None:
    assert errors.nearest(word, ["ID", "FILTER"]) == ["ID"]


def test_of_two_words_that_differ_in_case_the_first_is_proposed() -> None:
    assert errors.nearest("naem", ["Name", "NAME"]) == ["Name"]


def test_there_is_no_question_without_an_answer() -> None:
    assert errors.did_you_mean([]) == ""
