"""Values against a method's schema: every misfit at once, each with its place and the nearest right word.

The only home of the JSON Schema library, which is imported when `precheck` can't accept a value by itself.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import precheck, slips
from .errors import Problem, did_you_mean, nearest
from .node import places_within, resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .spec import Method, Scheme

Json = dict[str, Any]
MOST_LISTED = 12
MOST_NEAR = 2
MOST_NAME = 200
_PICTURES = {
    "jpeg": b"\xff\xd8\xff",
    "png": b"\x89PNG\r\n\x1a\n",
    "gif": b"GIF8",
    "bmp": b"BM",
    "webp": b"RIFF",
}
_WORDS = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "an object", "null": "null",
}  # fmt: skip


def misfits(value: Any, schema: Json) -> list[Any]:
    """The validator's own errors, in the order of the value."""
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(schema).iter_errors(value)
    return sorted(errors, key=lambda error: _place(value, error.absolute_path))


def _place(value: Any, path: Iterable[Any]) -> list[int]:
    """Where in a value a path leads: the number of each step among its sisters."""
    places = []
    for step in path:
        places.append(step if isinstance(value, list) else list(value).index(step))
        value = value[step]
    return places


def faults_of_schema(schema: Any) -> str:
    """Why this is no JSON Schema, or nothing. What many schemas have in common is looked at once."""
    parts = [schema]
    if isinstance(schema, dict):
        apart = {word: schema[word] for word in ("properties", "$defs") if isinstance(schema.get(word), dict)}
        parts = [
            {**schema, **{word: {} for word in apart}},
            *(node for nodes in apart.values() for node in nodes.values()),
        ]
    texts = (json.dumps(part, default=str) for part in parts)
    return next((fault for text in texts if (fault := _fault_of_schema(text))), "")


@lru_cache(maxsize=8192)
def _fault_of_schema(text: str) -> str:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(json.loads(text))
    except SchemaError as error:
        return error.message
    return ""


def canonical(method: Method, values: Mapping[str, Any]) -> tuple[Json, list[Problem]]:
    """The values under the names that the method's file uses, and the names that were given twice."""
    result: Json = {}
    spelt: dict[str, str] = {}
    problems = []
    for name, value in values.items():
        proper = method.canonical(name)
        if proper in spelt:
            message = f"is given twice, as {spelt[proper]} and as {name}"
            problems.append(Problem("error", name, message, "the service would keep only one of them"))
        spelt[proper] = name
        result[proper] = value
    return result, problems


def check(method: Method, values: Mapping[str, Any], *, more: bool = False) -> list[Problem]:
    """Every misfit of an input, errors first. `more` lets names pass that the method does not list."""
    named, problems = canonical(method, values)
    schema = {**method.schema, "additionalProperties": True} if more else method.schema
    spelt = {method.canonical(name): name for name in values} if problems else dict(zip(named, values, strict=True))
    if not _plainly(named, precheck.compiled(schema) if more else _compiled(method)):
        for error in misfits(named, schema):
            problems += _explained(error, method, named, spelt)
    problems += _contents(method, named, spelt)
    problems += _warnings(method, named, spelt)
    return list(dict.fromkeys(problems)) if problems else problems


def demanded(method: Method, scheme: Scheme, values: Mapping[str, Any]) -> list[Problem]:
    """The misfits of an input that only this way of authorising makes: what other ways let pass."""
    schema = method.by_auth.get(scheme.name)
    if schema is None:
        return []
    named = canonical(method, values)[0]
    if fits(named, schema):
        return []
    spelt = {method.canonical(name): name for name in values}
    found = [problem for error in misfits(named, schema) for problem in _explained(error, method, named, spelt)]
    return [replace(one, message=f"{one.message} with the {scheme.title}") for one in found]


def _compiled(method: Method) -> precheck.Check:
    """The quick check of a method's whole input, made once."""
    if "fits" not in method.memo:
        method.memo["fits"] = precheck.compiled(method.schema)
    check: precheck.Check = method.memo["fits"]
    return check


def _plainly(value: Any, check: precheck.Check) -> bool:
    """Whether a value fits without a doubt."""
    try:
        return check(value)
    except precheck.Unknown:
        return False


def fits(value: Any, schema: Json) -> bool:
    """Whether a value fits a schema: by the quick check where it knows all words, else by the library."""
    return _fits(value, precheck.compiled(schema), schema)


def _fits(value: Any, check: precheck.Check, schema: Json) -> bool:
    try:
        return check(value)
    except precheck.Unknown:
        return not misfits(value, schema)


