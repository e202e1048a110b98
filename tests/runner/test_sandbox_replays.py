"""Calls that carry a key of their own: carried out once, however often they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runner.catalog import Catalog
from runner.sandbox import Served, start

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "4f2c1a7e-5f1b-4a1e-9a2c-2f5f2b6c7d80"
FIELDS = {"title": "Count", "creatorId": 1, "responsibleId": 1}


@pytest.fixture
def served(cache: object) -> Iterator[Served]:
    with start(Catalog(), "bitrix24", state=":memory:") as one:
        yield one


def add(served: Served, fields: dict[str, Any], key: str = KEY) -> httpx.Response:
    with httpx.Client(verify=False) as client:
        headers = {"Idempotency-Key": key} if key else {}
        return client.post(
            f"{served.address}/rest/api/1/sandbox/tasks.task.add", json={"fields": fields}, headers=headers
        )


def test_a_call_with_a_key_is_carried_out_once(served: Served) -> None:
    first, again = add(served, FIELDS), add(served, FIELDS)
    assert first.json() == again.json()
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert add(served, FIELDS, KEY[::-1]).json()["result"]["item"]["id"] == 2
    assert [add(served, FIELDS, "").json()["result"]["item"]["id"] for _ in range(2)] == [3, 4]


def test_the_oldest_calls_are_forgotten_when_there_are_many(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.sandbox.replays.MOST", 2)
    keys = [KEY.replace("4f2c", f"000{number}") for number in range(3)]
    ids = [add(served, FIELDS, key).json()["result"]["item"]["id"] for key in [*keys, keys[2], keys[1], keys[0]]]
    assert ids == [1, 2, 3, 3, 2, 4]


def test_a_call_whose_answer_was_lost_may_be_made_again(served: Served) -> None:
    served.inject("reset-after")
    with pytest.raises(httpx.ReadError):
        add(served, FIELDS)
    assert add(served, FIELDS).json()["result"]["item"]["id"] == 1
    assert add(served, FIELDS, "").json()["result"]["item"]["id"] == 2


def test_the_key_of_another_call_is_refused(served: Served) -> None:
    add(served, FIELDS)
    reply = add(served, {**FIELDS, "title": "Sort"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (
        422,
        "BITRIX_REST_V3_EXCEPTION_IDEMPOTENCYKEYREUSEDEXCEPTION",
    )


def test_a_refusal_is_not_kept(served: Served) -> None:
    assert add(served, {"title": "Count"}).status_code == 400
    assert add(served, FIELDS).status_code == 200
