"""A reply read: a result, or the service's refusal. The body is tested before the status."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from . import query
from .errors import REFUSALS, Outcome, ServiceError, TransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .spec import Method

_OK, _REFUSED, _MOVED = 200, 400, 300
_MISSING = object()
_DOUBT = "the service may have acted; look before you call again"
EMPTY, CUT = "empty", "JSON that is cut short"  # the two that may well be whole when asked for again


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: status, headers with lower-case names, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """A success. `value` is what the method gives, `meta` what stands beside it, `raw` the whole answer."""

    value: Any
    meta: Mapping[str, Any] = field(default_factory=dict)
    raw: Any = None
    reply: Reply | None = field(default=None, repr=False, compare=False)


def read(method: Method, reply: Reply) -> Result:
    """The result of a reply. Raises ServiceError where the service said no, TransportError where it said nothing."""
    body = _json(reply)
    if body is not _MISSING:
        refuse(method, body, reply.status)
    if reply.status >= _REFUSED:
        _refused_by_status(method, reply, body)
    if _OK <= reply.status < _MOVED:
        return _success(method, reply, body)
    return _unusable(method, reply, "the service answered with a redirect")


def refuse(method: Method, body: Any, status: int) -> None:
    """Raise the refusal that an answer's body holds, if it holds one."""
    reading = method.reading
    said = query.search(reading.when, body) if reading.when else None
    if said is None or said is False:
        return
    code = _text(query.search(reading.code, body)) if reading.code else ""
    message = _text(query.search(reading.message, body)) if reading.message else ""
    details = query.search(reading.details, body) if reading.details else None
    raise refusal(method, code, message, status, details)


def refusal(method: Method, code: str, message: str, status: int, details: Any = None) -> ServiceError:
    """The error of a code, as the files describe it."""
    known = method.refusal(code, status, message)
    kind = known.kind if known else _kind(status)
    rejected = bool(known and known.rejected)
    doubtful = kind == "server" and not rejected and method.effect != "read"
    hint = _filled(known.hint, method) if known else ""
    return REFUSALS.get(kind, ServiceError)(
        message,
        code=code,
        status=status,
        kind=kind,  # type: ignore[arg-type]
        rejected=rejected,
        details=details,
        outcome="unknown" if doubtful else "",
        hint="; ".join(filter(None, [hint, _DOUBT])) if doubtful else hint,
        method=method.full_name,
    )


def _filled(hint: str, method: Method) -> str:
    return hint.replace("{scope}", method.scope).replace("{method}", method.full_name)


def _kind(status: int) -> str:
    by_status = {401: "auth", 403: "forbidden", 404: "not_found", 409: "conflict", 429: "rate_limit"}
    return by_status.get(status, "server" if status >= 500 else "usage")  # noqa: PLR2004


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _json(reply: Reply) -> Any:
    """The body as JSON, or _MISSING."""
    try:
        text = reply.body.decode(json.detect_encoding(reply.body), "surrogatepass")
        return _JSON.decode(text) if text.strip() else _MISSING
    except (ValueError, RecursionError):
        return _MISSING


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_JSON = json.JSONDecoder(parse_constant=_no_number)


def _refused_by_status(method: Method, reply: Reply, body: Any) -> NoReturn:
    """A status of 400 and more whose body is no refusal by itself: known by the status alone, or no usable answer.

    What the body says of itself is told all the same, else the status is named.
    """
    reading, held = method.reading, None if body is _MISSING else body
    code = _text(query.search(reading.code, held)) if reading.code else ""
    known = method.refusal(code, reply.status)
    if known is None and not isinstance(held, dict):
        _unusable(method, reply, f"the service answered {reply.status}")
    message = _text(query.search(reading.message, held)) if reading.message else ""
    details = query.search(reading.details, held) if reading.details else None
    raise refusal(
        method,
        code or (str(reply.status) if known else ""),
        message or (first_line(reply) if body is _MISSING else "") or _phrase(reply.status),
        reply.status,
        held if details is None else details,
    )


def _phrase(status: int) -> str:
    """The standard's name of a status; nothing for one that it does not have."""
    from http import HTTPStatus

    return next((one.phrase for one in HTTPStatus if one == status), "")


def _success(method: Method, reply: Reply, body: Any) -> Result:
    answers = method.reading.answers
    if not reply.body and "empty" in answers:
        return Result(None, {}, None, reply)
    if body is not _MISSING and "json" in answers:
        meta = {name: query.search(path, body) for name, path in method.reading.meta.items()}
        found = {name: value for name, value in meta.items() if value is not None}
        return Result(query.search(method.reading.result, body), found, body, reply)
    if "bytes" in answers:
        return Result(reply.body, {}, reply.body, reply)
    if "text" in answers:
        try:
            text = reply.body.decode()
        except UnicodeDecodeError:
            _unusable(method, reply, "the answer is not UTF-8 text")
        return Result(text, {}, text, reply)
    fault = _fault(reply)
    return _unusable(method, reply, f"the answer is {fault}", final=fault not in {EMPTY, CUT})


def _fault(reply: Reply) -> str:
    """What is wrong with an answer that should have been JSON."""
    if not reply.body.strip():
        return EMPTY
    try:
        text = reply.body.decode()
    except UnicodeDecodeError:
        return "not UTF-8 text"
    if re.match(r"\s*<", text):
        return "a web page, not JSON"
    return CUT if re.match(r"\s*[\[{]", text) else "no JSON"


def _unusable(method: Method, reply: Reply, message: str, *, final: bool = False) -> NoReturn:
    line = first_line(reply)
    outcome: Outcome = "not sent" if _MOVED <= reply.status < _REFUSED else "unknown"
    hint = ""
    if outcome == "not sent":
        hint = f"it points to {_host(reply)}; if that is the right host, call it by name"
    elif method.effect != "read":
        hint = _DOUBT
    raise TransportError(
        f"{message}: {line}" if line else message,
        outcome=outcome,
        status=reply.status,
        final=final,
        hint=hint,
        method=method.full_name,
    )


def _host(reply: Reply) -> str:
    """Where a redirect leads, without the path: that may hold a secret."""
    parts = urlsplit(reply.headers.get("location", ""))
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another address of the same host"


def first_line(reply: Reply, most: int = 120) -> str:
    """The first words of a body that is no answer, for a person to recognise it: a page's title, else a line."""
    text = reply.body[:4096].decode(errors="replace")
    title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
    line = title[1] if title else next((line for line in text.splitlines() if line.strip()), "")
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in line).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
