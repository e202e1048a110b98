"""`bulk`: one method called for every row of a file, each row once, whatever stops the run in between."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from .. import arguments, output, pack
from .. import journal as states
from ..bulk import AHEAD, Run
from ..client import Client
from ..columns import Columns, wanted
from ..errors import PARTLY, CallError, InvalidArguments, NotReached, RunnerError
from ..export import Export
from ..folders import folder
from ..intake import Record
from ..table import Table
from . import console, report, stops, words
from . import help as pages
from . import progress as drawn
from .call import Outside, Watch, secret
from .connect import OPTIONS as REACHED
from .connect import connect
from .words import catalog, general, service_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..bulk import Job
    from ..spec import Method
    from .words import Line

Json = dict[str, Any]
_GENERAL = (*REACHED, "--output", "--out", "--params", "--dry-run", "--quiet")
OPTIONS = {
    "--in FILE": "the rows: .csv, .tsv, .xlsx, .ndjson, .json, or - for standard input",
    "--map PARAM=COLUMN": "where a column goes, such as fields.TITLE=Name; else a column finds its param by its name",
    "--set PARAM=VALUE": "the same in each row whose cell is empty; PARAM=VALUE or the param's own flag will do",
    "--ignore COLUMN": "a column that goes nowhere",
    "--ignore-unknown-columns": "leave out every column that nothing takes",
    "--empty send|skip": "what an empty cell of a table means: an empty text, or nothing given (skip)",
    "--encoding NAME": "of a table that is not UTF-8, such as cp1251",
    "--delimiter LETTER": "between cells, where it is not what the header shows: , ; | or tab",
    "--sheet NAME": "of a workbook; else its first",
    "--out FILE": "the results, as .csv, .xlsx, .json or an object a line; else they are printed as they come",
    "--failed FILE": "the refused rows, to be mended and fed in again",
    "--unknown FILE": "the rows whose answer was lost: look which of them were carried out",
    "--journal FILE": "what became of each row; else beside the input, with .journal behind its name",
    "--resume": "go on with a run that was stopped",
    "--restart": "forget an earlier run, and send every row again",
    "--stop-on-error": "begin nothing more after the first error",
    "--in-order": "send a batch when the one before it is answered",
    "--yes": "do not ask before rows are destroyed",
    "--dry-run": "check every row, show the first request and count them; nothing is sent",
}
_SWITCHES = ("--ignore-unknown-columns", "--resume", "--restart", "--stop-on-error", "--in-order", "--yes")
_VALUES = (
    "--in", "--empty", "--encoding", "--delimiter", "--sheet", "--failed", "--unknown", "--journal",
)  # fmt: skip
_LISTS = ("--map", "--set", "--ignore")


@dataclass(slots=True)
class Own:
    """The options that only this command has."""

    on: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in _LISTS})

    def get(self, name: str) -> str:
        """The value of an option, nothing where it was not given."""
        return self.values.get(name, "")


def bulk(argv: list[str]) -> int:
    """`bulk SERVICE METHOD --in FILE`: exit code 0 where all rows were done, 7 where some were."""
    own, rest = _own(argv)
    line = general(rest)
    names = service_first(line.rest)
    if line.on("--help") or not names:
        console.answer(pages.command("bulk") + "\n" + pages.options(OPTIONS))
        return 0
    if len(names) < 2 or names[1].startswith("-"):  # noqa: PLR2004 - service and method
        raise CallError("bulk takes a service and a method", hint="declarest bulk SERVICE METHOD --in FILE")
    methods = catalog(line, "/".join([names[0].lower(), *names[1].split(".")[:2]]))
    method = methods.method(methods.service(names[0].lower()).name, names[1])
    given = words.of_method([*names[2:], *own.lists["--set"]], method, {})
    line.rest = []
    line.only("bulk", *_GENERAL)
    outside = Outside(line.number("--timeout", 60.0), line.get("--ca-bundle"))
    constants = _constants(line, method, given, outside)
    places = _places(line, own)
    credentials: Json = {name: secret(name, text, outside) for name, text in given.credentials.items()}
    errand: _Errand | None = None
    try:
        with stops.orderly(), connect(line, methods, method.service.name, credentials) as client:
            if line.on("--verbose"):
                client.watch = Watch(verbose=True)
            errand = _Errand(line, own, client, names[1], places, constants)
            return errand.run()
    except (KeyboardInterrupt, SystemExit):
        if errand is None or not errand.over:  # who hears that it was stopped might begin it again
            raise
        return 0


def _own(argv: list[str]) -> tuple[Own, list[str]]:
    """The options of this command, and what remains."""
    own, rest, left = Own(), [], list(argv)
    while left:
        word = left.pop(0)
        name, mark, value = word.partition("=")
        if name in _SWITCHES and not mark:
            own.on.add(name)
        elif name in _VALUES or name in _LISTS:
            if not mark and (not left or left[0].partition("=")[0] in {*_SWITCHES, *_VALUES, *_LISTS}):
                raise CallError(f"{name} needs a value")
            text = value if mark else left.pop(0)
            if name in _LISTS:
                own.lists[name].append(text)
            else:
                own.values[name] = text
        else:
            rest.append(word)
    if own.get("--empty") not in {"", "send", "skip"}:
        raise CallError(f"--empty can't be {own.get('--empty')!r}", hint="send or skip")
    if {"--resume", "--restart"} <= own.on:
        raise CallError("--resume goes on with a run and --restart forgets it", hint="give one of them")
    return own, rest


def _constants(line: Line, method: Method, given: words.Given, outside: Outside) -> Json:
    """What is the same in each row."""
    reader = arguments.Reader(method, outside)
    if "--params" in line.options:
        reader.whole(line.get("--params"))
    for text in given.whole:
        reader.whole(text)
    for path, sign, text in given.values:
        reader.take(path, sign, text)
    if reader.problems:
        raise InvalidArguments(reader.problems, method=method.full_name)
    return reader.values


def _places(line: Line, own: Own) -> Json:
    """The files of a run, each another one and each in a place that can be written."""
    if not own.get("--in"):
        raise CallError("bulk needs the rows", hint="--in FILE, or --in - for standard input")
    places = {name: own.get(f"--{name}") for name in ("in", "failed", "unknown", "journal")} | {
        "out": line.get("--out")
    }
    seen: dict[str, str] = {}
    for name, path in places.items():
        if not path or (name == "in" and path == "-"):
            continue
        whole = os.path.realpath(os.path.expanduser(path))
        if whole in seen:
            raise CallError(f"--{name} and --{seen[whole]} are the same file", hint="each needs one of its own")
        seen[whole] = name
        if name in {"out", "failed", "unknown"}:
            report.form_of(path, read_again=name != "out")
            output.probe(path)
    return places


class _Errand:
    """One run of the command."""

    def __init__(  # noqa: PLR0913 - the parts of one line
        self, line: Line, own: Own, client: Client, name: str, places: Json, constants: Json
    ) -> None:
        self.line, self.own, self.client, self.name, self.places = line, own, client, name, places
        self.constants = constants
        self.tally = report.Tally()
        self.table: Table | None = None
        self.progress = report.Progress(0, shown=False)
        self.over = False  # all was done, and nothing is left to be told

    def run(self) -> int:
        """Take the rows, send them, tell what became of them."""
        dry = self.line.on("--dry-run")
        with closing(self._job(None if dry else self._journal())) as job:
            if self.client.sandbox_note:
                console.note(self.client.sandbox_note)
            if not (self.places["in"] == "-" and job.resumed):
                self._load(job)
            else:
                job.go_on()
            console.warn([*job.warnings][: report.MOST_SHOWN])
            if dry:
                return self._preview(job)
            _demand_consent(job, sure="--yes" in self.own.on)
            return self._carry(job)

    def _journal(self) -> str:
        """Where the journal is: as it was asked for, beside the input, or among the user's own files."""
        if self.places["journal"]:
            return str(self.places["journal"])
        if self.places["in"] != "-":
            return f"{self.places['in']}.journal"
        place = os.path.join(folder("state"), "bulk")
        try:
            os.makedirs(place, mode=0o700, exist_ok=True)
        except OSError as error:
            message = f"can't write {place}: {(error.strerror or str(error)).lower()}"
            raise CallError(message, hint="name a file for the journal with --journal") from None
        service = self.client.methods.get(self.name).service.name
        return os.path.join(place, f"{service}.{self.name.lower()}.journal")

    def _job(self, journal: str | None) -> Job:
        try:
            job = self.client.job(
                self.name,
                journal=journal,
                resume="--resume" in self.own.on,
                restart="--restart" in self.own.on,
                stop_on_error="--stop-on-error" in self.own.on,
                ahead=1 if "--in-order" in self.own.on else AHEAD,
            )
        except CallError as error:
            error.hint = error.hint.replace("resume goes", "--resume goes").replace(
                "restart forgets", "--restart forgets"
            )
            raise
        job.leaving = self._leaving  # type: ignore[method-assign]
        return job

    def _leaving(self, flying: int) -> None:
        self.progress.over()
        if flying:
            what = "1 request that is on its way" if flying == 1 else f"{flying} requests that are on their way"
            console.say(f"stopping: waiting for {what}; Ctrl-C again leaves {'it' if flying == 1 else 'them'}")

    def _load(self, job: Job) -> None:
        """Read and check every row. Where that fails no journal stays of a run that sent nothing."""
        try:
            with ExitStack() as ends:
                self.table = Table(
                    _opened(self.places["in"], ends),
                    "standard input" if self.places["in"] == "-" else self.places["in"],
                    encoding=self.own.get("--encoding"),
                    delimiter=self.own.get("--delimiter"),
                    sheet=self.own.get("--sheet"),
                )
                for record in self._records(self.table, job.method):
                    job.take(record)
            job.seal()
        except BaseException:
            if not job.resumed:
                job.journal.remove()
            raise

    def _records(self, table: Table, method: Method) -> Iterator[Record]:
        columns = Columns(
            method,
            wanted(self.own.lists["--map"]),
            self.constants,
            ignored=self.own.lists["--ignore"],
            lenient="--ignore-unknown-columns" in self.own.on,
            empty=self.own.get("--empty") == "send",
            as_text=table.form in {"csv", "xlsx"},
        )
        known = False
        for row in table.rows():
            if table.columns and not known:
                columns.demand([name for name in table.columns if name in row.cells])
                known = True
            values, problems = columns.input(row)
            yield Record(values, row.line, row.cells, tuple(problems))

    def _preview(self, job: Job) -> int:
        """Say what a run would do."""
        requests, first = 0, None
        for part in job.parts():
            assert isinstance(part, Run)  # noqa: S101 - nothing is known of any row yet
            requests += 1
            job.pace = 0.0  # from the second on a batch is as large as the service takes
            first = first or pack.request(part.pack, job.session).as_dict()
        shown = {"rows": job.total, "requests": requests, "least_seconds": job.least(requests), "first": first}
        console.answer(output.text(shown, self.line.get("--output", "json")))
        return 0

    def _carry(self, job: Job) -> int:
        """Send the rows, tell what became of them, and give the exit code."""
        fault: BaseException | None = None
        try:
            self._send(job)
        except (KeyboardInterrupt, SystemExit, BrokenPipeError, RunnerError) as error:
            fault = error
        late = self._written(job)
        counts = job.journal.counts()
        report.say(self.tally, counts, {"refused": self.places["failed"], "unknown": self.places["unknown"]})
        if counts["done"] == job.total and late is None:
            self.over = True
            job.journal.remove()
        left = counts["waiting"] + counts["sent"]
        if job.stopped is not None and fault is None:
            console.say(f"error: stopped: {console.plain(str(job.stopped))}")
        hint = f"the same line with --resume goes on with the other {left:,} rows" if left else ""
        if late is not None and fault is not None:
            console.say(f"error: {console.plain(str(late))}")
        if isinstance(fault, KeyboardInterrupt):
            raise KeyboardInterrupt(hint)
        if hint:
            console.say(hint)
        fault = late if fault is None else fault
        if isinstance(fault, RunnerError):
            fault.exit_code = PARTLY if counts["done"] else fault.exit_code
        if isinstance(fault, (RunnerError, SystemExit)):
            raise fault
        failed = counts["refused"] + counts["unknown"] + left
        return (PARTLY if counts["done"] else self.tally.worst or PARTLY) if failed else 0

    def _send(self, job: Job) -> None:
        shown = drawn.wanted(quiet=self.line.on("--quiet")) and (bool(self.places["out"]) or not sys.stdout.isatty())
        self.progress = progress = report.Progress(job.total, shown=shown)
        form = self.line.get("--output", "ndjson")
        with ExitStack() as ends:
            found = ends.enter_context(closing(self.client.carry(job)))  # type: ignore[type-var]
            ends.callback(progress.over)
            rows = self._results(found, progress)
            if self.places["out"]:
                for _ in rows:
                    pass
            else:
                for text in Export(form).parts(rows):
                    console.answer(text)
                console.flush()

    def _results(self, found: Any, progress: report.Progress) -> Iterator[Json]:
        for told in found:
            if isinstance(told.outcome, NotReached):
                continue
            self.tally.take(told)
            progress.told(self.tally.done, self.tally.failed)
            yield report.result(told.number, told.line, told.state, told.outcome)

    def _written(self, job: Job) -> CallError | None:
        """Write the files that were asked for, from the journal: so they are whole after a run that went on, too.

        Returns what one of them met; the others are written all the same.
        """
        table, fault = self.table, None
        same = {"encoding": table.encoding, "delimiter": table.delimiter} if table and table.form == "csv" else {}
        for name, state in (("out", None), ("failed", states.REFUSED), ("unknown", states.UNKNOWN)):
            place = self.places[name]
            try:
                if place and state is None:
                    report.write_results(job.journal, place)
                elif place and state is not None:
                    report.write_rows(job.journal, place, state, **same)
            except CallError as error:
                error.hint = error.hint or f"nothing is lost: --resume with another --{name} writes it"
                fault = error
        return fault


def _opened(path: str, ends: ExitStack) -> IO[bytes]:
    """The file to read, or standard input."""
    if path == "-":
        if sys.stdin is None:
            raise CallError("standard input is closed")
        return sys.stdin.buffer
    try:
        return ends.enter_context(open(os.path.expanduser(path), "rb"))
    except OSError as error:
        message = f"can't read {path}: {(error.strerror or str(error)).lower()}"
        raise CallError(message, hint="check the path and the permissions") from None


def _demand_consent(job: Job, *, sure: bool) -> None:
    """Ask before rows are destroyed, where somebody is there to be asked."""
    if sure or job.method.effect != "destroy" or not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return
    sys.stderr.write(f"{job.method.full_name} for {job.total:,} rows can't be undone. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in arguments.TRUE:
        raise CallError("nothing was sent", hint="--yes does not ask")
