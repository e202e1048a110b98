"""Wrong calls are refused: mutants of the examples of every method, and the share that is caught.

A mutant has one fault: a top-level name misspelt in one of several ways, a required param left out, a value outside
a closed list, a value of another type. The shares are printed; `pytest -s` shows them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from runner import validation
from runner.node import resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.catalog import Catalog
    from runner.errors import Problem
    from runner.spec import Method

Json = dict[str, Any]
LEAST = {
    "misspelt": 0.99,
    "misspelt, with the right name": 0.99,
    "another word": 0.99,
    "missing": 0.99,
    "missing inside": 0.99,
    "outside a list": 0.99,
    "another type": 0.95,
}
SHORT = 2  # a name of one letter nothing is left to go by


@dataclass(frozen=True)
class Mutant:
    """A call with one fault: its kind, the input, and the name that was meant."""

    kind: str
    params: Json
    name: str


@pytest.fixture(scope="module")
def methods(catalog: Catalog) -> list[Method]:
    services = sorted({"bitrix24", "library"})
    return [catalog.method(service, name) for service in services for name in catalog.names(service)]


def swapped(name: str) -> str:
    """Two neighbours that differ, the other way round."""
    places = [place for place in range(1, len(name) - 1) if name[place] != name[place + 1]] or [0]
    place = places[len(places) // 2]
    return name[:place] + name[place + 1] + name[place] + name[place + 2 :]


def dropped(name: str) -> str:
    return name[: len(name) // 2] + name[len(name) // 2 + 1 :]


def doubled(name: str) -> str:
    return name[: len(name) // 2] + name[len(name) // 2] + name[len(name) // 2 :]


def replaced(name: str) -> str:
    middle = len(name) // 2
    return name[:middle] + ("x" if name[middle] not in "xX" else "q") + name[middle + 1 :]


def plural(name: str) -> str:
    return name[:-1] if name[-1] in "sS" else name + ("S" if name.isupper() else "s")


TYPOS: tuple[Callable[[str], str], ...] = (swapped, dropped, doubled, replaced, plural)


def full(method: Method) -> list[Json]:
    """The inputs of the examples that pass as they stand."""
    inputs = [example["params"] for example in method.document.get("examples", ())]
    return [one for one in inputs if isinstance(one, dict) and not refused(method, one)]


def refused(method: Method, params: Json) -> list[Problem]:
    return [problem for problem in validation.check(method, params) if problem.level == "error"]


def misspelt(method: Method, params: Json) -> Iterator[Mutant]:
    known = {name.lower() for name in method.params}
    forms = method.document.get("patterns", {})
    if method.document.get("more"):
        return
    for name in [*params, *(one for one in method.params if one not in params)]:
        for typo in TYPOS:
            wrong = typo(name)
            taken = wrong.lower() in known or (forms and method.schema.get("patternProperties"))
            if len(name) >= SHORT and not taken:
                mutant = {
                    wrong if key == name else key: value for key, value in {**params, name: params.get(name)}.items()
                }
                yield Mutant("misspelt", mutant, method.canonical(name))


def missing(method: Method, params: Json) -> Iterator[Mutant]:
    for name in method.document.get("required", ()):
        found = [key for key in params if method.canonical(key) == name]
        if found:
            yield Mutant("missing", {key: value for key, value in params.items() if key not in found}, name)


def missing_inside(method: Method, params: Json) -> Iterator[Mutant]:
    """A required key left out of an object that is given."""
    defs = method.schema.get("$defs", {})
    for name, value in params.items():
        node = resolved(method.schema.get("properties", {}).get(method.canonical(name), {}), defs)
        for key in node.get("required", ()) if isinstance(value, dict) else ():
            rest = {one: inner for one, inner in value.items() if one != key}
            yield Mutant("missing inside", {**params, name: rest}, key)


def another_word(method: Method, params: Json) -> Iterator[Mutant]:
    if not method.document.get("more"):
        yield from (Mutant("another word", {**params, word: 1}, word) for word in ("nosuchword", "x1"))


def closed(method: Method, params: Json) -> Iterator[Mutant]:
    """A text that is in no list, in the place of each value of a closed list, two levels deep."""
    defs = method.schema.get("$defs", {})
    for path, node in places(method.schema, defs):
        if "enum" in node or "const" in node:
            yield Mutant("outside a list", put(params, path, "no such value"), path[0])


def typed(method: Method, params: Json) -> Iterator[Mutant]:
    defs = method.schema.get("$defs", {})
    for path, node in places(method.schema, defs):
        kinds = node.get("type", ())
        kinds = {kinds} if isinstance(kinds, str) else set(kinds)
        if kinds and not kinds & {"object", "array"}:
            yield Mutant("another type", put(params, path, {"a": [1]}), path[0])
        elif kinds and not kinds & {"string", "null"}:
            yield Mutant("another type", put(params, path, "some text"), path[0])


def places(schema: Json, defs: Json) -> Iterator[tuple[list[str], Json]]:
    """Each param, and each key inside the ones that are objects, with what is said of it."""
    for name, part in schema.get("properties", {}).items():
        node = resolved(part, defs)
        yield [name], node
        for key, inner in node.get("properties", {}).items():
            yield [name, key], resolved(inner, defs)


def put(params: Json, path: list[str], value: Any) -> Json:
    """An input with another value at a path; a param is found in any letter case."""
    spelt = {name.lower(): name for name in params}
    top = spelt.get(path[0].lower(), path[0])
    if len(path) == 1:
        return {**params, top: value}
    held = params.get(top)
    return {**params, top: {**(held if isinstance(held, dict) else {}), path[1]: value}}


def suggested(problems: list[Problem], name: str) -> bool:
    return any(f"did you mean {name}?" in problem.hint for problem in problems)


def tried(methods: list[Method]) -> tuple[Counter[str], Counter[str], list[str]]:
    """How many mutants of each kind were made, how many were caught, and those that were not."""
    made: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    passed = []
    for method in methods:
        for params in full(method):
            for kind in (misspelt, another_word, missing, missing_inside, closed, typed):
                for mutant in kind(method, params):
                    problems = refused(method, mutant.params)
                    notes = {mutant.kind: bool(problems)}
                    if mutant.kind == "misspelt":
                        notes["misspelt, with the right name"] = suggested(problems, mutant.name)
                    for note, good in notes.items():
                        made[note] += 1
                        caught[note] += good
                        if not good:
                            passed.append(f"{note}: {method.full_name} {mutant.params}"[:200])
    return made, caught, passed


def test_wrong_calls_are_refused(methods: list[Method]) -> None:
    made, caught, passed = tried(methods)
    shares = {kind: caught[kind] / made[kind] for kind in LEAST}
    for kind, share in shares.items():
        print(f"{kind}: {caught[kind]} of {made[kind]}, {share:.2%}")  # noqa: T201 - the shares are what it is for
    assert {kind: share for kind, share in shares.items() if share < LEAST[kind]} == {}, passed[
        :: max(1, len(passed) // 60)
    ]


def test_nearly_every_method_has_an_example_to_make_mutants_of(methods: list[Method]) -> None:
    assert [method.full_name for method in methods if method.document.get("required") and not full(method)] == []
