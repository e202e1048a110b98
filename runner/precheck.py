"""Whether a value plainly fits a JSON Schema: yes, no, or "ask the validator".

It knows the words below and nothing else, answers in microseconds and imports nothing heavy, so that a good
call never waits for the validator. It reports no misfits: whatever it does not accept is the validator's to
explain. A test holds the two together on every schema and on made values.

A schema is turned into functions once, each part of it when a value first comes to it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[Any], bool]

Json = dict[str, Any]


class Unknown(Exception):
    """The schema has a word that is not known here."""


def fits(value: Any, schema: Json) -> bool:
    """Whether `value` fits `schema`. Raises Unknown where this module can't tell."""
    return compiled(schema)(value)


def compiled(schema: Json) -> Check:
    """A function that tells whether a value fits `schema`, for many values. It raises Unknown where it can't tell."""
    return _Root(schema).check(schema)


class _Root:
    """A schema that is being compiled: its shared types, each compiled once."""

    def __init__(self, schema: Json) -> None:
        self.types: Json = schema.get("$defs", {})
        self.known: dict[str, Check] = {}

    def check(self, node: Any) -> Check:
        """The check of a node: all of its words, in their order."""
        if isinstance(node, bool):
            return lambda _: node
        checks = tuple(self._word(word, argument, node) for word, argument in node.items() if word not in _SILENT)
        if len(checks) == 1:
            return checks[0]

        def every(value: Any) -> bool:
            for check in checks:  # noqa: SIM110 - a generator would take as long as the checks
                if not check(value):
                    return False
            return True

        return every

    def _word(self, word: str, argument: Any, node: Json) -> Check:
        rule = _RULES.get(word)
        return rule(argument, node, self) if rule else _unknown(word)

    def checks(self, nodes: list[Any]) -> list[Check]:
        """The check of each node."""
        return [self.check(node) for node in nodes]


def _unknown(word: str) -> Check:
    def refuse(_: Any) -> bool:
        raise Unknown(word)

    return refuse


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


def _string(value: Any) -> bool:
    return isinstance(value, str)


def _array(value: Any) -> bool:
    return isinstance(value, list)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _integer(value: Any) -> bool:
    if type(value) is int:
        return True
    return number(value) and value - value == 0 and value == int(value)


_TYPES: dict[str, Check] = {
    "string": _string,
    "integer": _integer,
    "number": number,
    "boolean": lambda value: isinstance(value, bool),
    "array": _array,
    "object": _object,
    "null": lambda value: value is None,
}


@lru_cache(maxsize=1024)
def form_of(pattern: str) -> re.Pattern[str]:
    """A pattern, compiled once."""
    return re.compile(pattern)


def _type(names: Any, _node: Json, _root: _Root) -> Check:
    if isinstance(names, str):
        return _TYPES[names]
    kinds = [_TYPES[name] for name in names]
    return lambda value: any(is_one(value) for is_one in kinds)


def _enum(known: list[Any], _node: Json, _root: _Root) -> Check:
    if all(map(_string, known)):
        texts = frozenset(known)
        return lambda value: isinstance(value, str) and value in texts
    return lambda value: any(equal(value, one) for one in known)


def _const(only: Any, _node: Json, _root: _Root) -> Check:
    return lambda value: equal(value, only)


def _ref(target: str, _node: Json, root: _Root) -> Check:
    if not target.startswith("#/$defs/"):
        return _unknown(target)
    name = target[8:]

    def check(value: Any) -> bool:
        if name not in root.known:
            root.known[name] = root.check(root.types[name])
        return root.known[name](value)

    return check


def _required(names: list[str], _node: Json, _root: _Root) -> Check:
    return lambda value: not isinstance(value, dict) or all(name in value for name in names)


