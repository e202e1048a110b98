"""Search and completion of names, from the index alone. What it can't answer it leaves to the others."""

from __future__ import annotations

import os
import sys

from .. import __version__, index
from ..folders import folder, search_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = (
    "batch", "bulk", "check", "completion", "find", "login", "logout", "new", "profiles", "sandbox", "show",
)  # fmt: skip
RESERVED = ("mcp",)
SHELLS = ("bash", "fish", "zsh")
MOST_HITS = 40
NEAREST = "no method has all of these words; the nearest are\n"


def answer(argv: list[str]) -> int | None:
    """Answer `find WORDS` or `--complete WORDS`; None where more than the index is needed."""
    if argv[0] == "find" and any(word.startswith("-") for word in argv[1:]):
        return None
    trees = _trees(_where(argv))
    if trees is None:
        return None
    if argv[0] == "find":
        return _find(trees, " ".join(argv[1:]))
    found = candidates(trees, argv[1:])
    if found is None:
        return None
    sys.stdout.write("".join(f"{word}\n" for word in found))
    return 0


def _where(argv: list[str]) -> Callable[[str], bool]:
    """The folders of a large tree to look at: those above all areas, or where the name being completed would stand."""
    if len(argv) < 3 or argv[0] == "find":  # noqa: PLR2004 - --complete, a service, the beginning of a name
        return index.upper
    return index.near("/".join([argv[-2], *argv[-1].split(".")[:2]]))


def _trees(where: Callable[[str], bool]) -> list[index.Tree] | None:
    """The indexes of the search path, where all of them are there and current."""
    cache = os.path.join(folder("cache"), "index")
    found = []
    for root in search_path():
        tree = index.read(root, cache, __version__)
        if tree is None or not tree.current(where):
            return None
        found.append(tree)
    return found


def language() -> str:
    """The language of the person: two letters, from the environment."""
    names = ("DECLAREST_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    first = next((os.environ[name] for name in names if os.environ.get(name)), "")
    short = first.split("_")[0].split(".")[0].lower()
    return "" if short in {"", "c", "posix", "en"} else short[:2]


def _find(trees: list[index.Tree], words: str) -> int | None:
    services = {cells[1] for tree in trees for cells in tree.rows("S")}
    first, _, more = words.partition(" ")
    service, words = (first, more) if more and first in services else ("", words)
    from .. import search

    rows, whole = search.search(trees, words, service, language())
    shown = rows[:MOST_HITS]
    folders = {row.file.rpartition("/")[0] for row in shown}
    fresh = all(any(tree.fresh(row) for tree in trees) for row in shown)
    if not rows or not fresh or not all(tree.current(folders.__contains__) for tree in trees):
        return None  # nothing to show, or something changed beside it: more than the index is needed
    if not whole:
        sys.stderr.write(NEAREST)
    sys.stdout.write(listed(rows, services=len(services) > 1))
    return 0


def listed(rows: list[index.Row], *, services: bool, most: int = MOST_HITS) -> str:
    """Methods with their summaries, one a line."""
    names = [f"{row.service} {row.name}" if services else row.name for row in rows[:most]]
    width = min(max(map(len, names), default=0), 44)
    lines = [f"{name:<{width}}  {row.summary}\n" for name, row in zip(names, rows, strict=False)]
    if len(rows) > most:
        lines.append(f"… and {len(rows) - most} more: say another word\n")
    return "".join(lines)


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def candidates(trees: list[index.Tree], words: list[str]) -> list[str] | None:
    """What may stand in the place of the last word; None where a flag or a value is wanted."""
    *before, current = words or [""]
    services = sorted({cells[1] for tree in trees for cells in tree.rows("S")})
    if not before:
        return [word for word in (*COMMANDS, *services) if word.startswith(current.lower())]
    head = before[-1]
    if current.startswith("-") or head.startswith("-") or len(before) > 2:  # noqa: PLR2004 - command, service, name
        return None
    if len(before) == 1 and head == "completion":
        return [shell for shell in SHELLS if shell.startswith(current)]
    if len(before) == 1 and head in {"batch", "bulk", "login", "logout", "new", "profiles", "show", "sandbox"}:
        extra = {"sandbox": ["serve", "reset"], "profiles": ["default"]}.get(head, [])
        named = _names(trees, services[0], current) if head == "show" and len(services) == 1 else []
        return [word for word in (*extra, *services, *named) if word.startswith(current)]
    if head in {"serve", "reset"}:
        return [word for word in services if word.startswith(current)]
    if head in services and before[0] in {head, "bulk", "show", "new"}:
        return _names(trees, head, current)
    return None


def _names(trees: list[index.Tree], service: str, start: str) -> list[str]:
    """The names of methods and of other tools' commands that begin so, letter case apart."""
    found: dict[str, None] = {}
    for tree in trees:
        for kind in "MA":
            for name in tree.starting(kind, service, start.lower()):
                found.setdefault(name)
    return sorted(found)
