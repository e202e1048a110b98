"""Many rows and many calls over real sockets: whole and in order, whatever goes wrong or changes meanwhile."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import AsyncClient, Client, RunnerError, RunnerWarning
from runner.catalog import Catalog
from runner.sandbox import MEMORY, Served, Shift, start
from runner.sandbox.faults import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.spec import Method

Json = dict[str, Any]
ROOT = Path(__file__).parents[1]
ROWS, PAGE = 10_000, 50
RANGES, LEAPS = "crm.deal.list", "crm.status.list"  # a list that is read by ids, one that is read by places
BUCKET = "rate: 2/s, burst: 50,"


@pytest.fixture(scope="module")
def catalog(cache: object) -> Catalog:
    return Catalog()


@pytest.fixture(scope="module")
def filled(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The state of a sandbox with many rows, which nobody changes."""
    state = str(tmp_path_factory.mktemp("state") / "state.sqlite")
    with start(catalog, "bitrix24", state=state) as served:
        for name in (RANGES, LEAPS):
            served.seed(name.removesuffix(".list"), ROWS)
    return state


@pytest.fixture(scope="module")
def quick(cache: object, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Catalog]:
    """The service with another bucket, on both sides."""

    def make(bucket: str) -> Catalog:
        folder = tmp_path_factory.mktemp("quick") / "bitrix24"
        folder.mkdir()
        text = (ROOT / "methods/bitrix24/_service.yaml").read_text(encoding="utf-8")
        assert BUCKET in text
        (folder / "_service.yaml").write_text(text.replace(BUCKET, bucket), encoding="utf-8")
        return Catalog(str(folder.parent))

    return make


def connect(served: Served, catalog: Catalog, **words: Any) -> Client:
    client = Client("bitrix24", url=f"{served.address}/rest/1/sandbox/", methods=catalog, limits="memory", **words)
    client._sleep = lambda _seconds: None
    return client


def ids(rows: Any) -> list[int]:
    return [int(row["ID"]) for row in rows]


PASSING = ["slow=20ms", *sorted(set(KINDS) - {"redirect", "slow"})]  # a redirect comes again: it is an error at once


@pytest.mark.parametrize("kind", PASSING)
def test_faults_change_no_row_of_ten_thousand(kind: str, catalog: Catalog, filled: str) -> None:
    wanted = list(range(1, ROWS + 1))
    wait = 1.0 if kind == "hang" else 30.0
    words: Json = {"state": filled, "fault": f"{kind}:0.05", "seed": 24}
    with start(catalog, "bitrix24", **words) as served, connect(served, catalog, timeout=wait) as client:
        client._planner.session.book.kept = False  # what the limits would have it wait for is told elsewhere
        client.call("profile")
        with ThreadPoolExecutor(8) as pool:
            places = range(0, ROWS, PAGE)
            pages = pool.map(lambda place: client.call(LEAPS, {"order": {"ID": "ASC"}, "start": place}).value, places)
            assert ids(row for page in pages for row in page) == wanted
        assert ids(client.iterate(RANGES)) == wanted
        assert ids(client.iterate(LEAPS)) == wanted
        assert served.met.total() >= (1 if kind.startswith("inner") else 5)


def test_faults_of_all_kinds_change_no_answer_of_ten_thousand(catalog: Catalog, filled: str) -> None:
    kinds = ("reset", "502", "limit", "inner-limit", "inner-cost", "html", "cut")
    fault = ",".join(f"{kind}:0.01" for kind in kinds)  # so few that no call meets five of them in a row
    with start(catalog, "bitrix24", state=filled, fault=fault, seed=24) as served, connect(served, catalog) as client:
        client._planner.session.book.kept = False
        found = client.batch([("crm.deal.get", {"id": number}) for number in range(1, ROWS + 1)])
        assert [one for one in found if isinstance(one, RunnerError)] == []
        assert ids(one.value for one in found) == list(range(1, ROWS + 1))
        assert served.met.total() >= 5


MOVING = 5_000


