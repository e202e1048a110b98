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


@lru_cache(maxsize=1024)
def _pieces(template: str) -> tuple[tuple[str, str, str], ...]:
    """A template cut up: each text with the mark and the name of the field behind it, the last one without."""
    *cut, rest = _FIELD.split(template)
    return (*zip(cut[::3], cut[1::3], cut[2::3], strict=True), (rest, "", ""))


def names(template: str) -> list[str]:
    """The fields of a template, in order."""
    return [name for _, _, name in _pieces(template) if name]


def plain(template: str, values: Mapping[str, object]) -> str:
    """The template with each field as it is. A field without a value is a KeyError."""
    return "".join([text + str(values[name]) if name else text for text, _, name in _pieces(template)])


def address(template: str, values: Mapping[str, object], quote: Callable[[str, str], str]) -> str:
    """The template with each field escaped by `quote(text, characters to keep)`; absent fields are empty."""
    written = ""
    for text, mark, name in _pieces(template):
        written += text
        value = values.get(name) if name else None
        if value is not None:
            escaped = quote(str(value), "/" if mark == "+" else "")
            written += f"/{escaped}" if mark == "/" else escaped
    return written


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
