"""Search of methods in words, over the indexes of all folders: the nearest first.

A word is looked for as it stands or inside a longer one, without the letters that a number or a case may change,
and as another verb for the same act, in English and in Russian: services say `add` where people say `create`.
Methods that hold every word are found. Where there is none, those are that hold the most of what was said, a rare
word counting for more than a common one, as long as it is half of it.
"""

from __future__ import annotations

from functools import lru_cache
from math import log

from . import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .index import Row, Tree

LONG = 5  # letters of a word that has an ending to drop
SAID = 16  # what a summary that begins with the words weighs; a word of the name weighs up to 3
WHOLE = 4  # what a summary of nothing but the words weighs more
NAMED = 6  # what a name of nothing but the words weighs more
OLD = 1  # what a deprecated method loses
SEEN = 1  # what a method that only reads gains where no verb was said
ENDING, ALIKE = 0.7, 0.7  # what a word in another form weighs, and another word for the same
DOING = ("ть", "ти")  # the endings of a Russian verb, which is no noun in another case: сделать is not сделка
HALF = 0.5
MANY = 10_000  # rows; a word in all of them weighs nearly nothing
SMALL = "a an by for from in into of on the to with без в во для за из к на о об от по с со у и".split()  # noqa: SIM905
VERBS = [
    "add create make new register",
    "find get list read search show",
    "change edit modify set update",
    "delete remove",
    "post send write",
    "добавить завести новая новое новый создать | add",
    "искать найти показать получить посмотреть поиск прочитать список | list get",
    "изменить обновить поменять редактировать | update",
    "убрать удалить | delete",
    "написать отправить послать | send",
]


def search(trees: list[Tree], words: str, service: str = "", lang: str = "") -> tuple[list[Row], bool]:
    """The methods whose name, summary, params or translation hold the words, the nearest first; and whether they do.

    A name that holds the words stands before one that does not, a summary that says little else before
    a longer one, and what is deprecated behind what is not.
    """
    said = words.lower().split()
    wanted = [word for word in said if word not in SMALL] or said
    found: dict[tuple[str, str], Row] = {}
    near: dict[tuple[str, str], float] = {}
    weight = 0.0
    for held, number, at in _held(trees, wanted):
        if found and held < weight:
            break
        cells = trees[number].cells(at)
        row = _method(trees, number, cells)
        if row and service in {"", row.service}:
            key, weight = (row.service, row.name), held
            near[key] = max(near.get(key, 0), _said(wanted, cells[-1]))
            found.setdefault(key, row)

    def rank(row: Row) -> tuple[float, int, str]:
        seen = row.effect == "read" and not any(map(alike, wanted))
        more = near[row.service, row.name] + SEEN * seen - OLD * ("d" in row.marks)
        return (-_named(wanted, row.name.lower()) - more, len(row.name), row.name.lower())

    return [index.translated(trees, row, lang) for row in sorted(found.values(), key=rank)], weight == 1


def beginning(word: str) -> str:
    """A word without the letters that a number or a case may change; a name stays as it is."""
    if not word.isalpha():
        return word
    return word[:-2] if len(word) > LONG else word[:-1] if len(word) == LONG else word


@lru_cache(maxsize=64)
def alike(word: str) -> list[str]:
    """Other verbs for the same act."""
    groups = [verbs.split() for verbs in VERBS if word in verbs.partition(" | ")[0].split()]
    return [other for verbs in groups for other in verbs if other not in {word, "|"}]


def _held(trees: list[Tree], wanted: list[str]) -> list[tuple[float, int, int]]:
    """The rows that hold at least half of the words: what they hold, number of the tree, place; the most first."""
    places = [[_places(tree, word) for word in wanted] for tree in trees]
    rare = [log(1 + MANY / (1 + sum(len(one[number]) for one in places))) for number in range(len(wanted))]
    rows = []
    for number, of_words in enumerate(places):
        for at in set().union(*of_words):
            held = sum(weight for weight, found in zip(rare, of_words, strict=True) if at in found) / sum(rare)
            if held >= HALF:
                rows.append((round(held, 6), number, at))
    return sorted(rows, key=lambda row: (-row[0], *row[1:]))


def _places(tree: Tree, word: str) -> set[int]:
    """The places of the rows that hold a word in some form."""
    found = tree.places(beginning(word))
    for other in alike(word):
        found |= tree.places_of(other) | tree.places(f".{other}")
    return found


def _method(trees: list[Tree], number: int, cells: list[str]) -> Row | None:
    """The method that a row is about; None where a nearer folder has another one in its place."""
    if cells[0] == "M":
        hidden = any(one.method(cells[1], cells[2]) for one in trees[:number])
        return None if hidden else trees[number].method(cells[1], cells[2])
    name = cells[6 if cells[0] == "A" else 3]
    return next((row for one in trees if (row := one.method(cells[1], name))), None)


def _named(wanted: list[str], name: str) -> float:
    """What the words weigh in a name: the most where they are whole parts of it, and all of it."""
    parts = name.split(".")
    whole = 2 + NAMED / len(parts)
    return sum(max(_alike(word, part) for part in parts) * whole + (beginning(word) in name) for word in wanted)


def _said(wanted: list[str], summary: str) -> float:
    """What the words weigh in a summary: the most where it begins with them, and says nothing else."""
    said = [word for one in summary.lower().split() if (word := one.strip("(),.:;")) not in SMALL]
    held = [max((_alike(word, one) for one in said), default=0) for word in wanted]
    met = [number for number, one in enumerate(said, 1) if any(_alike(word, one) for word in wanted)]
    if not met:
        return 0
    return sum(held) / len(wanted) * (SAID * len(met) / met[-1] + WHOLE * len(met) / len(said))


def _alike(word: str, said: str) -> float:
    """How near a word of a summary is to a wanted one."""
    if said.startswith(word):
        return 1 if said == word else ENDING
    kindred = said.startswith(beginning(word)) and said.endswith(DOING) == word.endswith(DOING)
    return ENDING if kindred else ALIKE if said in alike(word) else 0
