"""The sockets of a sandbox: a server on this machine that hands requests to a portal. All of HTTP stays here."""

from __future__ import annotations

import os
import socket
import struct
import threading
import traceback
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import SpecError
from .portal import Answer
from .reading import Asked

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 32 * 2**20  # bytes of a body that are read
_DRAINED = 256 * 2**20  # bytes of a larger one that are thrown away, so that the answer to it is heard
_CHUNK = 2**16
_AT_ONCE = struct.pack("ii" if os.name == "posix" else "hh", 1, 0)  # a socket that is closed so is reset


class Server(ThreadingTCPServer):
    """A listening socket, a thread for it and one for each connection."""

    allow_reuse_address = os.name == "posix"
    daemon_threads = True
    request_queue_size = 4096  # connections that wait to be taken; the system may allow fewer

    def __init__(self, place: tuple[str, int], answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.log: Callable[[str], object] | None = None
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        super().__init__(place, _Connection)
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)

    def begin(self) -> None:
        """Start to answer."""
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own."""
        thread = threading.Thread(target=self._converse, args=(request, client_address), daemon=True)
        with self._lock:
            self._open[thread] = request
        thread.start()

    def _converse(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._open[threading.current_thread()]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke off is nobody's business."""

    def say(self, line: str) -> None:
        """A line for the log, where somebody reads it."""
        log = self.log
        if log:
            log("".join(letter if letter.isprintable() else "?" for letter in line))

    def stop(self) -> None:
        """Close every socket and wait for the threads. A second time does nothing."""
        if self._over.is_set():
            return
        self._over.set()
        if self._thread.is_alive():
            host, port = self.socket.getsockname()[:2]
            here = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - not every system calls itself "everywhere"
            with suppress(OSError), socket.create_connection((here, port), timeout=1):  # wakes the thread
                pass
            self._thread.join()
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for connection in left.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in left:
            thread.join()

    def wait(self) -> None:
        """Return when it has been stopped."""
        self._over.wait()

    def pause(self, seconds: float) -> None:
        """Let some time pass; none once it has been stopped."""
        if seconds > 0:
            self._over.wait(seconds)


class _Connection(BaseHTTPRequestHandler):
    """The requests of one connection, one after another."""

    server: Server
    server_version = f"declarest/{__version__}"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # so that a broken request line is answered with a head as well
    timeout = 60  # seconds that an idle connection is kept
    wbufsize = _CHUNK  # an answer leaves in one piece: head and body apart would wait for each other's receipt
    disable_nagle_algorithm = True

    def handle_expect_100(self) -> bool:
        """Let the client send its body at once."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """A refusal of HTTP itself, in one plain line."""
        self.close_connection = True
        self._send(Answer(code, f"{message or self.responses[code][0]}\n".encode(), {"Content-Type": "text/plain"}))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: lines of the library hold whole addresses."""

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), value)
        asked = Asked(self.command, _relative(self.path), headers, body, self.client_address[0])
        answer = self._answered(asked)
        self.server.pause(answer.wait)
        if answer.wire in {"reset", "hang"}:
            self._break(answer)
        else:
            self._send(answer)

    def _answered(self, asked: Asked) -> Answer:
        try:
            return self.server.answer(asked)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next request must be answered
            return Answer(500, _told(error).encode(), {"Content-Type": "text/plain; charset=utf-8"})

    def _body(self) -> bytes | None:
        """The body of the request; None where it is no good and was answered."""
        told = self.headers.get("content-length", "0").strip()
        if "transfer-encoding" in self.headers:
            self.send_error(411, "send the body with a Content-Length")
        elif not (told.isascii() and told.isdigit()):
            self.send_error(400, "the Content-Length is no number")
        elif len(told) > 18 or int(told) > MOST:  # noqa: PLR2004 - no length has so many digits
            self._drain(min(int(told[:18]), _DRAINED))
            self.send_error(413, f"the body is larger than {MOST >> 20} MiB")
        else:
            body = self.rfile.read(int(told))
            if len(body) == int(told):
                return body
            self.send_error(400, "the body is shorter than its Content-Length")
        return None

    def _drain(self, length: int) -> None:
        while length > 0:
            chunk = self.rfile.read(min(length, _CHUNK))
            length = length - len(chunk) if chunk else 0

    def _send(self, answer: Answer) -> None:
        cut = answer.wire == "cut"
        self.close_connection = self.close_connection or cut
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:  # noqa: PLR2004 - it never has a body
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection and not cut:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        self._say(answer, str(answer.status))
        self.wfile.flush()

    def _break(self, answer: Answer) -> None:
        """Answer nothing: wait until the client has gone, or reset the connection."""
        self._say(answer, "-")
        self.close_connection = True
        if answer.wire == "hang":
            self.connection.settimeout(None)
            with suppress(OSError):
                self.connection.recv(1)
        else:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            socket.close(self.connection.detach())  # at once, or the end of the stream would come before the reset

    def _say(self, answer: Answer, status: str) -> None:
        self.server.say(f"{self.command or '-'} {answer.shown} {status}{answer.note and f' {answer.note}'}")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815


def _relative(target: str) -> str:
    """A request's target without the origin that a proxy's client puts before it."""
    scheme, mark, rest = target.partition("://")
    return "/" + rest.partition("/")[2] if mark and "/" not in scheme else target


def _told(error: Exception) -> str:
    """What went wrong and where, without the words of the error: they may hold what the request held."""
    if isinstance(error, SpecError):
        return f"{error}\n"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"the sandbox failed: {type(error).__name__} in {os.path.basename(place.filename)}:{place.lineno}\n"
