"""Signing in with a browser: the page that is opened, the address that it leads back to, and what stands there.

The listener is up before the page is opened, since what comes back may be good for seconds only. `state` is made
for each sign-in, so that nobody else's answer is taken for ours (RFC 6749, 10.12).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from . import auth, template
from .errors import AuthError, CallError, RunnerError, TransportError

if TYPE_CHECKING:
    from .spec import Scheme

Json = dict[str, Any]
PATIENCE = 300.0  # seconds that a person has for the page
LOOK = 0.1  # seconds between two looks whether it is over
LONGEST = 4096  # bytes of a line that somebody types
_CLOSE = "You may close this page."
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{title} - declarest</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem }}
h1 {{ font-size: 1.7rem }}
</style>
<script>history.replaceState(null, "", location.pathname)</script>
<h1>{title}</h1>
<p>{text}</p>
<p>{end}</p>
"""  # what came back leaves the address that the browser shows and remembers


class Stray(AuthError):
    """What came back is not the answer to this sign-in, which goes on."""


def new_state() -> str:
    """A text that nobody can guess."""
    from secrets import token_urlsafe

    return token_urlsafe(32)


def page(how: Mapping[str, Any], known: Mapping[str, Any], state: str, listen: str, *, insecure: bool = False) -> str:
    """The address of the page. Raises CallError where it would travel unencrypted."""
    values = {**known, "state": state, "listen": listen}
    address = template.address(how["page"], values, lambda text, keep: quote(text, f"{keep}:"))
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CallError(f"{parts.scheme}://{parts.netloc} is no address of a web page")
    if parts.scheme == "http" and not insecure and not auth.loopback(parts.hostname):
        message = f"http://{parts.netloc} would send what comes back unencrypted"
        raise CallError(message, hint="write https://, or add --insecure if you must")
    return address


def answer(scheme: Scheme, found: Mapping[str, str], known: Mapping[str, Any], state: str) -> Json:
    """What came back, under the names that the service file has for it.

    Raises Stray where it is the answer of somebody else's page; AuthError where it was refused, or is of another
    host than was asked.
    """
    back = (scheme.login or {})["back"]
    if "state" in back and found.get(back["state"], state) != state:
        message = "what came back is not the answer to this sign-in: its state is another one"
        raise Stray(message, kind="auth", rejected=True, hint="nothing was exchanged; close old pages")
    if "error" in found:
        message = found.get("error_description") or f"the {scheme.title} was refused"
        hint = "nothing was saved; let the application in, or look at its settings"
        raise AuthError(message, code=found["error"], kind="auth", rejected=True, hint=hint)
    if "state" in back and back["state"] not in found:
        message = "what came back has no state, so it may be somebody else's"
        raise Stray(message, kind="auth", rejected=True, hint="nothing was exchanged; close old pages")
    values = {name: found[there] for name, there in back.items() if found.get(there)}
    for name in set((scheme.login or {}).get("needs", ())) & values.keys():
        if name in known and values[name].lower() != str(known[name]).lower():
            message = f"you were let in at {values[name]}, and asked for {known[name]}"
            hint = f"nothing was exchanged; sign in with --{name.replace('_', '-')} {values[name]} if that is meant"
            raise AuthError(message, kind="auth", rejected=True, hint=hint)
    lacking = [there for name, there in back.items() if name not in values and _asked(scheme, name)]
    if lacking:
        message = f"what came back has no {', '.join(lacking)}"
        raise AuthError(message, kind="auth", rejected=True, hint="nothing was exchanged; start again")
    return values


def _asked(scheme: Scheme, name: str) -> bool:
    """Whether the exchange is given what stands under this name."""
    texts = [text for text in (scheme.login or {}).get("params", {}).values() if isinstance(text, str)]
    return any(name in template.names(text) for text in texts)


def pasted(scheme: Scheme, text: str, state: str) -> dict[str, str]:
    """What a person pasted, as what would have come back: the whole address, its query, or the code alone.

    Whoever pastes the code alone vouches for it. Raises CallError where it is none of these.
    """
    clean = text.strip(" \t\r\n'\"<>")
    parts = urlsplit(clean)
    query = parts.query or (clean.lstrip("?") if "=" in clean and "://" not in clean else "")
    found = dict(parse_qsl(query))
    back = (scheme.login or {})["back"]
    if set(back.values()) & found.keys() or "error" in found:
        return found
    code = next((there for name, there in back.items() if _asked(scheme, name)), "")
    if clean and code and not query and not parts.scheme and not any(map(str.isspace, clean)) and "/" not in clean:
        return {code: clean} | ({back["state"]: state} if "state" in back else {})
    message = "this is neither the address that the browser was sent to nor a code"
    raise CallError(message, hint=f"the address holds {' and '.join(f'{name}=' for name in back.values())}")


