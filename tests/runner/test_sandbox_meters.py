"""Limits and times: buckets, windows of used time, latency, requests that are served at once."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runner.catalog import Catalog
from runner.sandbox import Served, start, verbs
from runner.sandbox.envelope import Refused, refusal
from runner.sandbox.meters import Meters
from runner.sandbox.serve import Server
from runner.spec import Reading, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runner.sandbox.envelope import Success
    from tests.conftest import Clock

Json = dict[str, Any]


@pytest.fixture
def serve(catalog: Catalog, clock: Clock) -> Iterator[Callable[..., Served]]:
    """Starts a sandbox with limits, on a clock that stands still."""
    running: list[Served] = []

    def make(service: str = "bitrix24", **words: Any) -> Served:
        running.append(start(catalog, service, state=":memory:", **{"limits": True, "clock": clock, **words}))
        return running[-1]

    yield make
    for one in running:
        one.close()


def ask(served: Served, name: str, body: Json | None = None, source: str = "127.0.0.1") -> tuple[int, Any]:
    with httpx.Client(transport=httpx.HTTPTransport(verify=False, local_address=source)) as client:
        reply = client.post(f"{served.address}/rest/1/sandbox/{name}", json=body or {})
    return reply.status_code, reply.json()


FULL = (503, {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})


def test_a_bucket_takes_its_burst_then_what_leaks(serve: Callable[..., Served], clock: Clock) -> None:
    served = serve()
    assert [ask(served, "user.current")[0] for _ in range(50)] == [200] * 50
    assert ask(served, "user.current") == FULL
    for _ in range(20):
        assert ask(served, "no.such.method") == FULL  # what is refused adds nothing
    clock.now += 0.49
    assert ask(served, "user.current") == FULL
    clock.now += 0.01
    assert ask(served, "user.current")[0] == 200
    assert ask(served, "user.current") == FULL
    clock.now += 5
    assert [ask(served, "user.current")[0] for _ in range(11)] == [200] * 10 + [503]


def test_every_request_fills_the_bucket_whatever_it_is(serve: Callable[..., Served]) -> None:
    served = serve()
    for _ in range(25):
        assert ask(served, "no.such.method")[0] == 404
        assert ask(served, "batch", {"cmd": {"a": "user.current", "b": "user.current"}})[0] == 200
    assert ask(served, "user.current") == FULL


def test_each_source_has_a_bucket_of_its_own(serve: Callable[..., Served]) -> None:
    served = serve()
    assert [ask(served, "user.current")[0] for _ in range(51)][-1] == 503
    assert ask(served, "user.current", source="127.0.0.2")[0] == 200


def test_without_limits_nothing_is_refused(serve: Callable[..., Served]) -> None:
    served = serve(limits=False, operating=1000)
    assert {ask(served, "user.current")[0] for _ in range(60)} == {200}
    assert ask(served, "user.current")[1]["time"]["operating"] == 61_000


def test_a_method_that_has_used_up_its_time_is_refused(serve: Callable[..., Served], clock: Clock) -> None:
    clock.now = 1_000_020.0
    served = serve(operating=100.0)
    told = [ask(served, "crm.deal.list") for _ in range(5)]
    assert [body["time"]["operating"] for _, body in told] == [100, 200, 300, 400, 500]
    assert {body["time"]["operating_reset_at"] for _, body in told} == {1_000_620}
    status, body = ask(served, "crm.deal.list")
    assert (status, body["error"], "time" in body) == (429, "OPERATION_TIME_LIMIT", False)
    assert ask(served, "crm.lead.list")[0] == 200
    clock.now = 1_000_619.9
    assert ask(served, "crm.deal.list")[0] == 429
    clock.now = 1_000_620.0
    assert ask(served, "crm.deal.list")[1]["time"]["operating"] == 100


def test_only_the_oldest_part_of_a_window_is_free_again(serve: Callable[..., Served], clock: Clock) -> None:
    served = serve(operating=200.0)
    clock.now = 1_200_000.0
    ask(served, "crm.deal.list")
    clock.now += 90
    ask(served, "crm.deal.list")
    clock.now += 90
    _, body = ask(served, "crm.deal.list")
    assert (body["time"]["operating"], body["time"]["operating_reset_at"]) == (600, 1_200_600)
    assert ask(served, "crm.deal.list")[0] == 429
    clock.now = 1_200_600.0
    _, body = ask(served, "crm.deal.list")
    assert (body["time"]["operating"], body["time"]["operating_reset_at"]) == (600, 1_200_690)


def test_the_calls_of_a_batch_are_charged_to_their_own_methods(serve: Callable[..., Served]) -> None:
    served = serve(operating=300.0)
    calls = {"a": "crm.deal.list", "b": "crm.deal.list", "c": "crm.deal.list", "d": "crm.lead.list", "e": "user.get"}
    status, body = ask(served, "batch", {"cmd": calls})
    result = body["result"]
    assert status == 200
    assert {key: one["error"] for key, one in result["result_error"].items()} == {"c": "OPERATION_TIME_LIMIT"}
    assert sorted(result["result"]) == ["a", "b", "d", "e"]
    assert {key: one["operating"] for key, one in result["result_time"].items()} == {
        "a": 300,
        "b": 600,
        "d": 300,
        "e": 300,
    }
    assert "operating" not in body["time"]


def test_a_call_uses_the_time_that_its_work_takes(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "thread_time", itertools.count(step=0.5).__next__)
    served = serve(command_time=0.002)
    _, body = ask(served, "batch", {"cmd": {"a": "user.current", "b": "user.current"}})
    assert body["result"]["result_time"]["b"]["operating"] == pytest.approx(1.004)
    assert body["time"]["duration"] == pytest.approx(0.004)


def test_a_call_does_not_use_the_time_that_others_take_meanwhile(
    serve: Callable[..., Served], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(task: verbs.Task) -> Success:
        clock.now += 100
        return run(task)

    run = verbs.run
    monkeypatch.setattr(verbs, "run", late)
    _, body = ask(serve(), "user.current")
    assert body["time"]["duration"] == pytest.approx(100)
    assert body["time"]["operating"] < 100


def test_a_refusal_says_how_long_where_the_service_has_a_place_for_that(
    serve: Callable[..., Served], clock: Clock
) -> None:
    served = serve("library", operating=61.0)
    address = f"{served.address}/r/1/sandbox"
    with httpx.Client(verify=False) as client:
        assert client.post(f"{address}/ping").json() == {"value": True}  # all of the answer is its value
        reply = client.post(f"{address}/ping")
        assert (reply.status_code, reply.json()["fault"]["code"]) == (429, "FULL")
        assert reply.json()["fault"]["until"] == clock.now + 60
        for _ in range(18):
            client.post(f"{address}/ping")
        reply = client.post(f"{address}/ping.json")
        assert (reply.status_code, reply.json()["fault"]["code"]) == (429, "HURRY")
        assert reply.json()["fault"]["wait"] == 0.1
        assert (reply.headers["retry-after"], reply.headers["x-wait-ms"]) == ("0.1", "100")
        clock.now += 0.1
        assert client.post(f"{address}/book.get", json={}).json()["fault"].keys() == {"code", "text"}


def test_a_limit_without_words_of_its_own_is_an_error_that_the_service_knows_for_one() -> None:
    words = {"service": "s", "title": "S", "auth": {}, "response": {"error": {"when": "no", "code": "no"}}}
    errors = {"429": {"kind": "rate_limit"}, "BAD": {"kind": "usage"}, "HURRY": {"kind": "rate_limit"}}
    for known, code in ((errors, "HURRY"), ({}, "too_fast")):
        service = Service.read({**words, "errors": known})
        told = refusal(service, Reading.read(service.response), Refused("rate", wait=1.0), "")
        assert told == (429, {"no": code}, {})


def test_a_bucket_of_each_method_is_filled_by_calls_inside_others_too(clock: Clock) -> None:
    limits = [{"rate": "1/s", "burst": 2, "per": ["host"]}, {"rate": "60/m", "burst": 1, "per": ["method"]}]
    service = Service.read({"service": "s", "title": "S", "auth": {}, "limits": limits})
    meters = Meters(clock, {"host": "x"}, enforced=True)
    meters.knock(service, "a", "1.1.1.1")
    with pytest.raises(Refused) as caught:
        meters.knock(service, "a", "1.1.1.1", inner=True)
    assert caught.value.fields == {"wait": 1.0, "wait_ms": 1000, "until": clock.now + 1}
    for name in "bcdef":
        meters.knock(service, name, "1.1.1.1", inner=True)
    meters.knock(service, "g", "1.1.1.1")
    with pytest.raises(Refused, match="rate"):
        meters.knock(service, "h", "1.1.1.1")


def test_a_method_that_was_not_called_has_used_nothing(catalog: Catalog, clock: Clock) -> None:
    meters, method = Meters(clock, {"host": "x"}), catalog.method("library", "ping")
    assert meters.shown(method) == (None, None)
    meters.charge(method, 2.0)
    assert meters.shown(method) == (2.0, clock.now + 60)
    clock.now += 60
    assert meters.shown(method) == (None, None)


# Times: no test here is timed, a pause is over when the test says so


def test_requests_wait_their_latency_and_their_calls_at_once(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = 64
    barrier = threading.Barrier(many + 1, timeout=30)
    pauses: list[float] = []

    def pause(server: Server, seconds: float) -> None:
        pauses.append(seconds)
        barrier.wait()

    monkeypatch.setattr(Server, "pause", pause)
    served = serve(latency=0.05, command_time=0.02, limits=False)
    found: list[int] = []
    calls = {"cmd": {f"c{number}": "user.current" for number in range(10)}}
    threads = [threading.Thread(target=lambda: found.append(ask(served, "batch", calls)[0])) for _ in range(many)]
    for thread in threads:
        thread.start()
    barrier.wait()  # all of them are inside their pause now
    for thread in threads:
        thread.join()
    assert found == [200] * many
    assert pauses == [pytest.approx(0.05 + 10 * 0.02)] * many


def test_a_thousand_connections_are_taken_and_kept(serve: Callable[..., Served]) -> None:
    import asyncio

    served = serve(limits=False)
    host, _, port = served.address.removeprefix("http://").partition(":")
    words = b"POST /rest/1/sandbox/user.current HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(words)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")).split()[1])
        await reader.readexactly(length)
        return head.split()[1]

    async def visit() -> list[bytes]:
        ways = await asyncio.gather(*(asyncio.open_connection(host, int(port)) for _ in range(1000)))
        found = [await asyncio.gather(*(call(*way) for way in ways)) for _ in range(2)]
        for _, writer in ways:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in ways))
        return found[0] + found[1]

    many_files(4096)
    assert asyncio.run(visit()) == [b"200"] * 2000


def many_files(wanted: int) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip("this system does not allow so many connections")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def test_a_pause_is_over_when_the_sandbox_is_closed(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve(latency=3600.0)
    failed: list[bool] = []

    def call() -> None:
        try:
            ask(served, "user.current")
        except httpx.HTTPError:
            failed.append(True)

    came = threading.Event()
    answered = served._portal.answer
    served._portal.answer = lambda *words: came.set() or answered(*words)  # type: ignore[func-returns-value, method-assign]
    thread = threading.Thread(target=call)
    thread.start()
    assert came.wait(30)
    served.close()
    thread.join(30)
    assert not thread.is_alive()
