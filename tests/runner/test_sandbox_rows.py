"""Many rows: read by their ids and not by reading all, paged for readers side by side, shifted while they read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runner import Client
from runner.catalog import Catalog
from runner.sandbox import Served, Shift, listing, start
from runner.sandbox.store import Picked, Span, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
OPERATORS = {
    ">": ">", ">=": ">=", "<": "<", "<=": "<=", "!": "!=", "@": "in", "!@": "not in", "><": "between"
}  # fmt: skip
SANDBOX: Json = {"operators": OPERATORS}


@pytest.fixture
def store() -> Iterator[Store]:
    one = Store(":memory:")
    yield one
    one.close()


@pytest.fixture
def serve(cache: object) -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def make(service: str = "bitrix24", catalog: Catalog | None = None, **words: Any) -> Served:
        running.append(start(catalog or Catalog(), service, state=":memory:", **words))
        return running[-1]

    yield make
    for one in running:
        one.close()


def ask(served: Served, name: str, body: Json | None = None) -> Any:
    with httpx.Client(verify=False) as client:
        return client.post(f"{served.address}/rest/1/sandbox/{name}", json=body or {}).json()


# Rows that are chosen by their ids


def places(rows: listing.Rows) -> list[Any]:
    return [row["id"] for row in (rows if isinstance(rows, list) else rows.part(0, len(rows)))]


def test_ids_and_rows_chosen_by_them_are_the_same_as_when_all_are_read(store: Store) -> None:
    dice = Random(1)
    shelf = store.shelf("boat", "id", [{"id": one, "sails": one % 7} for one in dice.sample(range(200), 80)])
    values: list[Any] = [*range(-3, 210, 9), "50", "x", "", None, 3.5, True, [3, 4], [5, "9", "y"], []]
    for _ in range(600):
        wanted = {
            dice.choice(["", *OPERATORS]) + dice.choice(["id", "ID", "sails"]): dice.choice(values)
            for _ in range(dice.randrange(3))
        }
        order = dice.choice(
            [None, {}, {"id": "asc"}, {"ID": "DESC"}, {"sails": "desc", "id": "desc"}, "-id", ["sails"]]
        )
        rows = listing.chosen(shelf, wanted, order, SANDBOX)
        expected = listing._fitting(shelf.rows(), list(listing._conditions(wanted, OPERATORS)), order)
        assert places(rows) == [row["id"] for row in expected], (wanted, order)
        assert len(rows) == len(expected)
        low, size = dice.randrange(90), dice.randrange(60)
        assert listing._part(rows, low, size) == expected[low : low + size]
        after = dice.choice([7, "100", "x"])
        kept = [row["id"] for row in expected if listing._key(row["id"]) > listing._key(after)]
        assert places(listing._after(rows, "id", after, None)) == kept


def test_where_ids_alone_decide_no_row_is_read(store: Store) -> None:
    shelf = store.shelf("boat", "id", [{"sails": 1}] * 9)
    assert isinstance(listing.chosen(shelf, {">id": 3, "<=id": 5}, {"id": "desc"}, SANDBOX), Span)
    assert isinstance(listing.chosen(shelf, {"sails": 1}, None, SANDBOX), Picked)


def test_rows_that_were_picked_are_picked_again_once_something_changes(store: Store) -> None:
    shelf = store.shelf("boat", "id", [{"sails": 1}, {"sails": 2}, {"sails": 1}])

    def found() -> list[Any]:
        return places(listing.chosen(shelf, {"sails": 1}, None, SANDBOX))

    assert [found(), found()] == [[1, 3], [1, 3]]
    shelf.change(2, {"sails": 1})
    assert found() == [1, 2, 3]
    shelf.remove(1)
    assert found() == [2, 3]
    shelf.add({"sails": 1})
    assert found() == [2, 3, 4]
    shelf.extend([{"sails": 1}])
    assert found() == [2, 3, 4, 5]
    for sails in range(40):
        listing.chosen(shelf, {"sails": sails}, None, SANDBOX)
    assert found() == [2, 3, 4, 5]
    gone = Picked(shelf, listing.chosen(shelf, {"sails": 1}, None, SANDBOX).ids)  # type: ignore[union-attr]
    shelf.remove(3)
    assert places(gone) == [2, 4, 5]


def test_ids_are_kept_up_to_date(store: Store) -> None:
    shelf = store.shelf("boat", "id", [{"id": 2}, {"id": 5}])

    def ids() -> list[int]:
        return list(store.ids("boat") or [])

    assert ids() == [2, 5]
    shelf.add({})
    shelf.change(5, {"name": "Swan"})
    shelf.extend([{"id": 3}, {}])
    assert ids() == [2, 3, 5, 6, 7]
    shelf.remove(5)
    shelf.remove(99)
    shelf.remove("x")
    assert ids() == [2, 3, 6, 7]
    with pytest.raises(ZeroDivisionError), store.change():  # noqa: PT012 - both steps are one change
        shelf.add({})
        assert 1 / 0
    assert ids() == [2, 3, 6, 7]
    shelf.extend([{"id": "x"}])
    assert store.ids("boat") is None
    assert shelf.span() is None
    shelf.add({})
    assert places(listing.chosen(shelf, {">id": 5}, {"id": "desc"}, SANDBOX)) == ["x", 8, 7, 6]
    store.clear()
    assert ids() == []


def test_a_change_of_another_process_is_seen(tmp_path: Path) -> None:
    one, other = Store(str(tmp_path / "one.sqlite")), Store(str(tmp_path / "one.sqlite"))
    mine, theirs = one.shelf("boat"), other.shelf("boat")
    mine.add({})
    assert len(mine.span() or []) == len(theirs.span() or []) == 1
    theirs.add({})
    assert len(mine.span() or []) == 2
    one.close()
    other.close()


# Pages


def listed(reply: Json) -> list[int]:
    return [int(row["ID"]) for row in reply["result"]]


def test_a_collection_is_filled(serve: Callable[..., Served]) -> None:
    served = serve()
    assert served.seed("crm.deal", 120) == 118
    assert served.seed("crm.deal.list", 120) == 0
    assert served.seed("crm.deal.add", [{"TITLE": "One"}, {"ID": "500"}, {}]) == 3
    reply = ask(served, "crm.deal.list", {"start": 100})
    assert (listed(reply)[-3:], reply["total"]) == ([121, 500, 501], 123)
    assert served.seed("crm.activity", 2) == served.seed("im.chat.get", 2) == 2
    assert served.seed("somewhere.else", [{"a": 1}]) == 1
    assert served.seed("department.list", 3) == 3


def test_pages_for_readers_side_by_side(serve: Callable[..., Served]) -> None:
    served = serve()
    served.seed("crm.deal", 130)
    first, last = ask(served, "crm.deal.list"), ask(served, "crm.deal.list", {"start": 100})
    assert (listed(first), first["next"], first["total"]) == ([*range(1, 51)], 50, 130)
    assert (listed(last), last["total"], "next" in last) == ([*range(101, 131)], 130, False)
    window = ask(served, "crm.deal.list", {"filter": {">ID": 60, "<=ID": "110"}, "order": {"ID": "DESC"}})
    assert (listed(window), window["total"], "next" in window) == ([*range(110, 60, -1)], 50, False)
    keyset = {"filter": {">ID": 100}, "order": {"ID": "ASC"}}
    assert ask(served, "crm.deal.list", keyset)["total"] == 30
    uncounted = ask(served, "crm.deal.list", {**keyset, "start": -1})
    assert (listed(uncounted), uncounted["total"], "next" in uncounted) == ([*range(101, 131)], 0, False)
    down = ask(served, "crm.deal.list", {"order": {"id": "desc"}, "start": -1})
    assert (listed(down)[0], down["total"]) == (130, 0)


def test_only_a_way_that_leaves_rows_uncounted_has_that_total(serve: Callable[..., Served]) -> None:
    served = serve("library", Catalog(str(Path(__file__).parents[1] / "service")))
    with httpx.Client(verify=False, base_url=f"{served.address}/r/1/sandbox/") as client:
        assert client.get("books", params={"page": 0, "count": 1}).json().keys() == {"value", "cost"}
        assert client.get("books", params={"from": -1}).json()["total"] == -1
        assert client.get("books", params={"from": 0}).json()["total"] == 2


def test_an_address_may_end_in_the_name_of_a_form(serve: Callable[..., Served]) -> None:
    served = serve()
    assert ask(served, "user.current.json")["result"]["NAME"] == "Anna"
    assert ask(served, "user.current.JSON")["result"]["NAME"] == "Anna"
    assert (
        ask(served, "user.nobody.json")["error"]
        == ask(served, "user.current.xml")["error"]
        == ("ERROR_METHOD_NOT_FOUND")
    )


def batch(served: Served, calls: Any, **more: Any) -> Json:
    result: Json = ask(served, "batch", {"cmd": calls, **more})["result"]
    return result


def test_a_chain_of_pages_in_one_batch(serve: Callable[..., Served]) -> None:
    served = serve()
    served.seed("crm.deal", 130)
    page = "crm.deal.list?order[ID]=ASC&start=-1&filter[%3EID]="
    result = batch(served, {"a": f"{page}0", "b": f"{page}$result[a][49][ID]", "c": f"{page}$result[b][49][ID]"})
    assert [len(result["result"][key]) for key in "abc"] == [50, 50, 30]
    assert result["result"]["c"][-1]["ID"] == "130"
    assert result["result_total"] == {"a": 0, "b": 0, "c": 0}
    lost = batch(served, {"a": f"{page}100", "b": f"{page}$result[a][49][ID]"})  # there is no 49th row to follow
    assert [row["ID"] for row in lost["result"]["b"]][:2] == ["1", "2"]
    item = "crm.item.get?entityTypeId=2&id=$result[new][item][id]"
    items = batch(served, {"new": "crm.item.add?entityTypeId=2&fields[title]=A", "g": item})
    assert items["result"]["g"] == {"item": {"title": "A", "id": 1}}


def test_calls_that_are_too_many_are_refused_in_their_places(serve: Callable[..., Served]) -> None:
    served = serve()
    result = batch(served, {f"c{one}": "user.current" for one in range(53)})
    assert len(result["result"]) == 50
    assert {key: one["error"] for key, one in result["result_error"].items()} == dict.fromkeys(
        ["c50", "c51", "c52"], "ERROR_BATCH_LENGTH_EXCEEDED"
    )
    result = batch(served, ["user.current"] * 51)
    assert len(result["result"]) == 50
    assert list(result["result_error"]) == ["50"]
    halted = batch(served, {"a": "crm.deal.get?id=77", **{f"c{one}": "user.current" for one in range(53)}}, halt=1)
    assert list(halted["result_error"]) == ["a"]
    with httpx.Client(verify=False) as client:
        words = {"commands": [{"method": "tasks.task.get", "query": {"id": 1}}] * 51}["commands"]
        reply = client.post(f"{served.address}/rest/api/1/sandbox/batch", json=words)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "ERROR_BATCH_LENGTH_EXCEEDED")


def test_a_batch_answers_as_the_portals_own_language_writes_maps(serve: Callable[..., Served]) -> None:
    served = serve()
    result = batch(served, {"a": "user.current"})
    assert (result["result_error"], result["result_total"], result["result_next"]) == ([], [], [])
    result = batch(served, {"0": "crm.deal.get?id=77", "1": "user.current"})
    assert isinstance(result["result_error"], list)
    assert list(result["result"]) == ["1"]
    result = batch(served, {"a": "batch?cmd[b]=user.current"})
    assert (result["result"], result["result_error"]["a"]["error"]) == ([], "ERROR_BATCH_METHOD_NOT_ALLOWED")


# Rows that come and go


def read_by_offset(served: Served) -> list[int]:
    found: list[int] = []
    start: int | None = 0
    while start is not None:
        reply = ask(served, "crm.deal.list", {"start": start})
        found += listed(reply)
        start = reply.get("next")
    return found


def read_by_id(served: Served, way: str = "ASC") -> list[int]:
    found: list[int] = []
    sign = ">" if way == "ASC" else "<"
    while True:
        after = {f"{sign}ID": found[-1]} if found else {}
        rows = listed(ask(served, "crm.deal.list", {"start": -1, "order": {"ID": way}, "filter": after}))
        found += rows
        if len(rows) < 50:
            return found


def test_a_reader_by_offset_misses_rows_that_shift_and_the_record_shows_it(serve: Callable[..., Served]) -> None:
    shift = Shift(delete_every=2)
    served = serve(shift=shift)
    served.seed("crm.deal", 420)
    found = read_by_offset(served)
    assert shift.gone("crm.deal") == [1, 2, 3, 4]
    assert shift.steady("CRM.deal") == [*range(5, 421)]
    missed = set(shift.steady("crm.deal")) - set(found)
    assert len(missed) == 4


@pytest.mark.parametrize("way", ["ASC", "DESC"])
def test_a_reader_by_id_gets_each_steady_row_just_once(way: str, serve: Callable[..., Served]) -> None:
    shift = Shift(insert_every=2, delete_every=3, collection="crm.deal")
    served = serve(shift=shift)
    served.seed("crm.deal", 420)
    ask(served, "crm.lead.list")
    found = read_by_id(served, way)
    steady = set(shift.steady("crm.deal"))
    assert len(found) == len(set(found))
    assert steady <= set(found)
    assert shift.born("crm.deal") == [421, 422, 423, 424]
    assert len(shift.gone("crm.deal")) == len(set(shift.gone("crm.deal")) - steady) == 3
    assert (min if way == "ASC" else max)(shift.gone("crm.deal")) == (1 if way == "ASC" else 424)
    shift.begin()
    with pytest.raises(KeyError):
        shift.steady("crm.deal")


def test_pages_inside_a_batch_shift_too(serve: Callable[..., Served]) -> None:
    shift = Shift(insert_every=1, delete_every=1)
    served = serve(shift=shift)
    served.seed("crm.deal", 100)
    result = batch(served, {"a": "crm.deal.list?start=0", "b": "crm.deal.list?start=50"})
    assert [int(result["result"]["b"][0]["ID"]), len(result["result"]["b"])] == [52, 50]
    assert (shift.gone("crm.deal"), shift.born("crm.deal")) == ([1, 2], [101, 102])


def test_an_empty_list_grows_and_nothing_is_removed_from_it(serve: Callable[..., Served]) -> None:
    shift = Shift(insert_every=1, delete_every=1)
    served = serve(shift=shift)
    assert [len(ask(served, "crm.activity.list")["result"]) for _ in range(3)] == [0, 1, 1]
    assert (shift.steady("crm.activity"), shift.gone("crm.activity")) == ([], [1, 2])


def test_rows_whose_ids_are_texts_shift_too(store: Store) -> None:
    shift = Shift(delete_every=1)
    shelf = store.shelf("boat", "id", [{"id": 3}, {"id": "a"}, {"id": "b"}])
    shift.listed(shelf, shelf.rows())
    assert (shift.gone("boat"), shift.steady("boat")) == ([3], ["a", "b"])
    shift.listed(shelf, shelf.rows()[::-1])
    assert (shift.gone("boat"), shift.steady("boat")) == ([3, "b"], ["a"])


def test_a_new_row_has_what_the_service_fills_in_unless_the_call_says_otherwise() -> None:
    begun = datetime.now(UTC).replace(microsecond=0)
    with Client("bitrix24", sandbox=":memory:") as portal:
        for fields in ({"TITLE": "Plain"}, {"TITLE": "Won", "STAGE_ID": "WON"}):
            portal.call("crm.deal.add", {"fields": fields})
        asked = {"filter": {">=DATE_CREATE": begun.isoformat()}, "select": ["TITLE", "STAGE_ID", "CLOSED"]}
        rows = list(portal.iterate("crm.deal.list", asked))
        dates = [row["DATE_CREATE"] for row in portal.iterate("crm.deal.list", {})]
    assert [(row["TITLE"], row["STAGE_ID"], row["CLOSED"]) for row in rows] == [
        ("Plain", "NEW", "N"),
        ("Won", "WON", "N"),
    ]
    assert all(begun <= datetime.fromisoformat(date) for date in dates[2:])


def test_the_time_of_a_row_is_that_of_its_call() -> None:
    with Client("library", sandbox=":memory:", methods=str(Path(__file__).parents[1] / "service")) as library:
        row = library.call("visit.add", {"visitor": 7}).value["row"]
    assert row["mood"] == "good"
    assert datetime.fromisoformat(row["came"]).tzinfo is not None
