"""The line as a whole: a command, or a service and its method; every error shown in its place."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from ..errors import CallError, RunnerError, RunnerWarning, UnknownMethod, nearest
from ..output import FILES, FORMS
from . import console
from .quick import COMMANDS, RESERVED
from .words import SHORT, SWITCHES, Line, catalog, general, service_first

if TYPE_CHECKING:
    from ..catalog import Catalog


def main(argv: list[str]) -> int:
    """Run a line and give its exit code. No error leaves as a traceback but one of ours."""
    as_json = _wants_json(argv)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", RunnerWarning)
            warnings.showwarning = _noted  # type: ignore[assignment]  # it is called with places only
            code = _run(argv)
        console.flush()
    except RunnerError as error:
        return console.fail(error, as_json=as_json)
    except KeyboardInterrupt as stop:
        return console.stopped(str(stop), as_json=as_json)
    except BrokenPipeError:
        return 0
    except Exception as error:
        if os.environ.get("DECLAREST_DEBUG"):
            raise
        hint = "DECLAREST_DEBUG=1 shows where; please report it with the line that you ran, without its secrets"
        bug = RunnerError(f"this is a bug in declarest: {type(error).__name__}: {error}", hint=hint)
        return console.fail(bug, as_json=as_json)
    return code


def _noted(message: Warning | str, *_: object) -> None:
    """Say a warning as everything else is said, without the line of the source that gave it."""
    console.warn([str(message)])


def _wants_json(argv: list[str]) -> bool:
    for place, word in enumerate(argv):
        following = argv[place + 1] if place + 1 < len(argv) else ""
        if word in {"--output=json", "--output=ndjson", "-o=json", "-o=ndjson"}:
            return True
        if word in {"--output", "-o"} and following in {"json", "ndjson"}:
            return True
    return False


def _run(argv: list[str]) -> int:
    first = argv[0] if argv else ""
    if first == "--complete":
        from .completion import complete

        return complete(argv[1:])
    if first in COMMANDS:
        return _command(first, argv[1:])
    line = _sorted(argv)
    words = service_first(line.rest)
    if not words:
        from .help import top

        console.answer(top(catalog(line)))
        return 0
    if words[0] in COMMANDS:
        options = [name if name in SWITCHES else f"{name}={value}" for name, value in line.options.items()]
        return _command(words[0], [*options, *words[1:]])
    return _method(line, words)


def _sorted(argv: list[str]) -> Line:
    """The general options taken out. A letter that is an option of another tool's command is left to the command."""
    if not {word.partition("=")[0] for word in argv} & SHORT.keys():
        return general(argv, forms=_FORMS)
    line = general(argv, left=SHORT, forms=_FORMS)
    words = service_first(line.rest)
    named = words[:2] if len(words) > 1 and not words[1].startswith("-") else ["", *words[:1]]
    methods = catalog(line)
    service = named[0].lower() or (methods.owner(named[1]) if len(named) > 1 else "")
    command = methods.command(service, named[1]) if service and len(named) > 1 else None
    return general(argv, left=SHORT.keys() & command["flags"].keys() if command else (), forms=_FORMS)


def _command(name: str, argv: list[str]) -> int:
    from importlib import import_module

    module = import_module(f".{_HOMES.get(name, name)}", __package__)
    code: int = getattr(module, name)(argv)
    return code


_FORMS = (*FORMS, *FILES)
_HOMES = {"find": "show", "check": "lint", "logout": "profiles"}


def _method(line: Line, words: list[str]) -> int:
    """A line that begins with a service, or with a method that only one service has."""
    named = len(words) > 1 and not words[1].startswith("-")
    methods = catalog(line, "/".join([words[0].lower(), *words[1].split(".")[:2]]) if named else "")
    services = methods.services()
    first = words[0].lower()
    if first in services:
        service, rest = first, words[1:]
    else:
        service, rest = methods.owner(words[0]), words
        if not service:
            raise _unknown(words[0], methods)
    console.warn(methods.broken(service))
    if not rest or rest[0].startswith("-"):
        from .help import of_service

        console.answer(of_service(methods, service))
        return 0
    if rest[0] in COMMANDS and not methods.has(service, rest[0]):
        raise CallError(f"{rest[0]} is a command and stands first", hint=f"write declarest {rest[0]} {service} …")
    from .call import call

    return call(line, methods, service, rest[0], rest[1:])


def _unknown(word: str, methods: Catalog) -> CallError:
    """The error of a first word that nothing knows, with the nearest that something does."""
    if word in RESERVED:
        return CallError(f"declarest has no command {word!r} yet", hint="declarest --help lists what there is")
    console.warn(methods.broken())
    services = methods.services()
    near = nearest(word, [*COMMANDS, *services]) if "." not in word else []
    if not near:
        names = {name: f"{one} {name}" for one in services for name in (*methods.names(one), *methods.aliases(one))}
        near = [names[name] for name in nearest(word, names, 3)]
    error = UnknownMethod(word, near, what="service, command or method")
    if not near:
        error.hint = f"declarest find {word} searches, declarest --help lists the services"
    return error
