"""`sandbox`: a service played on this machine, for other programs; and its data forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import template
from ..errors import CallError, did_you_mean, nearest
from . import console
from . import help as pages
from .words import catalog, general

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..sandbox import Served
    from ..spec import Service
    from .words import Line


def sandbox(argv: list[str]) -> int:
    """`sandbox serve SERVICE [--port N] [--state FILE]` until interrupted, or `sandbox reset SERVICE`."""
    line = general(argv, also={"--port": "N: the port to listen on", "--host": "ADDRESS: the address to listen on"})
    if line.on("--help") or not line.rest:
        console.answer(pages.command("sandbox"))
        return 0
    word, *rest = line.rest
    if word not in {"serve", "reset"}:
        raise CallError(
            f"the sandbox can't {word!r}", hint=did_you_mean(nearest(word, ["serve", "reset"])) or "serve or reset"
        )
    line.only("sandbox", "--methods", "--state", "--host", "--port")
    if len(rest) > 1:
        raise CallError(f"the sandbox plays one service at a time, not {' '.join(rest)}")
    methods = catalog(line)
    services = methods.services()
    name = rest[0] if rest else next(iter(services), "") if len(services) == 1 else ""
    if not name:
        raise CallError("which service?", hint=f"write declarest sandbox {word} SERVICE")
    service = methods.service(name).name
    state = line.get("--state") or None
    if word == "reset":
        from ..sandbox import reset

        reset(service, state)
        console.note(f"the sandbox of {service} is as it was at first")
        return 0
    return _serve(methods, service, state, line.get("--host", "127.0.0.1"), _port(line))


def _port(line: Line) -> int:
    port = line.whole("--port", 8024, 0)
    if port > 65535:  # noqa: PLR2004 - the last port there is
        raise CallError(f"--port takes a number from 0 to 65535, not {port}")
    return port


def _serve(methods: Catalog, service: str, state: str | None, host: str, port: int) -> int:
    from ..sandbox import start

    try:
        served = start(methods, service, state=state, host=host, port=port)
    except OSError as error:
        raise CallError(f"can't listen on {host}:{port}: {(error.strerror or str(error)).lower()}") from None
    try:
        served.log = console.note
        if served.note:
            console.note(served.note)
        console.answer(f"{_login(methods.service(service), served)}\n")
        console.flush()
        console.note("this is the address of the sandbox's own account; stop with Ctrl-C")
        served.wait()
    finally:
        served.close()
    return 0


def _login(service: Service, served: Served) -> str:
    """The address with its account in it, where the service has such addresses; else the address."""
    for forms in service.accept.values():
        for form in forms:
            if set(template.names(form)) <= set(served.credentials):
                return template.plain(form, served.credentials)
    return served.address
