"""The compiled catalogue of one folder of methods: a table of names in front, one JSON value per name behind.

Reading it imports next to nothing. The file is mapped, not read: a name is found by halving the table, and only
the value behind it is parsed, so ten thousand methods cost what twenty do. A mapped file stays what it was
when another process puts a newer one in its place. `compiler` writes it. A folder is known to be unchanged when
none of its directories' times has moved; a method's own file is compared by whoever reads the method, so that
an edit in place is seen as well.

The table has one row a line, in the order of its bytes; its cells are parted by tabs, steps of paths by slashes:

    A  service  alias in lower case  alias  dialect  call|skeleton|print|link  method  offset  length
    B  service  dialect  offset  length of what its commands share
    D  times of the directories, parted by blanks  directory  directory ...
    G  service  language  glob in lower case  offset  length  file
    M  service  name in lower case  name  effect  marks  time  size  offset  length  file  summary
    O  service  language  name in lower case  offset  length  file  summary
    P  time  size  a common file, or a broken one
    S  service  variants  offset  length  file  title
    T  service  type  offset  length
    W  word in lower case  offset  length of the places of the rows of A, M and O that hold it
    X  service  file  what is wrong with it
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from mmap import mmap

MAGIC = b"declarest-index 4 "
FIRST = 96
SMALL = 64  # folders, so few that looking at some of them saves nothing
MAPS = os.name == "posix"  # elsewhere a file that somebody has mapped can't be replaced: it is read whole


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
    )

    def __init__(self, cells: list[str]) -> None:
        self.service, _, self.name, self.effect, self.marks = cells[1:6]
        self.time, self.size, self.offset, self.length = map(int, cells[6:10])
        self.file, self.summary = cells[10:12]


class Tree:
    """One root folder of the search path, as its index tells it."""

    __slots__ = ("_data", "_end", "root")

    def __init__(self, root: str, data: bytes | mmap) -> None:
        self.root, self._data = root, data
        self._end = FIRST + int(data[:FIRST].split()[-1])

    def rows(self, kind: str, *start: str) -> Iterator[list[str]]:
        """The rows of a kind whose next cells are these, in the order of the table."""
        return self._rows(("\t".join((kind, *start)) + "\t").encode())

    def _rows(self, head: bytes) -> Iterator[list[str]]:
        """The rows that begin so."""
        at = self._first(head)
        while self._data[at : at + len(head)] == head:
            end = self._data.find(b"\n", at)
            yield self._data[at:end].decode().split("\t")
            at = end + 1

    def _first(self, head: bytes) -> int:
        """The place of the first row that is not before these bytes, by halving."""
        low, high = FIRST, self._end
        while low < high:
            middle = max(self._data.rfind(b"\n", low, (low + high) // 2) + 1, low)
            if self._data[middle : middle + len(head)] < head:
                low = self._data.find(b"\n", middle, self._end) + 1
            else:
                high = middle
        return low

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
        for cells in self._rows(f"{kind}\t{service}\t{start}".encode()):
            yield cells[3]

    def text(self, offset: int, length: int) -> bytes:
        """The JSON text behind a row."""
        return self._data[self._end + offset : self._end + offset + length]

    def fresh(self, row: Row) -> bool:
        """Whether a method's file is as it was when the index was written."""
        return stamp(os.path.join(self.root, row.file)) == (row.time, row.size)

    def current(self, where: Callable[[str], bool] | None = None) -> bool:
        """Whether no file came or went since, and none that all methods rely on was changed.

        In a large tree `where` may say which folders are looked at: ten thousand methods stand in so many that
        looking at all of them costs more than the rest of a search.
        """
        root = f"{self.root}{os.sep}"
        for _, times, *names in self.rows("D"):
            seen = list(zip(times.split(), names, strict=True))
            if where and len(seen) > SMALL:
                seen = [one for one in seen if where(one[1])]
            try:
                found = [status.st_mtime_ns for status in map(os.stat, [root + name for _, name in seen])]
            except OSError:
                return False
            if found != [int(time) for time, _ in seen]:
                return False
        return all(stamp(root + name) == (int(time), int(size)) for _, time, size, name in self.rows("P"))

    def cells(self, at: int) -> list[str]:
        """The row at a place that `places` or `places_of` gave."""
        return self._data[FIRST + at : self._data.find(b"\n", FIRST + at)].decode().split("\t")

    def places_of(self, word: str) -> set[int]:
        """The places of the rows that hold a word as it stands."""
        return {int(at) for cells in self.rows("W", word) for at in self.text(int(cells[2]), int(cells[3])).split()}

    def places(self, word: str) -> set[int]:
        """The places of the rows of methods, commands and translations that hold a word, or a longer one."""
        found: set[int] = set()
        at, end, wanted = self._first(b"W\t"), self._first(b"X\t"), word.encode()
        while (at := self._data.find(wanted, at, end)) >= 0:
            start, at = self._data.rfind(b"\n", 0, at) + 1, self._data.find(b"\n", at)
            _, known, offset, length = self._data[start:at].split(b"\t")
            if wanted in known:
                found.update(map(int, self.text(int(offset), int(length)).split()))
        return found


def near(folder: str) -> Callable[[str], bool]:
    """The folders above `folder` and those that begin so: where a file of such a name would stand."""
    return lambda name: name.startswith(folder) or folder.startswith(name) or name == "."


def upper(name: str) -> bool:
    """The folders of services and of areas."""
    return name.count("/") < 2  # noqa: PLR2004 - service/area


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


def head(root: str, version: str, blobs: int, table: int) -> bytes:
    """The first bytes of the file: what it is, how long its values and its table are."""
    from binascii import crc32

    line = MAGIC + f"{version} {crc32(os.fsencode(root)):08x} {blobs} {table}".encode()
    return line.ljust(FIRST - 1) + b"\n"


def read(root: str, cache: str, version: str) -> Tree | None:
    """The index of a root as it was written, or None where there is none that this version can read."""
    from mmap import ACCESS_READ, mmap

    try:
        with open(place(root, cache), "rb") as file:
            data = mmap(file.fileno(), 0, access=ACCESS_READ) if MAPS else file.read()
        blobs, size = map(int, data[:FIRST].split()[-2:])
    except (OSError, ValueError):
        return None
    whole = data[:FIRST] == head(root, version, blobs, size) and len(data) == FIRST + size + blobs
    return Tree(root, data) if whole else None