def test_rows_that_shift_while_they_are_read_by_ids_are_neither_lost_nor_doubled(catalog: Catalog) -> None:
    shift = Shift(insert_every=3, delete_every=5)
    with start(catalog, "bitrix24", state=MEMORY, shift=shift) as served, connect(served, catalog) as client:
        served.seed("crm.deal", MOVING)
        found = ids(client.iterate(RANGES))
        assert found == sorted(set(found))
        assert set(shift.steady("crm.deal")) <= set(found)
        assert shift.born("crm.deal")
        assert shift.gone("crm.deal")


@pytest.mark.parametrize(("inserts", "deletes"), [(3, 0), (0, 20), (7, 9)])
def test_rows_that_shift_while_they_are_read_by_places_are_told(inserts: int, deletes: int, catalog: Catalog) -> None:
    """Nothing holds the rows in their places: the reader says that some may be missing or double."""
    shift = Shift(insert_every=inserts, delete_every=deletes)
    with start(catalog, "bitrix24", state=MEMORY, shift=shift) as served, connect(served, catalog) as client:
        served.seed("crm.status", MOVING)
        with pytest.warns(RunnerWarning, match="some may be missing or double"):
            found = ids(client.iterate(LEAPS))
        assert shift.gone("crm.status") or set(shift.steady("crm.status")) <= set(found)


def refusals(lines: list[str]) -> list[str]:
    return [line for line in lines if " 200" not in line]


def bounded(served: Served, catalog: Catalog) -> Client:
    return Client("bitrix24", url=f"{served.address}/rest/1/sandbox/", methods=catalog, limits="memory")


@pytest.mark.parametrize("name", [RANGES, LEAPS])
def test_rows_are_read_at_the_limit_without_a_refusal(name: str, quick: Callable[[str], Catalog]) -> None:
    lines: list[str] = []
    catalog = quick("rate: 4/s, burst: 2,")
    with start(catalog, "bitrix24", state=MEMORY, limits=True) as served, bounded(served, catalog) as client:
        served.seed(name.removesuffix(".list"), MOVING)
        served.log = lines.append
        assert ids(client.iterate(name)) == list(range(1, MOVING + 1))
    assert refusals(lines) == []
    assert len(lines) > 2  # more than the limit has free


CALLS = 1_000
ADD = {"fields": {"TITLE": "One of many"}}
BUSY = "rate: 200/s, burst: 500,"


def test_a_thousand_writes_of_threads_at_once_are_made_once_each(quick: Callable[[str], Catalog]) -> None:
    catalog = quick(BUSY)
    with start(catalog, "bitrix24", state=MEMORY, limits=True) as served, bounded(served, catalog) as client:
        with ThreadPoolExecutor(CALLS) as pool:
            found = [one.value for one in pool.map(lambda _: client.call("crm.deal.add", ADD), range(CALLS))]
        made = client.call("crm.deal.list", {"filter": {"TITLE": "One of many"}}).meta["total"]
    assert len(set(found)) == made == CALLS


def test_a_thousand_writes_of_tasks_at_once_are_made_once_each(quick: Callable[[str], Catalog]) -> None:
    catalog = quick(BUSY)

    async def all_at_once(url: str) -> tuple[list[Any], int]:
        async with AsyncClient("bitrix24", url=url, methods=catalog, limits="memory") as client:
            found = await asyncio.gather(*(client.call("crm.deal.add", ADD) for _ in range(CALLS)))
            made = await client.call("crm.deal.list", {"filter": {"TITLE": "One of many"}})
            return [one.value for one in found], made.meta["total"]

    with start(catalog, "bitrix24", state=MEMORY, limits=True) as served:
        found, made = asyncio.run(all_at_once(f"{served.address}/rest/1/sandbox/"))
    assert len(set(found)) == made == CALLS


