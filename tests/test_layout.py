"""The shape of the sources: who may import whom, one home for each library, no service named, house numbers."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from functools import cache
from pathlib import Path

import pytest

import runner
from runner import document

REPOSITORY = Path(__file__).parents[1]
SOURCES = {path.relative_to(REPOSITORY).as_posix(): path for path in sorted((REPOSITORY / "runner").rglob("*.py"))}

# From the ground up. A module imports from the lines above its own, and from its own line the names to its left.
ORDER = """
errors discretion
document template query folders node bucket draft refusal limit
spec index search dialects remote lease ledger
precheck slips validation encoding forms compiler
strongbox ring catalog profiles settings arguments skeleton request response pacing output export
journal table columns
auth renewal signin paging batch pool target transport grants fault lint
dispatch flow pack
sandbox
plan rows
intake bulk
client aclient
cli
__main__
"""
HOMES = {
    "httpx": {"target", "transport"},
    "yaml": {"document"},
    "jsonschema": {"validation"},
    "jmespath": {"query"},
    "platformdirs": {"folders"},
    "sqlite3": {"sandbox.store", "ledger", "strongbox", "export.database", "journal"},
    "redis": {"remote"},
    "tomllib": {"strongbox"},
    "tomlkit": {"profiles"},
    "keyring": {"ring"},
    "openpyxl": {"table"},
    "xlsxwriter": {"export.workbook"},
    "pyarrow": {"export.parquet"},
    "rich": {"output", "cli"},
    "random": {"plan", "sandbox.faults"},
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 50
LONG_FILES = {"runner/spec.py": 460}  # the nouns of the format stand together, each a few lines


def rank(module: str) -> tuple[int, int]:
    """The line and the place of a module in the order; a package is one module."""
    for line, names in enumerate(ORDER.split("\n")):
        if module in names.split():
            return line, names.split().index(module)
    raise AssertionError(f"{module} has no place in the order")


def name_of(file: str) -> str:
    """The dotted name of a source below the package."""
    return file.removeprefix("runner/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def for_types_only(tree: ast.AST) -> set[ast.AST]:
    """The imports that only a type checker makes."""
    return {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.dump(branch.test)
        for statement in branch.body
        for node in ast.walk(statement)
    }


def imports(name: str, source: str) -> set[str]:
    """What a module of the package imports, inside functions too: own modules from the dot, others by their name."""
    tree, found = ast.parse(source), set()
    types = for_types_only(tree)
    package = name.split(".")[:-1] if name not in {"cli", "sandbox", "export"} else [name]
    for node in ast.walk(tree):
        if node in types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level]
            if node.module:
                found.add("." + ".".join([*above, *node.module.split(".")]))
            else:
                found |= {"." + ".".join([*above, alias.name]) for alias in node.names if alias.name != "__version__"}
    return found


def upward(name: str, source: str) -> set[str]:
    """The modules that a module imports although they stand above it."""
    mine = name.split(".", maxsplit=1)[0]
    others = {one[1:].split(".")[0] for one in imports(name, source) if one.startswith(".")}
    return {other for other in others if other != mine and rank(other) >= rank(mine)}


def functions(source: str) -> dict[tuple[str, int], int]:
    """Every function, with the line where it begins, and how many lines it has."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        (node.name, node.lineno): (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(ast.parse(source))
        if isinstance(node, kinds)
    }


@cache
def words() -> frozenset[str]:
    """The words of vendors: names of folders, and those that each service lists."""
    found = set()
    for path in (REPOSITORY / "methods").glob("*/_service.yaml"):
        data = document.load(path.read_text(encoding="utf-8"), str(path))
        found |= {path.parent.name.lower(), *(word.lower() for word in data.get("words", ()))}
    return frozenset(found)


@pytest.fixture(params=SOURCES)
def file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(file: str) -> str:
    return SOURCES[file].read_text(encoding="utf-8")


def test_imports_point_down(file: str, source: str) -> None:
    if file != "runner/__init__.py":
        assert upward(name_of(file), source) == set()


def test_an_import_that_points_up_is_seen() -> None:
    assert upward("auth", "from .query import search\nfrom . import settings") == set()
    assert upward("query", "def f():\n    from .client import Client") == {"client"}
    assert upward("cli.main", "from ..client import Client\nfrom . import words\nfrom .words import a") == set()
    assert upward("sandbox.store", "from ..client import Client") == {"client"}
    assert upward("sandbox", "from . import store\nfrom .store import a") == set()
    assert upward("query", "if TYPE_CHECKING:\n    from .client import Client") == set()


