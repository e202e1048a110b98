"""The only module that touches the network. Errors of the HTTP library stop here, each turned into ours."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from . import __version__
from .errors import CallError, TransportError
from .response import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .request import Request

AGENT = f"declarest/{__version__}"
_sending: ContextVar[bool] = ContextVar("sending", default=False)


def _not_ours(_record: logging.LogRecord) -> bool:
    """Whether a line of the HTTP library's log is about somebody else's request: ours have secrets in addresses."""
    return not _sending.get()


for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks"):
    logging.getLogger(_name).addFilter(_not_ours)


class Transport:
    """Sends requests and returns replies, over connections that are kept. Safe for many threads."""

    def __init__(self, *, timeout: float = 60.0, inner: httpx.BaseTransport | None = None) -> None:
        self.timeout = timeout
        self._inner = inner
        self._clients: dict[str, httpx.Client] = {}
        self._lock = threading.Lock()

    def _client(self, url: str) -> httpx.Client:
        kind = _kind(url)
        with self._lock:
            if kind not in self._clients:
                with _surroundings():
                    self._clients[kind] = httpx.Client(**_options(kind), timeout=self.timeout, transport=self._inner)
            return self._clients[kind]

    def send(self, request: Request, largest: int) -> Reply:
        """The reply to a request, at most `largest` bytes long. Raises TransportError, never httpx's own."""
        sent, end = _made(request), time.monotonic() + self.timeout
        mark = _sending.set(True)
        try:
            client = self._client(request.url)
            with client.stream(*sent[:2], headers=sent[2], content=request.body) as response:
                body = bytearray()
                _measure(request, response, 0, largest)
                for chunk in response.iter_bytes():
                    body += chunk
                    _measure(request, response, len(body), largest)
                    _hurry(request, end)
                return _reply(response, bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise translated(request, error) from None
        finally:
            _sending.reset(mark)

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()


class AsyncTransport:
    """The same for async callers, who stay on one event loop."""

    def __init__(self, *, timeout: float = 60.0, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self.timeout = timeout
        self._inner = inner
        self._clients: dict[str, httpx.AsyncClient] = {}

    def _client(self, url: str) -> httpx.AsyncClient:
        kind = _kind(url)
        if kind not in self._clients:
            with _surroundings():
                self._clients[kind] = httpx.AsyncClient(**_options(kind), timeout=self.timeout, transport=self._inner)
        return self._clients[kind]

    async def send(self, request: Request, largest: int) -> Reply:
        """As `Transport.send`."""
        sent, end = _made(request), time.monotonic() + self.timeout
        mark = _sending.set(True)
        try:
            client = self._client(request.url)
            async with client.stream(*sent[:2], headers=sent[2], content=request.body) as response:
                body = bytearray()
                _measure(request, response, 0, largest)
                async for chunk in response.aiter_bytes():
                    body += chunk
                    _measure(request, response, len(body), largest)
                    _hurry(request, end)
                return _reply(response, bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise translated(request, error) from None
        finally:
            _sending.reset(mark)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


def _kind(url: str) -> str:
    """Which client an address takes: https, http, or this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return "https"
    return "local" if parts.hostname in {"127.0.0.1", "::1", "localhost"} else "http"


@contextmanager
def _surroundings() -> Iterator[None]:
    """A client that can't be made: the environment names a proxy or certificates that are no good."""
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        said = str(error).partition(". ")[0]
        message = f"the proxy or the certificates that the environment names can't be used: {said}"
        raise CallError(message, hint="look at HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR") from None


def _options(kind: str) -> dict[str, Any]:
    """What a client of a kind is made with.

    Certificates are loaded only where they are used, since that takes longer than a call on this machine; an
    address without TLS has nothing to verify. No proxy stands between this machine and itself.
    """
    return {"verify": kind == "https", "trust_env": kind != "local", "follow_redirects": False}


def _made(request: Request) -> tuple[str, str, dict[str, str]]:
    return request.verb, request.url, {"User-Agent": AGENT, **request.headers}


def _reply(response: httpx.Response, body: bytes) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, body)


def _measure(request: Request, response: httpx.Response, length: int, largest: int) -> None:
    told = response.headers.get("content-length", "")
    size = max(length, int(told) if told.isdecimal() and request.verb != "HEAD" else 0)
    if size > largest:
        message = f"the answer is larger than {largest / 2**20:.0f} MiB"
        host = urlsplit(request.shown.url).netloc
        raise TransportError(
            f"{host}: {message}", status=response.status_code, final=True, hint="ask for fewer rows or fields"
        )


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
    if isinstance(error, httpx.ConnectTimeout):
        return TransportError(f"{host} did not answer in time", outcome="not sent", hint="is the address right?")
    if isinstance(error, httpx.ConnectError):
        return _unreachable(host, str(error))
    if isinstance(error, (httpx.PoolTimeout, httpx.ProxyError)):
        return TransportError(f"the way to {host} is closed: {type(error).__name__}", outcome="not sent")
    if isinstance(error, httpx.TimeoutException):
        return _too_long(host)
    if isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)):
        hint = "the service may have acted; look before you call again"
        return TransportError(f"{host} broke the connection off before its answer was whole", hint=hint)
    if isinstance(error, httpx.DecodingError):
        return TransportError(f"{host} sent an answer that can't be unpacked")
    return TransportError(f"{host}: {type(error).__name__}")


def _unreachable(host: str, said: str) -> TransportError:
    """The error of a connection that could not be made; a wrong name or certificate will not mend by itself."""
    lower = said.lower()
    if "certificate" in lower or "ssl" in lower or "tls" in lower:
        message = f"{host} has no certificate that can be trusted: {said.strip()[:120]}"
        return TransportError(message, outcome="not sent", final=True)
    if "name or service" in lower or "name resolution" in lower or "getaddrinfo" in lower or "nodename" in lower:
        hint = "check the spelling, and the connection of this machine"
        return TransportError(f"the host {host} is not known", outcome="not sent", final=True, hint=hint)
    if "refused" in lower:
        return TransportError(f"{host} refuses connections: nothing listens there", outcome="not sent")
    return TransportError(f"{host} can't be reached: {said.strip()[:120] or 'no connection'}", outcome="not sent")


def fetch(url: str, *, timeout: float = 60.0, largest: int = 32 * 2**20) -> bytes:
    """The content at an address, for a param that was given as one. Redirects are followed, no secret is sent."""
    if not url.lower().startswith(("http://", "https://")):
        message = f"{url} is no web address"
        raise CallError(message)
    try:
        with _surroundings():
            client = httpx.Client(follow_redirects=True, timeout=timeout, headers={"User-Agent": AGENT})
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