WAYS: dict[str, tuple[str, Json, Any]] = {  # a method for each way of paging, its input, the form of its answer
    "offset": ("crm.status.list", {}, "{rows}"),
    "keyset": ("crm.deal.list", {}, "{rows}"),
    "items": ("crm.type.list", {}, {"types": "{rows}"}),
    "items_keyset": ("crm.item.list", {"entityTypeId": 1}, {"items": "{rows}"}),
    "number": ("biconnector.source.list", {}, "{rows}"),
    "limit": ("im.search.chat.list", {"FIND": "boat"}, "{rows}"),
    "params": ("landing.site.getList", {}, "{rows}"),
    "within": ("imopenlines.config.list.get", {}, "{rows}"),
    "rows": ("humanresources.hcmlink.company.list", {}, "{rows}"),
    "bots": ("imbot.v2.Bot.list", {"botToken": "bot_secret"}, {"bots": "{rows}"}),
    "voters": ("vote.AttachedVote.getAnswerVoted", {"answerId": 3, "attachId": 1}, {"items": "{rows}"}),
    "nav": ("task.elapseditem.getlist", {"TASKID": 81}, "{rows}"),
    "paged": ("task.items.getlist", {}, "{rows}"),
    "last_id": ("im.notify.history.search", {"SEARCH_TEXT": "boat"}, {"notifications": "{rows}"}),
    "pagination": ("tasks.task.list@v3", {}, {"items": "{rows}"}),
    "tail": ("main.eventlog.tail@v3", {}, {"items": "{rows}"}),
}
ELSEWHERE = {  # walked by a case of tests/cases/bitrix24/pages.yaml
    "dates": "the mark is a date inside a row, by which the sandbox does not put rows in order",
    "cursor": "the mark is an object that the service makes up",
}


def test_there_is_a_method_for_each_way_of_paging(catalog: Catalog) -> None:
    methods = [catalog.method("bitrix24", name) for name in catalog.names("bitrix24")]
    assert {style.name for method in methods for style in method.styles} == {*WAYS, *ELSEWHERE}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_paging_leads_over_all_rows_in_order(way: str, tmp_path: Path) -> None:
    name, params, answer = WAYS[way]
    folder = tmp_path / "bitrix24"
    folder.mkdir()
    (folder / "_service.yaml").write_bytes((ROOT / "methods/bitrix24/_service.yaml").read_bytes())
    sandbox = {"does": "select", "collection": "walked", "answer": answer}
    overlay = {"target": name, "patch": {"sandbox": sandbox, "auth": None}}
    (folder / "walked.overlay.yaml").write_text(json.dumps(overlay), encoding="utf-8")
    catalog = Catalog(str(tmp_path))
    method = catalog.method("bitrix24", name)
    assert way in {style.name for style in method.styles}
    lines: list[str] = []
    with start(catalog, "bitrix24", state=MEMORY) as served, connect(served, catalog) as client:
        served.seed("walked", [{"id": number, "ID": number, "TITLE": f"Row {number}"} for number in range(1, 121)])
        served.log = lines.append
        assert [row["id"] for row in client.iterate(name, params)] == list(range(1, 121))
    assert len(lines) > 1


NO_STATE = {"entity.item.get": "the sandbox keeps no stores of applications"}


def test_each_list_with_ranges_of_ids_is_read_in_few_requests(catalog: Catalog) -> None:
    methods = [catalog.method("bitrix24", name) for name in catalog.names("bitrix24")]
    ranged = [method for method in methods if any(style.ranges for style in method.styles)]
    assert len(ranged) > 40
    found: dict[str, Any] = {}
    with start(catalog, "bitrix24", state=MEMORY) as served, connect(served, catalog) as client:
        for method in ranged:
            lines: list[str] = []
            served.log = lines.append
            params = {name: value for name, value in example(method).items() if name in method.document["required"]}
            fixed = {name: value for name, value in params.get("filter", {}).items() if name.isalpha()}
            name = "crm.item.2" if method.name == "crm.item.list" else method.full_name
            if name not in NO_STATE:
                served.seed(name, [{**fixed, "id": number, "ID": number} for number in range(1, 401)])
                key = method.styles[0].ranges["id"]
                rows = [int(row[key]) for row in client.iterate(method.full_name, params)]
                found[name] = "all" if rows == list(range(1, 401)) else rows, len(lines)
    assert {name: end for name, end in found.items() if end[0] != "all"} == {}
    assert {name for name, (_, requests) in found.items() if requests > 5} == set()


def example(method: Method) -> Json:
    """The input of a method's first example, where it must be given one."""
    first: Json = (method.document.get("examples") or [{}])[0]
    return first.get("params", {}) if method.document.get("required") else {}
