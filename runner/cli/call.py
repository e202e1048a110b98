"""One method called from a line of words: sorted, read, checked, shown or sent, printed."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from os.path import expanduser
from typing import TYPE_CHECKING, Any

from .. import arguments, encoding, forms, output, query
from ..client import Client
from ..encoding import File
from ..errors import PARTLY, CallError, InvalidArguments, Problem, SpecError, did_you_mean, nearest
from ..plan import Plan
from . import console, words
from .connect import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..dispatch import Send
    from ..response import Reply, Result
    from ..spec import Method
    from .progress import Progress
    from .words import Given, Line

Json = dict[str, Any]


class Outside:
    """Where a line's `@file`, `@https://…` and `-` are read from."""

    def __init__(self, timeout: float = 60.0, ca_bundle: str = "") -> None:
        self._read: bytes | None = None
        self._timeout, self._ca_bundle = timeout, ca_bundle

    def file(self, path: str) -> File:
        """A file of the disk. Raises CallError where it can't be read, or is empty."""
        return encoding.read_file(expanduser(path))

    def address(self, url: str) -> File:
        """What stands at a web address. Raises CallError where it can't be fetched, or is empty."""
        from ..transport import fetch

        content = fetch(url, timeout=self._timeout, ca_bundle=self._ca_bundle)
        if not content:
            raise CallError(f"what stands at {url} is empty")
        return File(url.split("?", maxsplit=1)[0].rstrip("/").rpartition("/")[2] or "file", content)

    def stdin(self) -> bytes:
        """Standard input, which can be taken once."""
        if self._read is not None:
            raise CallError("standard input can be read only once", hint="give the other value as @file")
        if sys.stdin is None:
            raise CallError("standard input is closed")
        if sys.stdin.isatty():
            console.note("reading standard input; end it with Ctrl-D")
        self._read = sys.stdin.buffer.read()
        return self._read


def call(line: Line, catalog: Catalog, service: str, name: str, rest: list[str]) -> int:
    """Call a method by its name, or by the name that another tool has for it."""
    known = catalog.has(service, name)
    command = None if known else catalog.command(service, name)
    if command is None and not known and not rest and catalog.beginning(service, f"{name}."):
        from .help import of_area

        console.answer(of_area(catalog, service, name))
        return 0
    dialect: Json = command or {}
    if command is not None and (line.on("--help") or "call" not in command):
        from .dialect import answer

        console.answer(answer(line, catalog, service, command, rest))
        return 0
    method = catalog.method(service, dialect.get("call", name))
    if line.on("--help"):
        from .help import of_method

        console.answer(of_method(method, catalog))
        return 0
    for option, other in (("--state", "--sandbox"), ("--show-secrets", "--curl")):
        if line.on(option) and not line.on(other):
            own = next((name for name, param in method.params.items() if option in param.flags), "")
            hint = f"the method's own is written {own}={line.get(option)}" if own else ""
            raise CallError(f"{option} means nothing without {other}", hint=hint)
    given = words.of_method(rest, method, dialect)
    line.options.update(given.options)
    reader = arguments.Reader(method, Outside(line.number("--timeout", 60.0), line.get("--ca-bundle")))
    if "--params" in line.options:
        given.whole.insert(0, line.get("--params"))
    values = _values(reader, given, dialect)
    spelt = method.full_name if dialect else name
    try:
        return _ready(line, catalog, method, spelt, values, reader, given, open_names=dialect.get("unknown") == "allow")
    except InvalidArguments as error:
        raise InvalidArguments(
            [_in_words_of(dialect, method, one) for one in error.problems], method=error.method
        ) from None


def _in_words_of(dialect: Json, method: Method, problem: Problem) -> Problem:
    """A misfit as the user of another tool understands it: with the option that gives the value."""
    flags = dialect.get("flags", {}).values()
    options = {
        method.canonical(one.get("to", "").removeprefix("params.")): one["option"] for one in flags if "option" in one
    }
    option = options.get(method.canonical(problem.path))
    return replace(problem, hint=problem.hint or f"{option} gives it") if option else problem


def _values(reader: arguments.Reader, given: Given, dialect: Json) -> Json:
    """The input of a call, from words. What does not fit stays among the reader's problems."""
    reader.names = given.names
    for text in given.whole:
        reader.whole(text)
    for path, sign, text in given.values:
        reader.take(path, sign, text)
    for path_text, value in dialect.get("preset", {}).items():
        reader.preset(arguments.steps(path_text), value)
    if dialect:
        reader.suit()
    return reader.values


