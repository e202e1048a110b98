"""A request as plain data: its address filled, its body encoded. Nothing is sent here.

A request carries two faces, one to send and one to show; the second is the same request built again from masked
credentials and masked secret values, so nothing has to be searched for and replaced.
"""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

from . import encoding, template
from .encoding import File
from .errors import CallError, ServiceError, SpecError
from .node import concealed as concealed_in
from .node import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .spec import Method, Param, Scheme

Json = dict[str, Any]
MASK = "***"
_MOST_ARGUMENT = 100_000


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """What is sent. `shown` is the same with every secret masked; `str` and `repr` use nothing else."""

    verb: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    _masked: Callable[[], Request] | None = field(default=None, compare=False)

    @property
    def shown(self) -> Request:
        """The request as people may see it."""
        return self._masked() if self._masked else self

    def as_dict(self) -> Json:
        """The shown request as JSON: a JSON body as its value, text as text, bytes by their length."""
        face = self.shown
        return {
            "verb": face.verb,
            "url": face.url,
            "headers": dict(face.headers),
            "body": _readable(face.body),
        }

    def curl(self, *, show_secrets: bool = False) -> str:
        """A command line that a POSIX shell runs. Secrets are masked unless asked for."""
        face = self if show_secrets else self.shown
        words = ["curl", "--globoff", "--request", face.verb, face.url]
        for name, value in face.headers.items():
            words += ["--header", f"{name}: {value}"]
        body = face.body
        if body is None:
            return shlex.join(words)
        text = _text(body)
        if text is not None and len(text) < _MOST_ARGUMENT and not text.startswith("@"):
            return shlex.join([*words, "--data-binary", text])
        packed = base64.encodebytes(body).decode()
        return f"base64 -d <<'BODY' | {shlex.join([*words, '--data-binary', '@-'])}\n{packed}BODY"

    def __repr__(self) -> str:
        return f"<Request {self.verb} {self.shown.url}>"


def _text(body: bytes) -> str | None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _readable(body: bytes | None) -> Any:
    text = _text(body) if body is not None else None
    if body is not None and text is None:
        return f"{len(body)} bytes"
    try:
        return json.loads(text) if text else text
    except ValueError:
        return text


def build(  # noqa: PLR0913 - a call, its way of authorising, and its face
    method: Method,
    called: str,
    values: Mapping[str, Any],
    scheme: Scheme,
    credentials: Json,
    face: Callable[[], Mapping[str, Any]] | None = None,
) -> Request:
    """The request of a call. `called` is the method's name as the caller spelt it, `values` have passed the check.

    `face` gives the values to show, where a secret lies deeper in them than in a param of its own.
    """

    def masked() -> Request:
        secrets = {*method.service.secrets(), *(scheme.first or {}).get("keep", ())}
        masked_ones = {name: MASK if name in secrets else value for name, value in credentials.items()}
        return _built(method, called, method.veiled(values if face is None else face()), scheme, masked_ones)

    real = _built(method, called, values, scheme, credentials)
    return Request(real.verb, real.url, real.headers, real.body, masked)


def concealed(method: Method, values: Mapping[str, Any]) -> list[str]:
    """The secrets among the values of a call, as text."""
    if not _has_secrets(method):
        return []
    defs = method.schema.get("$defs", {})
    params = {name: method.param(method.canonical(name)) for name in values}
    found = (concealed_in(values[name], param.schema, defs) for name, param in params.items() if param)
    return [one for texts in found for one in texts]


def _has_secrets(method: Method) -> bool:
    """Whether a value of a call may hold a secret at all."""
    if "secrets" not in method.memo:
        params = [*method.params.values(), *(param for _, param in method.patterns)]
        given = [*(param.schema for param in params), *method.schema.get("$defs", {}).values()]
        method.memo["secrets"] = any("writeOnly" in part for node in given for part in nodes(node))
    return bool(method.memo["secrets"])


def worn(made: Request) -> list[str]:
    """The values of a request's headers that are not shown: a name and a password are one word there."""
    face = made.shown.headers
    return [
        word for name, value in made.headers.items() if value != face.get(name) for word in (value, value.split()[-1])
    ]


class _Places:
    """The values of a call, sorted by where they travel."""

    def __init__(self) -> None:
        self.path: Json = {}
        self.query: list[tuple[str, str]] = []
        self.headers: dict[str, str] = {}
        self.cookies: dict[str, str] = {}
        self.body: Json = {}
        self.form: list[tuple[str, Any]] = []
        self.parts: list[tuple[str, Any]] = []
        self.payload: list[Any] = []


