"""Where requests go, and what the connections that lead there are made with. It is told apart from sending them."""

from __future__ import annotations

import os
import re
import ssl
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from . import __version__
from .errors import CallError
from .index import stamp
from .pool import KEPT

if TYPE_CHECKING:
    from .pool import Pool

AGENT = f"declarest/{__version__}"
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")  # how certificates are called in a folder of them
_LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEPT)
_USUAL = {
    "accept": ("Accept", "*/*"),
    "accept-encoding": ("Accept-Encoding", "gzip, deflate"),
    "connection": ("Connection", "keep-alive"),
    "user-agent": ("User-Agent", AGENT),
}


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """Where a request goes: its way (https, http or this machine), its address, the headers that follow from it."""

    kind: str
    origin: str
    url: httpx.URL
    headers: dict[str, tuple[str, str]]

    @classmethod
    def read(cls, text: str) -> Target:
        """The target of an address. Raises httpx.InvalidURL."""
        url = httpx.URL(text)
        host = url.netloc.decode()
        headers = {"host": ("Host", host), **_USUAL}
        if url.userinfo:
            pair = f"{url.username}:{url.password}".encode()
            headers["authorization"] = ("Authorization", f"Basic {b64encode(pair).decode()}")
        near = url.host in {"127.0.0.1", "::1", "localhost"}
        kind = "https" if url.scheme == "https" else "local" if near else "http"
        return cls(kind, f"{url.scheme}://{host}", url, headers)

    def has_proxy(self) -> bool:
        """Whether the environment names a proxy. None stands between this machine and itself."""
        return self.kind != "local" and any(map(getproxies().get, ("http", "https", "all")))

    def options(self, shared: Pool[Any], ca_bundle: str | None = None) -> dict[str, Any]:
        """What a connection is made with. An address without TLS has nothing to verify, so nothing is loaded for it."""
        verify = _trusted(shared, ca_bundle) if self.kind == "https" else _nobody()
        options = {"verify": verify, "trust_env": self.kind != "local", "limits": _LIMITS}
        return options | ({"cookies": _no_cookies()} if self.has_proxy() else {})


def proxy(address: str) -> str:
    """Host and port of the proxy that the environment names for an address; empty where there is none."""
    parts, named = urlsplit(address), getproxies()
    found = named.get(parts.scheme) or named.get("all") or ""
    if not found or parts.hostname in {"127.0.0.1", "::1", "localhost"} or proxy_bypass(parts.netloc):
        return ""
    return found.rpartition("://")[2].partition("/")[0].rpartition("@")[2]


def alike(ca_bundle: str | None = None) -> tuple[Any, ...]:
    """What makes connections alike, so that they may be shared: the same proxies, and the same trust."""
    places = [os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), ca_bundle]
    trust = [(number, place, stamp(place)) for number, place in enumerate(places) if place]
    return *trust, *sorted(getproxies().items())


def _trusted(shared: Pool[Any], ca_bundle: str | None) -> ssl.SSLContext:
    """The certificates that are trusted, which take longer to load than a call on this machine."""
    with shared.lock:
        if shared.trusted is None:
            shared.trusted = trusted(ca_bundle)
        return shared.trusted


@lru_cache(maxsize=1)
def _nobody() -> ssl.SSLContext:
    """No certificates at all. The library makes a context for each connection that has none, which takes time."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def trusted(ca_bundle: str | None = None) -> ssl.SSLContext:
    """The certificates that are trusted: those of this machine, and those of a file or a folder besides.

    There is no way to trust none at all. Raises CallError where the file holds none.
    """
    found = httpx.create_ssl_context()
    if ca_bundle:
        folder = os.path.isdir(ca_bundle)
        place: Any = {"capath" if folder else "cafile": ca_bundle}
        try:
            if folder and not any(map(_HASHED.fullmatch, os.listdir(ca_bundle))):
                raise CallError(f"{ca_bundle} holds no certificates", hint=f"openssl rehash {ca_bundle} names them")
            found.load_verify_locations(**place)
        except ssl.SSLError:
            message = f"{ca_bundle} holds no certificates"
            raise CallError(message, hint="each stands there between BEGIN CERTIFICATE and END CERTIFICATE") from None
        except OSError as error:
            raise CallError(f"can't read the certificates of {ca_bundle}: {error.strerror}") from None
    return found


def _no_cookies() -> CookieJar:
    """A jar that stays empty: what a server says to one account is not for the next one on the same connection."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))
