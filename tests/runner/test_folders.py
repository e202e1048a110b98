from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs
import pytest

from runner import folders

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the layout of other systems is platformdirs' own")


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("CONFIG", "CACHE", "STATE"):
        monkeypatch.delenv(f"DECLAREST_{kind}_DIR", raising=False)
        monkeypatch.delenv(f"XDG_{kind}_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", ["config", "cache", "state"])
@pytest.mark.parametrize("xdg", [None, "", "  ", "/somewhere/else"])
def test_folders_are_those_of_platformdirs(kind: str, xdg: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if xdg is not None:
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", xdg)
    wanted = getattr(platformdirs, f"user_{kind}_dir")("declarest", appauthor=False)
    assert folders.folder(kind) == wanted


@LINUX
def test_on_other_systems_platformdirs_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name, *, appauthor: f"{name} in the Library")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert folders.folder("cache") == "declarest in the Library"


@pytest.mark.parametrize("kind", ["config", "cache", "state"])
def test_a_folder_can_be_moved_by_a_variable(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"DECLAREST_{kind.upper()}_DIR", "elsewhere")
    assert folders.folder(kind) == "elsewhere"


def test_built_in_folders_stand_beside_the_package_in_a_checkout() -> None:
    root = Path(folders.__file__).parents[1]
    assert folders.built_in("schemas") == str(root / "schemas")


def test_built_in_folders_stand_in_the_package_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runner/_data/methods").mkdir(parents=True)
    monkeypatch.setattr(folders, "__file__", str(tmp_path / "runner/folders.py"))
    assert folders.built_in("methods") == str(tmp_path / "runner/_data/methods")
    assert folders.built_in("schemas") == str(tmp_path / "schemas")


def made(*paths: Path) -> list[str]:
    for path in paths:
        path.mkdir(parents=True, exist_ok=True)
    return [str(path) for path in paths]


def test_folders_of_methods_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, one, two, here, own = made(
        tmp_path / "given", tmp_path / "one", tmp_path / "two", tmp_path / "methods", tmp_path / "config/methods"
    )
    monkeypatch.setenv("DECLAREST_METHODS", os.pathsep.join([one, "", two, str(tmp_path / "none")]))
    monkeypatch.setenv("DECLAREST_CONFIG_DIR", str(tmp_path / "config"))
    found = folders.search_path("given")
    assert found == [given, one, two, here, own, folders.built_in("methods")]


def test_a_folder_named_twice_is_searched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = made(tmp_path / "one")
    (tmp_path / "link").symlink_to(one)
    monkeypatch.setenv("DECLAREST_METHODS", os.pathsep.join([f"{one}/", str(tmp_path / "link")]))
    assert folders.search_path("one") == [one, folders.built_in("methods")]


def test_folders_that_do_not_exist_are_passed_over() -> None:
    assert folders.search_path("none") == [folders.built_in("methods")]


def pack(site: Path, name: str, module: str, *, init: str | None = "", methods: bool = True) -> Path:
    """An installed package with an entry point of the group."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[declarest.methods]\n{name} = {module}\n")
    package = site / name
    (package / "methods" if methods else package).mkdir(parents=True)
    if init is not None:
        (package / "__init__.py").write_text(init)
    return package


def test_installed_packages_bring_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pack(tmp_path / "site", "acme_pack", "acme_pack.methods")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert folders.search_path() == [str(package / "methods"), folders.built_in("methods")]


def test_a_package_without_an_init_file_brings_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pack(tmp_path / "site", "bare_pack", "bare_pack", init=None)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert str(package) in folders.search_path()


@pytest.mark.parametrize(
    ("name", "module", "init"),
    [
        ("gone_pack", "no_such_package.methods", ""),
        ("odd_pack", "odd_pack.nothing", ""),
        ("bad_pack", "bad_pack.methods", "raise RuntimeError('not today')"),
        ("wrong_pack", "..", ""),
    ],
)
def test_a_broken_package_brings_nothing_and_breaks_nothing(
    name: str, module: str, init: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(tmp_path / "site", name, module, init=init)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert folders.search_path() == [folders.built_in("methods")]


def test_packages_are_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAREST_CACHE_DIR", str(tmp_path / "cache"))
    package = pack(tmp_path / "site", "kept_pack", "kept_pack.methods")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    first = folders.search_path()
    monkeypatch.setattr(folders, "_entry_points", lambda: pytest.fail("it was looked for again"))
    assert folders.search_path() == first == [str(package / "methods"), folders.built_in("methods")]


def test_a_package_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECLAREST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert folders.search_path() == [folders.built_in("methods")]
    package = pack(tmp_path / "site", "late_pack", "late_pack.methods")
    assert str(package / "methods") in folders.search_path()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"0\n/nowhere"])
def test_a_damaged_note_of_packages_is_written_again(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECLAREST_CACHE_DIR", str(tmp_path))
    (tmp_path / "packs").write_bytes(content)
    assert folders.search_path() == [folders.built_in("methods")]
    assert (tmp_path / "packs").read_bytes() != content


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("here stands a file")
    monkeypatch.setenv("DECLAREST_CACHE_DIR", str(tmp_path / "file"))
    assert folders.search_path() == [folders.built_in("methods")]


def test_an_empty_place_of_the_import_path_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert folders.search_path() == [folders.built_in("methods")]
