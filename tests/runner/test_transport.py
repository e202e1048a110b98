"""The network, on real sockets: whatever a server does, a reply or an error of ours comes of it."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import ssl
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme

from runner import CallError, RunnerError, TransportError
from runner.request import Request
from runner.target import trusted
from runner.transport import MOST_CONNECTIONS, AsyncTransport, Transport, fetch, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.response import Reply

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
MIB = 2**20
KINDS = ["sync", "async"]


def length(head: bytes) -> int:
    """The length that a request announces for its body."""
    found = re.search(rb"(?i)content-length: (\d+)", head)
    return int(found[1]) if found else 0


class Server:
    """A server on this machine that says, byte for byte, what a test wants, and remembers what it heard."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.heard: list[bytes] = []
        self.says: Callable[[socket.socket], None] = lambda peer: peer.sendall(OK)
        self.over = threading.Event()
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def _listen(self) -> None:
        while True:
            peer, _ = self._socket.accept()
            if self.over.is_set():
                peer.close()
                return
            self._threads.append(threading.Thread(target=self._answer, args=(peer,)))
            self._threads[-1].start()

    def _answer(self, peer: socket.socket) -> None:
        with suppress(OSError), closing(peer):
            if self._context:
                peer = self._context.wrap_socket(peer, server_side=True)
            with closing(peer):
                if self.hear(peer):
                    self.says(peer)

    def hear(self, peer: socket.socket) -> bytes:
        """One whole request, nothing where the peer has gone. A byte that is left unread would reset the connection."""
        whole = b""
        while b"\r\n\r\n" not in whole or len(whole.partition(b"\r\n\r\n")[2]) < length(whole):
            part = peer.recv(65536)
            if not part:
                return b""
            whole += part
        self.heard.append(whole)
        return whole

    def say(self, *parts: bytes) -> None:
        """Answer with these bytes and close."""
        self.says = lambda peer: peer.sendall(b"".join(parts))

    def body(self, body: bytes, *heads: str, status: str = "200 OK") -> None:
        """Answer with this body and close."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *heads]
        self.say("\r\n".join([*lines, "", ""]).encode(), body)

    def stay(self, _: socket.socket) -> None:
        """Say nothing until the test is over."""
        self.over.wait(5)

    def url(self, path: str = "/s3cret/x", scheme: str = "http", host: str = "127.0.0.1") -> str:
        """An address of this server."""
        return f"{scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        """Let every answer end, and stop."""
        self.over.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(5)
        self._socket.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(Server()) as one:
        yield one


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with closing(Server(context)) as one:
        yield one


def request(url: str, verb: str = "POST", body: bytes | None = b"{}") -> Request:
    face = Request(verb, url.replace("s3cret", "***"), {}, body)
    return Request(verb, url, {"X-A": "1"}, body, lambda: face)


def ask(kind: str, made: Request, largest: int = MIB, timeout: float = 5.0, inner: Any = None) -> Reply:
    if kind == "sync":
        with closing(Transport(timeout=timeout, inner=inner)) as wire:
            return wire.send(made, largest)

    async def itself() -> Reply:
        wire = AsyncTransport(timeout=timeout, inner=inner)
        try:
            return await wire.send(made, largest)
        finally:
            await wire.close()

    return asyncio.run(itself())


def failed(kind: str, made: Request, **words: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        ask(kind, made, **words)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_arrives_and_its_reply_comes_back(kind: str, server: Server) -> None:
    server.body(b"\xffhi", "X-Answer: Yes", status="201 Created")
    reply = ask(kind, request(server.url(), body=b'{"a":1}'))
    assert (reply.status, reply.headers["x-answer"], reply.body) == (201, "Yes", b"\xffhi")
    heard = server.heard[0].lower()
    assert heard.startswith(b"post /s3cret/x http/1.1\r\n")
    assert b"user-agent: declarest/" in heard
    assert b"x-a: 1\r\n" in heard


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"\xff\xfe"])
def test_a_body_of_any_content_is_a_reply(kind: str, server: Server, body: bytes) -> None:
    server.body(body, status="502 Bad Gateway")
    assert (ask(kind, request(server.url())).status, ask(kind, request(server.url())).body) == (502, body)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_is_unpacked(kind: str, server: Server) -> None:
    server.body(gzip.compress(b"hello" * 100), "Content-Encoding: gzip")
    assert ask(kind, request(server.url())).body == b"hello" * 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_redirect_is_not_followed(kind: str, server: Server) -> None:
    server.body(b"", f"Location: {server.url('/other')}", status="302 Found")
    reply = ask(kind, request(server.url()))
    assert (reply.status, reply.headers["location"]) == (302, server.url("/other"))
    assert len(server.heard) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_is_kept_for_the_next_request(kind: str, server: Server) -> None:
    peers = []

    def twice(peer: socket.socket) -> None:
        peers.append(peer)
        peer.sendall(OK)
        server.hear(peer)
        peer.sendall(OK)

    server.says = twice
    if kind == "sync":
        with closing(Transport()) as wire:
            assert [wire.send(request(server.url()), MIB).body for _ in range(2)] == [b"hi", b"hi"]
    else:

        async def both() -> list[bytes]:
            wire = AsyncTransport()
            found = [(await wire.send(request(server.url()), MIB)).body for _ in range(2)]
            await wire.close()
            return found

        assert asyncio.run(both()) == [b"hi", b"hi"]
    assert len(peers) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_cookie_is_not_kept(kind: str, server: Server) -> None:
    server.body(b"hi", "Set-Cookie: a=1; Path=/")
    if kind == "sync":
        with closing(Transport()) as wire:
            _ = [wire.send(request(server.url()), MIB) for _ in range(2)]
    else:

        async def both() -> None:
            wire = AsyncTransport()
            _ = [await wire.send(request(server.url()), MIB) for _ in range(2)]
            await wire.close()

        asyncio.run(both())
    assert [b"cookie" in head.lower() for head in server.heard] == [False, False]


@pytest.mark.parametrize("kind", KINDS)
def test_a_header_of_the_request_takes_the_place_of_the_usual_one(kind: str, server: Server) -> None:
    server.body(b"hi")
    own = {"user-agent": "mine/1", "ACCEPT": "text/plain", "Host": "library.example"}
    ask(kind, Request("PUT", server.url(), own, None))
    lines = [line.decode() for line in server.heard[0].split(b"\r\n")[1:] if line]
    assert sorted(lines) == [
        "ACCEPT: text/plain",
        "Accept-Encoding: gzip, deflate",
        "Connection: keep-alive",
        "Content-Length: 0",
        "Host: library.example",
        "user-agent: mine/1",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_and_a_password_in_an_address_are_sent_as_a_header(kind: str, server: Server) -> None:
    server.body(b"hi")
    ask(kind, request(server.url().replace("//", "//me:pass%20word@"), "GET", None))
    assert b"\r\nAuthorization: Basic bWU6cGFzcyB3b3Jk\r\n" in server.heard[0]
    assert server.heard[0].startswith(b"GET /s3cret/x HTTP/1.1\r\n")
    assert b"content-length" not in server.heard[0].lower()


@pytest.mark.parametrize("kind", KINDS)
def test_a_transport_of_the_caller_sees_the_whole_request(kind: str) -> None:
    def answer(made: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[made.method, str(made.url), made.content.decode()])

    reply = ask(kind, request("https://a.example/x", body=b"{1}"), inner=httpx.MockTransport(answer))
    assert reply.body == b'["POST","https://a.example/x","{1}"]'


MANY = 10 * MOST_CONNECTIONS


class Crowd(asyncio.Protocol):
    """A server's end of one connection. None is answered until as many wait as there may be connections."""

    def __init__(self, seen: dict[str, int], peers: list[Any], waiting: list[Any]) -> None:
        self.seen, self.peers, self.waiting = seen, peers, waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.seen["connections"] = self.seen.get("connections", 0) + 1
        self.peers.append(transport)
        self.peer: Any = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"{}"):
            self.seen["requests"] = self.seen.get("requests", 0) + 1
            self.waiting.append(self.peer)
        if len(self.waiting) == MOST_CONNECTIONS:
            for peer in self.waiting:
                peer.write(OK)
            self.waiting.clear()


