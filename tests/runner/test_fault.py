"""What is wrong in a file, as it is told; the files that are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.fault import Fault, files

if TYPE_CHECKING:
    from pathlib import Path


def test_a_fault_reads_as_compilers_write_theirs() -> None:
    assert str(Fault("a.yaml:1:2", "is wrong")) == "a.yaml:1:2: error: is wrong"
    assert str(Fault("a.yaml:1:2", "is odd", "mend it", "warning")) == "a.yaml:1:2: warning: is odd; mend it"


def test_the_files_of_a_folder_are_those_that_are_not_hidden(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/c.yaml", ".git/d.yaml", "a/.e.yaml", "a/f.yml", "_service.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files(tmp_path) == [tmp_path / name for name in ("_service.yaml", "a/c.yaml", "a/f.yml", "b.yaml")]
    assert files(tmp_path / "b.yaml") == [tmp_path / "b.yaml"]