def place(text: str) -> str:
    """An address to listen at: as it is, or made of a port or of host and port. Raises CallError."""
    whole = text if "://" in text else f"http://{text if ':' in text else f'127.0.0.1:{text}'}"
    parts = urlsplit(whole)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or port is None or not auth.loopback(parts.hostname or ""):
        message = f"can't listen at {text!r}"
        raise CallError(message, hint="--listen takes an address of this machine, such as http://127.0.0.1:8675/")
    return f"http://{parts.netloc}{parts.path or '/'}"


class Listener:
    """Waits on this machine for the browser to come back, and for what a person types.

    A page that is none of this sign-in's is told, to `say` as well, and ends nothing: an old one may be open, and any
    page of the web could call one here.
    """

    def __init__(self, judge: Callable[[Mapping[str, str]], Json], say: Callable[[str], object] = str) -> None:
        self.judge, self.say = judge, say
        self.address = ""
        self._news: SimpleQueue[Json | RunnerError] = SimpleQueue()
        self._over = threading.Event()

    @contextmanager
    def at(self, address: str) -> Iterator[None]:
        """Listen at an address. Raises CallError where something else does."""
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or 0
        handler = type("Handler", (_Handler,), {"path_of": parts.path, "take": self.take, "say": self.say})
        kind = type("Server", (_Server,), {"address_family": AF_INET6 if ":" in host else AF_INET})
        try:
            server = kind(("127.0.0.1" if host.endswith("localhost") else host, port), handler)
        except OSError as error:
            message = f"can't listen on {parts.netloc}: {(error.strerror or str(error)).lower()}"
            hint = "end what listens there, or give --listen another address that the application's card has too"
            raise CallError(message, hint=hint) from None
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{server.server_address[1]}{parts.path}"
        thread = threading.Thread(target=server.serve_forever, args=(LOOK,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def take(self, found: Mapping[str, str]) -> tuple[RunnerError | None, Callable[[], None]]:
        """What is wrong with what came back, and what is to be done when the page has said it."""
        try:
            news = self.judge(found)
        except RunnerError as error:
            wrong = error
            return error, lambda: self._news.put(wrong)
        return None, lambda: self._news.put(news)

    @contextmanager
    def reading(
        self, file: int, read: Callable[[str], Mapping[str, str]], say: Callable[[str], None]
    ) -> Iterator[None]:
        """Read lines of a file beside the browser; what is no answer is told, and waited for again."""
        thread = threading.Thread(target=self._read, args=(file, read, say), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(3 * LOOK)

    def _read(self, file: int, read: Callable[[str], Mapping[str, str]], say: Callable[[str], None]) -> None:
        for line in _lines(file, self._over):
            try:
                found = read(line)
            except CallError as error:
                say(str(error))
                continue
            self.take(found)[1]()
            return

    def wait(self, seconds: float = PATIENCE) -> Json:
        """What came back, whichever way was first. Raises what is wrong with it, TransportError where nothing came."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(Empty):
                news = self._news.get(timeout=LOOK)  # in pieces: not every system wakes a waiting thread for Ctrl-C
                if isinstance(news, RunnerError):
                    raise news
                return news
        message = f"nobody came back from the page in {seconds / 60:.0f} minutes"
        hint = f"start again; the application's card must send the browser to {self.address or 'where you can copy it'}"
        raise TransportError(message, outcome="not sent", hint=hint)


def _lines(file: int, over: threading.Event) -> Iterator[str]:
    """The lines that are typed, until it is over. They are read past Python's buffers, which a thread would hold."""
    from select import select

    rest = b""
    while not over.is_set():
        try:
            if not select([file], [], [], LOOK)[0]:
                continue
        except OSError:
            pass  # a system that can look at sockets only: wait in the reading itself
        try:
            chunk = os.read(file, LONGEST)
        except OSError:
            return
        *whole, rest = (rest + chunk).split(b"\n")
        if not chunk:
            whole = [rest]
        yield from (line.decode(errors="replace") for line in whole if line.strip())
        if not chunk:
            return


class _Server(ThreadingHTTPServer):
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two programs have one port
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    path_of: str
    take: Callable[[Mapping[str, str]], tuple[RunnerError | None, Callable[[], None]]]
    say: Callable[[str], object]
    timeout = 10

    def do_GET(self) -> None:
        """Take what comes back; a browser asks for other things too, such as a picture for its tab."""
        parts = urlsplit(self.path)
        if parts.path != self.path_of or not parts.query:
            self._say(404, "Nothing is here", "The sign-in waits for another page.", "")
            return
        wrong, then = type(self).take(dict(parse_qsl(parts.query)))
        if isinstance(wrong, Stray):
            self._say(400, "Another sign-in", f"{wrong}.", "The newest page that was opened is still waited for.")
            type(self).say(str(wrong))
        elif wrong:
            self._say(400, "Not signed in", f"{wrong}.", _CLOSE)
            then()
        else:
            text = "declarest has what it needs, and goes on in the terminal."
            self._say(200, "It is let in", text, _CLOSE)
            then()

    def _say(self, status: int, title: str, text: str, end: str) -> None:
        content = _PAGE.format(title=title, text=escape(text), end=end).encode()
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's own name
        """Say nothing: the address holds what nobody else may see."""