def test_every_module_stands_in_the_order_and_the_order_in_the_sources() -> None:
    modules = {name_of(file).split(".")[0] for file in SOURCES} - {"__init__"}
    assert modules == set(ORDER.split())


def test_each_outside_library_has_one_home(file: str, source: str) -> None:
    name = name_of(file)
    for library in {one.split(".")[0] for one in imports(name, source)} & set(HOMES):
        assert name in HOMES[library] or name.split(".")[0] in HOMES[library], f"{name} imports {library}"


ENGINE = "bucket spec query template request response pacing auth renewal paging batch dispatch pack rows"


def test_the_engine_takes_its_clock_from_the_client(file: str, source: str) -> None:
    if name_of(file) in ENGINE.split():
        assert not {"time", "random", "datetime", "asyncio"} & imports(name_of(file), source)


def test_no_service_is_named(file: str, source: str) -> None:
    assert [word for word in words() if named(word, source)] == []


def named(word: str, source: str) -> bool:
    """Whether a source has a word of a vendor: a long one anywhere, a short one only by itself."""
    form = re.escape(word) if len(word) > 4 else rf"(?<![a-z]){re.escape(word)}(?![a-z])"
    return bool(re.search(f"(?i){form}", source))


def test_a_word_of_a_vendor_is_seen() -> None:
    assert named("acme", "class Client:  # of Acme")
    assert not named("acme", "pacmen")
    assert named("gizmo", "the_gizmos")


def test_there_are_words_to_look_for() -> None:
    assert len(words()) >= 3


def test_a_file_is_not_too_long(file: str, source: str) -> None:
    assert len(source.splitlines()) <= LONG_FILES.get(file, LONGEST_FILE)


def test_a_function_is_not_too_long(source: str) -> None:
    assert {place: lines for place, lines in functions(source).items() if lines > LONGEST_FUNCTION} == {}


def test_each_of_several_functions_of_one_name_is_measured() -> None:
    assert functions("class A:\n    def f():\n        a\n        b\nclass B:\n    def f():\n        a\n") == {
        ("f", 2): 3,
        ("f", 6): 2,
    }


def test_no_module_is_called_after_nothing(file: str) -> None:
    assert not set(re.split(r"[./_]", name_of(file))) & {
        "utils",
        "util",
        "helpers",
        "common",
        "base",
        "manager",
        "handler",
    }


def test_the_package_says_what_it_has() -> None:
    assert runner.__all__ == sorted(runner.__all__)
    tree = ast.parse(SOURCES["runner/__init__.py"].read_text(encoding="utf-8"))
    typed = {node for node in for_types_only(tree) if isinstance(node, ast.ImportFrom)}
    assert {alias.name for node in typed for alias in node.names if isinstance(node, ast.ImportFrom)} == set(
        runner.__all__
    )


@pytest.mark.parametrize("package", ["", "cli", "sandbox", "export"])
def test_the_map_of_a_package_has_all_of_its_modules(package: str) -> None:
    folder = REPOSITORY / "runner" / package
    told = set(re.findall(r"\w+", importlib.import_module(f"runner.{package}".rstrip(".")).__doc__ or ""))
    here = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert {name for name in here - told if not name.startswith("__")} == set()


def test_what_a_module_lists_as_its_own_is_all_that_it_has() -> None:
    for info in pkgutil.walk_packages(runner.__path__, "runner."):
        if info.name.endswith("__main__"):
            continue
        listed = getattr(importlib.import_module(info.name), "__all__", None)
        if listed is not None:
            assert all(hasattr(importlib.import_module(info.name), name) for name in listed)


def test_the_tests_follow_the_modules() -> None:
    modules = {path.stem for path in (REPOSITORY / "runner").glob("*.py")} | {"cli", "sandbox"}
    named = {path.stem.removeprefix("test_") for path in (REPOSITORY / "tests" / "runner").glob("test_*.py")}
    engine = {"request", "response", "pacing", "auth", "paging", "batch", "dispatch", "client", "transport"}
    assert engine <= named & modules
