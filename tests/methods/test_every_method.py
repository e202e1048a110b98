"""Rules over every YAML file of a method: valid, in its place, whole, and true to its own examples.

Each rule gathers what breaks it, so that one run names every file.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import RunnerError, ServiceError, compiler, document, index, lint, response, validation
from runner.encoding import json_text
from runner.response import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.catalog import Catalog
    from runner.spec import Method

REPOSITORY = Path(__file__).parents[2]
ROOTS = [REPOSITORY / "methods", REPOSITORY / "tests" / "service"]
EVERY = sorted(path for root in ROOTS for path in root.rglob("*.yaml"))


@dataclass(frozen=True)
class One:
    """One method's file: where it is, what it says, what the engine makes of it."""

    path: Path
    root: Path
    data: dict[str, Any]
    method: Method

    @property
    def service(self) -> str:
        return self.path.relative_to(self.root).parts[0]

    @property
    def name(self) -> str:
        return self.method.full_name


def shown(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def kind(path: Path) -> str:
    """The grammar that a file is under."""
    if path.name.endswith(compiler.OVERLAY):
        return "overlay"
    return "service" if any(part.startswith("_") for part in path.relative_to(REPOSITORY).parts) else "method"


@pytest.fixture(scope="module")
def methods(catalog: Catalog) -> list[One]:
    found = []
    for path in EVERY:
        if kind(path) == "method":
            root = next(root for root in ROOTS if path.is_relative_to(root))
            data = document.load(path.read_text(encoding="utf-8"), str(path))
            name = data["method"] + (f"@{data['variant']}" if "variant" in data else "")
            found.append(One(path, root, data, catalog.method(path.relative_to(root).parts[0], name)))
    return found


def test_there_are_methods_to_hold_the_rules_against(methods: list[One]) -> None:
    assert {one.root for one in methods} == set(ROOTS)


def test_the_first_line_tells_editors_the_grammar() -> None:
    wrong = []
    for path in EVERY:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        goal = os.path.relpath(REPOSITORY / "schemas" / f"{kind(path)}.json", path.parent)
        piece = any(part.startswith("_") for part in path.parts[-3:-1])  # which no grammar takes by itself
        if first not in ({"types:", "dialects:"} if piece else {f"# yaml-language-server: $schema={goal}"}):
            wrong.append(f"{shown(path)}: {first}")
    assert wrong == []


def test_the_command_finds_no_fault(catalog: Catalog) -> None:
    assert [str(fault) for path in EVERY for fault in lint.faults(path, catalog)] == []


def test_the_files_are_neat() -> None:
    wrong = []
    for path in EVERY:
        text = path.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line != line.rstrip() or "\t" in line]
        if lines or not text.endswith("\n") or text.endswith("\n\n"):
            wrong.append(f"{shown(path)}: {lines}")
    assert wrong == []


def test_each_file_stands_where_its_name_says(methods: list[One]) -> None:
    wrong = []
    for one in methods:
        words = one.data["method"].split(".")
        folder = one.root / one.service / Path(*words[: min(2, len(words) - 1)])
        alone = "variant" in one.data and not (one.path.parent / f"{one.data['method']}.yaml").exists()
        names = {one.name, one.data["method"]} if alone else {one.name}
        if one.path.parent != folder or one.path.stem not in names:
            wrong.append(shown(one.path))
    assert wrong == []


def test_a_summary_is_one_line_that_begins_with_a_verb(methods: list[One]) -> None:
    strange = ("This ", "The ", "A ", "An ", "Method", "Returns", "Gets ", "Adds ")
    assert [
        f"{one.name}: {one.data['summary']}"
        for one in methods
        if not one.data["summary"][0].isupper()
        or one.data["summary"].endswith((".", " "))
        or one.data["summary"].startswith(strange)
        or len(one.data["summary"]) > 100
    ] == []


def test_each_method_is_read_from_its_own_file(methods: list[One]) -> None:
    assert [shown(one.path) for one in methods if Path(one.method.origin) != one.path] == []


def test_the_schemas_are_json_schemas(methods: list[One]) -> None:
    wrong = []
    for one in methods:
        wrong += [
            f"{one.name}: {fault}"
            for schema in (one.method.schema, one.method.returns)
            if schema is not None and (fault := validation.faults_of_schema(schema))
        ]
    assert wrong == []


def test_names_and_flags_are_told_apart_without_letter_case(methods: list[One]) -> None:
    wrong = []
    for one in methods:
        params = one.method.params.values()
        flags = [flag for param in params for flag in param.flags]
        names = [param.name.lower() for param in params]
        if len(names) != len(set(names)) or len(flags) != len(set(flags)):
            wrong.append(one.name)
    assert wrong == []


