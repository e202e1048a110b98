"""`sandbox`: a service played on this machine, for other programs; and its data forgotten."""

from __future__ import annotations

from ..catalog import Catalog
from ..errors import CallError, did_you_mean, nearest
from . import console
from . import help as pages
from .words import general


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
    catalog = Catalog(line.get("--methods") or None)
    services = catalog.services()
    name = rest[0] if rest else next(iter(services), "") if len(services) == 1 else ""
    if not name:
        raise CallError("which service?", hint=f"write declarest sandbox {word} SERVICE")
    service = catalog.service(name).name
    state = line.get("--state") or None
    if word == "reset":
        from ..sandbox import reset

        reset(service, state)
        console.note(f"the sandbox of {service} knows nothing any more")
        return 0
    return _serve(catalog, service, state, line.get("--host", "127.0.0.1"), int(line.number("--port", 8024)))


def _serve(catalog: Catalog, service: str, state: str | None, host: str, port: int) -> int:
    from ..sandbox import start

    try:
        served = start(catalog, service, state=state, host=host, port=port, log=console.note)
    except OSError as error:
        raise CallError(f"can't listen on {host}:{port}: {(error.strerror or str(error)).lower()}") from None
    if served.note:
        console.note(served.note)
    console.answer(f"{served.login}\n")
    console.note("this is the address of the sandbox's own account; stop with Ctrl-C")
    try:
        served.wait()
    finally:
        served.close()
    return 0
