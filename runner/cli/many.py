"""One call made for several profiles at once, each under its own limits; every answer says whose it is."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from queue import Full, Queue
from typing import TYPE_CHECKING, Any

from .. import output, profiles, query
from ..errors import PARTLY, CallError, InvalidArguments, RunnerError
from ..export import Export
from ..export.columns import Shape
from . import console
from .call import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..client import Client
    from ..plan import Plan
    from ..spec import Method
    from .words import Line

Json = dict[str, Any]
AT_ONCE = 32  # profiles
MARK = "profile"  # the first column of rows
AHEAD = 1000  # rows that are read before they are written
_PAUSE = 0.1  # seconds between two looks whether anybody still takes the rows


def names(line: Line, service: str, credentials: Json) -> list[str]:
    """The profiles of a line that goes to several, in order.

    Raises CallError for one that there is not, one that is named twice, and for what has no meaning with several.
    """
    every, named = line.on("--all-profiles"), line.get("--profile")
    option = "--all-profiles" if every else "several profiles"
    for other, why in (
        ("--profile" if every else "", "takes them all"),
        ("--sandbox", "call accounts, and the sandbox is none"),
        ("--labels", "can't be mixed with it; ask one after another"),
    ):
        if other and other in line.options:
            raise CallError(f"{option} and {other} don't go together", hint=f"{option} {why}")
    if credentials:
        given = f"--{next(iter(credentials)).replace('_', '-')}"
        raise CallError(f"{option} and {given} don't go together", hint="each profile has its own")
    found = profiles.names(service) if every else [one for word in named.split(",") if (one := word.strip())]
    twice = next((one for one in found if found.count(one) > 1), None)
    if twice is not None:
        raise CallError(f"the profile {twice!r} is named twice", hint="each is called once")
    if not found:
        raise CallError(f"there is no profile for {service}", hint=f"declarest login {service} makes one")
    return [profiles.chosen(service, one) for one in found]


@dataclass
class _Asked:
    """What one profile is asked, and what came of it: a value or an error; its rows went their own way."""

    name: str
    client: Client | None = None
    plan: Plan | None = None
    value: Any = None
    error: RunnerError | None = None
    done: bool = False

    def prepare(self, connect: Callable[[str], Client], planned: Callable[[Client], Plan]) -> None:
        """Make the client and check the call. Raises InvalidArguments, which all profiles would meet alike."""
        try:
            self.client = connect(self.name)
            self.plan = planned(self.client)
        except InvalidArguments:
            raise
        except RunnerError as error:
            self.error = error

    def in_doubt(self) -> bool:
        """Whether its request is on its way, and would not be harmless when it is made again."""
        if self.client is None or self.plan is None or not self.client.in_flight:
            return False
        return not self.plan.call.method.repeatable(self.plan.call.values)

    def outcome(self) -> Json:
        """The answer as JSON shows it."""
        return {"result": self.value} if self.error is None else {"error": self.error.as_dict()}


def call(  # noqa: PLR0913 - the parts of one line
    line: Line,
    method: Method,
    wanted: list[str],
    connect: Callable[[str], Client],
    planned: Callable[[Client], Plan],
    *,
    as_json: bool,
) -> int:
    """Make the call for every profile, print the answers, and give the exit code.

    `connect` makes the client of a profile, `planned` its checked call; `as_json` is for errors. An input that does
    not fit is refused before anything is sent. Where some fail the code is that of a thing partly done, where all
    do that of the first.
    """
    if "json" not in method.reading.answers:
        raise CallError(f"{method.full_name} answers with no JSON", hint="call one profile after another")
    asked = [_Asked(name) for name in wanted]
    try:
        for one in asked:
            one.prepare(connect, planned)
            if one.client:
                one.client.watch = Watch(verbose=line.on("--verbose"), quiet=line.on("--quiet"), who=one.name)
        ready = [one for one in asked if one.plan]
        console.warn(ready[0].plan.warnings if ready and ready[0].plan else ())
        if line.on("--dry-run") or line.on("--curl"):
            _show(line, ready)
        else:
            _send(line, method, asked)
    finally:
        for one in asked:
            if one.client:
                one.client.close()
    return _told(asked, as_json=as_json)


def _show(line: Line, ready: list[_Asked]) -> None:
    """Show the requests that would be sent."""
    found: Json = {}
    for one in ready:
        assert one.client and one.plan  # noqa: S101, PT018 - it is ready
        try:
            found[one.name] = one.client.request(one.plan)
        except RunnerError as error:
            one.error = error
    if line.on("--curl"):
        secrets = line.on("--show-secrets")
        text = "".join(f"# {name}\n{made.curl(show_secrets=secrets)}\n" for name, made in found.items())
    else:
        value: Any = {name: made.as_dict() for name, made in found.items()}
        value = query.ask(line.get("--query"), value) if "--query" in line.options else value
        text = output.text(value, line.get("--output", "json"))
    _write(line, text)


def _send(line: Line, method: Method, asked: list[_Asked]) -> None:
    """Make the calls and print what comes."""
    form = line.get("--output", "json")
    paged = line.on("--all") or "--limit" in line.options
    most = line.whole("--limit", 0) if "--limit" in line.options else None
    streamed = paged and "--query" not in line.options and form not in {"json", "yaml"}

    def ask(one: _Asked) -> Iterator[Any]:
        """Call for one profile: its rows where they are written as they come, else its value is kept."""
        assert one.client and one.plan  # noqa: S101, PT018 - who has none has an error, and is not asked
        if streamed:
            yield from one.client.rows(one.plan, most)
            return
        result = None if paged else one.client.run(one.plan)
        if result is None:
            value: Any = list(one.client.rows(one.plan, most))
        else:
            value = result.raw if line.on("--raw") else result.value
        with _carried_out(method):
            one.value = query.ask(line.get("--query"), value) if "--query" in line.options else value
            one.done = True

    waiting = not streamed
    try:
        with closing(_Crowd(asked, ask)) as crowd, _carried_out(method):
            if waiting:
                crowd.wait()
            waiting = False
            _answer(line, form, asked, crowd.rows() if streamed else _values(asked))
            console.flush()
    except KeyboardInterrupt:
        there = [one for one in asked if one.done or one.error]
        if waiting and there and "--out" not in line.options:  # what has come would not come again
            _answer(line, form, there, _values(there))
        raise KeyboardInterrupt(_stopped(method, asked)) from None


def _answer(line: Line, form: str, asked: list[_Asked], rows: Iterator[Json]) -> None:
    """Print what came: an object of the outcomes, or their rows."""
    if form in {"json", "yaml"}:
        _write(line, output.text({one.name: one.outcome() for one in asked}, form))
    else:
        _write_rows(line, asked, rows)


def _stopped(method: Method, asked: list[_Asked]) -> str:
    """What became of a write that was stopped, where that is not nothing."""
    doubtful = [one.name for one in asked if one.in_doubt()]
    done = [one.name for one in asked if one.done and method.effect != "read"]
    told = [f"was carried out for {', '.join(done)}"] if done else []
    told += [f"may have been carried out for {', '.join(doubtful)}"] if doubtful else []
    return f"{method.full_name} {' and '.join(told)}" if told else ""


class _Crowd:
    """Threads that ask for the profiles, and the rows that come meanwhile, each with the profile's name."""

    def __init__(self, asked: list[_Asked], ask: Callable[[_Asked], Iterator[Any]]) -> None:
        self._asked, self._ask = asked, ask
        self._left = iter([one for one in asked if one.error is None])
        self._queue: Queue[tuple[str, Any] | BaseException | None] = Queue(AHEAD)
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in asked[:AT_ONCE]]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        """Ask for one profile after another, as long as there are some that no other thread has taken."""
        try:
            while not self._stopped.is_set() and (one := next(self._left, None)) is not None:
                try:
                    for row in self._ask(one):
                        self._put((one.name, row))
                except RunnerError as error:
                    one.error = error
        except BaseException as error:  # noqa: BLE001 - whoever takes the rows gets it
            self._put(error)
        self._put(None)

    def _put(self, item: tuple[str, Any] | BaseException | None) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_PAUSE)
            except Full:
                continue
            return

    def rows(self) -> Iterator[Json]:
        """The rows as they come."""
        working = len(self._threads)
        while working:
            item = self._queue.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                working -= 1
            else:
                yield _marked(*item)

    def wait(self) -> None:
        """Wait until all have their answers. No rows come where these are values."""
        list(self.rows())

    def close(self) -> None:
        """Ask for no more."""
        self._stopped.set()