def test_what_is_required_is_the_caller_s_to_give(methods: list[One]) -> None:
    assert [
        f"{one.name}: {name}"
        for one in methods
        for name in one.method.document.get("required", ())
        if name not in one.method.params or {"send", "generate"} & set(one.method.params[name].schema)
    ] == []


def test_pages_send_params_that_the_method_takes(methods: list[One]) -> None:
    assert [
        f"{one.name}: {style.name} sends {name}"
        for one in methods
        for style in one.method.styles
        for name in style.send
        if not one.data.get("more") and not one.method.param(one.method.canonical(name.partition(".")[0]))
    ] == []


def test_ranges_of_ids_are_asked_for_by_params_that_the_method_takes(methods: list[One]) -> None:
    """The filters above and below an id stand in one place, and so does the order of both ways, in params it has."""
    for one in methods:
        for style in (style for style in one.method.styles if style.ranges):
            asked = [style.ranges["until"], *style.ranges["newest"], *style.ranges["counted"]]
            heads = {path.partition(".")[0] for path in asked}
            assert {head for head in heads if one.method.param(one.method.canonical(head)) is None} == set(), one.name
            above = [path for path, mark in style.send.items() if mark == "$last"]
            assert len(above) == 1, one.name
            assert above[0].replace(">", "<=") == style.ranges["until"], one.name
            assert set(style.ranges["newest"]) <= set(style.send), one.name


def test_one_value_is_the_whole_body_or_none(methods: list[One]) -> None:
    wrong = []
    for one in methods:
        places = [param.place for param in one.method.params.values()]
        if "payload" in places and (places.count("payload") > 1 or {"body", "form", "part"} & set(places)):
            wrong.append(one.name)
    assert wrong == []


def test_a_method_does_not_repeat_the_errors_of_its_service(methods: list[One]) -> None:
    assert [
        f"{one.name}: {code}"
        for one in methods
        for code, block in one.data.get("errors", {}).items()
        if block == one.method.service.errors.get(code)
    ] == []


def test_a_read_needs_not_be_called_idempotent(methods: list[One]) -> None:
    assert [one.name for one in methods if one.data["effect"] == "read" and "idempotent" in one.data] == []


def test_the_examples_pass_and_their_answers_fit(methods: list[One]) -> None:
    assert [f"{one.name}: {fault}" for one in methods for fault in faults_of_examples(one.method)] == []


def faults_of_examples(method: Method) -> Iterator[str]:
    for example in method.document.get("examples", ()):
        for problem in validation.check(method, example["params"]):
            if problem.level == "error":
                yield str(problem)
        if {"response", "status"} & set(example):
            yield from faults_of_answer(method, example)


def faults_of_answer(method: Method, example: dict[str, Any]) -> Iterator[str]:
    """The answer reads to a value that the method returns, or to an error where its status says so."""
    whole, status = example.get("response"), example.get("status", 200)
    text = isinstance(whole, str) and "json" not in method.reading.answers
    body = b"" if whole is None else str(whole).encode() if text else json_text(whole)
    try:
        result = response.read(method, Reply(status, {}, body))
    except RunnerError as error:
        if status < 400 or not isinstance(error, ServiceError):
            yield str(error)
        return
    if method.returns is not None:
        schema = {"$defs": method.schema.get("$defs", {}), "allOf": [method.returns]}
        yield from (error.message for error in validation.misfits(result.value, schema))


def test_an_example_that_does_not_fit_is_seen(catalog: Catalog) -> None:
    method = catalog.method("library", "book.get")
    assert list(faults_of_answer(method, {"response": {"value": {"id": "x", "title": "a"}}}))
    assert list(faults_of_answer(method, {"response": [1], "status": 418}))
    assert list(faults_of_answer(method, {"response": "text"}))


@pytest.mark.parametrize("root", ROOTS, ids=shown)
def test_no_two_files_differ_in_letter_case_alone(root: Path) -> None:
    names = [path.relative_to(root).as_posix().lower() for path in root.rglob("*")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("root", ROOTS, ids=shown)
def test_the_index_of_a_folder_has_every_file_and_no_broken_one(root: Path, tmp_path: Path) -> None:
    tree = compiler.build(str(root), str(tmp_path), "1")
    assert list(tree.rows("X")) == []
    found = {row.file for folder in root.iterdir() for row in tree.methods(folder.name)}
    mine = {path for path in EVERY if kind(path) == "method" and path.is_relative_to(root)}
    assert found == {path.relative_to(root).as_posix() for path in mine}
    assert index.read(str(root), str(tmp_path), "1") is not None


def test_documents_are_plain_json(methods: list[One]) -> None:
    assert [one.name for one in methods if json.loads(json.dumps(one.data, allow_nan=False)) != one.data] == []