def shown(value: Any, most: int = 60) -> str:
    """A value as JSON, cut to fit a sentence."""
    if isinstance(value, tuple):
        return "a Python tuple"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = f"a Python {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _dotted(path: Sequence[object], spelt: Mapping[str, str]) -> str:
    steps = [str(step) for step in path]
    return ".".join([spelt.get(steps[0], steps[0]), *steps[1:]]) if steps else ""


def _face(error: Any, bare: Any, veiled: Any) -> str:
    """The value that an error is about, as it may be shown: no secret in it."""
    for step in error.absolute_path:
        bare = bare[step]
        veiled = veiled[step] if isinstance(veiled, (dict, list)) else veiled
    named = isinstance(error.instance, str) and isinstance(bare, dict) and error.instance in bare
    return shown(error.instance if named else veiled)


def _explained(error: Any, method: Method, named: Json, spelt: Mapping[str, str]) -> Iterator[Problem]:
    """One of the validator's errors in plain words; an error of alternatives as its most telling part."""
    path = _dotted(error.absolute_path, spelt)
    value = _face(error, named, method.veiled(named))
    rule = _EXPLANATIONS.get(error.validator)
    if error.validator in {"anyOf", "oneOf"}:
        yield from _alternatives(error, method, named, spelt, path, value)
    elif error.validator == "additionalProperties":
        yield from _unknown(error, method, path)
    elif error.validator in {"required", "dependentRequired"}:
        yield from _missing(error, path)
    elif rule:
        message, hint = rule(error, value)
        yield Problem("error", path, message, hint)
    else:
        yield Problem("error", path, f"{value} does not fit the rule {error.validator!r}", _meant(error))


def _alternatives(  # noqa: PLR0913 - what is known of the error
    error: Any, method: Method, named: Json, spelt: Mapping[str, str], path: str, value: str
) -> Iterator[Problem]:
    """What is wrong where several forms are allowed."""
    ways = [part["required"] for part in error.validator_value if isinstance(part, dict) and list(part) == ["required"]]
    if len(ways) == len(error.validator_value):
        message = "give " + ", or ".join(" and ".join(way) for way in ways)
        yield Problem("error", path, message, "" if error.validator == "anyOf" else "one way only")
        return
    deep = max(error.context, key=lambda part: len(part.absolute_path), default=error)
    if len(deep.absolute_path) > len(error.absolute_path):
        yield from _explained(deep, method, named, spelt)
        return
    forms = dict.fromkeys(filter(None, (_form(part, method) for part in error.validator_value)))
    message = f"is not {' or '.join(forms)}" if error.context and forms else "does not fit exactly one of its forms"
    yield Problem("error", path, f"{value} {message}", _meant(error))


def _form(part: Any, method: Method) -> str:
    node = resolved(part, method.schema.get("$defs", {}))
    if "enum" in node:
        return "one of " + ", ".join(shown(one) for one in node["enum"][:MOST_LISTED])
    if "type" in node:
        return _types(node["type"])
    return str(node.get("description", ""))


def _types(names: Any) -> str:
    return " or ".join(_WORDS[name] for name in ([names] if isinstance(names, str) else names))


def _meant(error: Any) -> str:
    text = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
    return text.split(". ")[0].rstrip(".")


def _unknown(error: Any, method: Method, path: str) -> Iterator[Problem]:
    """Names that are not known, each with the one that may have been meant."""
    known = list(error.schema.get("properties", {}))
    forms = error.schema.get("patternProperties", {})
    for name in error.instance:
        if name in known or any(precheck.form_of(form).search(name) for form in forms):
            continue
        within = [] if path else places_within(error.schema.get("properties", {}), name, method.schema.get("$defs", {}))
        near = within[:MOST_NEAR] or nearest(name, known)
        what = f"{method.full_name} has no parameter {name}" if not path else f"has no key {name}"
        listed = ", ".join(known[:MOST_LISTED]) + ("…" if len(known) > MOST_LISTED else "")
        hint = did_you_mean(near) or (f"it has {listed}" if known else "it takes none")
        yield Problem("error", f"{path}.{name}" if path else name, what, hint)


def _missing(error: Any, path: str) -> Iterator[Problem]:
    needs = error.validator_value
    if error.validator == "required":
        for name in needs:
            if name not in error.instance:
                others = [key for key in error.instance if key not in error.schema.get("properties", {})]
                near = nearest(name, others) if path else []
                hint = f"{near[0]} stands there; inside an object every letter counts" if near else ""
                yield Problem("error", f"{path}.{name}" if path else name, "is required", hint)
        return
    for name, others in needs.items():
        for other in others:
            if name in error.instance and other not in error.instance:
                yield Problem("error", f"{path}.{other}" if path else other, f"is needed with {name}")