def _ready(  # noqa: PLR0913 - the parts of one line
    line: Line,
    catalog: Catalog,
    method: Method,
    spelt: str,
    values: Json,
    reader: arguments.Reader,
    given: Given,
    *,
    open_names: bool,
) -> int:
    credentials: Json = {key: secret(key, text, reader.sources) for key, text in given.credentials.items()}
    as_json = line.get("--output") in {"json", "ndjson"}
    _settle(line, method)
    _demand_way_out(line)
    told = [Problem("warning", option, text) for option, text in given.warnings.items()]

    def reach(profile: str) -> Client:
        return connect(line, catalog, method.service.name, credentials, profile or None)

    def planned(client: Client) -> Plan:
        plan = _planned(client, spelt, values, reader, unknown=open_names)
        return replace(plan, warnings=(*told, *plan.warnings, *(_strangers(method, values) if open_names else ())))

    if "," in line.get("--profile") or line.on("--all-profiles"):
        from . import many

        wanted = many.names(line, method.service.name, credentials)
        return many.call(line, method, wanted, reach, planned, as_json=as_json)
    with reach(line.get("--profile")) as client:
        plan = planned(client)
        console.warn(plan.warnings)
        if line.on("--dry-run") or line.on("--curl"):
            return _show(line, client, plan)
        client.watch = watch = Watch(verbose=line.on("--verbose"), quiet=line.on("--quiet"))
        if client.sandbox_note and not line.on("--quiet"):
            console.note(client.sandbox_note)
        return _send(line, client, plan, watch)


def _settle(line: Line, method: Method) -> None:
    """Decide the form of the answer. Raises CallError where the line contradicts itself or a library is missing."""
    if "bytes" not in method.reading.answers or "--output" in line.options:
        form = output.form_of(line.get("--out"), line.get("--output"))
        line.options["--output"] = form
        if form in output.FILES:
            from ..export import Export

            Export(form, line.get("--out")).demand()
    form = line.get("--output")
    for option, fits, what in (
        ("--bom", form == "csv" and "--out" in line.options, "a .csv file"),
        ("--table", form in {"sqlite", "xlsx"}, "a .sqlite or .xlsx file"),
        ("--labels", not line.on("--raw"), "rows, and --raw prints the whole answer"),
    ):
        if option in line.options and not fits:
            raise CallError(f"{option} is for {what}")
    table = line.get("--table", "rows")
    if not table.strip() or table.lower().startswith("sqlite_"):
        raise CallError(f"--table can't be {table!r}", hint="SQLite keeps names that begin with sqlite_ for itself")
    many = line.on("--all") or "--limit" in line.options
    if (line.on("--dry-run") or line.on("--curl")) and (many or form in output.ROWS):
        line.options.pop("--out", None)  # what is shown is no row: a file of rows must not go for it
        line.options["--output"] = "json" if form in output.FILES else form


def _demand_way_out(line: Line) -> None:
    """Refuse a place or a query that would fail when the call has been made already."""
    if "--out" in line.options:
        output.probe(line.get("--out"))
    if "--query" in line.options:
        try:
            query.compiled(line.get("--query"))
        except SpecError as error:
            raise CallError(error.message, hint="see https://jmespath.org for the grammar") from None


def secret(name: str, text: str, outside: forms.Sources) -> str:
    """A credential given as text, as `@file`, or as `-`. Raises CallError where it is empty."""
    if text == "-":
        text = forms.decoded(File("stdin", outside.stdin()))
    elif text.startswith("@"):
        text = forms.decoded(outside.file(text[1:]))
    if not text.strip():
        raise CallError(f"--{name.replace('_', '-')} is empty", hint="did a variable of the shell have no value?")
    return text.strip()


def _planned(client: Client, name: str, values: Json, reader: arguments.Reader, *, unknown: bool) -> Plan:
    """The checked call; misfits of words and of values are told together."""
    try:
        plan = client.plan(name, values, {}, unknown=unknown)
    except InvalidArguments as error:
        told = {problem.path for problem in reader.problems}
        also = [one for one in error.problems if one.path not in told]
        raise InvalidArguments([*reader.problems, *also], method=error.method) from None
    if reader.problems:
        raise InvalidArguments(reader.problems, method=plan.call.method.full_name)
    return plan