def _built(method: Method, called: str, values: Mapping[str, Any], scheme: Scheme, credentials: Json) -> Request:
    places = _sorted(method, values)
    sending = method.sending
    known = credentials.keys()
    headers = {
        name: template.plain(text, credentials)
        for name, text in sending.headers.items()
        if known >= set(template.names(text))
    }
    _add_credentials(places, scheme, credentials)
    kind, body = _body(method, places, scheme, credentials)
    if kind:
        headers["Content-Type"] = kind
    headers.update(places.headers)
    if places.cookies:
        written = (f"{name}={quote(encoding.whole(value), safe='*')}" for name, value in places.cookies.items())
        headers["Cookie"] = "; ".join(written)
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            message = f"the header {name} can't hold this value"
            raise CallError(message, hint="only printable ASCII travels in a header", method=method.full_name)
    return Request(sending.verb, _address(method, called, places, scheme, credentials), headers, body)


def _sorted(method: Method, values: Mapping[str, Any]) -> _Places:
    places = _Places()
    for name, given in values.items():
        param, wire, value = written(method, name, given)
        _put(places, method, param.place if param else method.sending.place, wire, value, param)
    return places


def written(method: Method, name: str, value: Any) -> tuple[Param | None, str, Any]:
    """The param of a name, its name on the wire, and the value as its encoders write it."""
    proper = method.canonical(name)
    param = method.param(proper)
    if param is not None and param.encoded and value != MASK:
        value = encoding.encoded(value, param.schema, method.schema.get("$defs", {}), method.service.encoders)
    return param, name if param is None or "wire" not in param.schema else param.wire, value


def _put(places: _Places, method: Method, place: str, wire: str, value: Any, param: Param | None) -> None:  # noqa: PLR0913
    if place == "body":
        places.body[wire] = value
    elif place == "path":
        places.path[param.name if param else wire] = value
    elif place == "query":
        places.query += encoding.pairs(wire, value, method.sending.nested)
    elif place == "header":
        places.headers[wire] = encoding.text_of(value)
    elif place == "cookie":
        places.cookies[wire] = encoding.text_of(value)
    elif place == "form":
        places.form += encoding.pairs(wire, value, method.sending.nested)
    elif place == "part":
        places.parts.append((wire, value))
    else:
        places.payload.append(value)


def _add_credentials(places: _Places, scheme: Scheme, credentials: Json) -> None:
    """What the scheme adds in query, headers and cookies; the body's share is added with the body."""
    send = scheme.send
    for name, text in send.get("query", {}).items():
        places.query.append((name, template.plain(text, credentials)))
    for name, text in send.get("header", {}).items():
        places.headers[name] = template.plain(text, credentials)
    for name, text in send.get("cookie", {}).items():
        places.cookies[name] = template.plain(text, credentials)
    if "basic" in send:
        user, password = (template.plain(text, credentials) for text in send["basic"])
        word = MASK if MASK in {user, password} else base64.b64encode(f"{user}:{password}".encode()).decode()
        places.headers["Authorization"] = f"Basic {word}"


def _body(method: Method, places: _Places, scheme: Scheme, credentials: Json) -> tuple[str, bytes | None]:
    """The content type and the bytes of the body; nothing where there is none."""
    auth = {name: template.plain(text, credentials) for name, text in scheme.send.get("body", {}).items()}
    files = any(isinstance(value, File) for _, value in places.parts)
    if places.payload:
        places.query += auth.items()
        return _payload(method, places.payload[0])
    if files or (places.parts and (places.form or not places.body)):
        fields = [*auth.items(), *places.body.items(), *places.form, *places.parts]
        return encoding.multipart((name, _part(value)) for name, value in fields)
    if places.form:
        items = [
            *auth.items(),
            *places.form,
            *((name, encoding.text_of(value)) for name, value in places.body.items()),
        ]
        return "application/x-www-form-urlencoded", encoding.urlencoded(items).encode()
    if method.document.get("positional"):
        places.query += auth.items()
        return "application/json", encoding.json_text(_slots(method, places.body))
    fields_of_body = {**places.body, **dict(places.parts), **auth}
    if method.sending.verb in {"GET", "HEAD"} and not places.body:
        places.query += auth.items()
        return "", None
    if not fields_of_body and (method.sending.empty == "nothing" or method.sending.place != "body"):
        return "", None
    return "application/json", encoding.json_text(fields_of_body)


