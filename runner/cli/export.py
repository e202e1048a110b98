"""Rows of a call written to a file or printed: the options of the line, the progress, the end before the end."""

from __future__ import annotations

import re
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from .. import output, query
from ..errors import PARTLY
from ..export import Export
from ..export.columns import Shape
from ..export.labels import Labels
from . import console, stops
from .progress import Progress, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..client import Client
    from ..plan import Plan
    from ..response import Result
    from ..spec import Method
    from .call import Watch
    from .words import Line


def pages(line: Line, client: Client, plan: Plan, watch: Watch, put: Callable[[Any], None]) -> int:
    """Read the pages of a list, write or print their rows, and give the exit code. `put` shows what a query finds."""
    most = line.whole("--limit", 0) if "--limit" in line.options else None
    seen = "--out" in line.options or not sys.stdout.isatty()
    progress = Progress(shown=seen and wanted(quiet=line.on("--quiet")), total=most)
    watch.progress = progress
    export = _of(line, client, plan, paged=True)
    with _ending(line, progress), closing(client.rows(plan, most)) as source:
        rows = progress.through(source)
        if "--query" in line.options:
            put(query.ask(line.get("--query"), export.listed(rows)))
        elif export.path:
            _written(line, export.save(rows))
        else:
            for part in export.parts(rows):
                console.answer(part)
    return _told(export)


def labelled(line: Line, client: Client, plan: Plan, value: Any) -> tuple[Any, int]:
    """The value of one answer with the names behind the values of lists, and the exit code."""
    export = _of(line, client, plan, paged=False)
    rows = output.rows(value)
    found: Any = export.listed(rows)
    if rows is not value:
        found = found[0] if len(rows) == 1 and rows[0] is value else dict.fromkeys(value, found)
    return found, _told(export)


def save(line: Line, value: Any, plan: Plan) -> None:
    """Write the rows of a value to the file that was named."""
    whole = "--query" in line.options or line.on("--raw")
    shape = Shape() if whole else Shape.of(plan.call.method, plan.call.values, paged=False)
    form, path = line.get("--output"), line.get("--out")
    export = Export(form, path, shape, _table(line, plan.call.method), bom=line.on("--bom"))
    _written(line, export.save(output.rows(value)))


def hint_of_more(method: Method, result: Result) -> None:
    """Say that there are more rows than those of the first page that were written to a file."""
    headers = result.reply.headers if result.reply else {}
    places = [style.next or style.follow for style in method.styles if style.next or style.follow]
    if any(query.place(place, result.raw, headers) not in {None, "", False} for place in places):
        console.warn(["these are the rows of the first page; --all reads all of them"])


def _of(line: Line, client: Client, plan: Plan, *, paged: bool) -> Export:
    """The export of a call's rows."""

    def ask(name: str, params: dict[str, Any]) -> Any:
        asked = client.plan(name, params, {})
        return list(client.rows(asked)) if asked.call.method.styles else client.run(asked).value

    method = plan.call.method
    return Export(
        line.get("--output", "json"),
        line.get("--out"),
        Shape.of(method, plan.call.values, paged=paged),
        _table(line, method),
        bom=line.on("--bom"),
        labels=Labels.of(method, ask, paged=paged) if line.on("--labels") else None,
        width=0 if "--out" in line.options else console.width(),
    )


def _table(line: Line, method: Method) -> str:
    """The name of the table: that of the method, in letters that a query need not quote."""
    return line.get("--table", re.sub(r"\W", "_", method.full_name))


def _written(line: Line, count: int) -> None:
    if not line.on("--quiet"):
        console.note(f"{_counted(count)} written to {line.get('--out')}")


def _counted(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _told(export: Export) -> int:
    """Say which columns have no labels, and give the exit code: what was asked for was done in part."""
    console.warn(f"{column} has no labels: {error}" for column, error in export.missing.items())
    return PARTLY if export.missing else 0


@contextmanager
def _ending(line: Line, progress: Progress) -> Iterator[None]:
    """An end that comes from outside tells how far it had come, and leaves no draft behind."""
    with stops.orderly():
        try:
            yield
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_came(line, progress)) from None
        except SystemExit:
            console.say(f"stopped: {_came(line, progress)}")
            raise


def _came(line: Line, progress: Progress) -> str:
    lost = f", {line.get('--out')} was not written" if "--out" in line.options else ""
    return f"{_counted(progress.count)} had been read{lost}"
