from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner import forms
from runner.encoding import File
from runner.errors import CallError

if TYPE_CHECKING:
    from pathlib import Path


class Outside:
    """A disk, an address and a standard input that hold what they are called."""

    def file(self, path: str) -> File:
        return File(path, f"file {path}".encode())

    def address(self, url: str) -> File:
        return File(url, f"page {url}".encode())

    def stdin(self) -> bytes:
        return b"typed"


OUTSIDE = Outside()


@pytest.fixture(autouse=True)
def paper(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    (home / "paper").write_text("x")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (r"a\nb\r\f\v", "a\nb\r\f\v"),
        (r"a\\nb", r"a\nb"),
        (r"a\tb\x", r"a\tb\x"),
        (r'{"a": "\n"}', r'{"a": "\n"}'),
        (r' ["\n"]', r' ["\n"]'),
        ("", ""),
    ],
)
def test_escapes_become_what_they_mean(text: str, meant: str) -> None:
    assert forms.escaped(text) == meant


def test_a_path_of_a_file_has_no_escapes(home: Path) -> None:
    (home / r"a\nb").write_text("x")
    assert forms.escaped(r"a\nb") == r"a\nb"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plain", "plain"),
        ("-", "typed"),
        ("paper", "file paper"),
        ("@other", "file other"),
        ("https://x.example/a", "page https://x.example/a"),
        ("@HTTP://x.example/a", "page HTTP://x.example/a"),
    ],
)
def test_a_text_is_itself_or_what_it_names(text: str, found: str) -> None:
    assert forms.content(text, OUTSIDE) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-", File("stdin", b"typed")),
        ("paper", File("paper", b"file paper")),
        ("@other", File("other", b"file other")),
        ("https://x.example/a", File("https://x.example/a", b"page https://x.example/a")),
        ("aGVsbG8=", File("file", b"hello")),
    ],
)
def test_a_file_is_a_path_an_address_or_base64(text: str, found: File) -> None:
    assert forms.file(text, OUTSIDE) == found


@pytest.mark.parametrize("text", ["", "no such file", "päper", "aGVsbG8"])
def test_what_is_no_file_is_refused(text: str) -> None:
    with pytest.raises(CallError, match="is no file, no address and no base64; check the path"):
        forms.file(text, OUTSIDE)


def test_files_are_named_by_the_keys_of_an_object() -> None:
    found = forms.files("{'a.txt': 'paper', 'b': 'aGk='}", OUTSIDE)
    assert found == [File("a.txt", b"file paper"), File("b", b"hi")]
    with pytest.raises(CallError, match="files are an object of name and file"):
        forms.files("['paper']", OUTSIDE)


@pytest.mark.parametrize(
    ("form", "text", "written"),
    [
        ("date", "2026-05-01", "2026-05-01"),
        ("date", "2026-05-01T10:00:00+02:00", "2026-05-01"),
        ("time", "2026-05-01", "2026-05-01T00:00:00"),
        ("time", "2026-05-01T10:00:00+02:00", "2026-05-01T10:00:00+02:00"),
        ("zoned", "2026-05-01T10:00:00", "2026-05-01T10:00:00Z"),
        ("zoned", "2026-05-01T10:00:00+02:00", "2026-05-01T10:00:00+02:00"),
    ],
)
def test_dates_are_iso_8601(form: str, text: str, written: str) -> None:
    assert forms.DATES[form](text) == written


@pytest.mark.parametrize("text", ["tomorrow", "01.05.2026", "2026-13-01"])
def test_another_date_is_refused(text: str) -> None:
    with pytest.raises(CallError, match="is no date; ISO 8601 is"):
        forms.day(text)
