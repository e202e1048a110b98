"""Calls that travel together: in one batch, or one call alone. The conversation that brings each call its outcome."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import auth, pacing
from . import batch as batching
from . import request as requests
from .batch import Command
from .discretion import clear
from .dispatch import Call, Session, Step, Wait, converse, prepare
from .errors import InvalidArguments, LimitExceeded, NotReached, Problem, RunnerError
from .flow import Begin, Give, Take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .flow import Flow
    from .request import Request
    from .response import Reply, Result
    from .spec import Batch, Method

    Json = dict[str, Any]
    Outcome = Result | RunnerError

_AHEAD = 8  # batches of reads that travel at once
Outcomes = Generator[Step, "Reply | None", "list[Outcome]"]
Heard = Callable[["Sequence[int]", "Sequence[Outcome]"], None]


def command(key: str, call: Call, session: Session) -> Command:
    """A call as one of a batch. What its way of authorising adds stays with the whole."""

    def made() -> Request:
        return prepare(call, session, replace(auth.choose(call.method, session.credentials, call.values), send={}))

    return Command(key, call.method, call.called, call.values, made)


@dataclass(slots=True)
class Pack:
    """Calls that travel together: in one batch, or one call alone."""

    how: Batch | None
    commands: list[Command]
    alone: bool
    halt: bool

    @property
    def harmless(self) -> bool:
        """Whether each of the calls may be made twice."""
        return all(map(batching.repeatable, self.commands))

    def demand_known(self, command: Command) -> None:
        """Refuse a call that refers to the answer of one which does not travel before it in the same batch."""
        known = set() if self.alone else {one.key for one in self.commands}
        for key in self.references(command):
            if key not in known:
                assert self.how is not None  # noqa: S101 - only a batch has references
                hint = f"a batch takes {self.how.size} calls; a reference reaches an earlier one of the same batch"
                message = f"{command.key} refers to {key!r}, which does not travel before it"
                raise InvalidArguments([Problem("error", "", message, hint)], method=command.method.full_name)

    def references(self, command: Command) -> list[str]:
        """The keys of the calls whose answers a call refers to."""
        if self.how is None or not self.how.reference:
            return []
        return re.findall(re.escape(self.how.reference.rstrip("[")) + r"\[([^\]]+)\]", str(dict(command.values)))


def packed(calls: Sequence[tuple[Command, bool]], *, halt: bool) -> list[Pack]:
    """The packs of calls, in order; beside each call whether it travels alone.

    A pack is as full as it can be where a call travels with those that it refers to. Raises InvalidArguments where
    that can't be.
    """
    packs: list[Pack] = []
    for alone, group in _groups(calls):
        how = None if alone else group[0].method.service.batch
        start = 0
        for end in _ends(group, how):
            pack = Pack(how or group[0].method.service.batch, [], alone=alone, halt=halt)
            for one in group[start:end]:
                pack.demand_known(one)
                pack.commands.append(one)
            packs.append(pack)
            start = end
    return packs


def _groups(calls: Sequence[tuple[Command, bool]]) -> Iterator[tuple[bool, list[Command]]]:
    """Calls one after another that may share batches: of one variant, none of them alone."""
    group: list[Command] = []
    for one, alone in calls:
        if group and (alone or one.method.service.variant != group[0].method.service.variant):
            yield False, group
            group = []
        if alone:
            yield True, [one]
        else:
            group.append(one)
    if group:
        yield False, group


def _ends(group: list[Command], how: Batch | None) -> Iterator[int]:
    """Where the packs of a group end: as late as their size allows, and nowhere between a call and one it refers to."""
    places = {one.key: place for place, one in enumerate(group)}
    reach = len(group)
    free = [False] * len(group) + [True]
    for place in range(len(group) - 1, -1, -1):
        told = Pack(how, [], alone=False, halt=False).references(group[place])
        reach = min([reach, place, *(places[key] for key in told if key in places)])
        free[place] = reach == place
    start = 0
    while start < len(group):
        last = min(start + (how.size if how else 1), len(group))
        start = next((end for end in range(last, start, -1) if free[end]), last)
        yield start


def flow(packs: Sequence[Pack], session: Session, *, halt: bool) -> Flow:
    """The outcomes of many packs, in order. Reads travel beside each other; of writes the next waits for the last.

    With `halt` nothing is sent after the first refusal.
    """
    ahead = 1 if halt or not all(pack.harmless for pack in packs) else _AHEAD
    begun: deque[Any] = deque()
    left, refused = deque(packs), False
    while left or begun:
        while left and len(begun) < ahead and not refused:
            pack = left.popleft()
            begun.append((yield Begin(outcomes(pack, session), binding=not pack.harmless)))
        if not begun:
            yield Give([batching.never(command.method) for command in left.popleft().commands])
            continue
        found: list[Outcome] = yield Take(begun.popleft())
        refused = refused or (halt and any(isinstance(one, RunnerError) for one in found))
        yield Give(found)


def outcomes(pack: Pack, session: Session, heard: Heard | None = None) -> Outcomes:
    """The life of a pack: sent as one; the calls that a limit refused in it are sent again, and they alone.

    Returns one outcome a call, in order: a Result, or the error that it met. Raises nothing of the service's.
    `heard` is told of every answer at once: the places of the calls that it speaks of, and their outcomes.
    """
    found, over = yield from _met(pack, session)
    places: Sequence[int] = range(len(found))
    attempt = 1
    while True:
        if heard is not None:
            heard(places, [found[place] for place in places])
        places = [] if over else _refused_for_now(pack, found)
        if not places:
            return found
        first = pack.commands[places[0]].method
        pause = _pause(first, found[places[0]], attempt, session)
        if pause is None:
            return found
        yield Wait(pause, f"the limits of {first.service.title}")
        part = replace(pack, commands=[pack.commands[place] for place in places], alone=len(places) == 1)
        news, over = yield from _met(part, session)
        for place, one in zip(places, news, strict=True):
            found[place] = one
        attempt += 1


def _met(pack: Pack, session: Session) -> Generator[Step, Reply | None, tuple[list[Outcome], bool]]:
    """The outcomes of a pack that is sent once, and whether they are one error, which the whole met for good."""
    try:
        return (yield from _sent(pack, session)), False
    except RunnerError as error:
        return [error] * len(pack.commands), True


def _sent(pack: Pack, session: Session) -> Outcomes:
    """The outcomes of a pack that is sent once. Raises what the whole met."""
    secrets = [text for one in pack.commands for text in requests.concealed(one.method, one.values)]
    whole = _whole(pack, session)
    try:
        result = yield from converse(whole, session)
    except RunnerError as error:
        auth.veil(error, pack.commands[0].method, session.credentials.values, (), secrets)
        raise
    if pack.how is None or pack.alone:
        return [result]
    found: list[Outcome] = list(batching.unfold(pack.how, pack.commands, result, halt=pack.halt))
    who, now = session.credentials.values, session.clock()
    for one, outcome in zip(pack.commands, found, strict=True):
        if isinstance(outcome, RunnerError):
            kept = session.kept.get(auth.choose(whole.method, session.credentials).name, {})
            worn = requests.worn(prepare(whole, session))
            auth.veil(outcome, one.method, {**who, **kept}, kept, [*secrets, *worn])
            session.book.refused(one.method, who, outcome, now)
        else:
            session.book.note(one.method, who, outcome.meta, now)
    return found


def _pause(method: Method, refused: Outcome, attempt: int, session: Session) -> float | None:
    """The seconds until a call that a limit refused may be made again; None where it was tried often enough."""
    assert isinstance(refused, RunnerError)  # noqa: S101 - it is one of those that were refused
    return pacing.again(method, refused, None, attempt, session.clock(), session.dice, harmless=False)


def _refused_for_now(pack: Pack, found: list[Outcome]) -> list[int]:
    """The places of the calls that a limit refused; with `halt` also of those which that kept from being made.

    A call that refers to another can't be made again without it.
    """
    places = [place for place, one in enumerate(found) if isinstance(one, LimitExceeded) and one.rejected and one.code]
    if pack.halt and places:
        places = [place for place, one in enumerate(found) if place in places or isinstance(one, NotReached)]
    refer = any(set(pack.references(pack.commands[place])) for place in places)
    return [] if refer else places


def request(pack: Pack, session: Session) -> Request:
    """The request that a pack would send."""
    return prepare(_whole(pack, session), session)


def _whole(pack: Pack, session: Session) -> Call:
    """One call of the service's batch method, or the one call that the pack holds."""
    first = pack.commands[0]
    if pack.how is None or pack.alone:
        return Call(first.method, first.called, first.values)
    name, variant = pack.how.method, first.method.service.variant
    method = session.find(f"{name}@{variant}" if variant and session.has(f"{name}@{variant}") else name)
    values = batching.fold(pack.how, pack.commands, halt=pack.halt)
    how, inside = pack.how, tuple(one.method for one in pack.commands)

    def face() -> Json:
        return batching.fold(how, [one.shown for one in pack.commands], halt=pack.halt)

    return Call(method, name, values, face=face, harmless=pack.harmless, inside=inside)


def shaped(calls: Any, outcomes: Iterable[Outcome]) -> Any:
    """The outcomes of many calls in the shape in which the calls were given, their errors without any local values."""
    found = list(outcomes)
    for one in found:
        if isinstance(one, RunnerError):
            clear(one)
    return dict(zip(calls, found, strict=True)) if hasattr(calls, "items") else found