@pytest.fixture
def crowd() -> Iterator[tuple[str, dict[str, int]]]:
    seen: dict[str, int] = {}
    peers: list[Any] = []
    waiting: list[Any] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncio.Server:
        return await loop.create_server(lambda: Crowd(seen, peers, waiting), "127.0.0.1", 0, backlog=MANY)

    async def leave() -> None:
        listener.close()
        for peer in peers:
            peer.abort()
        await asyncio.sleep(0)

    listener = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/", seen
    asyncio.run_coroutine_threadsafe(leave(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_thousand_threads_call_at_once_over_a_hundred_connections(crowd: tuple[str, dict[str, int]]) -> None:
    url, seen = crowd
    start = threading.Barrier(MANY)

    def one(_: int) -> bytes:
        start.wait()
        return wire.send(request(url), MIB).body

    with closing(Transport(timeout=30)) as wire, ThreadPoolExecutor(MANY) as pool:
        assert list(pool.map(one, range(MANY))) == [b"hi"] * MANY
    assert seen == {"connections": MOST_CONNECTIONS, "requests": MANY}


def test_a_thousand_tasks_call_at_once_over_a_hundred_connections(crowd: tuple[str, dict[str, int]]) -> None:
    url, seen = crowd

    async def all_of_them() -> list[Reply]:
        wire = AsyncTransport(timeout=30)
        found = await asyncio.gather(*(wire.send(request(url), MIB) for _ in range(MANY)))
        await wire.close()
        return found

    assert [reply.body for reply in asyncio.run(all_of_them())] == [b"hi"] * MANY
    assert seen == {"connections": MOST_CONNECTIONS, "requests": MANY}


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_waits_for_a_turn_is_not_too_late(kind: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a call may take begins when it is sent: waiting for another one is no failure."""
    monkeypatch.setattr("runner.transport.MOST_CONNECTIONS", 1)
    monkeypatch.setattr("runner.transport.time", SimpleNamespace(monotonic=lambda: 3.0 * len(server.heard)))
    turns: list[int] = []

    def slow(peer: socket.socket) -> None:
        turns.append(len(server.heard))  # three seconds pass with each request
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    server.says = slow
    if kind == "sync":
        with closing(Transport(timeout=5.0)) as wire, ThreadPoolExecutor(4) as pool:
            bodies = list(pool.map(lambda _: wire.send(request(server.url()), MIB).body, range(4)))
    else:

        async def four() -> list[bytes]:
            wire = AsyncTransport(timeout=5.0)
            found = await asyncio.gather(*(wire.send(request(server.url()), MIB) for _ in range(4)))
            await wire.close()
            return [reply.body for reply in found]

        bodies = asyncio.run(four())
    assert bodies == [b"hi"] * 4
    assert turns == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_connection_that_the_server_closed_is_not_used_again(kind: str, server: Server) -> None:
    closed = threading.Event()

    def once(peer: socket.socket) -> None:
        peer.sendall(OK)
        peer.close()
        closed.set()

    server.says = once
    if kind == "sync":
        with closing(Transport()) as wire:
            for _ in range(3):
                assert wire.send(request(server.url()), MIB).body == b"hi"
                assert closed.wait(5)
                closed.clear()
    else:

        async def thrice() -> None:
            wire = AsyncTransport()
            for _ in range(3):
                assert (await wire.send(request(server.url()), MIB)).body == b"hi"
                assert await asyncio.to_thread(closed.wait, 5)
                closed.clear()
            await wire.close()

        asyncio.run(thrice())
    assert len(server.heard) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_connection_that_closes_under_a_request_leaves_its_outcome_open(kind: str, server: Server) -> None:
    def swallow(peer: socket.socket) -> None:
        peer.sendall(OK)
        server.hear(peer)

    server.says = swallow
    if kind == "sync":
        with closing(Transport()) as wire:
            wire.send(request(server.url()), MIB)
            with pytest.raises(TransportError) as caught:
                wire.send(request(server.url()), MIB)
    else:

        async def twice() -> None:
            wire = AsyncTransport()
            try:
                await wire.send(request(server.url()), MIB)
                await wire.send(request(server.url()), MIB)
            finally:
                await wire.close()

        with pytest.raises(TransportError) as caught:
            asyncio.run(twice())
    assert caught.value.outcome == "unknown"
    assert len(server.heard) == 2


def test_many_threads_share_one_transport(server: Server) -> None:
    server.body(b"hi")
    with closing(Transport()) as wire, ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda n: wire.send(request(server.url(f"/{n}")), MIB).body, range(24)))
    assert bodies == [b"hi"] * 24
    assert len({head.split()[1] for head in server.heard}) == 24


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_announces_too_much_is_not_read(kind: str, server: Server) -> None:
    server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n", b"x" * 1000)
    error = failed(kind, request(server.url()))
    assert str(error) == f"127.0.0.1:{server.port}: the answer is larger than 1 MiB; ask for fewer rows or fields"
    assert error.status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_to_head_announces_what_it_does_not_bring(kind: str, server: Server) -> None:
    server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
    assert ask(kind, request(server.url(), "HEAD", None)).body == b""


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_without_an_end_is_read_as_far_as_it_may_be(kind: str, server: Server) -> None:
    said = [0]

    def endless(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(50):
            peer.sendall(b"100000\r\n" + b"x" * MIB + b"\r\n")
            said[0] += 1
        peer.sendall(b"0\r\n\r\n")

    server.says = endless
    assert "larger than 1 MiB" in str(failed(kind, request(server.url())))
    server.close()
    assert said[0] < 50
    server.close = lambda: None  # type: ignore[method-assign]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_whole_is_none(kind: str, server: Server, said: bytes) -> None:
    server.say(said)
    error = failed(kind, request(server.url()))
    assert error.outcome == "unknown"
    assert "broke the connection off" in str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_is_reset_is_no_answer(kind: str, server: Server) -> None:
    def reset(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server.says = reset
    error = failed(kind, request(server.url()))
    assert (error.outcome, error.kind, error.exit_code) == ("unknown", "network", 5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_answer_may_have_been_acted_upon(kind: str, server: Server) -> None:
    server.says = server.stay
    error = failed(kind, request(server.url()), timeout=0.5)  # long enough to connect on a busy machine
    assert error.outcome == "unknown"
    assert "took too long to answer; the service may have acted" in str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_where_nobody_listens_was_not_reached(kind: str, closed_port: int) -> None:
    error = failed(kind, request(f"http://127.0.0.1:{closed_port}/s3cret"))
    assert error.outcome == "not sent"
    assert str(error) == f"127.0.0.1:{closed_port} refuses connections: nothing listens there"


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_with_several_addresses_where_nobody_listens_was_not_reached(
    kind: str, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def several(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, closed_port)) for host in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    error = failed(kind, request(f"http://library.example:{closed_port}/s3cret"))
    assert str(error) == f"library.example:{closed_port} refuses connections: nothing listens there"


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_there_is_not_was_not_reached(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failed(kind, request("http://nowhere.invalid/s3cret"))
    assert error.outcome == "not sent"
    assert "the host nowhere.invalid is not known" in str(error)


def refuse(*_: Any) -> Any:
    raise ConnectionRefusedError(111, "Connection refused")


def strand(*_: Any) -> Any:
    raise OSError(113, "No route to host")


def test_an_error_that_is_being_handled_is_not_taken_for_the_reason() -> None:
    def unreachable(_: httpx.Request) -> httpx.Response:
        try:
            return strand()  # type: ignore[no-any-return]
        except OSError as error:
            raise httpx.ConnectError("no way") from error

    try:
        refuse()
    except ConnectionRefusedError:
        error = failed("sync", request("http://library.example/"), inner=httpx.MockTransport(unreachable))
    assert str(error) == "library.example can't be reached: [Errno 113] No route to host"


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_nobody_trusts_is_refused(kind: str, secure: Server) -> None:
    error = failed(kind, request(secure.url(scheme="https", host="localhost")))
    assert error.outcome == "not sent"
    assert f"localhost:{secure.port} has no certificate that can be trusted" in str(error)
    assert secure.heard == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_the_environment_trusts_is_taken(
    kind: str, secure: Server, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert ask(kind, request(secure.url(scheme="https", host="localhost"))).body == b"hi"


@pytest.mark.parametrize("kind", KINDS)
def test_a_packing_that_is_broken_is_no_answer(kind: str, server: Server) -> None:
    server.body(b"no gzip", "Content-Encoding: gzip")
    assert "can't be unpacked" in str(failed(kind, request(server.url())))


@pytest.mark.parametrize("kind", KINDS)
def test_no_proxy_stands_between_this_machine_and_itself(
    kind: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9/")
    assert ask(kind, request(server.url())).body == b"hi"


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_stands_before_other_hosts(kind: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url("/"))
    assert ask(kind, request("http://library.example/a")).body == b"hi"
    assert server.heard[0].startswith(b"POST http://library.example/a HTTP/1.1")


@pytest.mark.parametrize("kind", [*KINDS, "fetch"])
@pytest.mark.parametrize(("name", "value"), [("ALL_PROXY", "gopher://a.example/"), ("SSL_CERT_FILE", "/nowhere.pem")])
def test_a_surrounding_that_is_no_good_is_named(
    kind: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(CallError, match="the proxy or the certificates that the environment names can't be used"):
        fetch("https://a.example/") if kind == "fetch" else ask(kind, request("https://a.example/"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("url", ["ftp://a.example/s3cret", "http://a\x00.example/", "/s3cret", "http://a.example:x/"])
def test_an_address_that_is_none_is_an_error_of_the_call(kind: str, url: str) -> None:
    with pytest.raises(CallError, match=r"is no address of a web service; it begins with https://") as caught:
        ask(kind, request(url))
    assert "s3cret" not in str(caught.value)


def errors() -> list[Exception]:
    """One of every error that the HTTP library has."""
    found: list[Exception] = []
    made = httpx.Request("GET", "https://a.example/s3cret")
    special: dict[type, Exception] = {
        httpx.HTTPStatusError: httpx.HTTPStatusError("no", request=made, response=httpx.Response(500)),
        httpx.StreamConsumed: httpx.StreamConsumed(),
        httpx.StreamClosed: httpx.StreamClosed(),
        httpx.ResponseNotRead: httpx.ResponseNotRead(),
        httpx.RequestNotRead: httpx.RequestNotRead(),
    }
    for name in httpx.__all__:
        kind = getattr(httpx, name)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind is not httpx.CookieConflict:
            found.append(special.get(kind) or kind("https://a.example/s3cret failed"))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", errors(), ids=lambda error: type(error).__name__)
def test_no_error_of_the_library_gets_through(kind: str, error: Exception) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(RunnerError) as caught:
        ask(kind, request("https://a.example/s3cret"), inner=httpx.MockTransport(fail))
    assert isinstance(caught.value, TransportError | CallError)
    assert "a.example" in str(caught.value)
    if not isinstance(error, httpx.ConnectError):
        assert "s3cret" not in str(caught.value)


def test_every_kind_of_error_was_tried() -> None:
    assert len(errors()) > 25


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectTimeout(""), "not sent"),
        (httpx.ConnectError(""), "not sent"),
        (httpx.PoolTimeout(""), "not sent"),
        (httpx.ProxyError(""), "not sent"),
        (httpx.ReadTimeout(""), "unknown"),
        (httpx.WriteTimeout(""), "unknown"),
        (httpx.ReadError(""), "unknown"),
        (httpx.WriteError(""), "unknown"),
        (httpx.RemoteProtocolError(""), "unknown"),
        (httpx.TooManyRedirects(""), "unknown"),
    ],
)
def test_an_error_says_whether_the_service_may_have_acted(error: Exception, outcome: str) -> None:
    found = translated(request("https://a.example/"), error)
    assert isinstance(found, TransportError)
    assert found.outcome == outcome


def test_a_connection_that_fails_for_a_reason_of_its_own_names_it() -> None:
    found = translated(request("https://a.example/"), httpx.ConnectError("[Errno 113] No route to host"))
    assert str(found) == "a.example can't be reached: [Errno 113] No route to host"
    assert str(translated(request("https://a.example/"), httpx.ConnectError(""))).endswith("reached: no connection")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (httpx.ConnectError(""), "the proxy a.proxy:8080 can't be reached: no connection"),
        (httpx.ConnectTimeout(""), "the proxy a.proxy:8080 did not answer in time"),
        (
            httpx.ProxyError("407 Who are you?"),
            "the proxy a.proxy:8080 does not let anything through to a.example: 407",
        ),
        (httpx.ProxyError(""), "the proxy a.proxy:8080 does not let anything through to a.example; the"),
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("start", ["http://me:s3cret@", "me:s3cret@", ""])
def test_a_proxy_that_fails_is_named_in_the_place_of_the_host(
    start: str, name: str, told: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"{start}a.proxy:8080")
    found = str(translated(request("https://a.example/"), error))
    assert found.startswith(told)
    assert found.endswith("; the environment names it; look at HTTPS_PROXY, ALL_PROXY and NO_PROXY")
    assert "s3cret" not in found
    monkeypatch.setenv("NO_PROXY", "a.example")
    assert "a.proxy" not in str(translated(request("https://a.example/"), error))


def test_a_proxy_that_is_not_there_is_told_over_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    told = f"the proxy 127.0.0.1:{port} refuses connections: nothing listens there; the environment names it"
    assert str(failed("sync", request("https://a.example/s3cret"))).startswith(told)
    monkeypatch.setenv("HTTPS_PROXY", "http://nowhere.invalid:1")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert str(failed("sync", request("https://a.example/s3cret"))).startswith(
        "the proxy nowhere.invalid:1 is not known"
    )


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("certificate has expired", "is the clock of this machine right?"),
        ("certificate is not yet valid", "is the clock of this machine right?"),
        ("unable to get local issuer certificate", "--ca-bundle trusts the certificates of a file besides"),
    ],
)
def test_what_may_be_done_about_a_certificate_is_told(said: str, hint: str) -> None:
    error = httpx.ConnectError("")
    error.__cause__ = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] {said}")
    found = translated(request("https://a.example/"), error)
    assert (said in str(found), str(found).endswith(f"; {hint}")) == (True, True)


def unknown(*_: Any, **__: Any) -> Any:
    """The answer of the system for a name that nobody has."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_file_is_fetched_from_an_address(server: Server) -> None:
    server.body(b"\x89PNG")
    assert fetch(server.url("/a.png")) == b"\x89PNG"
    assert server.heard[0].startswith(b"GET /a.png ")


def test_a_fetch_follows_redirects(server: Server) -> None:
    def moved(peer: socket.socket) -> None:
        first = len(server.heard) == 1
        head = f"HTTP/1.1 302 Found\r\nLocation: {server.url('/b')}\r\n" if first else "HTTP/1.1 200 OK\r\n"
        peer.sendall(f"{head}Content-Length: 1\r\nConnection: close\r\n\r\nb".encode())

    server.says = moved
    assert fetch(server.url("/a")) == b"b"


@pytest.mark.parametrize("url", ["a.png", "file:///etc/hosts", "ftp://a.example/a"])
def test_only_a_web_address_is_fetched(url: str) -> None:
    with pytest.raises(CallError, match="is no web address"):
        fetch(url)


def test_a_fetch_that_is_refused_says_so(server: Server) -> None:
    server.body(b"no", status="404 Not Found")
    with pytest.raises(CallError, match=r"can't fetch .*: it answers 404"):
        fetch(server.url("/a"))


def test_a_fetch_of_too_much_stops(server: Server) -> None:
    server.body(b"x" * (MIB + 1))
    with pytest.raises(CallError, match="is larger than 1 MiB"):
        fetch(server.url("/a"), largest=MIB)


def test_a_fetch_that_is_slow_says_so(server: Server) -> None:
    server.says = server.stay
    with pytest.raises(CallError, match="it did not answer in time"):
        fetch(server.url("/a"), timeout=0.05)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a", "http://a.example:x/"])
def test_a_fetch_that_fails_says_why(url: str) -> None:
    with pytest.raises(CallError, match="can't fetch http"):
        fetch(url)


@pytest.mark.parametrize("kind", [*KINDS, "fetch"])
def test_a_certificate_of_the_callers_own_is_trusted_besides(
    kind: str, secure: Server, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, url = str(tmp_path / "ca.pem"), secure.url(scheme="https", host="localhost")
    authority.cert_pem.write_to_path(place)
    monkeypatch.setenv("NO_PROXY", "localhost")
    if kind == "fetch":
        assert fetch(url, ca_bundle=place) == b"hi"
    elif kind == "sync":
        with closing(Transport(ca_bundle=place)) as wire:
            assert wire.send(request(url), MIB).body == b"hi"
    else:

        async def itself() -> bytes:
            wire = AsyncTransport(ca_bundle=place)
            try:
                return (await wire.send(request(url), MIB)).body
            finally:
                await wire.close()

        assert asyncio.run(itself()) == b"hi"
    assert len(trusted(place).get_ca_certs()) == len(trusted().get_ca_certs()) + 1


def test_a_folder_of_certificates_has_them_under_their_marks(secure: Server, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    with pytest.raises(CallError, match=f"{tmp_path} holds no certificates; openssl rehash {tmp_path} names them"):
        trusted(str(tmp_path))
    (tmp_path / "01234567.0").write_text("")
    with closing(Transport(ca_bundle=str(tmp_path))) as wire, pytest.raises(TransportError, match="no certificate"):
        wire.send(request(secure.url(scheme="https", host="localhost")), MIB)
    assert secure.heard == []


@pytest.mark.parametrize(("text", "told"), [("none", "holds no certificates"), (None, "can't read the certificates")])
def test_certificates_that_are_none_are_named(text: str | None, told: str, tmp_path: Path) -> None:
    place = tmp_path / "ca.pem"
    if text is not None:
        place.write_text(text)
    with closing(Transport(ca_bundle=str(place))) as wire, pytest.raises(CallError, match=told) as caught:
        wire.send(request("https://a.example/"), MIB)
    assert str(place) in str(caught.value)
