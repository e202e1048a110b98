"""The only module that touches the network. Errors of the HTTP library stop here, each turned into ours."""

from __future__ import annotations

import logging
import os
import re
import ssl
import threading
import time
from contextlib import aclosing, closing, contextmanager
from contextvars import ContextVar
from functools import lru_cache
from socket import gaierror
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import finalize

import httpx

from . import pool
from .errors import CallError, TransportError
from .response import Reply
from .target import AGENT, Target, alike, proxy, trusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .pool import Pool
    from .request import Request

MOST_CONNECTIONS = 100
MOST_TARGETS = 256
_PROXY = "the environment names it; look at HTTPS_PROXY, ALL_PROXY and NO_PROXY"
_sending: ContextVar[bool] = ContextVar("sending", default=False)


def _not_ours(_record: logging.LogRecord) -> bool:
    """Whether a line of the HTTP library's log is about somebody else's request: ours have secrets in addresses."""
    return not _sending.get()


for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks"):
    logging.getLogger(_name).addFilter(_not_ours)


class Transport:
    """Sends requests and returns replies, over connections that are kept. Safe for many threads.

    A request goes straight to the library's connections. The client that the library has around them takes a
    quarter of the time of a call, for things that are not wanted here: it keeps cookies, follows redirects and logs
    addresses. Only where a proxy stands in the way is it used, since it knows which hosts the proxy is for.

    Each connection is a pool of the library by itself, since a pool's work for one request grows with the square
    of its connections: with a hundred it takes twenty times as long as the request. The one used last is used next,
    by whichever transport of this process wants one that leads there.
    """

    def __init__(
        self, *, timeout: float = 60.0, inner: httpx.BaseTransport | None = None, ca_bundle: str | None = None
    ) -> None:
        self.timeout, self._ca_bundle = timeout, ca_bundle
        self._inner = inner
        self._target = lru_cache(MOST_TARGETS)(Target.read)
        self._settle()

    def _settle(self) -> None:
        """Take part in the connections of this process. Those of the one that it was forked from are not its own."""
        self._process, self._mark = os.getpid(), object()
        self._pool: Pool[httpx.BaseTransport | httpx.Client] = pool.shared(*alike(self._ca_bundle))
        self._busy: set[httpx.BaseTransport | httpx.Client] = set()
        self._turns = threading.BoundedSemaphore(MOST_CONNECTIONS)
        finalize(self, _forgotten, self._pool, self._mark, self._process).atexit = False

    def _taken(self, target: Target) -> httpx.BaseTransport | httpx.Client:
        """A connection for one request, the one that was given back last, or a new one."""
        way = self._inner or self._pool.take(target.origin, self._mark)
        if way is None:
            with _surroundings():
                made = httpx.Client if target.has_proxy() else httpx.HTTPTransport
                way = made(**target.options(self._pool, self._ca_bundle))
        self._busy.add(way)
        return way

    def _given(self, target: Target, way: httpx.BaseTransport | httpx.Client) -> None:
        """Give a connection back, unless it was closed meanwhile."""
        if way is self._inner:
            return
        mine = way in self._busy
        self._busy.discard(way)
        for one in self._pool.give(target.origin, way) if mine else [way]:
            one.close()

    def send(self, request: Request, largest: int) -> Reply:
        """The reply to a request, at most `largest` bytes long. Raises TransportError, never httpx's own."""
        if self._process != os.getpid():
            self._settle()
        mark = _sending.set(True)
        try:
            target = self._target(request.url)
            made = _made(request, target, self.timeout)
            with self._turns:  # waiting for one's turn is no part of the time that an answer may take
                way = self._taken(target)
                try:
                    return self._exchanged(request, way, made, largest)
                finally:
                    self._given(target, way)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise translated(request, error) from None
        finally:
            _sending.reset(mark)

    def _exchanged(
        self, request: Request, way: httpx.BaseTransport | httpx.Client, made: httpx.Request, largest: int
    ) -> Reply:
        """The reply that comes for a request over a connection."""
        end = time.monotonic() + self.timeout
        with closing(_begun(way, made)) as response:
            body, headers = bytearray(), _headers(request, response, largest)
            for chunk in _chunks(response, headers):
                body += chunk
                _measure(request, response, len(body), largest)
                _hurry(request, end)
            return Reply(response.status_code, headers, bytes(body))

    def close(self) -> None:
        """Close the connections that are in use here, and with the last transport of this process the others."""
        if self._process == os.getpid():
            busy, self._busy = self._busy, set()
            for way in [*busy, *self._pool.leave(self._mark)]:
                way.close()


