"""A batch unfolded: each call in it answered by itself, the outcomes put where the service says they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import template
from . import listing, reading
from .envelope import Refused, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..spec import Batch, Method, Service
    from .routes import Routes

    Ask = Callable[[Method, "Json"], "Outcome"]
    Deny = Callable[[Method | None, Refused], "Outcome"]

Json = dict[str, Any]
_GREEDY = re.compile(r"\{(query|path)\}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one call: its status, its body, the value in it; a refusal has no value."""

    status: int
    body: Any
    value: Any = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A service's way of folding."""

    how: Batch
    service: Service
    routes: Routes

    def within(self, method: Method, values: Json) -> tuple[Json, list[str]]:
        """The values with no more calls than a batch may hold, and the keys of those that are too many.

        Raises Refused where they are too many and the service then refuses the whole.
        """
        commands, size = listing.stand(values, method, self.how.commands), self.how.size
        if not isinstance(commands, (dict, list)) or len(commands) <= size:
            return values, []
        if self.service.sandbox.get("too_many") != "apart" or "." in self.how.commands:
            raise Refused("length", name=self.how.commands)
        extra = [key for key, _ in self._named(commands)][size:]
        few = dict(list(commands.items())[:size]) if isinstance(commands, dict) else commands[:size]
        place = method.canonical(self.how.commands)
        return {name: few if method.canonical(name) == place else value for name, value in values.items()}, extra

    def outcomes(self, commands: Any, ask: Ask, deny: Deny, *, halt: bool) -> dict[str, Outcome]:
        """The outcome of each call by its key, in order. `ask` and `deny` answer, and never raise Refused.

        Raises Refused where these are no calls, and where one is refused in a batch that is all or nothing.
        """
        found: dict[str, Outcome] = {}
        for key, command in self._named(commands):
            try:
                outcome = ask(*self._call(command, found))
            except Refused as refused:
                outcome = deny(None, refused)
            if outcome.refused and self.how.all_or_nothing:
                raise outcome.refused
            found[key] = outcome
            if outcome.refused and halt:
                break
        return found

    def _named(self, commands: Any) -> Iterable[tuple[str, Any]]:
        if isinstance(commands, dict):
            return commands.items()
        if not isinstance(commands, list):
            raise Refused("missing", name=self.how.commands)
        form = self.how.command
        name = next((key for key, value in form.items() if value == "{key}"), "") if isinstance(form, dict) else ""
        keys = [one.get(name, place) if isinstance(one, dict) else place for place, one in enumerate(commands)]
        return [(str(key), one) for key, one in zip(keys, commands, strict=True)]

    def _call(self, command: Any, earlier: Mapping[str, Outcome]) -> tuple[Method, Json]:
        """The method and the values of one call, its references followed."""
        method, held = self._meant(self._parts(command))
        if method.document.get("batch") is False or method.name.lower() == self.how.method.lower():
            raise Refused("batch", method=method.full_name)
        told = {name: self._resolved(value, earlier) for name, value in held.items()}
        return method, held | reading.of_names(method, {name: told[name] for name in told if told[name] != held[name]})

    def _parts(self, command: Any) -> Json:
        """The fields of one call, by its template run backwards."""
        form = self.how.command
        if isinstance(form, str) and isinstance(command, str):
            for one in (form, form.partition("?")[0]):
                found = template.matched(_GREEDY.sub(r"{+\1}", one), command, {})
                if found is not None:
                    return dict(found)
        if isinstance(form, dict) and isinstance(command, dict):
            named = {value: command.get(key) for key, value in form.items() if isinstance(value, str)}
            return {name[1:-1]: value for name, value in named.items() if value is not None}
        raise Refused("input", "this is no call", name=self.how.commands)

    def _meant(self, parts: Json) -> tuple[Method, Json]:
        """The method and the values of one call."""
        if "path" in parts:
            return self._by_address(parts)
        method = self.routes.method(str(parts.get("method", "")), self.service.variant)
        if method is None:
            raise Refused("method", name=parts.get("method", ""))
        held = parts.get("params") or {}
        if not isinstance(held, dict):
            raise Refused("input", "the params of a call are an object", name=self.how.commands)
        return method, reading.of_text(method, str(parts.get("query", ""))) | reading.of_object(method, held)

    def _by_address(self, parts: Json) -> tuple[Method, Json]:
        path, _, text = str(parts["path"]).partition("?")
        found = self.routes.find(path, str(parts.get("verb", "")))
        if not found:
            raise Refused("method", name=path)
        method, held = found[0].method, parts.get("params")
        body = reading.of_object(method, held if isinstance(held, dict) else {})
        return method, {**reading.of_names(method, found[0].values), **reading.of_text(method, text), **body}

    def _resolved(self, value: Any, earlier: Mapping[str, Outcome]) -> Any:
        """A value with its references to earlier answers followed; one that leads nowhere stays as it is."""
        prefix = self.how.reference.rstrip("[")
        if isinstance(value, dict):
            return {key: self._resolved(item, earlier) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolved(item, earlier) for item in value]
        if not prefix or not isinstance(value, str) or prefix not in value:
            return value
        form = re.compile(re.escape(prefix) + r"((?:\[[^\[\]]*\])+)")
        whole = form.fullmatch(value)
        if whole:
            return _followed(whole, earlier)
        return form.sub(lambda found: str(_followed(found, earlier)), value)

    def body(self, found: Mapping[str, Outcome], whole: Any) -> Any:
        """The answer of the whole: the outcomes put into the body of a success."""
        answers = self.how.answers
        if "items" in answers:
            place = answers["items"].removesuffix("[]").removesuffix("[*]")
            return put(whole, place, [self._entry(key, outcome) for key, outcome in found.items()])
        fine = {key: one.value for key, one in found.items() if one.refused is None}
        parts: Json = {answers["results"]: self._shaped(found, fine)}
        for name, place in answers.get("meta", {}).items():
            beside = {key: one.meta[name] for key, one in found.items() if one.meta.get(name) is not None}
            parts[place] = self._shaped(found, beside)
        if "errors" in answers:
            parts[answers["errors"]] = self._shaped(found, {key: one.body for key, one in found.items() if one.refused})
        for place, part in parts.items():
            whole = put(whole, place, part)
        return whole

    def _shaped(self, found: Mapping[str, Outcome], part: Json) -> Any:
        """By key; by place where calls have no keys."""
        keyed = self.how.form == "map" or "{key}" in str(self.how.command)
        if not keyed:
            return [part.get(key) for key in found]
        numbered = all(key == str(place) for place, key in enumerate(part))
        return list(part.values()) if numbered and self.service.sandbox.get("lists") else part

    def _entry(self, key: str, outcome: Outcome) -> Any:
        answers = self.how.answers
        if "body" not in answers:
            return outcome.body if outcome.refused else outcome.value
        entry: Any = put({}, answers["body"], outcome.body)
        if "key" in answers:
            entry = put(entry, answers["key"], key)
        return put(entry, answers["status"], outcome.status) if "status" in answers else entry


def _followed(found: re.Match[str], earlier: Mapping[str, Outcome]) -> Any:
    key, *steps = re.findall(r"\[([^\[\]]*)\]", found[1])
    here = earlier[key].value if key in earlier else None
    for step in steps:
        if isinstance(here, list) and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
        else:
            here = here.get(step) if isinstance(here, dict) else None
    return found[0] if here is None else here