def _enum(error: Any, value: str) -> tuple[str, str]:
    known = error.validator_value
    noun = error.schema.get("title", "known values")
    near = nearest(str(error.instance), map(str, known))
    words = [shown(one) if not isinstance(one, str) or not one else one for one in known]
    listed = words if len(words) <= MOST_LISTED else []
    message = (
        f"{value} is not one of {len(known)} {noun}" if not listed else f"{value} is not one of {', '.join(listed)}"
    )
    return message, did_you_mean(near) or ("" if listed else f"they begin {', '.join(words[:MOST_LISTED])}")


def _type(error: Any, value: str) -> tuple[str, str]:
    place = ".".join(map(str, error.absolute_path))
    keys = [f"{place}.{key}" for key in error.schema.get("properties", {})][:MOST_NEAR]
    hint = f"give {', '.join(keys)} and the like" if keys and isinstance(error.instance, str) else ""
    return f"{value} is not {error.schema.get('title') or _types(error.validator_value)}", hint


def _pattern(error: Any, value: str) -> tuple[str, str]:
    if "title" in error.schema:
        return f"{value} is not {error.schema['title']}", ""
    return f"{value} has not the form {error.validator_value}", _meant(error)


def _bound(text: str) -> Any:
    return lambda error, value: (f"{value} {text} {error.validator_value}", "")


_EXPLANATIONS: dict[str, Any] = {
    "enum": _enum,
    "type": _type,
    "const": lambda error, value: (f"{value} is not {shown(error.validator_value)}", ""),
    "pattern": _pattern,
    "minimum": _bound("is less than"),
    "maximum": _bound("is more than"),
    "exclusiveMinimum": _bound("is not more than"),
    "exclusiveMaximum": _bound("is not less than"),
    "multipleOf": _bound("is not a multiple of"),
    "minLength": _bound("is shorter than"),
    "maxLength": _bound("is longer than"),
    "minItems": _bound("has fewer items than"),
    "maxItems": _bound("has more items than"),
    "minProperties": _bound("has fewer keys than"),
    "maxProperties": _bound("has more keys than"),
    "not": lambda error, value: (
        (f"{value} does not fit the rule 'not'", _meant(error)) if error.validator_value else ("may not be given", "")
    ),
    "uniqueItems": lambda _error, value: (f"{value} has an item twice", ""),
}


def _contents(method: Method, values: Json, spelt: Mapping[str, str]) -> Iterator[Problem]:
    """Misfits of encoded files: text that is no base64, a file that is empty or no picture."""
    for name, value in values.items():
        param = method.param(name)
        if param is None or param.schema.get("contentEncoding") != "base64" or not isinstance(value, str):
            continue
        try:
            content = base64.b64decode("".join(value.replace("\N{SOFT HYPHEN}", "").split()), validate=True)
        except (binascii.Error, ValueError):
            hint = (
                f"to send a file write @{value}"
                if len(value) < MOST_NAME and "\n" not in value
                else "it must be the file's content in base64"
            )
            face, hint = ("***", "") if param.secret else (shown(value), hint)
            yield Problem("error", spelt[name], f"{face} is not base64", hint)
            continue
        message = fault_of_content(content, param.schema.get("contentMediaType", ""))
        if message:
            yield Problem("error", spelt[name], message)


def fault_of_content(content: bytes, kind: str) -> str:
    """What is wrong with a file's content, for the kind that is wanted; nothing where it fits."""
    if not content:
        return "the file is empty"
    if kind.startswith("image/"):
        wanted = [form for form in _PICTURES if kind in {"image/*", f"image/{form}"}] or list(_PICTURES)
        sound = content[:4] == b"RIFF" and content[8:12] != b"WEBP"
        known = any(content.startswith(_PICTURES[form]) for form in wanted) and not sound
        if not known and b"<svg" not in content[:300]:
            return f"the file is no picture ({', '.join(wanted)})"
    return ""


def _warnings(method: Method, values: Json, spelt: Mapping[str, str]) -> Iterator[Problem]:
    """Advice of the method's file, what is deprecated, and keys inside objects that look like slips."""
    if "advice" not in method.memo:
        method.memo["advice"] = [(precheck.compiled(schema), schema, say) for schema, say in method.advice]
    for check, schema, say in method.memo["advice"]:
        if _fits(values, check, schema):
            yield Problem("warning", "", say)
    for name, value in values.items():
        param = method.param(name)
        if param is not None:
            if param.schema.get("deprecated"):
                yield Problem("warning", spelt[name], "is deprecated", param.schema.get("description", ""))
            if isinstance(value, (dict, list)):
                defs = method.schema.get("$defs", {})
                node = resolved(param.schema, defs)
                if node.get("names") == "rows":
                    yield from slips.of_fields(spelt[name], value, node.get("properties", ()), method)
                else:
                    yield from slips.of_keys(spelt[name], value, node, defs)