class AsyncTransport:
    """The same for async callers, who stay on one event loop."""

    def __init__(
        self, *, timeout: float = 60.0, inner: httpx.AsyncBaseTransport | None = None, ca_bundle: str | None = None
    ) -> None:
        from asyncio import Semaphore, get_running_loop  # a call that is not async does without

        self.timeout, self._ca_bundle = timeout, ca_bundle
        self._inner = inner
        self._mark = object()
        self._pool: Pool[httpx.AsyncBaseTransport | httpx.AsyncClient] = pool.shared(
            *alike(self._ca_bundle), loop=get_running_loop()
        )
        self._busy: set[httpx.AsyncBaseTransport | httpx.AsyncClient] = set()
        self._turns = Semaphore(MOST_CONNECTIONS)
        self._target = lru_cache(MOST_TARGETS)(Target.read)
        finalize(self, self._pool.users.discard, self._mark).atexit = False

    def _taken(self, target: Target) -> httpx.AsyncBaseTransport | httpx.AsyncClient:
        """As `Transport._taken`."""
        way = self._inner or self._pool.take(target.origin, self._mark)
        if way is None:
            with _surroundings():
                made = httpx.AsyncClient if target.has_proxy() else httpx.AsyncHTTPTransport
                way = made(**target.options(self._pool, self._ca_bundle))
        self._busy.add(way)
        return way

    async def _given(self, target: Target, way: httpx.AsyncBaseTransport | httpx.AsyncClient) -> None:
        """As `Transport._given`."""
        if way is self._inner:
            return
        mine = way in self._busy
        self._busy.discard(way)
        for one in self._pool.give(target.origin, way) if mine else [way]:
            await one.aclose()

    async def send(self, request: Request, largest: int) -> Reply:
        """As `Transport.send`."""
        mark = _sending.set(True)
        try:
            target = self._target(request.url)
            made = _made(request, target, self.timeout)
            async with self._turns:
                way = self._taken(target)
                try:
                    return await self._exchanged(request, way, made, largest)
                finally:
                    await self._given(target, way)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise translated(request, error) from None
        finally:
            _sending.reset(mark)

    async def _exchanged(
        self, request: Request, way: httpx.AsyncBaseTransport | httpx.AsyncClient, made: httpx.Request, largest: int
    ) -> Reply:
        """As `Transport._exchanged`."""
        end = time.monotonic() + self.timeout
        async with aclosing(await _begun_async(way, made)) as response:
            body, headers = bytearray(), _headers(request, response, largest)
            async for chunk in _chunks(response, headers):
                body += chunk
                _measure(request, response, len(body), largest)
                _hurry(request, end)
            return Reply(response.status_code, headers, bytes(body))

    async def close(self) -> None:
        """As `Transport.close`, for the transports of the event loop."""
        busy, self._busy = self._busy, set()
        for way in [*busy, *self._pool.leave(self._mark)]:
            await way.aclose()


def _forgotten(shared: Pool[Any], mark: object, process: int) -> None:
    """A transport that nobody closed has gone."""
    for way in shared.leave(mark) if process == os.getpid() else ():
        way.close()


@contextmanager
def _surroundings() -> Iterator[None]:
    """A client that can't be made: the environment names a proxy or certificates that are no good."""
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        said = str(error).partition(". ")[0]
        message = f"the proxy or the certificates that the environment names can't be used: {said}"
        raise CallError(message, hint="look at HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR") from None


def _made(request: Request, target: Target, timeout: float) -> httpx.Request:
    """The request as the library has it. Its own headers take the place of the usual ones, letter case apart."""
    headers = target.headers | {name.lower(): (name, value) for name, value in request.headers.items()}
    body = request.body or b""
    if body or request.verb in {"POST", "PUT", "PATCH"}:
        headers["content-length"] = ("Content-Length", str(len(body)))
    each = {"connect": timeout, "read": timeout, "write": timeout, "pool": None}
    stream = httpx.ByteStream(body)
    made = httpx.Request(
        request.verb, target.url, headers=list(headers.values()), stream=stream, extensions={"timeout": each}
    )
    made.read()  # some transports of callers look at the content
    return made


def _begun(way: httpx.BaseTransport | httpx.Client, made: httpx.Request) -> httpx.Response:
    """The answer to a request, its body not yet read."""
    return way.send(made, stream=True) if isinstance(way, httpx.Client) else way.handle_request(made)


async def _begun_async(way: httpx.AsyncBaseTransport | httpx.AsyncClient, made: httpx.Request) -> httpx.Response:
    """As `_begun`."""
    if isinstance(way, httpx.AsyncClient):
        return await way.send(made, stream=True)
    return await way.handle_async_request(made)


def _headers(request: Request, response: httpx.Response, largest: int) -> dict[str, str]:
    """The headers of an answer, their names in lower case. An answer that announces too much is refused."""
    headers = dict(response.headers.items())
    told = headers.get("content-length", "")
    if request.verb != "HEAD" and told.isdecimal():
        _measure(request, response, int(told), largest)
    return headers


def _chunks(response: httpx.Response, headers: Mapping[str, str]) -> Any:
    """The body in parts, unpacked where it was packed."""
    if "content-encoding" not in headers:
        return response.stream
    return response.aiter_bytes() if isinstance(response.stream, httpx.AsyncByteStream) else response.iter_bytes()


