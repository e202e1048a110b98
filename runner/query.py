"""Places in an answer: JMESPath over the body, `status`, `header.NAME`, `link.next`.

A path of plain words is walked here; anything else is JMESPath's, which is imported only then.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .errors import CallError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WORDS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_LINK = re.compile(r'<([^>]*)>\s*;[^,]*?\brel="?([^";,]+)"?')


@lru_cache(maxsize=1024)
def compiled(path: str) -> Callable[[Any], Any]:
    """A function from a value to what stands at `path` in it, None where nothing does. Raises SpecError."""
    if path == "@":
        return lambda value: value
    if _WORDS.fullmatch(path):
        return _walker(path.split("."))
    import jmespath

    try:
        return jmespath.compile(path).search  # type: ignore[no-any-return]
    except jmespath.exceptions.JMESPathError as error:
        message = f"{path!r} is no JMESPath: {str(error).splitlines()[0]}"
        raise SpecError(message) from None


def _walker(words: list[str]) -> Callable[[Any], Any]:
    first, *rest = words
    if not rest:
        return lambda value: value.get(first) if isinstance(value, dict) else None

    def walk(value: Any) -> Any:
        for word in words:
            value = value.get(word) if isinstance(value, dict) else None
        return value

    return walk


def search(path: str, value: Any) -> Any:
    """What stands at `path` in `value`; a path that does not fit the value finds nothing."""
    found = compiled(path)
    try:
        return found(value)
    except ValueError:  # the root of JMESPath's errors: a function was given a value of another type
        return None


def ask(path: str, value: Any) -> Any:
    """The same for a path that the caller wrote: a mistake in it is the caller's."""
    try:
        return compiled(path)(value)
    except SpecError as error:
        raise CallError(error.message, hint="see https://jmespath.org for the grammar") from None
    except ValueError as error:
        message = f"{path!r} does not fit the answer: {str(error).splitlines()[0]}"
        raise CallError(message) from None


def place(path: str, body: Any, headers: Mapping[str, str]) -> Any:
    """What stands at a place of a whole answer. Header names are lower case."""
    if path.startswith("header."):
        return headers.get(path[7:].lower())
    if path.startswith("link."):
        links = {rel: target for target, rel in _LINK.findall(headers.get("link", ""))}
        return links.get(path[5:])
    return search(path, body)
