from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import md5
from itertools import count
from pathlib import Path
from zlib import crc32

import pytest

from runner import compiler, index

SERVICE = "spec: 1\nservice: {0}\ntitle: {0}\nauth: {{open: {{base: x}}}}\n"
Write = Callable[[str, str], Path]


def method(name: str, summary: str = "Do it", more: str = "") -> str:
    return f"method: {name}\nsummary: {summary}\neffect: read\n{more}"


def built(root: Path) -> index.Tree:
    return compiler.build(str(root), str(root.parent / "cache"), "1")


def again(root: Path, version: str = "1") -> index.Tree | None:
    return index.read(str(root), str(root.parent / "cache"), version)


def settled(root: Path) -> None:
    """Let the folders have been changed a while ago."""
    for folder, _, _ in os.walk(root):
        os.utime(folder, ns=(1, 10**18))


def test_what_was_written_is_read_again(root: Path, write: Write) -> None:
    write("toy/_service.yaml", SERVICE.format("toy"))
    write("toy/box/box.Add.yaml", method("box.Add", more="params: {SIZE: {}}"))
    settled(root)
    built(root)
    tree = again(root)
    assert tree is not None
    row = tree.method("toy", "BOX.add")
    assert row is not None
    assert (row.name, row.summary, row.effect, row.file) == ("box.Add", "Do it", "read", "toy/box/box.Add.yaml")
    assert tree.text(row.offset, row.length).startswith(b'{"method":"box.Add"')
    assert [one.name for one in tree.methods("toy")] == ["box.Add"]
    assert tree.current()
    assert tree.fresh(row)


def test_names_are_found_by_their_beginning(root: Path, write: Write) -> None:
    for name in ("Box.add", "box.get", "lid"):
        write(f"toy/{name}.yaml", method(name))
    tree = built(root)
    assert list(tree.starting("M", "toy", "box.")) == ["Box.add", "box.get"]
    assert list(tree.starting("M", "toy", "pen")) == []


def test_a_name_is_found_whole(root: Path, write: Write) -> None:
    write("toy/box.add.yaml", method("box.add"))
    tree = built(root)
    assert tree.method("toy", "box.ad") is None
    assert tree.method("toy", "box.addd") is None
    assert tree.method("to", "box.add") is None


def test_a_tree_keeps_what_it_read_when_the_file_is_replaced(root: Path, write: Write) -> None:
    write("toy/a.yaml", method("a", "First"))
    write("toy/b.yaml", method("b", "Second"))
    built(root)
    tree = again(root)
    assert tree is not None
    write("toy/a.yaml", method("a", "First, and with many more words than it had before"))
    built(root)
    row = tree.method("toy", "b")
    assert row is not None
    assert b"Second" in tree.text(row.offset, row.length)


def test_where_a_mapped_file_could_not_be_replaced_it_is_read_whole(
    root: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("toy/_service.yaml", SERVICE.format("toy"))
    write("toy/box/box.add.yaml", method("box.add"))
    built(root)
    monkeypatch.setattr(index, "MAPS", False)
    found = again(root)
    assert found is not None
    assert isinstance(found._data, bytes)
    assert [row.file for row in found.methods("toy")] == ["toy/box/box.add.yaml"]


def test_a_folder_that_has_just_changed_is_looked_at_again(root: Path, write: Write) -> None:
    write("toy/a.yaml", method("a"))
    assert not built(root).current()
    settled(root)
    assert built(root).current()


def test_a_file_that_comes_or_goes_makes_the_index_old(root: Path, write: Write) -> None:
    file = write("toy/a.yaml", method("a"))
    settled(root)
    tree = built(root)
    write("toy/b.yaml", method("b"))
    assert not tree.current()
    settled(root)
    tree = built(root)
    file.unlink()
    assert not tree.current()


def test_a_folder_that_goes_makes_the_index_old(root: Path, write: Write) -> None:
    write("toy/deep/a.yaml", method("a"))
    settled(root)
    tree = built(root)
    (root / "toy/deep/a.yaml").unlink()
    (root / "toy/deep").rmdir()
    settled(root)
    assert not tree.current()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("toy/_service.yaml", SERVICE.format("toy")),
        ("toy/_types/id.yaml", "types: {id: {type: integer}}"),
        ("toy/x.overlay.yaml", "methods: {a: {summary: x}}"),
        ("toy/broken.yaml", "method: a"),
    ],
)
def test_a_common_or_broken_file_that_is_edited_in_place_makes_the_index_old(
    path: str, text: str, root: Path, write: Write
) -> None:
    write(path, text)
    settled(root)
    tree = built(root)
    assert tree.current()
    with (root / path).open("a", encoding="utf-8") as file:
        file.write("\n# more\n")
    assert not tree.current()


