"""A page in the browser on which a person lets the caller in, and what it yields exchanged at once."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from .. import query, renewal, signin
from ..errors import CallError, RunnerError, TransportError
from . import ask, console
from .connect import connect

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..spec import Scheme, Service
    from .words import Line

Json = dict[str, Any]


def let_in(  # noqa: PLR0913 - the line, the way, and what is known
    line: Line, methods: Catalog, service: Service, scheme: Scheme, values: Json, *, opens: bool
) -> Json:
    """The fields of a connection with those that the page and the exchange have yielded.

    The listener is up before the page opens; what a person pastes counts as much as what the browser brings.
    """
    how, state = scheme.login or {}, signin.new_state()
    listener = signin.Listener(lambda found: signin.answer(scheme, found, values, state), _told)
    with ExitStack() as stack:
        listen = signin.place(line.get("--listen", how.get("listen", ""))) if _listens(line, how) else ""
        if listen:
            stack.enter_context(listener.at(listen))
        page = signin.page(how, values, state, listener.address, insecure=line.on("--insecure"))
        console.say(f"Let it in on this page, and come back:\n\n  {page}\n")
        if opens:
            _open(page)
        if sys.stdin is not None:
            _paste(stack, listener, scheme, state)
        found = listener.wait()
        return {**values, **_exchanged(line, methods, service, scheme, {**values, **found, "listen": listener.address})}


def _listens(line: Line, how: Json) -> bool:
    return bool(line.get("--listen", how.get("listen", "")))


def _open(page: str) -> None:
    """Open a browser, where there is a screen to show it on: one inside the terminal would take that away."""
    screen = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not screen:
        return
    import webbrowser

    try:
        webbrowser.open(page)
    except (webbrowser.Error, OSError) as error:
        console.note(f"no browser could be opened: {error}")


def _paste(stack: ExitStack, listener: signin.Listener, scheme: Scheme, state: str) -> None:
    """Take what is typed, or comes through a pipe, as well."""
    try:
        file = sys.stdin.fileno()
    except (OSError, ValueError):
        return
    if os.isatty(file):
        console.say("If the browser can't come back here, paste the address that it was sent to, or the code.")
        console.say("What you paste is not shown; Ctrl-C gives up.")
    stack.enter_context(ask.unseen(file))
    stack.enter_context(listener.reading(file, lambda text: signin.pasted(scheme, text, state), _told))


def _told(text: str) -> None:
    console.fail(CallError(text))


def _exchanged(line: Line, methods: Catalog, service: Service, scheme: Scheme, known: Json) -> Json:
    """What the exchange yields. It is made once: what is exchanged is good for one time."""
    how = scheme.login or {}
    needed = {name: known[name] for name in service.fields if name in known and name not in how["back"]}
    needed |= {name: known[name] for name in how.get("needs", ()) if name in known}
    try:
        with connect(line, methods, service.name, needed, "") as client:
            value = client.call(how["method"], renewal.params(how, known)).value
    except RunnerError as error:
        error.message = f"the page let you in, and what it gave could not be exchanged: {error.message or error.code}"
        raise
    found = {name: query.search(path, value) for name, path in how["keep"].items()}
    lacking = [name for name in scheme.needs if found.get(name, known.get(name)) is None]
    if lacking:
        raise TransportError(f"the exchange for the {scheme.title} brought no {', '.join(lacking)}")
    return {name: one for name, one in found.items() if one is not None}
