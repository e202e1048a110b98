"""Rules over every service: what it names exists; and the invented one says all that the format can say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import compiler, document, grants, query, refusal, template
from runner.node import merged
from runner.spec import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.catalog import Catalog

Json = dict[str, Any]
REPOSITORY = Path(__file__).parents[2]
ROOTS = [REPOSITORY / "methods", REPOSITORY / "tests" / "service"]
FILES = sorted(path for root in ROOTS for path in root.glob("*/_service.yaml"))
INVENTED = REPOSITORY / "tests" / "service" / "library"
MARKS = {"$next", "$last", "$page", "$count"}


def editions() -> list[Any]:
    """Every service in each of its variants."""
    found = []
    for path in FILES:
        data = document.load(path.read_text(encoding="utf-8"), str(path))
        for variant in ["", *data.get("variants", {})]:
            name = path.parent.name
            found.append(pytest.param((name, variant), id=f"{name}@{variant}" if variant else name))
    return found


@pytest.fixture(params=editions())
def service(request: pytest.FixtureRequest, catalog: Catalog) -> Service:
    name, variant = request.param
    return catalog.service(name, variant)


def paths(service: Service) -> Iterator[str]:
    """Every JMESPath of a service file."""
    reading = service.response
    yield from [reading.get("result", ""), *reading.get("meta", {}).values(), *reading.get("error", {}).values()]
    for limit in service.limits:
        yield from [limit.cost, limit.until]
    for style in service.pages.values():
        yield from [style.get(word, "") for word in ("next", "last", "items", "total", "follow")]
    for block in (one for said in service.errors.values() for one in refusal.blocks(said)):
        yield from [block.get(word, "") for word in ("wait", "wait_ms", "until")]
    answers = dict(service.batch.answers) if service.batch else {}
    yield from answers.pop("meta", {}).values()
    yield from answers.values()


def test_every_path_can_be_read(service: Service) -> None:
    for path in paths(service):
        if path and not path.startswith(("header.", "link.")):
            query.compiled(path)


def test_an_address_needs_what_it_names(service: Service) -> None:
    assumed = {name for name, node in service.fields.items() if "default" in node}
    for scheme in service.schemes:
        kept = set((scheme.first or {}).get("keep", {}))
        assert set(scheme.needs) <= set(service.fields)
        assert set(template.names(scheme.base)) <= {*scheme.needs, *assumed}
        assert set(grants.named(scheme.send)) <= {*scheme.needs, *assumed, *kept}


def test_a_first_call_names_a_method_and_a_way(service: Service, catalog: Catalog) -> None:
    for scheme in service.schemes:
        if scheme.first:
            method = catalog.method(service.name, scheme.first["method"])
            assert set(scheme.first.get("params", {})) <= set(method.params)
            assert scheme.first.get("auth", scheme.name) in {one.name for one in service.schemes}


def test_pages_know_their_marks_and_can_end(service: Service) -> None:
    for name, block in service.pages.items():
        marks = {value for value in block.get("send", {}).values() if isinstance(value, str) and value[:1] == "$"}
        assert marks <= MARKS, name
        assert marks or "follow" in block, f"{name} does not move"
        assert ("$next" in marks) == ("next" in block)
        assert ("$last" in marks) == ("last" in block)
        stop = block.get("stop", "absent")
        assert stop != "short" or block.get("size"), f"{name} has no size to be short of"
        assert stop != "total" or block.get("total"), f"{name} has no total to end at"
        assert stop != "absent" or {"next", "follow"} & set(block), f"{name} has no mark to be absent"


def test_a_batch_names_a_method_and_its_params(service: Service, catalog: Catalog) -> None:
    if service.batch is None:
        return
    name = f"{service.batch.method}@{service.variant}" if service.variant else service.batch.method
    method = catalog.method(service.name, name)
    assert service.batch.commands in method.params
    assert not service.batch.halt or service.batch.halt in method.params
    known = {"method", "query", "params", "key", "verb", "path"}
    assert set(grants.named(service.batch.command)) <= known
    assert ("items" in service.batch.answers) != ("results" in service.batch.answers)


def test_methods_restrict_themselves_to_ways_that_there_are(service: Service, catalog: Catalog) -> None:
    ways = {scheme.name for scheme in service.schemes}
    for name in catalog.names(service.name):
        assert set(catalog.method(service.name, name).document.get("auth", ())) <= ways, name


def test_secrets_are_marked_and_the_account_of_the_sandbox_has_known_fields(service: Service) -> None:
    assert service.secrets() or all(not scheme.needs for scheme in service.schemes)
    assert set(service.sandbox.get("credentials", {})) <= set(service.fields)


def test_collections_of_methods_are_there(service: Service, catalog: Catalog) -> None:
    shelves = set(service.sandbox.get("collections", {}))
    for name in catalog.names(service.name):
        named = catalog.method(service.name, name).document.get("sandbox", {}).get("collection")
        assert named is None or named in shelves, name


def test_commands_of_other_tools_call_methods_that_there_are(service: Service, catalog: Catalog) -> None:
    for alias, target in catalog.aliases(service.name).items():
        assert catalog.method(service.name, target).name == target, alias


def test_overlays_lie_on_methods_that_there_are(service: Service, catalog: Catalog) -> None:
    from fnmatch import fnmatchcase

    names = [name.lower() for name in catalog.names(service.name)]
    for root in ROOTS:
        for path in root.glob(f"{service.name}/**/*.overlay.yaml"):
            for glob, _, _ in compiler.overlay(document.load(path.read_text(encoding="utf-8"), str(path))):
                assert any(fnmatchcase(name, glob.lower()) for name in names), f"{path.name}: {glob}"


# The invented service says everything


class Walk:
    """What of a grammar a document uses: its keys, and the words of its lists of words."""

    def __init__(self, schema: Json) -> None:
        self.schema = schema
        self.used: set[str] = set()

    def words(self) -> set[str]:
        """All that the grammar can say."""
        return {word for node in self.every(self.schema, "") for word in self.own(*node)}

    def every(self, node: Any, path: str) -> Iterator[tuple[Json, str]]:
        """Every node of the grammar with its path."""
        if not isinstance(node, dict):
            return
        yield node, path
        for word in ("properties", "$defs"):
            for name, child in node.get(word, {}).items():
                yield from self.every(child, f"$defs/{name}" if word == "$defs" else f"{path}/{name}")
        for word in ("then", "else"):
            yield from self.every(node.get(word), path)
        for word in ("items", "additionalProperties"):
            yield from self.every(node.get(word), f"{path}/*")
        for child in node.get("anyOf", ()):
            yield from self.every(child, path)

    def own(self, node: Json, path: str) -> Iterator[str]:
        """The words of one node: its keys and its list of words."""
        yield from (f"{path}/{name}" for name in node.get("properties", {}))
        if isinstance(node.get("enum"), list):
            yield from (f"{path}={word}" for word in node["enum"])

    def visit(self, value: Any, node: Any, path: str = "") -> None:
        """Note what a value uses of a node."""
        if not isinstance(node, dict):
            return
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            self.visit(value, self.schema["$defs"][name], f"$defs/{name}")
            return
        if value in node.get("enum", ()):
            self.used.add(f"{path}={value}")
        for child in (*node.get("anyOf", ()), node.get("then"), node.get("else")):
            self.visit(value, child, path)
        if isinstance(value, dict):
            known = node.get("properties", {})
            for key, item in value.items():
                if key in known:
                    self.used.add(f"{path}/{key}")
                self.visit(
                    item, known.get(key, node.get("additionalProperties")), f"{path}/{key if key in known else '*'}"
                )
        if isinstance(value, list):
            for item in value:
                self.visit(item, node.get("items"), f"{path}/*")


def used() -> set[str]:
    """All that the invented service says."""
    found: set[str] = set()
    for path in INVENTED.rglob("*.yaml"):
        part = any(one.startswith("_") for one in path.relative_to(INVENTED).parts)
        kind = "overlay" if path.name.endswith(compiler.OVERLAY) else "service" if part else "method"
        walk = Walk(compiler.grammar(kind))
        data = document.load(path.read_text(encoding="utf-8"), str(path))
        for edition in [{}, *data.get("variants", {}).values()]:
            walk.visit(merged(data, edition), walk.schema)
        found |= {word if word.startswith("$defs") else f"{kind}{word}" for word in walk.used}
    return found


@pytest.mark.parametrize("kind", ["method", "service", "overlay"])
def test_the_invented_service_uses_every_word_of_the_grammar(kind: str) -> None:
    walk = Walk(compiler.grammar(kind))
    wanted = {word if word.startswith("$defs") else f"{kind}{word}" for word in walk.words()}
    assert len(wanted) > 3
    assert sorted(wanted - used()) == []


def test_the_schemas_are_the_grammar_of_a_version() -> None:
    for path in sorted((REPOSITORY / "schemas").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        assert schema["$id"] == f"declarest:1/{path.stem}"
        assert schema["title"].endswith("version 1")
