"""Faults on demand: what goes wrong with a request, how often, and whether the call was carried out all the same."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import CallError, did_you_mean, nearest
from ..limit import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .portal import Answer
    from .reading import Asked

KINDS = {
    "reset": "the connection is reset, without an answer",
    "cut": "half of the body comes, then the connection is closed",
    "html": "a page of HTML with the status 200",
    "empty": "the status 200 and no body",
    "500": "an error of the service itself, in its own words",
    "502": "a page of HTML with this status",
    "503": "a page of HTML with this status",
    "504": "a page of HTML with this status",
    "slow": "the answer comes late, after 5s or slow=TIME",
    "hang": "no answer comes at all",
    "limit": "the refusal of a full bucket",
    "cost": "the refusal of a method that has used up its time",
    "inner-limit": "the same in the place of one call of a batch, any one or inner-limit=NUMBER",
    "inner-cost": "the same for the time of a method",
    "redirect": "302 to another host, or redirect=ADDRESS",
}
_NOT_EXECUTED = frozenset(["limit", "cost", "inner-limit", "inner-cost", "redirect"])
_REFUSALS = {"500": "server", "limit": "rate", "cost": "cost"}
_INNER = {"inner-limit": "rate", "inner-cost": "cost"}
_PAGES = {"html": "200 OK", "502": "502 Bad Gateway", "503": "503 Service Unavailable", "504": "504 Gateway Time-out"}
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_ELSEWHERE = "http://moved.invalid"
_LATE = "5s"
_FORM = re.compile(
    r"(?P<kind>[a-z0-9-]+?)(?P<when>-before|-after)?(?:=(?P<value>.+?))?"
    r"(?::(?P<chance>0?\.[0-9]+|0|1(?:\.0*)?)|@(?P<first>[1-9][0-9]{0,8})(?:-(?P<last>[0-9]{1,9}))?)?"
)
_TIME = re.compile(r"[0-9]+(\.[0-9]+)?(ms|s|m|h)")


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls one request. `executed` says whether the call is carried out; without a `kind` all is well."""

    kind: str = ""
    executed: bool = True
    value: str = ""
    share: float = 0.0

    @property
    def refusal(self) -> str:
        """The refusal that is answered, if any."""
        return _REFUSALS.get(self.kind, "")

    @property
    def inner(self) -> str:
        """The refusal of one call in a batch, if any."""
        return _INNER.get(self.kind, "")

    def strikes(self, count: int) -> int:
        """Which call of so many in a batch it is for, counted from 1."""
        return int(self.value) if self.value else 1 + int(self.share * count)

    def __str__(self) -> str:
        return f"{self.kind}-{'after' if self.executed else 'before'}" if self.kind else ""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A fault, how likely it is, and the requests that it is sure of."""

    fault: Fault
    chance: float
    first: int = 0
    last: int = 0


def _rule(text: str) -> _Rule:
    """`KIND[-before|-after][=VALUE][:PROBABILITY|@REQUEST[-REQUEST]]`; with neither it befalls every request."""
    found = _FORM.fullmatch(text)
    kind = found["kind"] if found else text
    if found is None or kind not in KINDS:
        near = did_you_mean(nearest(kind, KINDS)) or f"faults are {', '.join(KINDS)}; such as reset:0.01 or 502@3"
        raise CallError(f"{text!r} is no fault", hint=near)
    value = found["value"] or ""
    fits = {"slow": _TIME.fullmatch(value), "redirect": re.match("https?://[^/]", value)}
    if value and not (fits.get(kind) or (kind in _INNER and value.isdecimal() and int(value))):
        raise CallError(f"{text!r} is no fault: {kind} does not take {value!r}", hint=KINDS[kind])
    if kind == "slow" and found["when"] == "-before":
        raise CallError(
            f"{text!r} is no fault: a late answer is that of a call that was carried out", hint="write slow"
        )
    executed = found["when"] == "-after" if found["when"] else kind not in _NOT_EXECUTED
    first = int(found["first"] or 0)
    chance = 0.0 if first else float(found["chance"] or 1)
    return _Rule(Fault(kind, executed, value), chance, first, int(found["last"] or first))


class Faults:
    """The faults that a sandbox has in store. The same seed gives the same ones, in the order of the requests."""

    def __init__(self, text: str = "", seed: int | None = None) -> None:
        self._rules = [_rule(part.strip()) for part in text.split(",") if part.strip()]
        if sum(rule.chance for rule in self._rules) > 1 + 1e-9:
            raise CallError(f"the faults {text!r} are more than certain", hint="together they may reach 1")
        self._dice = random.Random(seed)  # noqa: S311 - it makes trouble, it guards nothing
        self._next: list[Fault] = []
        self._lock = threading.Lock()
        self._requests = 0
        self.met: Counter[str] = Counter()

    def add(self, kinds: Iterable[str]) -> None:
        """The next requests meet these faults, one each; `""` is none."""
        found = [_rule(kind).fault if kind else Fault() for kind in kinds]
        with self._lock:
            self._next += found

    def next(self) -> Fault:
        """What befalls the next request."""
        with self._lock:
            self._requests += 1
            fault = self._next.pop(0) if self._next else self._thrown()
            if fault.kind:
                self.met[str(fault)] += 1
            return replace(fault, share=self._dice.random()) if fault.inner and not fault.value else fault

    def _thrown(self) -> Fault:
        for rule in self._rules:
            if rule.first <= self._requests <= rule.last:
                return rule.fault
        number = self._dice.random() if self._rules else 1.0
        for rule in self._rules:
            number -= rule.chance
            if number < 0:
                return rule.fault
        return Fault()


def spoilt(answer: Answer, fault: Fault, asked: Asked) -> Answer:
    """An answer as it leaves after what befell it."""
    answer = replace(answer, note=str(fault))
    if fault.kind in {"reset", "cut", "hang"}:
        return replace(answer, wire=fault.kind)
    if fault.kind in _PAGES:
        head = _PAGES[fault.kind]
        body = f"<html>\r\n<head><title>{head}</title></head>\r\n<body>\r\n<h1>{head}</h1>\r\n</body>\r\n</html>\r\n"
        return replace(answer, status=int(head[:3]), body=body.encode(), headers=_HTML)
    if fault.kind == "empty":
        return replace(answer, status=200, body=b"", headers={})
    if fault.kind == "redirect":
        place = (fault.value or _ELSEWHERE).rstrip("/") + asked.target
        return replace(answer, status=302, body=b"", headers={"Location": place})
    if fault.kind == "slow":
        return replace(answer, wait=answer.wait + seconds(fault.value or _LATE))
    return answer
