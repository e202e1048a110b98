"""`batch`: the calls of a file, in as few requests as the service allows, each outcome in its place."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from .. import document, forms, output
from ..encoding import File
from ..errors import PARTLY, CallError, RunnerError
from ..pack import shaped
from . import console, stops
from . import help as pages
from .call import Outside, Watch, secret
from .connect import OPTIONS, connect
from .words import catalog, general

if TYPE_CHECKING:
    from ..client import Client
    from .words import Line

Json = dict[str, Any]
_OPTIONS = (*OPTIONS, "--output", "--out", "--halt")


def batch(argv: list[str]) -> int:
    """`batch SERVICE FILE|-`: a mapping of names to `{method, params}`, or a list; exit code 7 where some failed."""
    line = general(argv)
    halt = "--halt" in line.rest
    words = [word for word in line.rest if word != "--halt"]
    if line.on("--help") or not words:
        console.answer(pages.command("batch"))
        return 0
    outside = Outside()
    credentials, names = _credentials(words, outside)
    line.rest = []
    line.only("batch", *_OPTIONS)
    if len(names) != 2:  # noqa: PLR2004 - service and file
        raise CallError("batch takes one file of calls, or - for standard input", hint="declarest batch SERVICE FILE")
    if "--out" in line.options:
        output.probe(line.get("--out"))
    methods = catalog(line)
    service = methods.service(names[0])
    calls = _calls(names[1], outside)
    with connect(line, methods, service.name, credentials) as client:
        client.watch = Watch(verbose=line.on("--verbose"))
        return _carry(line, client, calls, halt=halt)


def _carry(line: Line, client: Client, calls: Any, *, halt: bool) -> int:
    """Make the calls and tell what came of them; where it is stopped, of those that have an answer."""
    found: list[Any] = []
    stop: BaseException | None = None
    try:
        with stops.orderly():
            for one in client.outcomes(calls, halt=halt):
                found.append(one)  # noqa: PERF402 - those that came stay when the next does not
    except (KeyboardInterrupt, SystemExit) as error:
        stop = error
    named = dict(islice(calls.items(), len(found))) if isinstance(calls, dict) else calls[: len(found)]
    code = _told(line, shaped(named, found)) if found or stop is None else 0
    if stop is None:
        return code
    console.flush()
    parts = [f"{len(found)} of {len(calls)} calls have their answer"] if found else []
    parts += ["some of the others may have been carried out" if found else _DOUBT] if client.in_flight else []
    if isinstance(stop, KeyboardInterrupt):
        raise KeyboardInterrupt(", ".join(parts))
    console.say(", ".join(["stopped", *parts]))
    raise stop


_DOUBT = "some of the calls may have been carried out"


def _credentials(words: list[str], outside: Outside) -> tuple[dict[str, Any], list[str]]:
    """The options that are credentials, and what remains."""
    found: dict[str, Any] = {}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("--"):
            rest.append(word)
            continue
        name, mark, value = word.removeprefix("--").partition("=")
        if not mark and not left:
            raise CallError(f"--{name} needs a value")
        found[name.replace("-", "_")] = secret(name, value if mark else left.pop(0), outside)
    return found, rest


def _calls(place: str, outside: Outside) -> Any:
    """The calls of a file: YAML or JSON, a mapping or a list."""
    file = File("standard input", outside.stdin()) if place == "-" else outside.file(place)
    data = document.load(forms.decoded(file), place)
    if isinstance(data, dict):
        return {key: _call(one, f"{place}: {key}") for key, one in data.items()}
    if isinstance(data, list):
        return [_call(one, f"{place}: call {number}") for number, one in enumerate(data, 1)]
    raise CallError(f"{place} holds no calls", hint="a mapping of names to {method: …, params: {…}}, or a list of them")


def _call(one: Any, where: str) -> tuple[str, Json]:
    fine = isinstance(one, dict) and isinstance(one.get("method"), str) and not set(one) - {"method", "params"}
    if not fine or not isinstance(one.get("params") or {}, dict):
        raise CallError(f"{where}: this is no call", hint="write {method: NAME, params: {…}}")
    return one["method"], one.get("params") or {}


def _told(line: Line, found: Any) -> int:
    """Print every outcome; refusals are told on standard error as well."""
    pairs = list(found.items()) if isinstance(found, dict) else list(enumerate(found, 1))
    failed = [(key, one) for key, one in pairs if isinstance(one, RunnerError)]
    shown = {
        key: {"error": one.as_dict()} if isinstance(one, RunnerError) else {"result": one.value} for key, one in pairs
    }
    answer = shown if isinstance(found, dict) else list(shown.values())
    text = output.text(answer, line.get("--output", "json"), width=console.width())
    if "--out" in line.options:
        output.save(line.get("--out"), [text.encode(errors="backslashreplace")])
    else:
        console.answer(text)
    for key, error in failed:
        console.say(f"error: {key}: {error}")
    return PARTLY if failed and len(failed) < len(pairs) else max((error.exit_code for _, error in failed), default=0)
