"""Search, and what a method is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import output
from ..errors import CallError
from ..skeleton import skeleton
from . import console
from . import help as pages
from .dialect import method_of as command_method
from .quick import NEAREST, listed
from .words import catalog, general

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..spec import Method

Json = dict[str, Any]


def find(argv: list[str]) -> int:
    """`find WORDS`: the methods that hold the words."""
    line = general(argv)
    if line.on("--help") or not line.rest:
        console.answer(pages.command("find"))
        return 0
    line.only("find", "--output", "--methods", "--lang")
    methods = catalog(line)
    console.warn(methods.broken())
    services = methods.services()
    service = line.rest[0] if len(line.rest) > 1 and line.rest[0] in services else ""
    words = " ".join(line.rest[1:] if service else line.rest)
    rows, whole = methods.search(words, service)
    if rows and not whole:
        console.note(NEAREST.rstrip())
    if "--output" in line.options:
        found = [{"service": row.service, "method": row.name, "summary": row.summary} for row in rows]
        console.answer(output.text(found, line.get("--output"), width=console.width()))
    elif rows:
        console.answer(listed(rows, services=len(services) > 1))
    else:
        unknown = [word for word in words.split() if not methods.find(word, service)] or words.split()
        raise CallError(f"no method has {' and '.join(unknown)}", hint="say it in other words")
    return 0


def show(argv: list[str]) -> int:
    """`show [SERVICE] METHOD`: what a method is, or with `--skeleton` a structure to fill."""
    line = general(argv)
    names = [word for word in line.rest if word != "--skeleton"]
    if line.on("--help") or not names:
        console.answer(pages.command("show"))
        return 0
    line.only("show", "--skeleton", "--output", "--methods", "--lang")
    methods = catalog(line)
    if names[0] in methods.services() and len(names) == 1:
        console.answer(pages.of_service(methods, names[0]))
        return 0
    method = _method(methods, names)
    if "--skeleton" in line.rest:
        console.answer(output.text(skeleton(method), line.get("--output", "json")))
    elif "--output" in line.options:
        console.answer(output.text(_described(method), line.get("--output"), width=console.width()))
    else:
        console.answer(pages.of_method(method, methods))
    return 0


def _method(methods: Catalog, names: list[str]) -> Method:
    """The method of `SERVICE METHOD`, or of `METHOD` where one service has it."""
    if len(names) > 2:  # noqa: PLR2004 - service and method
        raise CallError("show takes one method", hint="write declarest show SERVICE METHOD")
    if len(names) == 1:
        service = methods.owner(names[0])
        if not service:
            services = methods.services()
            service = next(iter(services)) if len(services) == 1 else ""
        if not service:
            raise CallError(f"which service has {names[0]!r}?", hint="write declarest show SERVICE METHOD")
        names = [service, names[0]]
    command = None if methods.has(*names[:2]) else methods.command(*names[:2])
    return methods.method(names[0], command_method(command) if command else names[1])


def _described(method: Method) -> Json:
    """A method as data: its file, and the whole input as one JSON Schema."""
    return {"service": method.service.name, **method.document, "input": method.schema}
