"""Whether a value plainly fits a JSON Schema: yes, no, or "ask the validator".

It knows the words below and nothing else, answers in microseconds and imports nothing heavy, so that a good
call never waits for the validator. It reports no misfits: whatever it does not accept is the validator's to
explain. A test holds the two together on every schema and on made values.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]


class Unknown(Exception):
    """The schema has a word that is not known here."""


def fits(value: Any, schema: Json) -> bool:
    """Whether `value` fits `schema`. Raises Unknown where this module can't tell."""
    return _fits(value, schema, schema)


def _fits(value: Any, node: Any, root: Json) -> bool:
    if node is True:
        return True
    if node is False:
        return False
    for word, argument in node.items():
        rule = _RULES.get(word)
        if rule is None:
            if word not in _SILENT:
                raise Unknown(word)
        elif not rule(value, argument, node, root):
            return False
    return True


def equal(one: Any, other: Any) -> bool:
    """JSON equality: true is not 1, 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def number(value: Any) -> bool:
    """Whether a value is a JSON number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: number(value) and value == int(value) if _finite(value) else False,
    "number": number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def _finite(value: Any) -> bool:
    return number(value) and value - value == 0


@lru_cache(maxsize=1024)
def form_of(pattern: str) -> re.Pattern[str]:
    """A pattern, compiled once."""
    return re.compile(pattern)


def _type(value: Any, names: Any, _node: Json, _root: Json) -> bool:
    if isinstance(names, str):
        return _TYPES[names](value)
    return any(_TYPES[name](value) for name in names)


def _enum(value: Any, known: list[Any], _node: Json, _root: Json) -> bool:
    return any(equal(value, one) for one in known)


def _const(value: Any, only: Any, _node: Json, _root: Json) -> bool:
    return equal(value, only)


def _ref(value: Any, target: str, _node: Json, root: Json) -> bool:
    if not target.startswith("#/$defs/"):
        raise Unknown(target)
    return _fits(value, root["$defs"][target[8:]], root)


def _required(value: Any, names: list[str], _node: Json, _root: Json) -> bool:
    return not isinstance(value, dict) or all(name in value for name in names)


def _properties(value: Any, known: Json, _node: Json, root: Json) -> bool:
    if not isinstance(value, dict):
        return True
    return all(_fits(item, known[name], root) for name, item in value.items() if name in known)


def _pattern_properties(value: Any, forms: Json, _node: Json, root: Json) -> bool:
    if not isinstance(value, dict):
        return True
    return all(
        _fits(item, node, root)
        for form, node in forms.items()
        for name, item in value.items()
        if form_of(form).search(name)
    )


def _additional(value: Any, rest: Any, node: Json, root: Json) -> bool:
    if not isinstance(value, dict):
        return True
    known, forms = node.get("properties", {}), node.get("patternProperties", {})
    return all(
        _fits(item, rest, root)
        for name, item in value.items()
        if name not in known and not any(form_of(form).search(name) for form in forms)
    )


def _property_names(value: Any, names: Any, _node: Json, root: Json) -> bool:
    return not isinstance(value, dict) or all(_fits(name, names, root) for name in value)


def _items(value: Any, node: Any, above: Json, root: Json) -> bool:
    if not isinstance(value, list):
        return True
    return all(_fits(item, node, root) for item in value[len(above.get("prefixItems", ())) :])


def _prefix(value: Any, heads: list[Any], _node: Json, root: Json) -> bool:
    return not isinstance(value, list) or all(_fits(item, head, root) for item, head in zip(value, heads, strict=False))


def _unique(value: Any, wanted: bool, _node: Json, _root: Json) -> bool:  # noqa: FBT001
    if not wanted or not isinstance(value, list):
        return True
    return not any(equal(one, other) for place, one in enumerate(value) for other in value[:place])


def _all(value: Any, parts: list[Any], _node: Json, root: Json) -> bool:
    return all(_fits(value, part, root) for part in parts)


def _any(value: Any, parts: list[Any], _node: Json, root: Json) -> bool:
    return any(_fits(value, part, root) for part in parts)


def _one(value: Any, parts: list[Any], _node: Json, root: Json) -> bool:
    return sum(_fits(value, part, root) for part in parts) == 1


def _not(value: Any, part: Any, _node: Json, root: Json) -> bool:
    return not _fits(value, part, root)


def _if(value: Any, condition: Any, node: Json, root: Json) -> bool:
    branch = "then" if _fits(value, condition, root) else "else"
    return _fits(value, node.get(branch, True), root)


def _dependent_required(value: Any, needs: Json, _node: Json, _root: Json) -> bool:
    return not isinstance(value, dict) or all(
        other in value for name, others in needs.items() if name in value for other in others
    )


def _dependent_schemas(value: Any, needs: Json, _node: Json, root: Json) -> bool:
    return not isinstance(value, dict) or all(_fits(value, node, root) for name, node in needs.items() if name in value)


def _compared(holds: Callable[[Any, Any], bool], of: Callable[[Any], bool], size: Callable[[Any], Any]) -> Any:
    def rule(value: Any, bound: Any, _node: Json, _root: Json) -> bool:
        return not of(value) or holds(size(value), bound)

    return rule


_AS_IS: Callable[[Any], Any] = lambda value: value  # noqa: E731
_RULES: dict[str, Callable[[Any, Any, Json, Json], bool]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "$ref": _ref,
    "required": _required,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "propertyNames": _property_names,
    "items": _items,
    "prefixItems": _prefix,
    "uniqueItems": _unique,
    "allOf": _all,
    "anyOf": _any,
    "oneOf": _one,
    "not": _not,
    "if": _if,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "pattern": _compared(lambda text, form: bool(form_of(form).search(text)), _TYPES["string"], _AS_IS),
    "minLength": _compared(lambda size, least: size >= least, _TYPES["string"], len),
    "maxLength": _compared(lambda size, most: size <= most, _TYPES["string"], len),
    "minimum": _compared(lambda value, least: value >= least, number, _AS_IS),
    "maximum": _compared(lambda value, most: value <= most, number, _AS_IS),
    "exclusiveMinimum": _compared(lambda value, least: value > least, number, _AS_IS),
    "exclusiveMaximum": _compared(lambda value, most: value < most, number, _AS_IS),
    "minItems": _compared(lambda size, least: size >= least, _TYPES["array"], len),
    "maxItems": _compared(lambda size, most: size <= most, _TYPES["array"], len),
    "minProperties": _compared(lambda size, least: size >= least, _TYPES["object"], len),
    "maxProperties": _compared(lambda size, most: size <= most, _TYPES["object"], len),
}
_SILENT = frozenset(
    [
        "labels",
        "$schema",
        "$id",
        "$defs",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "format",
        "then",
        "else",
        "contentEncoding",
        "contentMediaType",
        "encode",
        "cli",
        "in",
        "wire",
        "send",
        "preset",
        "generate",
    ]
)
