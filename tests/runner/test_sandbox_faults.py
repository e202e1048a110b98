"""What goes wrong on demand: an ordinary client over a real socket sees just that fault, and the state stays whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runner import CallError, Client, ServiceError
from runner.catalog import Catalog
from runner.sandbox import Served, start
from runner.sandbox.faults import KINDS, Fault, Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
ADD = {"fields": {"TITLE": "Paper"}}


@pytest.fixture(scope="module")
def catalog(cache: object) -> Catalog:
    return Catalog()


@pytest.fixture
def serve(catalog: Catalog) -> Iterator[Callable[..., Served]]:
    """Starts a sandbox with words of its own."""
    running: list[Served] = []

    def make(**words: Any) -> Served:
        running.append(start(catalog, "bitrix24", state=":memory:", **words))
        return running[-1]

    yield make
    for one in running:
        one.close()


def post(served: Served, name: str, body: Json | None = None, wait: float = 5.0) -> httpx.Response:
    with httpx.Client(timeout=wait, verify=False) as client:
        return client.post(f"{served.address}/rest/1/sandbox/{name}", json=body or {})


def deals(served: Served) -> int:
    total: int = post(served, "crm.deal.list", {"filter": {"TITLE": "Paper"}}).json()["total"]
    return total


def is_page(status: int) -> Callable[[httpx.Response], bool]:
    return lambda reply: (
        reply.status_code == status
        and reply.headers["content-type"].startswith("text/html")
        and reply.text.startswith("<html>")
    )


def says(status: int, code: str) -> Callable[[httpx.Response], bool]:
    return lambda reply: reply.status_code == status and reply.json()["error"] == code


ANSWERED: list[tuple[str, Callable[[httpx.Response], bool], int]] = [
    ("html", is_page(200), 1),
    ("html-before", is_page(200), 0),
    ("502", is_page(502), 1),
    ("502-before", is_page(502), 0),
    ("503", is_page(503), 1),
    ("504-after", is_page(504), 1),
    ("500", says(500, "INTERNAL_SERVER_ERROR"), 1),
    ("500-before", says(500, "INTERNAL_SERVER_ERROR"), 0),
    ("limit", says(503, "QUERY_LIMIT_EXCEEDED"), 0),
    ("limit-after", says(503, "QUERY_LIMIT_EXCEEDED"), 1),
    ("cost", says(429, "OPERATION_TIME_LIMIT"), 0),
    ("empty", lambda reply: (reply.status_code, reply.content) == (200, b""), 1),
    ("empty-before", lambda reply: (reply.status_code, reply.content) == (200, b""), 0),
    (
        "redirect",
        lambda reply: (
            (reply.status_code, reply.headers["location"]) == (302, "http://moved.invalid/rest/1/sandbox/crm.deal.add")
        ),
        0,
    ),
    ("redirect-after=https://new.example/", lambda reply: reply.headers["location"].startswith("https://new.ex"), 1),
    ("slow=1ms", lambda reply: reply.json()["result"] == 3, 1),
    ("inner-limit", lambda reply: reply.json()["result"] == 3, 1),
]
LOST: list[tuple[str, type[Exception], int]] = [
    ("reset", httpx.ReadError, 1),
    ("reset-before", httpx.ReadError, 0),
    ("cut", httpx.RemoteProtocolError, 1),
    ("cut-before", httpx.RemoteProtocolError, 0),
    ("hang", httpx.ReadTimeout, 1),
    ("hang-before", httpx.ReadTimeout, 0),
    ("slow", httpx.ReadTimeout, 1),
]


@pytest.mark.parametrize(("fault", "seen", "made"), ANSWERED)
def test_a_fault_that_answers(
    fault: str, seen: Callable[[httpx.Response], bool], made: int, serve: Callable[..., Served]
) -> None:
    served = serve(fault=f"{fault}@1")
    reply = post(served, "crm.deal.add", ADD)
    assert seen(reply), (reply.status_code, reply.text)
    assert deals(served) == made
    assert list(served.met.values()) == [1]


@pytest.mark.parametrize(("fault", "error", "made"), LOST)
def test_a_fault_that_loses_the_answer(
    fault: str, error: type[Exception], made: int, serve: Callable[..., Served]
) -> None:
    served = serve(fault=f"{fault}@1")
    with pytest.raises(error):
        post(served, "crm.deal.add", ADD, wait=0.3 if error is httpx.ReadTimeout else 5.0)
    for _ in range(200):  # on a busy machine the call is carried out later than its caller goes away
        if deals(served) >= made:
            break
    assert deals(served) == made


def test_every_kind_is_seen_here() -> None:
    tried = {fault.split("=")[0].removesuffix("-before").removesuffix("-after") for fault, *_ in [*ANSWERED, *LOST]}
    assert set(KINDS) - tried == {"inner-cost"}  # it stands below


def test_a_hanging_answer_does_not_keep_the_sandbox_up(serve: Callable[..., Served]) -> None:
    served = serve(fault="hang")
    with httpx.Client(timeout=0.2, verify=False) as client, pytest.raises(httpx.ReadTimeout):
        client.post(f"{served.address}/rest/1/sandbox/user.current")
    served.close()


def test_after_a_reset_the_next_call_is_well(serve: Callable[..., Served]) -> None:
    served = serve(fault="reset@2")
    lines: list[str] = []
    served.log = lines.append
    with httpx.Client(verify=False) as client:
        address = f"{served.address}/rest/1/sandbox/user.current"
        assert client.post(address).status_code == 200
        with pytest.raises(httpx.ReadError):
            client.post(address)
        assert client.post(address).status_code == 200
    assert [line.split(" ", 2)[2] for line in lines] == ["200", "- reset-after", "200"]


@pytest.mark.parametrize(
    ("fault", "refused", "made", "code"),
    [
        ("inner-limit=2", ["b"], 2, "QUERY_LIMIT_EXCEEDED"),
        ("inner-limit-after=2", ["b"], 3, "QUERY_LIMIT_EXCEEDED"),
        ("inner-cost=3", ["c"], 2, "OPERATION_TIME_LIMIT"),
        ("inner-limit=9", [], 3, ""),
    ],
)
def test_one_call_of_a_batch_is_refused_in_its_place(
    fault: str, refused: list[str], made: int, code: str, serve: Callable[..., Served]
) -> None:
    served = serve(fault=f"{fault}@1")
    calls = dict.fromkeys("abc", "crm.deal.add?fields[TITLE]=Paper")
    reply = post(served, "batch", {"cmd": calls})
    result = reply.json()["result"]
    assert reply.status_code == 200
    errors = dict(result["result_error"])
    assert {key: error["error"] for key, error in errors.items()} == dict.fromkeys(refused, code)
    assert sorted({*result["result"], *refused}) == ["a", "b", "c"]
    assert deals(served) == made


def test_a_batch_without_calls_has_none_to_refuse(serve: Callable[..., Served]) -> None:
    served = serve(fault="inner-limit")
    assert post(served, "batch", {"cmd": {}}).json()["result"]["result_error"] == []
    with httpx.Client(verify=False) as client:
        reply = client.post(f"{served.address}/rest/api/1/sandbox/batch", json=[])
    assert reply.status_code == 400


def test_without_a_number_the_dice_choose_the_call(serve: Callable[..., Served]) -> None:
    served = serve(fault="inner-limit", seed=1)
    calls = dict.fromkeys("abcdefgh", "user.current")
    struck = [list(post(served, "batch", {"cmd": calls}).json()["result"]["result_error"]) for _ in range(12)]
    assert all(len(one) == 1 for one in struck)
    assert len({one[0] for one in struck}) > 2


def test_faults_that_are_injected_befall_the_next_requests(serve: Callable[..., Served]) -> None:
    served = serve()
    served.inject("502-before", "", "limit")
    assert [post(served, "user.current").status_code for _ in range(4)] == [502, 200, 503, 200]
    assert dict(served.met) == {"502-before": 1, "limit-before": 1}


def test_a_range_of_requests(serve: Callable[..., Served]) -> None:
    served = serve(fault="502@2-3, 504-before@5")
    assert [post(served, "user.current").status_code for _ in range(6)] == [200, 502, 502, 200, 504, 200]


def test_the_same_seed_throws_the_same_dice() -> None:
    def thrown(seed: int | None) -> list[str]:
        faults = Faults("reset:0.2,502:.2,inner-limit:0.2", seed)
        return [str(faults.next()) for _ in range(200)]

    assert thrown(5) == thrown(5) != thrown(6)
    assert 40 < thrown(5).count("") < 120
    assert {"reset-after", "502-after", "inner-limit-before", ""} == set(thrown(5))


def test_without_faults_nothing_befalls_anyone() -> None:
    assert Faults().next() == Fault()
    assert str(Fault()) == ""
    assert [str(Faults("reset:1").next()), str(Faults("reset:0").next())] == ["reset-after", ""]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rset:0.1", "'rset:0.1' is no fault; did you mean reset?"),
        ("fire", "'fire' is no fault; faults are reset, cut,"),
        ("reset:2", "'reset:2' is no fault"),
        ("reset@0", "'reset@0' is no fault"),
        ("reset=5", "'reset=5' is no fault: reset does not take '5'"),
        ("slow=soon", "slow does not take 'soon'"),
        ("slow-before=1s", "a late answer is that of a call that was carried out; write slow"),
        ("slow=5", "slow does not take '5'"),
        ("redirect=moved", "redirect does not take 'moved'"),
        ("inner-limit=0", "inner-limit does not take '0'"),
        ("inner-limit=x", "inner-limit does not take 'x'"),
        ("reset:0.6,cut:0.6", "the faults 'reset:0.6,cut:0.6' are more than certain"),
    ],
)
def test_what_is_no_fault_is_told(text: str, told: str) -> None:
    with pytest.raises(CallError) as caught:
        Faults(text)
    assert told in str(caught.value)


def test_a_fault_spoils_answers_and_never_the_state(serve: Callable[..., Served]) -> None:
    kinds = ("reset", "cut", "html", "empty", "502", "500", "limit")
    served = serve(fault=",".join(f"{kind}{when}:0.05" for kind in kinds for when in ("-before", "-after")), seed=3)
    made: list[int] = []
    asked = 150
    for _ in range(asked):
        try:
            reply = post(served, "crm.deal.add", ADD)
            made.append(reply.json()["result"])
        except (httpx.HTTPError, ValueError, KeyError):
            pass
    met = dict(served.met)
    served.inject(*[""] * 3)
    before = sum(count for kind, count in met.items() if kind.endswith("-before"))
    assert deals(served) == asked - before
    assert len(made) == asked - sum(met.values()) == len(set(made))
    assert len(met) > 8


def test_the_clients_own_sandbox_takes_faults_from_the_environment(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLAREST_SANDBOX_FAULT", "500-before@1")
    monkeypatch.setenv("DECLAREST_SANDBOX_LATENCY", "1ms")
    with Client("bitrix24", sandbox=":memory:", methods=catalog) as portal:
        with pytest.raises(ServiceError) as caught:
            portal.call("crm.deal.add", ADD)
        assert caught.value.kind == "server"
        assert portal.call("user.current").meta["time"]["duration"] >= 0
    monkeypatch.setenv("DECLAREST_SANDBOX_LATENCY", "soon")
    with pytest.raises(CallError, match="DECLAREST_SANDBOX_LATENCY takes a time such as 50ms or 2s, not 'soon'"):
        start(catalog, "bitrix24", state=":memory:")