def _measure(request: Request, response: httpx.Response, length: int, largest: int) -> None:
    if length > largest:
        host, message = urlsplit(request.shown.url).netloc, f"the answer is larger than {largest / 2**20:.0f} MiB"
        hint = "ask for fewer rows or fields"
        raise TransportError(f"{host}: {message}", status=response.status_code, final=True, hint=hint)


def _hurry(request: Request, end: float) -> None:
    """Refuse an answer that comes in drops: the time-out is for all of it."""
    if time.monotonic() > end:
        raise _too_long(urlsplit(request.shown.url).netloc)


def _too_long(host: str) -> TransportError:
    hint = "the service may have acted; look before you call again, or give --timeout more seconds"
    return TransportError(f"{host} took too long to answer", hint=hint)


def translated(request: Request, error: Exception) -> TransportError | CallError:
    """Our error for one of the HTTP library's. It never holds the request's address beyond its host."""
    host = urlsplit(request.shown.url).netloc
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return CallError(f"{host or 'the address'} is no address of a web service", hint="it begins with https://")
    between = proxy(request.shown.url)
    if isinstance(error, httpx.ConnectTimeout):
        near, hint = (f"the proxy {between}", _PROXY) if between else (host, "is the address right?")
        return TransportError(f"{near} did not answer in time", outcome="not sent", hint=hint)
    if isinstance(error, httpx.ConnectError):
        return _unreachable(host, between, error)
    if isinstance(error, httpx.ProxyError):
        said = re.match(r"[1-5]\d\d\b[\w ?'-]{0,60}", str(error))  # whatever else it says may hold an address
        told = f": {said[0].strip()}" if said else ""
        message = f"the proxy {between} does not let anything through to {host}{told}"
        return TransportError(message, outcome="not sent", hint=_PROXY)
    if isinstance(error, httpx.PoolTimeout):
        return TransportError(f"the way to {host} is closed: {type(error).__name__}", outcome="not sent")
    if isinstance(error, httpx.TimeoutException):
        return _too_long(host)
    if isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)):
        hint = "the service may have acted; look before you call again"
        return TransportError(f"{host} broke the connection off before its answer was whole", hint=hint)
    if isinstance(error, httpx.DecodingError):
        return TransportError(f"{host} sent an answer that can't be unpacked")
    return TransportError(f"{host}: {type(error).__name__}")


def _unreachable(host: str, between: str, error: httpx.ConnectError) -> TransportError:
    """The error of a connection that could not be made; a wrong name or certificate will not mend by itself.

    `between` is the proxy that it was to be made to in the host's place.
    """
    reason = _system_error(error)
    said = str(reason or error).strip()[:120]
    if isinstance(reason, ssl.SSLError):
        message = f"{host} has no certificate that can be trusted: {said}"
        old = "expired" in said or "not yet valid" in said
        hint = "is the clock of this machine right?" if old else "--ca-bundle trusts the certificates of a file besides"
        return TransportError(message, outcome="not sent", final=True, hint=hint)
    if isinstance(reason, gaierror):
        name = f"proxy {between}" if between else f"host {host}"
        hint = _PROXY if between else "check the spelling, and the connection of this machine"
        return TransportError(f"the {name} is not known", outcome="not sent", final=True, hint=hint)
    near, hint = (f"the proxy {between}", _PROXY) if between else (host, "")
    if isinstance(reason, ConnectionRefusedError):
        return TransportError(f"{near} refuses connections: nothing listens there", outcome="not sent", hint=hint)
    return TransportError(f"{near} can't be reached: {said or 'no connection'}", outcome="not sent", hint=hint)


def _system_error(error: BaseException | None) -> OSError | None:
    """The system's own error below those that libraries have wrapped around it; the first of several attempts."""
    while error is not None and not (isinstance(error, OSError) and error.errno is not None):
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        error = inner or error.__cause__ or error.__context__
    return error


def fetch(url: str, *, timeout: float = 60.0, largest: int = 32 * 2**20, ca_bundle: str = "") -> bytes:
    """The content at an address, for a param that was given as one. Redirects are followed, no secret is sent."""
    if not url.lower().startswith(("http://", "https://")):
        message = f"{url} is no web address"
        raise CallError(message)
    try:
        with _surroundings():
            heads, verify = {"User-Agent": AGENT}, trusted(ca_bundle)
            client = httpx.Client(follow_redirects=True, timeout=timeout, headers=heads, verify=verify)
        with client, client.stream("GET", url) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > largest:
                    message = f"{url} is larger than {largest / 2**20:.0f} MiB"
                    raise CallError(message)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        message = f"can't fetch {url.split('?', maxsplit=1)[0]}: {_reason(error)}"
        raise CallError(message) from None
    if response.status_code >= 400:  # noqa: PLR2004
        message = f"can't fetch {url.split('?', maxsplit=1)[0]}: it answers {response.status_code}"
        raise CallError(message)
    return bytes(body)


def _reason(error: Any) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it did not answer in time"
    return str(error) or type(error).__name__
