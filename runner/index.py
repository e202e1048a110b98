"""The compiled catalogue of one folder of methods: a table of names in front, one JSON value per name behind.

Reading it imports nothing but `os`: a name is found by a scan of bytes, and only the value behind it is parsed.
The file is read at once, since another process may put a newer one in its place at any time. `compiler` writes
it. A folder is known to be unchanged when none of its directories' times has moved; a method's own file is
compared by whoever reads the method, so that an edit in place is seen as well.

The table has one row a line, its cells parted by tabs:

    D  time  directory                                        P  time  size  a common file, or a broken one
    S  service  variants  offset  length  file  title         T  service  type  offset  length
    M  service  name in lower case  name  effect  marks  time  size  offset  length  file  summary  words
    A  service  alias in lower case  alias  dialect  call|skeleton  method
    O  service  language  glob in lower case  offset  length  file  summary  words
    X  service  file  what is wrong with it
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"declarest-index 1 "
FIRST = 96


class Row:
    """One method in the table."""

    __slots__ = (
        "effect",
        "file",
        "length",
        "marks",
        "name",
        "offset",
        "service",
        "size",
        "summary",
        "time",
        "words",
    )

    def __init__(self, cells: list[str]) -> None:
        self.service, _, self.name, self.effect, self.marks = cells[1:6]
        self.time, self.size, self.offset, self.length = map(int, cells[6:10])
        self.file, self.summary, self.words = cells[10:13]


class Tree:
    """One root folder of the search path, as its index tells it."""

    __slots__ = ("_blobs", "root", "table")

    def __init__(self, root: str, table: bytes, blobs: bytes) -> None:
        self.root, self.table, self._blobs = root, table, blobs

    def rows(self, kind: str, *start: str) -> Iterator[list[str]]:
        """The rows of a kind whose next cells are these, in the order of the table."""
        head = ("\n" + "\t".join((kind, *start)) + "\t").encode()
        at = self.table.find(head)
        while at >= 0:
            end = self.table.find(b"\n", at + 1)
            yield self.table[at + 1 : end].decode().split("\t")
            at = self.table.find(head, end)

    def methods(self, service: str) -> Iterator[Row]:
        """Every method of a service, by name."""
        for cells in self.rows("M", service):
            yield Row(cells)

    def method(self, service: str, name: str) -> Row | None:
        """The method of this name, letter case apart."""
        cells = next(self.rows("M", service, name.lower()), None)
        return Row(cells) if cells else None

    def starting(self, kind: str, service: str, start: str) -> Iterator[str]:
        """The names in the rows of a kind that begin so; `start` is in lower case."""
        head = f"\n{kind}\t{service}\t{start}".encode()
        at = self.table.find(head)
        while at >= 0:
            end = self.table.find(b"\n", at + 1)
            yield self.table[at:end].split(b"\t", 4)[3].decode()
            at = self.table.find(head, end)

    def text(self, offset: int, length: int) -> bytes:
        """The JSON text behind a row."""
        return self._blobs[offset : offset + length]

    def fresh(self, row: Row) -> bool:
        """Whether a method's file is as it was when the index was written."""
        return stamp(os.path.join(self.root, row.file)) == (row.time, row.size)

    def current(self) -> bool:
        """Whether no file came or went since, and none that all methods rely on was changed."""
        root, stat = f"{self.root}{os.sep}", os.stat
        try:
            for line in self._block(b"D"):
                _, time, name = line.split("\t")
                if stat(root + name).st_mtime_ns != int(time):
                    return False
        except OSError:
            return False
        return all(
            stamp(root + name) == (int(time), int(size))
            for _, time, size, name in (line.split("\t") for line in self._block(b"P"))
        )

    def _block(self, kind: bytes) -> list[str]:
        """The rows of a kind that stands in one piece, as text."""
        start = self.table.find(b"\n" + kind + b"\t") + 1
        end = self.table.rfind(b"\n" + kind + b"\t")
        return self.table[start : self.table.find(b"\n", end + 1)].decode().splitlines() if start else []

    def hits(self, words: list[bytes]) -> Iterator[list[str]]:
        """The rows of methods and translations that hold every word, in the order of the table."""
        rare = max(words, key=len)
        at = self.table.find(rare)
        while at >= 0:
            start, end = self.table.rfind(b"\n", 0, at) + 1, self.table.find(b"\n", at)
            line = self.table[start:end]
            if line[:2] in {b"M\t", b"O\t"} and all(word in line for word in words):
                yield line.decode().split("\t")
            at = self.table.find(rare, end)


def search(trees: list[Tree], words: str, service: str = "", lang: str = "") -> list[Row]:
    """The methods whose name, summary, params or translation hold every word, the nearest first.

    A name that holds the words as parts of its own stands before one that holds them somewhere.
    """
    wanted = words.lower().split()
    found: dict[tuple[str, str], Row] = {}
    for tree in trees:
        for cells in tree.hits([word.encode() for word in wanted]) if wanted else ():
            named = cells[2] if cells[0] == "M" else cells[3]
            row = next((row for one in trees if (row := one.method(cells[1], named))), None)
            held = row.words if row and cells[0] == "M" else cells[-1]  # the row that wins may be of another folder
            if row and service in {"", row.service} and all(word in held for word in wanted):
                found.setdefault((row.service, row.name), translated(trees, row, lang))

    def rank(row: Row) -> tuple[int, int, str]:
        name = row.name.lower()
        parts = name.split(".")
        return (-sum(2 * (word in parts) + (word in name) for word in wanted), len(name), name)

    return sorted(found.values(), key=rank)


def translated(trees: list[Tree], row: Row, lang: str) -> Row:
    """The row with its summary in a language, where a translation has it."""
    for tree in trees if lang else ():
        for cells in tree.rows("O", row.service, lang, row.name.lower()):
            if cells[7]:
                row.summary = cells[7]
                return row
    return row


def stamp(path: str) -> tuple[int, int]:
    """Time of change in nanoseconds, and size; zeroes where there is no such file."""
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def place(root: str, cache: str) -> str:
    """The file that holds the index of a root."""
    from binascii import crc32

    name = os.path.basename(os.path.dirname(root)) or "root"
    return os.path.join(cache, f"{name}-{crc32(os.fsencode(root)):08x}.index")


def head(root: str, version: str, table: bytes, blobs: bytes) -> bytes:
    """The first bytes of the file: what it is, how long its values and its table are."""
    from binascii import crc32

    line = MAGIC + f"{version} {crc32(os.fsencode(root)):08x} {len(blobs)} {len(table)}".encode()
    return line.ljust(FIRST - 1) + b"\n"


def read(root: str, cache: str, version: str) -> Tree | None:
    """The index of a root as it was written, or None where there is none that this version can read."""
    path = place(root, cache)
    try:
        with open(path, "rb") as file:
            first = file.read(FIRST)
            size = int(first.split()[-1]) if first.startswith(MAGIC) else 0
            table, blobs = file.read(size), file.read()
    except (OSError, ValueError, IndexError):
        return None
    return Tree(root, table, blobs) if size and first == head(root, version, table, blobs) else None