def _properties(nodes: Json, _node: Json, root: _Root) -> Check:
    known: dict[str, Check] = {}

    def check(value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        for name, item in value.items():
            if name not in known:
                if name not in nodes:
                    continue
                known[name] = root.check(nodes[name])
            if not known[name](item):
                return False
        return True

    return check


def _pattern_properties(forms: Json, _node: Json, root: _Root) -> Check:
    known = {form: root.check(node) for form, node in forms.items()}
    return lambda value: (
        not isinstance(value, dict)
        or all(
            check(item) for form, check in known.items() for name, item in value.items() if form_of(form).search(name)
        )
    )


def _additional(rest: Any, node: Json, root: _Root) -> Check:
    known, forms, check = node.get("properties", {}), node.get("patternProperties", {}), root.check(rest)
    return lambda value: (
        not isinstance(value, dict)
        or all(
            check(item)
            for name, item in value.items()
            if name not in known and not any(form_of(form).search(name) for form in forms)
        )
    )


def _property_names(names: Any, _node: Json, root: _Root) -> Check:
    check = root.check(names)
    return lambda value: not isinstance(value, dict) or all(map(check, value))


def _items(node: Any, above: Json, root: _Root) -> Check:
    check, heads = root.check(node), len(above.get("prefixItems", ()))
    return lambda value: not isinstance(value, list) or all(map(check, value[heads:] if heads else value))


def _prefix(heads: list[Any], _node: Json, root: _Root) -> Check:
    checks = root.checks(heads)
    return lambda value: (
        not isinstance(value, list) or all(check(item) for item, check in zip(value, checks, strict=False))
    )


def _unique(wanted: bool, _node: Json, _root: _Root) -> Check:  # noqa: FBT001
    return lambda value: (
        not wanted
        or not isinstance(value, list)
        or not any(equal(one, other) for place, one in enumerate(value) for other in value[:place])
    )


def _all(parts: list[Any], _node: Json, root: _Root) -> Check:
    checks = root.checks(parts)
    return lambda value: all(check(value) for check in checks)


def _any(parts: list[Any], _node: Json, root: _Root) -> Check:
    checks = root.checks(parts)
    return lambda value: any(check(value) for check in checks)


def _one(parts: list[Any], _node: Json, root: _Root) -> Check:
    checks = root.checks(parts)
    return lambda value: sum(check(value) for check in checks) == 1


def _not(part: Any, _node: Json, root: _Root) -> Check:
    check = root.check(part)
    return lambda value: not check(value)


def _if(condition: Any, node: Json, root: _Root) -> Check:
    holds, then, other = root.checks([condition, node.get("then", True), node.get("else", True)])
    return lambda value: then(value) if holds(value) else other(value)


def _dependent_required(needs: Json, _node: Json, _root: _Root) -> Check:
    return lambda value: (
        not isinstance(value, dict)
        or all(other in value for name, others in needs.items() if name in value for other in others)
    )


def _dependent_schemas(needs: Json, _node: Json, root: _Root) -> Check:
    checks = {name: root.check(node) for name, node in needs.items()}
    return lambda value: (
        not isinstance(value, dict) or all(check(value) for name, check in checks.items() if name in value)
    )


def _compared(holds: Callable[[Any, Any], bool], of: Check, size: Callable[[Any], Any]) -> Any:
    def rule(bound: Any, _node: Json, _root: _Root) -> Check:
        return lambda value: not of(value) or holds(size(value), bound)

    return rule


_AS_IS: Callable[[Any], Any] = lambda value: value  # noqa: E731
_RULES: dict[str, Callable[[Any, Json, _Root], Check]] = {
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
    "pattern": _compared(lambda text, form: bool(form_of(form).search(text)), _string, _AS_IS),
    "minLength": _compared(lambda size, least: size >= least, _string, len),
    "maxLength": _compared(lambda size, most: size <= most, _string, len),
    "minimum": _compared(lambda value, least: value >= least, number, _AS_IS),
    "maximum": _compared(lambda value, most: value <= most, number, _AS_IS),
    "exclusiveMinimum": _compared(lambda value, least: value > least, number, _AS_IS),
    "exclusiveMaximum": _compared(lambda value, most: value < most, number, _AS_IS),
    "minItems": _compared(lambda size, least: size >= least, _array, len),
    "maxItems": _compared(lambda size, most: size <= most, _array, len),
    "minProperties": _compared(lambda size, least: size >= least, _object, len),
    "maxProperties": _compared(lambda size, most: size <= most, _object, len),
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
        "names",
    ]
)
