"""The rows of a bulk run, taken into its journal: every one is checked before the first is sent."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from . import auth
from . import pack as packing
from .errors import CallError, InvalidArguments, Problem
from .journal import Journal, packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .plan import Planner

Json = dict[str, Any]
MOST_TOLD = 50  # misfits that are listed
_SPOOL = 2000  # rows that are written to the journal at once


@dataclass(frozen=True, slots=True)
class Record:
    """A row as it comes: the input of its call, its line in a file, its cells, what is wrong with it already."""

    values: Any
    line: int = 0
    source: Any = None
    problems: tuple[Problem, ...] = ()


class Intake:
    """Takes the rows of a run, checks them, and keeps them in its journal until all are there."""

    def __init__(
        self, planner: Planner, name: str, *, journal: str | None = None, resume: bool = False, restart: bool = False
    ) -> None:
        self.planner, self.session, self.name = planner, planner.session, name.rpartition("@")[0] or name
        self.method = planner.method(name)
        self._demand_way_in()
        places = {param.place for param in (*self.method.params.values(), *(one for _, one in self.method.patterns))}
        self._narrow = bool(places & {"path", "header", "cookie"})  # not every value that fits can stand there
        self.total, self.misfits, self.unfit = 0, 0, 0
        self.problems: list[Problem] = []
        self.warnings: dict[Problem, int] = {}
        self.resumed = False
        self._digest = sha256()
        self._spool: list[tuple[int, int, str, str]] = []
        self._ends = ExitStack()
        self.journal = self._opened(journal, resume=resume, restart=restart)

    def _demand_way_in(self) -> None:
        """Raise what every call would: credentials that are missing, or are not for where they would go."""
        scheme, given = auth.choose(self.method, self.session.credentials), self.session.credentials
        if scheme.first is None:
            auth.trust(self.method, scheme, given.values, given.host, insecure=self.session.insecure)

    def close(self) -> None:
        """Close the journal; one without a name is deleted."""
        self.journal.close()
        self._ends.close()

    def _about(self) -> Json:
        """What makes a run the same as an earlier one. Secrets are no part of it."""
        secrets, given = self.method.service.secrets(), self.session.credentials.values
        account = {name: value for name, value in given.items() if name not in secrets}
        served = self.planner.served
        return {
            "form": 1,
            "service": self.method.service.name,
            "method": self.method.full_name,
            "account": account if served is None else {"sandbox": True},
        }

    def _opened(self, path: str | None, *, resume: bool, restart: bool) -> Journal:
        """The journal of this run: a new one, or the one to go on with. Raises CallError where it is another's."""
        if path is None:
            from tempfile import TemporaryDirectory

            folder = self._ends.enter_context(TemporaryDirectory(prefix="declarest-"))
            journal = Journal(os.path.join(folder, "journal"), brief=True)
            journal.begin(self._about())
            return journal
        if resume and not os.path.exists(path):
            hint = "nothing was begun, or all of it was done"
            raise CallError(f"there is no journal {path} to go on with", hint=hint)
        journal = Journal(path)
        try:
            about = journal.about
            counts = journal.counts()
            fresh = "total" not in about or (not resume and counts["waiting"] == sum(counts.values()))
            if fresh or restart:  # a run that was stopped while it read its rows, or before it sent one, did nothing
                journal.begin(self._about())
            else:
                self._demand_same(journal, about, resume=resume)
                self.resumed = True
        except CallError:
            journal.close()
            raise
        return journal

    def _demand_same(self, journal: Journal, about: Json, *, resume: bool) -> None:
        if not resume:
            told = ", ".join(f"{count} {word}" for word, count in journal.counts().items() if count)
            hint = "resume goes on with it, restart forgets it and sends every row again"
            raise CallError(f"the journal {journal.path} holds an earlier run ({told})", hint=hint)
        mine = self._about()
        for key in mine:
            if about.get(key) != mine[key]:
                message = f"the journal {journal.path} is of another {key}: {about.get(key)}, not {mine[key]}"
                raise CallError(message, hint="go on with what it was begun with, or name another journal")

    def take(self, record: Record) -> None:
        """Check a row, and put it in the journal."""
        self.total += 1
        with suppress(ValueError, RecursionError):  # such a row is refused below
            self._digest.update(json.dumps([record.values, record.source], default=repr).encode())
        if self.resumed:
            return
        try:
            plan = self.planner.plan(self.method.full_name, record.values, {})
            values = _as_text(plan.call.values)
            if self._narrow and not record.problems:
                packing.command("row", plan.call, self.session).made()
        except InvalidArguments as error:
            told = {problem.path for problem in record.problems}
            more = [one for one in error.problems if one.level == "error" and one.path not in told]
            self._refuse(record, [*record.problems, *more])
            return
        except CallError as error:
            self._refuse(record, [*record.problems, Problem("error", "", error.message, error.hint)])
            return
        if record.problems:
            self._refuse(record, list(record.problems))
            return
        for one in plan.warnings:
            self.warnings[one] = self.warnings.get(one, 0) + 1
        if not self.misfits:
            source = packed(record.source) if record.source is not None else ""
            self._spool.append((self.total, record.line, values, source))
            if len(self._spool) >= _SPOOL:
                self._spill()

    def _spill(self) -> None:
        self.journal.add(self._spool)
        self._spool.clear()

    def _refuse(self, record: Record, problems: Sequence[Problem]) -> None:
        """Keep what is wrong with a row, as far as anybody reads on."""
        where = f"row {self.total}" + (f", line {record.line}" if record.line else "")
        self.unfit += 1
        self.misfits += len(problems)
        for one in problems[: MOST_TOLD - len(self.problems)]:
            path = f"{where}: {one.path}" if one.path else where
            self.problems.append(Problem("error", path, one.message, one.hint))

    def seal(self) -> None:
        """Say that all rows were taken. Raises InvalidArguments with every misfit, CallError for other rows."""
        if self.misfits:
            self.journal.remove()
            told = list(self.problems)
            if self.misfits > len(told):
                more = self.misfits - len(told)
                told.append(Problem("error", "", f"and {more} more; {self.unfit} of {self.total} rows do not fit"))
            raise InvalidArguments(told, method=self.method.full_name)
        digest = self._digest.hexdigest()
        if not self.resumed:
            self._spill()
            self.journal.seal(self.total, digest)
        elif self.journal.about["digest"] != digest:
            message = f"these are not the rows that the run of {self.journal.path} was begun with"
            raise CallError(message, hint="go on with the same file and options, or name another journal")

    def go_on(self) -> None:
        """Go on with the rows of the journal, without reading them again. Raises CallError where not all are there."""
        if not self.resumed:
            hint = "nothing was sent; give the rows again"
            raise CallError(f"the journal {self.journal.path} holds no rows to go on with", hint=hint)
        self.total = self.journal.about["total"]


def _as_text(values: Mapping[str, Any]) -> str:
    """The input of a call as JSON text. Raises CallError where it can't be."""
    try:
        return packed(dict(values))
    except (TypeError, ValueError) as error:
        raise CallError(f"this row is no JSON: {error}") from None