def _strangers(method: Method, values: Json) -> Iterator[Problem]:
    """Names that may pass where another tool lets any pass, and yet look like a slip of one that is known."""
    for name in values:
        near = nearest(name, method.params) if method.param(method.canonical(name)) is None else []
        if near:
            yield Problem("warning", name, "is not a known parameter", did_you_mean(near))


def _show(line: Line, client: Client, plan: Plan) -> int:
    request = client.request(plan)
    if line.on("--curl"):
        _write(line, request.curl(show_secrets=line.on("--show-secrets")) + "\n")
    else:
        value: Any = request.as_dict()
        if "--query" in line.options:
            value = query.ask(line.get("--query"), value)
        _write(line, output.text(value, line.get("--output", "json")))
    return 0


class Watch:
    """Says on standard error what is sent and what comes back, secrets masked; a long wait is said in any case.

    What it says takes the place of the line of progress, where there is one.
    """

    def __init__(self, *, verbose: bool, quiet: bool = False, who: str = "") -> None:
        self._verbose, self._quiet, self._began = verbose, quiet, 0.0
        self._who = f"{who}: " if who else ""
        self.progress: Progress | None = None

    def _note(self, text: str) -> None:
        if self.progress:
            self.progress.clear()
        console.note(f"{self._who}{text}")

    def counted(self, total: int | None) -> None:
        """The first page tells how many rows there are, where that is known."""
        if self.progress:
            self.progress.expect(total)

    def sent(self, step: Send) -> None:
        """A request leaves."""
        self._began = time.monotonic()
        if self._verbose:
            self._note(f"> {step.request.verb} {step.request.shown.url}")

    def came(self, reply: Reply) -> None:
        """Its reply has come."""
        took = (time.monotonic() - self._began) * 1000
        if self._verbose:
            self._note(f"< {reply.status}, {len(reply.body)} bytes, {took:.0f} ms")

    def waits(self, seconds: float, why: str) -> None:
        """Time is about to pass."""
        if self._verbose or (sys.stderr.isatty() and not self._quiet and seconds > 0.5):  # noqa: PLR2004 - shorter is not noticed
            self._note(f"  waiting {seconds:.1f} s: {why}")


def _send(line: Line, client: Client, plan: Plan, watch: Watch) -> int:
    method, code = plan.call.method, 0
    try:
        if line.on("--all") or "--limit" in line.options:
            from . import export

            return export.pages(line, client, plan, watch, lambda value: _print(line, value, plan))
        result = client.run(plan)
    except KeyboardInterrupt as stop:
        doubt = client.in_flight and not method.repeatable(plan.call.values)
        raise KeyboardInterrupt(f"{method.full_name} may have been carried out" if doubt else str(stop)) from None
    value = result.raw if line.on("--raw") else result.value
    try:
        if line.on("--labels") and not isinstance(value, bytes):
            from . import export

            value, code = export.labelled(line, client, plan, value)
        if "--query" in line.options:
            value = query.ask(line.get("--query"), value)
        _print(line, value, plan, result)
        console.flush()
    except CallError as error:
        if method.effect != "read":  # whoever reads "a wrong call" would make it again
            error.message = f"{method.full_name} was carried out, but {error.message}"
            error.exit_code = PARTLY
        raise
    return code


def _print(line: Line, value: Any, plan: Plan, result: Result | None = None) -> None:
    """Print an answer, or write it to the file that was named: as rows, where the form is one of rows."""
    form = line.get("--output", "json")
    if isinstance(value, bytes):
        _write_bytes(line, value)
    elif "--out" in line.options and form in output.ROWS:
        from . import export

        export.save(line, value, plan)
        if result:
            export.hint_of_more(plan.call.method, result)
    else:
        _write(line, output.text(value, form, width=0 if "--out" in line.options else console.width()))


def _write(line: Line, text: str) -> None:
    if "--out" in line.options:
        output.save(line.get("--out"), [text.encode(errors="backslashreplace")])
    else:
        console.answer(text)


def _write_bytes(line: Line, content: bytes) -> None:
    if "--out" in line.options:
        size = output.save(line.get("--out"), iter([content]))
        if not line.on("--quiet"):
            console.note(f"{size} bytes written to {line.get('--out')}")
        return
    if sys.stdout.isatty():
        raise CallError(f"the answer is {len(content)} bytes that are no text", hint="add --out FILE")
    console.answer_bytes(content)
