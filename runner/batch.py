"""Many calls folded into one; one answer unfolded into many. A refusal stands in its call's place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import encoding, query, response, template
from . import request as requests
from .errors import NotReached, RunnerError, ServiceError, SpecError, TransportError
from .response import Reply, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .request import Request
    from .spec import Batch, Method

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """One call of a batch: its key, its method, the name as it was spelt, its checked values.

    `made` gives the request that it would be by itself, which only some batches need.
    """

    key: str
    method: Method
    called: str
    values: Mapping[str, Any] = field(repr=False)
    made: Callable[[], Request] = field(repr=False)

    @property
    def shown(self) -> Command:
        """The same with every secret masked."""
        values = self.method.veiled(self.values)
        return Command(self.key, self.method, self.called, values, lambda: self.made().shown)


def fold(batch: Batch, commands: Sequence[Command], *, halt: bool) -> Json:
    """The values of the batch method for a pack of calls."""
    written = {command.key: _written(batch, command) for command in commands}
    values: Json = {batch.commands: written if batch.form == "map" else list(written.values())}
    if batch.halt:
        values[batch.halt] = halt
    return values


def _written(batch: Batch, command: Command) -> Any:
    method = command.method
    by_address = "{path}" in str(batch.command)
    params, rest = {}, {}
    for name, given in _ordered(method, command.values):
        param, wire, value = requests.written(method, name, given)
        if param is not None and param.place in {"header", "cookie"}:
            continue  # a command has no place for it
        params[wire] = value
        if param is None or param.place not in {"path", "query"}:
            rest[wire] = value
    pairs = [pair for name, value in params.items() for pair in encoding.pairs(name, value, method.sending.nested)]
    address = urlsplit(command.made().url if by_address else "")
    fields = {
        "method": command.called,
        "query": encoding.urlencoded(pairs),
        "params": rest if by_address else params,
        "key": command.key,
        "verb": method.sending.verb,
        "path": address.path + (f"?{address.query}" if address.query else ""),
    }
    return template.filled(batch.command, fields)


def _ordered(method: Method, values: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """The values of a call; those of a positional method in the order of its params, each empty slot filled."""
    if not method.document.get("positional"):
        return values.items()
    given = {method.canonical(name): (name, value) for name, value in values.items()}
    last = max((place for place, name in enumerate(method.params) if name in given), default=-1)
    return [given.get(name, (name, method.sending.slot)) for name in list(method.params)[: last + 1]]


def repeatable(command: Command) -> bool:
    """Whether a call may be made twice in a batch, where what makes that harmless may have no place."""
    method = command.method
    carried = {
        name: value
        for name, value in command.values.items()
        if (param := method.param(method.canonical(name))) is None or param.place not in {"header", "cookie"}
    }
    return method.repeatable(carried)


def unfold(
    batch: Batch, commands: Sequence[Command], result: Result, *, halt: bool = False
) -> list[Result | RunnerError]:
    """The outcome of each call, in order, from the answer of the whole. With `halt` a refusal stopped the rest."""
    if "items" in batch.answers:
        found = _from_items(batch.answers, commands, result)
    else:
        found = _from_maps(batch, commands, result)
    outcomes: list[Result | RunnerError] = []
    for command, one in zip(commands, found, strict=True):
        stopped = halt and any(isinstance(earlier, ServiceError) for earlier in outcomes)
        outcomes.append(one or (never(command.method) if stopped else _silent(command.method)))
    return outcomes


def _from_maps(batch: Batch, commands: Sequence[Command], result: Result) -> list[Result | RunnerError | None]:
    """The outcomes from a map of values and one of refusals; None where the answer says nothing."""
    answers = batch.answers
    values = query.search(answers["results"], result.raw)
    errors = query.search(answers["errors"], result.raw) if "errors" in answers else None
    meta = {name: query.search(path, result.raw) for name, path in answers.get("meta", {}).items()}
    found: list[Result | RunnerError | None] = []
    for place, command in enumerate(commands):
        refused = _at(errors, command.key, place)
        if refused is not None:
            found.append(_refused(command.method, refused))
            continue
        value = _at(values, command.key, place, absent=_ABSENT)
        if value is _ABSENT:
            found.append(None)
            continue
        beside = {name: one for name, part in meta.items() if (one := _at(part, command.key, place)) is not None}
        found.append(Result(value, beside, value))
    return found


_ABSENT = object()


def _at(part: Any, key: str, place: int, absent: Any = None) -> Any:
    """The entry of a call: by its key, or by its place where the answer is a list.

    Services that write an empty map as an empty list, or a map of 0, 1, 2 as a list, are read rightly as well.
    """
    if isinstance(part, dict):
        return part.get(key, absent)
    number = int(key) if key.isdecimal() else place
    if isinstance(part, list) and number < len(part):
        return part[number]
    return absent


def _refused(method: Method, body: Any) -> RunnerError:
    whole = body if isinstance(body, dict) else {"error": body}
    try:
        response.refuse(method, whole, 200)
    except ServiceError as error:
        return error
    return ServiceError(str(body), kind="usage", method=method.full_name)


def never(method: Method) -> RunnerError:
    """The outcome of a call that the answer does not speak of: an earlier refusal stopped the batch before it."""
    message = "it was not reached: an earlier call of the batch was refused"
    return NotReached(message, kind="usage", rejected=True, method=method.full_name)


def _silent(method: Method) -> RunnerError:
    """The outcome of a call that the answer says nothing of, though nothing stopped the batch before it."""
    hint = "" if method.effect == "read" else "the service may have acted; look before you call again"
    return TransportError("the answer of the batch says nothing of this call", hint=hint, method=method.full_name)


def _from_items(answers: Json, commands: Sequence[Command], result: Result) -> list[Result | RunnerError | None]:
    """The outcomes from a list with one entry a call: its key, status and body."""
    items = query.search(answers["items"], result.raw)
    if not isinstance(items, list):
        message = f"the batch has no answers at {answers['items']!r}"
        raise SpecError(message)
    if "key" in answers:
        by_key = {str(query.search(answers["key"], item)): item for item in items}
        entries = [by_key.get(command.key, _ABSENT) for command in commands]
    else:
        entries = [_at(items, "", place, _ABSENT) for place in range(len(commands))]
    return [_entry(answers, command.method, entry) for command, entry in zip(commands, entries, strict=True)]


def _entry(answers: Json, method: Method, entry: Any) -> Result | RunnerError | None:
    if entry is _ABSENT:
        return None
    said = str(query.search(answers["status"], entry)) if "status" in answers else ""
    status = int(said) if said.isdecimal() else 200
    if "body" not in answers:
        return Result(entry, {}, entry)
    body = _body(method, query.search(answers["body"], entry))
    try:
        return response.read(method, Reply(status, {}, body))
    except RunnerError as error:
        return error


def _body(method: Method, found: Any) -> bytes:
    """The body of an entry as it would have come by itself: nothing and text are what the method expects them to be."""
    if found is None and "empty" in method.reading.answers:
        return b""
    if isinstance(found, str) and "json" not in method.reading.answers:
        return found.encode()
    return encoding.json_text(found)
