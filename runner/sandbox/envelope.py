"""An outcome in the service's own words: the body and the status of a success or of a refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import query, template
from ..refusal import blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..spec import Method, Reading, Service

Json = dict[str, Any]
OK = 200
_REFUSED = 400
_PLAIN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_DEFAULTS = {
    "credentials": (401, "unauthorized", "These are not the credentials of the sandbox"),
    "expired": (401, "expired", "What the call is signed with has run out"),
    "grant": (400, "used_up", "This can't be exchanged: it is wrong, used up or too old"),
    "client": (400, "unknown_client", "There is no such application"),
    "method": (404, "not_found", "There is no such method"),
    "verb": (405, "method_not_allowed", "{method} is not called with this verb"),
    "input": (400, "invalid", "{message}"),
    "missing": (400, "missing", "{name} is required"),
    "absent": (404, "absent", "There is nothing with this id"),
    "batch": (400, "not_in_a_batch", "{method} can't travel in a batch"),
    "length": (400, "too_many", "The batch holds too many calls"),
    "reused": (409, "key_reused", "{name} stands for another call"),
    "rate": (429, "too_fast", "Too many requests"),
    "cost": (429, "used_up", "{method} has used up its time"),
    "server": (500, "failed", "The service failed"),
}
_LIMITS = frozenset(["rate", "cost"])  # where they have no words, an error that the service knows for a limit is one
_TIMES = ("wait", "wait_ms", "until")


class Refused(Exception):
    """The sandbox says no. `kind` is one of the refusals that a service may put into its own words."""

    def __init__(self, kind: str, message: str = "", **fields: object) -> None:
        super().__init__(kind)
        self.kind, self.message, self.fields = kind, message, fields


@dataclass(frozen=True, slots=True)
class Success:
    """What a call gave. `raw` is a whole body that goes over the envelope, `marks` what pages need, by its place."""

    value: Any = None
    total: int | None = None
    next: Any = None
    status: int = 0
    raw: Any = None
    marks: Mapping[str, Any] = field(default_factory=dict)


def success(method: Method, outcome: Success, known: Json) -> tuple[int, Any]:
    """The status and the body of a success. `known` are the other fields of the template: times and costs."""
    declared = method.service.sandbox.get("success", {})
    status = outcome.status or declared.get("status", OK)
    if status >= _REFUSED or "json" not in method.reading.answers:
        return status, outcome.value if outcome.raw is None else outcome.raw
    if method.reading.result == "@" != method.service.response.get("result", "@"):  # it stands in no envelope
        return status, outcome.value if outcome.raw is None else outcome.raw
    body = _enveloped(method, outcome, declared, known)
    if outcome.raw is not None:
        both = isinstance(outcome.raw, dict) and isinstance(body, dict)
        body = {**body, **outcome.raw} if both else outcome.raw
    for place, mark in outcome.marks.items():
        if query.search(place, body) is None:
            body = put(body, place, mark)
    return status, body


def _enveloped(method: Method, outcome: Success, declared: Json, known: Json) -> Any:
    path = method.reading.result
    if "body" not in declared:
        return put({}, path, outcome.value)
    values = {**known, "value": outcome.value, "total": outcome.total, "next": outcome.next}
    absent = {f"{{{name}}}" for name in ("total", "next", "cost", "until") if values.get(name) is None}
    body = template.filled(_without(declared["body"], absent), values)
    # A method may read its value deeper than its service does; then the value belongs there.
    read = outcome.value is None or query.search(path, body) is not None
    return body if read else put(body, path, outcome.value)


def _without(node: Any, absent: Iterable[str]) -> Any:
    """A template without the keys whose value is one of these fields."""
    if not isinstance(node, dict):
        return node
    return {
        key: _without(value, absent) for key, value in node.items() if not (isinstance(value, str) and value in absent)
    }


def refusal(service: Service, reading: Reading, refused: Refused, method: str) -> tuple[int, Any, dict[str, str]]:
    """The status, the body and the headers of a refusal, in the service's words as far as it has declared them.

    When it may be asked again stands where its words have a place for that, if it is known.
    """
    status, code, message = _DEFAULTS[refused.kind]
    whole = service.sandbox.get("refusal", {})
    own = service.sandbox.get("refusals", {}).get(refused.kind, {})
    fields = {"method": method, "name": "", "id": "", **refused.fields}
    fields["message"] = refused.message or template.filled(message, fields)
    status = own.get("status", whole.get("status", status))
    if refused.kind in _LIMITS:
        limits = (
            name
            for name, said in service.errors.items()
            if name[0] not in "*0123456789" and any(one.get("kind") == "rate_limit" for one in blocks(said))
        )
        code = next(limits, code)
    known = {
        "code": own.get("code", code),
        "message": template.filled(own.get("message", fields["message"]), fields),
        "status": status,
    }
    known |= {name: refused.fields[name] for name in _TIMES if name in refused.fields}
    absent = {f"{{{name}}}" for name in _TIMES if name not in known}
    headers = {
        name: str(template.filled(form, known)) for name, form in _without(own.get("headers", {}), absent).items()
    }
    if "body" in whole:
        return status, template.filled(_without(whole["body"], absent), known), headers
    return status, _readable(reading, known), headers


def _readable(reading: Reading, known: Json) -> Any:
    """A body in which the service's own paths find the code and the message."""
    body: Any = {}
    for path, value in ((reading.code, known["code"]), (reading.message, known["message"]), (reading.when, True)):
        plain = path.partition("||")[0].strip()
        above = query.search(plain.rpartition(".")[0], body) if _PLAIN.fullmatch(plain) and "." in plain else None
        if _PLAIN.fullmatch(plain) and query.search(plain, body) is None and isinstance(above, (dict, type(None))):
            body = put(body, plain, value)
    return body or {"error": known["code"], "message": known["message"]}


def put(body: Any, path: str, value: Any) -> Any:
    """The body with a value at a path of plain words, of several alternatives the first.

    `@` is the body itself. At a path that is more than words nothing can be put, except into an empty body.
    """
    first = path.partition("||")[0].strip()
    if first == "@" or not _PLAIN.fullmatch(first):
        return value if first == "@" or not body else body
    whole = dict(body) if isinstance(body, dict) else {}
    here, *rest = first.split(".", 1)
    whole[here] = put(whole.get(here) or {}, rest[0], value) if rest else value
    return whole
