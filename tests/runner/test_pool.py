"""Connections that clients share: taken, given back, closed when they are old, too many, or nobody's."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from runner import AsyncClient, Client, pool
from runner.pool import KEPT, Pool, shared
from runner.target import Target
from runner.transport import AsyncTransport
from tests.conftest import Clock


def test_the_connection_that_was_given_back_last_is_taken_first(clock: Clock) -> None:
    kept: Pool[str] = Pool(clock)
    assert kept.take("a", 1) is None
    assert [kept.give("a", "one"), kept.give("a", "two"), kept.give("b", "three")] == [[], [], []]
    assert [kept.take("a", 1), kept.take("b", 2), kept.take("a", 2), kept.take("a", 1)] == ["two", "three", "one", None]


def test_what_is_too_old_or_too_much_is_to_be_closed(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MOST_IDLE", 3)
    kept: Pool[str] = Pool(clock)
    kept.take("a", 1)
    assert [kept.give(name[0], name) for name in ("a1", "a2", "b1", "b2")] == [[], [], [], ["a1"]]
    clock.now += KEPT + 1
    assert kept.give("a", "a3") == ["a2", "b1", "b2"]
    assert [kept.take("b", 1), kept.take("a", 1)] == [None, "a3"]


def test_who_leaves_takes_nothing_away_but_the_last(clock: Clock) -> None:
    kept: Pool[str] = Pool(clock)
    kept.take("a", 1)
    kept.take("a", 2)
    kept.give("a", "one")
    assert kept.leave(1) == []
    assert kept.leave(2) == ["one"]
    assert kept.give("a", "late") == ["late"]


def test_a_pool_is_that_of_a_process_a_loop_and_a_kind() -> None:
    one, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    pools = [shared("a"), shared("b"), shared("a", loop=one), shared("a", loop=other)]
    assert len(set(map(id, pools))) == 4
    assert shared("a", loop=one) is pools[2]
    one.close()
    other.close()


class House(BaseHTTPRequestHandler):
    """Answers each connection with its number, and says a cookie."""

    protocol_version = "HTTP/1.1"
    peers: list[Any] = []
    heads: list[dict[str, str]] = []
    gone: list[Any] = []

    def setup(self) -> None:
        super().setup()
        self.peers.append(self.client_address)

    def finish(self) -> None:
        super().finish()
        self.gone.append(self.client_address)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.heads.append({name.lower(): value for name, value in self.headers.items()})
        body = b'{"value": %d}' % self.peers.index(self.client_address)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", f"who={len(self.heads)}; Path=/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def house() -> Iterator[str]:
    for seen in (House.peers, House.heads, House.gone):
        seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), House) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def made(catalog: Any, house: str, token: str) -> Client:
    return Client("library", methods=catalog, scheme="http", host=house, token=token)


def until(seen: list[Any], count: int) -> bool:
    for _ in range(500):
        if len(seen) == count:
            return True
        threading.Event().wait(0.01)
    return False


def test_accounts_share_a_connection_and_nothing_else(catalog: Any, house: str) -> None:
    one, other = made(catalog, house, "anna"), made(catalog, house, "bob")
    assert [one.call("ping").raw["value"], other.call("ping").raw["value"], one.call("ping").raw["value"]] == [0, 0, 0]
    assert [head["authorization"] for head in House.heads] == ["Bearer anna", "Bearer bob", "Bearer anna"]
    assert not any("cookie" in head for head in House.heads)
    one.close()
    assert other.call("ping").raw["value"] == 0
    assert House.gone == []
    other.close()
    assert until(House.gone, 1)
    assert one.call("ping").raw["value"] == 1
    one.close()


def test_the_connections_of_a_client_that_is_forgotten_are_closed(catalog: Any, house: str) -> None:
    client = made(catalog, house, "anna")
    client.call("ping")
    del client
    gc.collect()
    assert until(House.gone, 1)


def test_async_clients_of_a_loop_share_a_connection(catalog: Any, house: str) -> None:
    async def talk() -> list[Any]:
        words = {"methods": catalog, "scheme": "http", "host": house}
        async with AsyncClient("library", **words, token="anna") as one:
            async with AsyncClient("library", **words, token="bob") as other:
                found = [(await one.call("ping")).raw["value"], (await other.call("ping")).raw["value"]]
            return [*found, (await one.call("ping")).raw["value"]]

    assert asyncio.run(talk()) == [0, 0, 0]
    assert until(House.gone, 1)
    assert asyncio.run(talk()) == [1, 1, 1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_process_that_was_forked_has_connections_of_its_own(catalog: Any, house: str) -> None:
    client = made(catalog, house, "anna")
    client.call("ping")
    mine, its = socket.socketpair()
    child = os.fork()
    if not child:
        try:
            client.close()  # those of the parent are not its own
            said = client.call("ping").raw["value"]
            client.close()
            its.send(b"%d" % said)
        finally:
            os._exit(0)
    with mine, its:
        mine.settimeout(20)
        assert mine.recv(10) == b"1"
    os.waitpid(child, 0)
    assert client.call("ping").raw["value"] == 0
    client.close()


def test_a_process_of_another_number_closes_nothing_and_connects_anew(
    catalog: Any, house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made(catalog, house, "anna") as client:
        client.call("ping")
        with monkeypatch.context() as patch:
            patch.setattr("os.getpid", lambda: -1)
            client.close()
            assert House.gone == []
            assert client.call("ping").raw["value"] == 1
            client.close()
    assert until(House.gone, 1)


def test_certificates_are_loaded_once_for_all_who_share_a_pool() -> None:
    kept: Pool[Any] = Pool()
    way = Target.read("https://library.example/")
    assert way.options(kept)["verify"] is way.options(kept)["verify"]


def test_an_address_without_tls_trusts_nobody_and_loads_nothing() -> None:
    kept: Pool[Any] = Pool()
    found = [Target.read(f"http://{host}/").options(kept)["verify"] for host in ("127.0.0.1", "library.example")]
    assert found[0] is found[1]
    assert (found[0].verify_mode, found[0].check_hostname) == (ssl.CERT_REQUIRED, True)
    assert found[0].cert_store_stats()["x509"] == 0
    assert kept.trusted is None


async def test_a_connection_that_is_given_back_too_late_is_closed() -> None:
    closed = []

    class Way:
        async def aclose(self) -> None:
            closed.append(self)

    wire, way = AsyncTransport(), Way()
    await wire._given(Target.read("http://library.example/"), way)  # type: ignore[arg-type]
    assert closed == [way]
    await wire.close()