def _values(asked: list[_Asked]) -> Iterator[Json]:
    """The rows of the values, in the order of the profiles."""
    for one in asked:
        if one.error is None and one.value is not None:
            yield from (_marked(one.name, row) for row in output.rows(one.value))


def _marked(name: str, row: Any) -> Json:
    """A row with the name of its profile in front; a field of its own that is called so gets a name beside it."""
    fields = row if isinstance(row, dict) else {"value": row}
    return {MARK: name, **{f"{key}_" if key == MARK else key: value for key, value in fields.items()}}


@contextmanager
def _carried_out(method: Method) -> Iterator[None]:
    """Say of a write whose answer could not be printed that it was made: who reads "a wrong call" would repeat it."""
    try:
        yield
    except CallError as error:
        if method.effect != "read" and error.exit_code != PARTLY:
            error.message = f"{method.full_name} was carried out, but {error.message}"
            error.exit_code = PARTLY
        raise


def _write_rows(line: Line, asked: list[_Asked], rows: Iterator[Json]) -> None:
    """Write the rows of all profiles, the name of each in the first column."""
    plan = next((one.plan for one in asked if one.plan), None)
    shape = Shape.of(plan.call.method, plan.call.values, paged=True) if plan else Shape()
    export = Export(
        line.get("--output"),
        line.get("--out"),
        Shape((MARK, *shape.chosen), shape.described),
        line.get("--table", "rows"),
        bom=line.on("--bom"),
        width=0 if "--out" in line.options else console.width(),
    )
    if export.path:
        count = export.save(rows)
        if not line.on("--quiet"):
            console.note(f"{count:,} {'row' if count == 1 else 'rows'} written to {export.path}")
    else:
        for part in export.parts(rows):
            console.answer(part)


def _write(line: Line, text: str) -> None:
    if "--out" in line.options:
        output.save(line.get("--out"), [text.encode(errors="backslashreplace")])
    else:
        console.answer(text)


def _told(asked: list[_Asked], *, as_json: bool) -> int:
    """Say which profiles failed, and give the exit code."""
    failed = [(one.name, one.error) for one in asked if one.error]
    codes = [console.fail(error, as_json=as_json, who=name) for name, error in failed]
    if not codes:
        return 0
    return codes[0] if len(codes) == len(asked) else PARTLY
