"""Texts with `{name}` in them: filled one way, matched the other. Nothing is computed.

`{name}` stands for a value escaped for an address; `{+name}` keeps its slashes; `{/name}` is a slash and a
value, or nothing where there is no value (RFC 6570, levels 1 to 3).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FIELD = re.compile(r"\{([+/]?)(\w+)\}")
_KEPT = {"hostname": r"[^/?#@\s]+", "uri": r"[^?#\s]+?", "integer": r"\d+"}


def names(template: str) -> list[str]:
    """The fields of a template, in order."""
    return [match[2] for match in _FIELD.finditer(template)]


def plain(template: str, values: Mapping[str, object]) -> str:
    """The template with each field as it is. A field without a value is a KeyError."""
    return _FIELD.sub(lambda match: str(values[match[2]]), template)


def address(template: str, values: Mapping[str, object], quote: Callable[[str, str], str]) -> str:
    """The template with each field escaped by `quote(text, characters to keep)`; absent fields are empty."""

    def written(match: re.Match[str]) -> str:
        value = values.get(match[2])
        if value is None:
            return ""
        text = quote(str(value), "/" if match[1] == "+" else "")
        return f"/{text}" if match[1] == "/" else text

    return _FIELD.sub(written, template)


def filled(node: Any, values: Mapping[str, object]) -> Any:
    """A JSON value with its fields filled: a text that is one field becomes the value itself."""
    if isinstance(node, str):
        whole = _FIELD.fullmatch(node)
        return values[whole[2]] if whole and whole[2] in values else _within(node, values)
    if isinstance(node, dict):
        return {_within(key, values): filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(item, values) for item in node]
    return node


def _within(text: str, values: Mapping[str, object]) -> str:
    return _FIELD.sub(lambda match: str(values[match[2]]) if match[2] in values else match[0], text)


def matched(template: str, text: str, kinds: Mapping[str, str]) -> dict[str, str] | None:
    """The fields of a text that was written by this template, or None.

    `kinds` says what a field holds, where that narrows it: `hostname`, `uri` or `integer`.
    """
    found = pattern(template, tuple(sorted(kinds.items()))).fullmatch(text)
    return {name: value for name, value in found.groupdict().items() if value is not None} if found else None


@lru_cache(maxsize=512)
def pattern(template: str, kinds: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    """The regular expression of the texts that a template writes."""
    known, parts, end = dict(kinds), [], 0
    for field in _FIELD.finditer(template):
        parts.append(re.escape(template[end : field.start()]))
        body = _KEPT.get(known.get(field[2], ""), ".*" if field[1] == "+" else r"[^/?#\s]+")
        group = f"(?P<{field[2]}>{body})" if f"(?P<{field[2]}>" not in "".join(parts) else body
        parts.append(f"(?:/{group})?" if field[1] == "/" else group)
        end = field.end()
    return re.compile("".join(parts) + re.escape(template[end:]))
