"""What the files say of the errors of a service: by code, by a part of it, by status, and by the words of a message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Json = dict[str, Any]
_REFUSED = 400
ANY = "*"  # the name of the errors that nothing but their message tells apart


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is known of one error. The three places of a waiting time are read by `pacing`."""

    kind: str = "usage"
    rejected: bool = False
    hint: str = ""
    wait: str = ""
    wait_ms: str = ""
    until: str = ""


def blocks(said: Any) -> list[Json]:
    """What stands under one name: a block, or several that are told apart by the message."""
    return said if isinstance(said, list) else [said]


def known(books: Sequence[Mapping[str, Any]], code: str, status: int, message: str = "") -> Refusal | None:
    """What is known of an error.

    Its code comes first, then names with `*`, its status, the class of its status, and `*` alone. A refusal under a
    status of success, or one in a batch, which has none of its own, counts as one of 400. Under each name the message
    tells the kind, where it can; of what agrees with that an earlier book's comes before a later one's.
    """
    for names in _names(books, code.lower(), status):
        found = [block for book, name in names for block in blocks(book[name])]
        told = next((block for block in found if _fits(block, message)), None)
        for block in found:
            if block is told or ("message" not in block and (told is None or _kind(block) == _kind(told))):
                return Refusal(**{word: value for word, value in block.items() if word != "message"})
    return None


def _names(books: Sequence[Mapping[str, Any]], code: str, status: int) -> Iterator[list[tuple[Mapping[str, Any], str]]]:
    """The names that an error goes by, the most exact first, each with the book that has it."""
    everything = [(book, name) for book in books for name in book]
    if code:
        yield [(book, name) for book, name in everything if name.lower() == code]
        yield [(book, name) for book, name in everything if _has(name.lower(), code)]
    status = max(status, _REFUSED)
    for number in (str(status), f"{status // 100}xx", ANY):
        yield [(book, name) for book, name in everything if name.lower() == number]


def _has(name: str, code: str) -> bool:
    """Whether a name with `*` in it, which stands for any part, is that of a code."""
    return ANY in name and name != ANY and bool(re.fullmatch(".*".join(map(re.escape, name.split(ANY))), code))


def _fits(block: Json, message: str) -> bool:
    """Whether a block has a pattern that is found in a message, in any letter case."""
    return "message" in block and bool(re.search(block["message"], message, re.IGNORECASE))


def _kind(block: Json) -> str:
    return str(block.get("kind", Refusal().kind))
