"""Many calls folded into one, and one answer unfolded into many."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runner import RunnerError, ServiceError, TransportError, batch
from runner.batch import Command
from runner.request import MASK, Request
from runner.response import Result
from runner.spec import Batch

if TYPE_CHECKING:
    from runner import Client
    from runner.catalog import Catalog
    from runner.spec import Method

REQUEST = Request("GET", "https://library.example/api/x", {}, None)


@pytest.fixture
def how(catalog: Catalog) -> Batch:
    found = catalog.service("library").batch
    assert found is not None
    return found


def command(method: Method, key: str = "one", **values: Any) -> Command:
    return Command(key, method, method.name, values, lambda: REQUEST)


def listed(**words: Any) -> Batch:
    answers = {"items": "@", "status": "status", "body": "body", **words}
    answers = {name: path for name, path in answers.items() if path}
    return Batch.read(
        {"method": "batch", "size": 9, "commands": "c", "as": "list", "command": "{key}", "answers": answers}
    )


def raw(body: Any) -> Result:
    return Result(None, {}, body)


def test_a_batch_without_a_stop_sends_none(catalog: Catalog) -> None:
    calls = [command(catalog.method("library", "ping"))]
    assert batch.fold(listed(), calls, halt=True) == {"c": ["one"]}


def test_a_batch_is_written_with_its_secrets_masked(portal: Client, how: Batch) -> None:
    method = portal.methods.get("visit.add")
    secret = command(method, secret="s3cret", visitor=7)
    assert batch.fold(how, [secret], halt=False)["calls"] == {"one": "visit.add?secret=s3cret&id=7"}
    assert batch.fold(how, [secret.shown], halt=False)["calls"] == {"one": f"visit.add?secret={MASK}&id=7"}


def test_a_positional_method_without_values_has_none(catalog: Catalog, how: Batch) -> None:
    method = catalog.method("library", "book.sort")
    assert batch.fold(how, [command(method)], halt=False)["calls"] == {"one": "book.sort?"}


@pytest.mark.parametrize("errors", [None, [], {}])
def test_a_batch_may_have_no_place_for_refusals(catalog: Catalog, how: Batch, errors: Any) -> None:
    answers = {"results": "value"} if errors is None else {"results": "value", "errors": "errors"}
    found = batch.unfold(
        replace(how, answers=answers),
        [command(catalog.method("library", "ping"))],
        raw({"value": [7], "errors": errors}),
    )
    assert found == [Result(7, {}, 7)]


def test_an_entry_without_a_key_is_found_by_its_place(catalog: Catalog) -> None:
    calls = [command(catalog.method("library", "book.get"), key) for key in ("one", "two", "three")]
    found = batch.unfold(listed(), calls, raw([{"status": 200, "body": {"value": 1}}, {"status": 404, "body": None}]))
    assert found[0] == Result(1, {}, {"value": 1})
    assert isinstance(found[1], TransportError | ServiceError)
    assert found[1].as_dict()["status"] == 404
    assert str(found[2]).startswith("the answer of the batch says nothing of this call")


def test_an_entry_without_a_status_is_read_by_its_body(catalog: Catalog) -> None:
    calls = [command(catalog.method("library", "book.get"))]
    found = batch.unfold(listed(status=""), calls, raw([{"body": {"fault": {"code": "NO_BOOK"}}}]))
    assert isinstance(found[0], ServiceError)
    assert found[0].kind == "not_found"


@pytest.mark.parametrize(
    ("name", "body", "value"),
    [
        ("book.text.get", "Once", "Once"),
        ("book.delete", None, None),
        ("book.change", None, None),
        ("book.old", {"value": None}, None),
        ("store.file.get", {"value": "a"}, "a"),
    ],
)
def test_an_entry_is_read_as_its_method_s_own_answer(catalog: Catalog, name: str, body: Any, value: Any) -> None:
    found = batch.unfold(listed(), [command(catalog.method("library", name))], raw([{"status": 200, "body": body}]))
    assert isinstance(found[0], Result)
    assert found[0].value == value


def test_an_entry_that_is_no_answer_stands_in_its_place(catalog: Catalog) -> None:
    found = batch.unfold(
        listed(), [command(catalog.method("library", "book.delete"))], raw([{"status": 200, "body": 7}])
    )
    assert isinstance(found[0], TransportError)


@pytest.mark.parametrize("status", [None, "many", [1]])
def test_an_entry_with_a_status_that_is_none_is_read_as_a_success(catalog: Catalog, status: Any) -> None:
    found = batch.unfold(
        listed(), [command(catalog.method("library", "book.old"))], raw([{"status": status, "body": {"value": 7}}])
    )
    assert isinstance(found[0], Result)
    assert found[0].value == 7


def test_what_was_never_reached_may_be_called_again(catalog: Catalog) -> None:
    error: RunnerError = batch.never(catalog.method("library", "ping"))
    assert isinstance(error, ServiceError)
    assert (error.rejected, error.method) == (True, "ping")
