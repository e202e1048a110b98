"""The methods there are: found by name, listed, searched, read. Nothing is parsed that an index already holds."""

from __future__ import annotations

import json
import os
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from . import __version__, dialects, index
from .errors import SpecError, UnknownMethod, nearest
from .folders import built_in, folder, search_path
from .node import merged
from .spec import Method, Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Json = dict[str, Any]


def trees(roots: Sequence[str], near: str = "") -> list[index.Tree]:
    """The index of each root, compiled again where something changed, or where something changed near a folder."""
    cache = os.path.join(folder("cache"), "index")
    found = []
    for root in roots:
        tree = index.read(root, cache, __version__)
        if tree is None or not tree.current(index.near(near) if near else None):
            from . import compiler

            tree = compiler.build(root, cache, __version__, tree)
        found.append(tree)
    return found


_shared: WeakValueDictionary[tuple[str, ...], Catalog] = WeakValueDictionary()


def shared(methods: str | None = None) -> Catalog:
    """The catalogue that the clients of this process have in common, for as long as no file of it changes."""
    roots = search_path(methods)
    key = (folder("cache"), *roots, os.path.realpath("methods"))
    found = _shared.get(key)
    if found is None or not found.current():
        found = _shared[key] = Catalog(methods)
    return found


class Catalog:
    """All methods of a search path. The first folder that has a name wins.

    Whoever wants one method says where its file would stand, as `near`: then a large tree is held against the
    disk there only, and as a whole as soon as more is asked.
    """

    def __init__(self, methods: str | None = None, *, lang: str = "", near: str = "") -> None:
        self.lang = lang
        self._roots = search_path(methods)
        self._near = near
        self._trees = trees(self._roots, near)
        self._services: dict[tuple[str, str], Service] = {}
        self._methods: dict[tuple[str, str], Method] = {}
        self._stamps: dict[str, tuple[int, int]] = {}

    @property
    def trees(self) -> list[index.Tree]:
        """The index of each root, all of it held against the disk."""
        if self._near:
            self._near = ""
            self._trees = trees(self._roots)
        return self._trees

    def current(self) -> bool:
        """Whether the folders, what all methods rely on, and the methods that were read are as they were."""
        return all(tree.current() for tree in self._trees) and all(
            index.stamp(file) == seen for file, seen in [*self._stamps.items()]
        )

    def services(self) -> dict[str, str]:
        """The name and the title of every service."""
        found: dict[str, str] = {}
        for tree in self._trees:
            for cells in tree.rows("S"):
                found.setdefault(cells[1], cells[6])
        return dict(sorted(found.items()))

    def broken(self, service: str = "") -> list[str]:
        """What is wrong with the files that could not be read, one line each."""
        start = (service,) if service else ()
        return [cells[3] for tree in self._trees for cells in tree.rows("X", *start)]

    def service(self, name: str, variant: str = "") -> Service:
        """A service, by name and variant. Raises UnknownMethod where there is none, SpecError where it is broken."""
        key = (name, variant)
        if key not in self._services:
            for tree in self._trees:
                for cells in tree.rows("S", name):
                    data = json.loads(tree.text(int(cells[3]), int(cells[4])))
                    origin = os.path.join(tree.root, cells[5])
                    self._services[key] = Service.read(data, variant, origin, guest=self._guest(tree, name))
                    return self._services[key]
            self._no_service(name)
        return self._services[key]

    def _guest(self, tree: index.Tree, name: str) -> bool:
        """Whether a service of the current folder takes the place of one that is installed."""
        here = tree.root == os.path.realpath("methods") and tree.root != os.path.realpath(built_in("methods"))
        return here and any(next(one.rows("S", name), None) for one in self._trees if one is not tree)

    def _no_service(self, name: str) -> None:
        for cells in (cells for tree in self._trees for cells in tree.rows("X", name)):
            if _stem(cells[2]) == "_service":
                raise SpecError(cells[3])
        known = self.services()
        near = nearest(name, known)
        error = UnknownMethod(name, near, what="service")
        if not near:
            error.hint = f"there is {', '.join(known)}" if known else "no folder of methods was found"
        raise error

    def variants(self, name: str) -> list[str]:
        """The variants of a service."""
        for tree in self.trees:
            for cells in tree.rows("S", name):
                return list(filter(None, cells[2].split(",")))
        return []

    def rows(self, service: str) -> dict[str, index.Row]:
        """Every method of a service by its name, in order; the row of the folder that wins."""
        found: dict[str, index.Row] = {}
        for tree in self.trees:
            for row in tree.methods(service):
                if row.name not in found:
                    found[row.name] = index.translated(self.trees, row, self.lang)
        return dict(sorted(found.items()))

    def names(self, service: str) -> list[str]:
        """The names of all methods of a service, in order."""
        return list(self.rows(service))

    def has(self, service: str, name: str) -> bool:
        """Whether a service has a method of this name, letter case apart."""
        return self._found(service, name) is not None

    def beginning(self, service: str, start: str) -> list[str]:
        """The names of the methods that begin so, letter case apart, in order."""
        return sorted({name for tree in self.trees for name in tree.starting("M", service, start.lower())})

    def method(self, service: str, name: str) -> Method:
        """A method, by name without letter case. Raises UnknownMethod with the nearest names."""
        found = self._methods.get((service, name.lower()))
        if found is None:
            found = self._methods[service, name.lower()] = self._read(service, name)
        return found

    def own(self, service: str, name: str) -> Method:
        """A method as the folder of its service describes it, whatever the folders before it say of it.

        Calls that carry secrets which nobody passes, such as those that renew an authorisation, are made by these.
        """
        about = self.service(service)
        place = next(at for at, tree in enumerate(self._trees) if next(tree.rows("S", service), None))
        row = self._trees[place].method(service, name)
        if row and not self._trees[place].fresh(row):
            self._trees[place] = self._again(self._trees[place])
            row = self._trees[place].method(service, name)
        tree = self._trees[place]
        if row is None:
            raise SpecError(f"the method {name} does not stand beside the file of {service}", hint=about.origin)
        data = self._overlaid(service, row.name, json.loads(tree.text(row.offset, row.length)), [tree])
        return Method.read(data, about, lambda kind: self._type(service, kind, tree), os.path.join(tree.root, row.file))

    def owner(self, name: str) -> str:
        """The one service that has a method or a command of this name, or nothing where none or several have it."""
        owners = [one for one in self.services() if self._found(one, name) or self.command(one, name)]
        return owners[0] if len(owners) == 1 else ""

    def command(self, service: str, alias: str) -> Json | None:
        """What a name of another tool's command line stands for, with what its dialect says of all commands."""
        for tree in self._trees:
            for cells in tree.rows("A", service, alias.lower()):
                command = json.loads(tree.text(int(cells[7]), int(cells[8])))
                return dialects.command(command, self._shared(service, cells[4]))
        return None

    def _shared(self, service: str, dialect: str) -> Json:
        """What all commands of a dialect share, from the folder that says it first."""
        for tree in self._trees:
            for cells in tree.rows("B", service, dialect):
                shared: Json = json.loads(tree.text(int(cells[3]), int(cells[4])))
                return shared
        return {}

    def aliases(self, service: str) -> dict[str, str]:
        """The names of other tools' command lines, and the method of each."""
        return {cells[3]: cells[6] for tree in self.trees for cells in tree.rows("A", service)}

    def _demand_whole(self, service: str, name: str, found: index.Tree) -> None:
        """Refuse to pass over a broken file of this name for one of a folder further down."""
        above = takewhile(lambda tree: tree.root != found.root, self._trees)  # another thread may have read it anew
        for cells in (cells for tree in above for cells in tree.rows("X", service)):
            if _stem(cells[2]) == name.lower():
                raise SpecError(cells[3], method=name)

    def _found(self, service: str, name: str) -> tuple[index.Tree, index.Row] | None:
        """The row of a method; a name that only one variant has needs no suffix."""
        row = self._row(service, name)
        if row or "@" in name:
            return row
        rows = [row for variant in self.variants(service) if (row := self._row(service, f"{name}@{variant}"))]
        return rows[0] if len(rows) == 1 else None

    def _row(self, service: str, name: str) -> tuple[index.Tree, index.Row] | None:
        """The row of a method and its tree; a file that was edited in place is compiled again."""
        for place, tree in enumerate(self._trees):
            row = tree.method(service, name)
            if row and not tree.fresh(row):
                self._trees[place] = self._again(tree)
                row = self._trees[place].method(service, name)
            if row:
                return self._trees[place], row
        if not self._near:
            return None
        _ = self.trees
        return self._row(service, name)

    def _again(self, tree: index.Tree) -> index.Tree:
        from . import compiler

        return compiler.build(tree.root, os.path.join(folder("cache"), "index"), __version__, tree)

    def _read(self, service: str, name: str) -> Method:
        found = self._found(service, name)
        if found is None:
            self._no_method(service, name)
        tree, row = found  # type: ignore[misc]
        self._demand_whole(service, row.name, tree)
        data = json.loads(tree.text(row.offset, row.length))
        origin = os.path.join(tree.root, row.file)
        self._stamps[origin] = (row.time, row.size)
        data = self._overlaid(service, row.name, data, self._trees)
        return Method.read(
            data,
            self.service(service, data.get("variant", "")),
            lambda kind: self._type(service, kind, tree),
            origin,
        )

    def _no_method(self, service: str, name: str) -> None:
        self.service(service)
        for cells in (cells for tree in self._trees for cells in tree.rows("X", service)):
            if _stem(cells[2]) == name.lower():
                raise SpecError(cells[3], method=name)
        known = [*self.names(service), *self.aliases(service)]
        near = nearest(name, known, 3) or [one for one in known if name.lower() in one.lower()][:3]
        error = UnknownMethod(name, near, where=service)
        if not near:
            error.hint = f"declarest find {name} searches"
        raise error

    def _type(self, service: str, name: str, first: index.Tree) -> Json | None:
        for tree in (first, *self._trees):
            for cells in tree.rows("T", service, name):
                found: Json = json.loads(tree.text(int(cells[3]), int(cells[4])))
                return found
        return None

    def _patches(self, service: str, name: str, trees: Sequence[index.Tree]) -> Iterator[tuple[Json, str]]:
        """The patches of the overlays that name a method, the one that wins last, with the file of each."""
        from fnmatch import fnmatchcase

        langs = {"-", self.lang} - {""}
        for tree in reversed(trees):
            found = [cells for cells in tree.rows("G", service) if fnmatchcase(name.lower(), cells[3])]
            found += [cells for lang in langs for cells in tree.rows("O", service, lang, name.lower())]
            for cells in sorted(found, key=lambda cells: int(cells[4])):  # in the order of files and of their lines
                if cells[2] in langs:
                    text = tree.text(int(cells[4]), int(cells[5]))
                    yield json.loads(text), os.path.join(tree.root, cells[6])

    def _overlaid(self, service: str, name: str, data: Json, trees: Sequence[index.Tree]) -> Json:
        for patch, origin in self._patches(service, name, trees):
            from . import compiler

            data = compiler.checked(merged(data, patch), "method", "", origin)
        return data

    def find(self, words: str, service: str = "") -> list[index.Row]:
        """The methods whose name, summary, params or translation hold the words, the nearest first; see `search`."""
        return self.search(words, service)[0]

    def search(self, words: str, service: str = "") -> tuple[list[index.Row], bool]:
        """What `find` gives, and whether these hold every word: else they are the nearest there are."""
        from . import search

        return search.search(self.trees, words, service, self.lang)


class Methods:
    """The methods of one service: named, read, searched."""

    def __init__(self, catalog: Catalog, service: str) -> None:
        self._catalog, self._service = catalog, service

    def names(self) -> list[str]:
        """Every name, in order."""
        return self._catalog.names(self._service)

    def get(self, name: str) -> Method:
        """What a method is. Raises UnknownMethod with the nearest names."""
        return self._catalog.method(self._service, name)

    def find(self, words: str) -> list[index.Row]:
        """The methods whose name, summary or params hold the words, the nearest first."""
        return self._catalog.find(words, self._service)


def _stem(file: str) -> str:
    """The name that a file would describe, in lower case."""
    return os.path.splitext(os.path.basename(file))[0].lower()