def _part(value: Any) -> Any:
    """A field of a form with files: text as it is, lists and objects as JSON text."""
    if isinstance(value, File):
        return value
    return encoding.json_text(value).decode() if isinstance(value, (dict, list)) else encoding.text_of(value)


def _payload(method: Method, value: Any) -> tuple[str, bytes]:
    """One param as the whole body: a file's bytes, a text, or JSON."""
    param = next(param for param in method.params.values() if param.place == "payload")
    kind = param.schema.get("contentMediaType", "")
    if isinstance(value, File):
        return (value.type if not kind or "*" in kind else kind), value.content
    if isinstance(value, str):
        return kind or "text/plain; charset=utf-8", encoding.whole(value).encode()
    return "application/json", encoding.json_text(value)


def _slots(method: Method, body: Json) -> list[Any]:
    """The values of a positional method in the order of its params, with the empty slot for those left out."""
    by_name = {method.canonical(name): value for name, value in body.items()}
    order = [name for name, param in method.params.items() if param.place == "body"]
    last = max((place for place, name in enumerate(order) if name in by_name), default=-1)
    return [by_name.get(name, method.sending.slot) for name in order[: last + 1]]


def _address(method: Method, called: str, places: _Places, scheme: Scheme, credentials: Json) -> str:
    base = _base(scheme.base, method, credentials)
    if method.sending.base:
        other = urljoin(base, _base(method.sending.base, method, credentials))
        if urlsplit(other)[:2] != urlsplit(base)[:2]:
            message = f"{method.full_name} would send the credentials of {urlsplit(base)[1]} to {urlsplit(other)[1]}"
            raise SpecError(message, where=method.origin, method=method.full_name)
        base = other
    path = template.address(
        method.sending.path,
        {"method": called, "variant": method.service.variant, **_path_values(method, places.path)},
        lambda text, kept: _escaped(text, f"{kept}*"),
    )
    url = base + path
    query = encoding.urlencoded(places.query)
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def _base(text: str, method: Method, credentials: Json) -> str:
    """A template with the credentials that it names, escaped where they are no address themselves."""
    given = tuple([credentials.get(name) for name in template.names(text)])
    last: tuple[Any, str] = method.memo.get(text, (None, ""))
    if last[0] == given:  # as in the call before
        return last[1]
    fields = method.service.fields
    known = {
        name: value if fields.get(name, {}).get("format") in {"hostname", "uri"} else _escaped(str(value), "*")
        for name, value in zip(template.names(text), given, strict=True)
        if value is not None
    }
    filled = template.plain(text, known)
    method.memo[text] = (given, filled)
    return filled


def _escaped(text: str, kept: str) -> str:
    return text if text.isascii() and text.isalnum() else quote(encoding.whole(text), safe=kept)


def _path_values(method: Method, values: Json) -> Json:
    """The path's values, none of which may lead out of its place."""
    found = {}
    for name, value in values.items():
        text = encoding.text_of(value)
        if not text and f"{{{name}}}" in method.sending.path:
            message = f"{name} stands in the address and can't be empty"
            raise CallError(message, method=method.full_name)
        if {".", ".."} & set(text.split("/")):
            message = f"{name} stands in the address and can't be {text!r}"
            raise CallError(message, method=method.full_name)
        found[name] = text or None
    return found


def following(request: Request, address: str, kept: Iterable[str] = ()) -> Request:
    """The same request at the address of a next page. Raises ServiceError where that is another host's.

    `kept` are the names in the query, such as a credential's, that the address need not repeat.
    """
    target = urljoin(request.url, address)
    given = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    repeated = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
    lost = [(name, given[name]) for name in kept if name in given and name not in repeated]
    if lost:
        target += ("&" if urlsplit(target).query else "?") + encoding.urlencoded(lost)
    if urlsplit(target)[:2] != urlsplit(request.url)[:2]:
        message = f"the next page stands on another host, {urlsplit(target)[1]}"
        raise ServiceError(message, kind="server")
    face = request.shown
    same = urlsplit(target).path == urlsplit(request.url).path
    seen = face.url.partition("?")[0] if same else urljoin(face.url, f"/{MASK}")  # a path may hold a secret
    shown = Request(face.verb, seen, face.headers, face.body)
    return Request(request.verb, target, request.headers, request.body, lambda: shown)
