"""`sandbox`: a service played on this machine, for other programs; and its data forgotten."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from .. import template
from ..errors import CallError, did_you_mean, nearest
from ..limit import seconds
from ..settings import hosts
from . import console
from . import help as pages
from .words import catalog, general

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..sandbox import Served
    from ..spec import Service
    from .words import Line

_VALUES = {
    "--port": "N: the port to listen on, 8024 where it is not said; 0 is any that is free",
    "--host": "ADDRESS: the address to listen on, 127.0.0.1 where it is not said",
    "--latency": "TIME: how long each request takes, such as 50ms",
    "--command-time": "TIME: how long each call takes besides, and each one inside a batch",
    "--operating": "TIME: what a call uses up of its method's time; else what it takes",
    "--fault": "LIST: what goes wrong, such as reset:0.01,502-before@3; see below",
    "--seed": "N: the same faults at the same requests, each time",
    "--shift": "insert:N,delete:N: after each N pages of a list a row is added, one removed that was read before",
    "--token-life": "TIME: how long tokens are good, such as 1h; else what the service declares",
    "--rows": "NAME:N,...: fill a collection, or that of a method, up to so many rows",
}
_SWITCHES = {
    "--limits": "enforce the limits that the service declares",
    "--memory": "keep the state in memory",
    "--quiet": "do not show the requests",
}
_OTHERS = {
    "--state": "FILE: where the state is kept; the user's own where it is not said",
    "--methods": "DIR: one more folder of methods",
}
_TIME = re.compile(r"[0-9]+(\.[0-9]+)?(ms|s|m|h)")
_FAULTS = """
A fault is KIND or KIND=VALUE; then :PROBABILITY, or @N for the N-th request, or @N-M; with neither it befalls every
request. KIND-after says that the call was carried out all the same, KIND-before that it was not. Without that word,
limits and redirects refuse before, all others come after. Several are parted by commas.
"""


def sandbox(argv: list[str]) -> int:
    """`sandbox serve SERVICE [options]` until interrupted, or `sandbox reset SERVICE`."""
    line = general(argv, also=_VALUES)
    switches = {name for name in _SWITCHES if name in line.rest or line.on(name)}
    line.rest = [word for word in line.rest if word not in switches]
    if line.on("--help") or not line.rest:
        console.answer(_help())
        return 0
    word, *rest = line.rest
    if word not in {"serve", "reset"}:
        raise CallError(
            f"the sandbox can't {word!r}", hint=did_you_mean(nearest(word, ["serve", "reset"])) or "serve or reset"
        )
    of_serve = [*_VALUES, *_SWITCHES] if word == "serve" else []
    line.rest = rest + [name for name in sorted(switches) if name not in of_serve]
    line.only("sandbox" if word == "serve" else "sandbox reset", "--methods", "--state", *of_serve)
    if len(rest) > 1:
        raise CallError(f"the sandbox plays one service at a time, not {' '.join(rest)}")
    methods = catalog(line)
    services = methods.services()
    name = rest[0] if rest else next(iter(services), "") if len(services) == 1 else ""
    if not name:
        raise CallError("which service?", hint=f"write declarest sandbox {word} SERVICE")
    service = methods.service(name).name
    if word == "serve":
        return _serve(methods, service, line, switches)
    from ..sandbox import reset

    reset(service, line.get("--state") or None)
    console.note(f"the sandbox of {service} is as it was at first")
    return 0


def _help() -> str:
    from ..sandbox.faults import KINDS

    lines = [pages.command("sandbox"), "\nOptions of serve:\n"]
    for name, text in {**_VALUES, **_OTHERS}.items():
        word, _, rest = text.partition(": ")
        lines.append(_item(f"{name} {word}", rest))
    lines += [_item(name, text) for name, text in _SWITCHES.items()]
    lines += [_FAULTS, "\nFaults:\n", *(_item(name, text) for name, text in KINDS.items())]
    return "".join(lines)


def _item(name: str, text: str) -> str:
    return f"  {name}\n{' ' * 26}{text}\n" if len(name) > 22 else f"  {name:<22}  {text}\n"  # noqa: PLR2004 - columns


def _options(line: Line, switches: set[str]) -> dict[str, Any]:
    """The words of `sandbox.start` that a line gives. Raises CallError for those that do not fit."""
    from ..sandbox import MEMORY

    state = line.get("--state") or None
    if state and "--memory" in switches:
        raise CallError("--state and --memory contradict each other", hint="leave one of them out")
    return {
        "state": MEMORY if "--memory" in switches else state,
        "host": line.get("--host", "127.0.0.1"),
        "port": _port(line),
        "latency": _time(line, "--latency"),
        "command_time": _time(line, "--command-time") or 0.0,
        "operating": _time(line, "--operating"),
        "fault": line.options.get("--fault"),
        "seed": line.whole("--seed", 0, 0) if line.on("--seed") else None,
        "limits": "--limits" in switches,
        "shift": _shift(line),
        "token_life": _time(line, "--token-life"),
    }


def _port(line: Line) -> int:
    port = line.whole("--port", 8024, 0)
    if port > 65535:  # noqa: PLR2004 - the last port there is
        raise CallError(f"--port takes a number from 0 to 65535, not {port}")
    return port


def _time(line: Line, name: str) -> float | None:
    text = line.options.get(name)
    if text is not None and not _TIME.fullmatch(text):
        raise CallError(f"{name} takes a time such as 50ms or 2s, not {text!r}")
    return None if text is None else seconds(text)


def _numbers(line: Line, name: str, form: str) -> dict[str, int]:
    """The numbers of an option such as `a:1,b:2`, by their words."""
    found = {}
    for part in line.get(name).split(",") if line.on(name) else ():
        word, _, number = part.strip().rpartition(":")
        if not word or not number.isascii() or not number.isdigit() or len(number) > 9:  # noqa: PLR2004 - a billion
            raise CallError(f"{name} takes {form}, not {part!r}")
        found[word] = int(number)
    return found


def _shift(line: Line) -> Any:
    from ..sandbox import Shift

    found = _numbers(line, "--shift", "insert:N,delete:N")
    wrong = next((word for word in found if word not in {"insert", "delete"}), "")
    if wrong:
        raise CallError(f"--shift takes insert:N,delete:N, not {wrong!r}")
    return Shift(found.get("insert", 0), found.get("delete", 0)) if found else None


def _serve(methods: Catalog, service: str, line: Line, switches: set[str]) -> int:
    from ..sandbox import start

    options, rows = _options(line, switches), _numbers(line, "--rows", "COLLECTION:N or METHOD:N")
    try:
        served = start(methods, service, **options)
    except OSError as error:
        place = f"{options['host']}:{options['port']}"
        raise CallError(f"can't listen on {place}: {(error.strerror or str(error)).lower()}") from None
    try:
        with _stopped_by_signals(), _many_connections():
            for name, count in rows.items():
                served.seed(name, count)
            served.log = None if "--quiet" in switches else console.note
            if served.note:
                console.note(served.note)
            console.answer(f"{_login(methods.service(service), served)}\n")
            console.flush()
            console.note("this is the address of the sandbox's own account; stop with Ctrl-C")
            for words in () if "--quiet" in switches else _pages(methods.service(service), served):
                console.note(f"an application is let in by its page with: {words}")
            served.wait()
    except KeyboardInterrupt:
        console.note("the sandbox is closed")
    finally:
        served.log = None
        served.close()
    return 0


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM stops like Ctrl-C. Signals reach the main thread only; in another one nothing is changed."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, stop) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _many_connections() -> Iterator[None]:
    """Let this process hold as many connections as the system allows, and its threads wait longer for one another.

    A thousand threads that each look every 5 ms whether it is their turn would do little else.
    """
    import sys

    with suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.05)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _login(service: Service, served: Served) -> str:
    """The address with its account in it, where the service has such addresses; else the address."""
    for forms in service.accept.values():
        for form in forms:
            if set(template.names(form)) <= set(served.credentials):
                return template.plain(form, served.credentials)
    return served.address


def _pages(service: Service, served: Served) -> Iterator[str]:
    """The lines that sign in to the sandbox by a page. Its key is piped in, as those of others should be."""
    known = served.credentials
    for how in (scheme.login for scheme in service.schemes if scheme.login):
        named = {*how.get("needs", ()), *template.names(how["page"]), *hosts(service)}
        names = [name for name in service.fields if name in named & known.keys()]
        hidden = [name for name in names if name in service.secrets()]
        flags = [f"--{name.replace('_', '-')} {'-' if name in hidden[:1] else known[name]}" for name in names]
        start = f"echo {known[hidden[0]]} | " if hidden else ""
        yield f"{start}declarest login {service.name} sandbox {' '.join(flags)}"