def test_a_method_that_is_edited_in_place_is_no_longer_fresh(root: Path, write: Write) -> None:
    write("toy/a.yaml", method("a"))
    settled(root)
    tree = built(root)
    row = tree.method("toy", "a")
    assert row is not None
    write("toy/a.yaml", method("a", "Do that"))
    assert tree.current()
    assert not tree.fresh(row)


def test_a_file_that_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    assert index.stamp(str(tmp_path / "none")) == (0, 0)


def test_an_index_of_another_version_is_not_read(root: Path, write: Write) -> None:
    write("toy/a.yaml", method("a"))
    built(root)
    assert again(root) is not None
    assert again(root, "2") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\n" * 200,
        lambda content: b"something else altogether" * 20,
        lambda content: content[:50],
        lambda content: content[:110],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content.replace(index.MAGIC, b"declarest-index 9 "),
        lambda content: index.MAGIC + b"\n",
        lambda content: bytes(len(content)),
        lambda content: index.MAGIC + b"x" * (index.FIRST - len(index.MAGIC)) + content[index.FIRST :],
    ],
)
def test_a_damaged_index_is_not_read(damage: Callable[[bytes], bytes], root: Path, write: Write) -> None:
    write("toy/a.yaml", method("a"))
    built(root)
    path = Path(index.place(str(root), str(root.parent / "cache")))
    path.write_bytes(damage(path.read_bytes()))
    assert again(root) is None


def test_without_a_cache_there_is_nothing_to_read(root: Path) -> None:
    assert again(root) is None


def test_the_file_of_an_index_is_named_after_its_project() -> None:
    assert index.place("/work/acme/methods", "cache").startswith(os.path.join("cache", "acme-"))
    assert index.place("/methods", "cache").startswith(os.path.join("cache", "root-"))


def colliding(folder: Path) -> tuple[Path, Path]:
    """Two names of folders whose checksums are the same."""
    seen: dict[int, str] = {}
    start = crc32(os.fsencode(f"{folder}{os.sep}"))
    for number in count():
        name = md5(str(number).encode(), usedforsecurity=False).hexdigest()
        if (twin := seen.setdefault(crc32(name.encode(), start), name)) != name:
            return folder / twin, folder / name
    raise AssertionError


def test_two_folders_of_one_checksum_do_not_take_one_another_for_themselves(tmp_path: Path) -> None:
    one, two = colliding(tmp_path)
    for root, name in ((one, "a"), (two, "b")):
        (root / "toy").mkdir(parents=True)
        (root / "toy" / f"{name}.yaml").write_text(method(name), encoding="utf-8")
    settled(one)
    os.utime(two / "toy", ns=(1, 10**18 + 1))
    cache = str(tmp_path / "cache")
    compiler.build(str(one), cache, "1")
    assert index.place(str(one), cache) == index.place(str(two), cache)
    wrong = index.read(str(two), cache, "1")
    assert wrong is None or not wrong.current()
    tree = compiler.build(str(two), cache, "1", wrong)
    assert [row.name for row in tree.methods("toy")] == ["b"]


def test_two_processes_may_build_one_index_at_once(root: Path, write: Write) -> None:
    for number in range(60):
        write(f"toy/m{number}.yaml", method(f"m{number}"))
    settled(root)
    code = (
        "import sys; from runner import compiler; root, cache = sys.argv[1:]; "
        "tree = compiler.build(root, cache, '1'); print(len(list(tree.methods('toy'))))"
    )
    command = [sys.executable, "-c", code, str(root), str(root.parent / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in processes] == ["60\n", "60\n"]
    tree = again(root)
    assert tree is not None
    assert tree.current()
    assert len(list(tree.methods("toy"))) == 60
    assert len(os.listdir(root.parent / "cache")) == 1


@pytest.fixture
def large(root: Path, write: Write) -> index.Tree:
    """A tree of more folders than are looked at one by one."""
    for number in range(index.SMALL):
        write(f"toy/area{number % 4}/thing{number}/x{number}.yaml", method(f"area{number % 4}.thing{number}.get"))
    settled(root)
    return built(root)


@pytest.mark.parametrize(
    ("file", "whole", "nearby", "above"),
    [
        ("toy/area1/thing1/new.yaml", False, False, True),
        ("toy/area1/thing13/new.yaml", False, False, True),
        ("toy/area2/thing2/new.yaml", False, True, True),
        ("toy/area1/new.yaml", False, False, False),
        ("toy/area9/new.yaml", False, False, False),
        ("other/new.yaml", False, False, False),
    ],
)
def test_only_the_folders_that_matter_are_looked_at_in_a_large_tree(
    file: str, whole: bool, nearby: bool, above: bool, large: index.Tree, write: Write
) -> None:
    assert all((large.current(), large.current(index.near("toy/area1/thing1")), large.current(index.upper)))
    write(file, method("new"))
    found = (large.current(), large.current(index.near("toy/area1/thing1")), large.current(index.upper))
    assert found == (whole, nearby, above)
