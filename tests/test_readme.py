"""What the two front pages show: their YAML is put where they say and tried, their Python is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runner import Client, lint
from runner.catalog import Catalog
from runner.fault import files

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "README.ru.md")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(params=PAGES)
def methods(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The YAML of a page, each block where its first line or the sentence before it says."""
    page: str = request.param
    saved = re.search(r"`(methods/\S+\.yaml)`", (ROOT / page).read_text(encoding="utf-8"))
    assert saved is not None
    for block in blocks(page, "yaml"):
        place = re.match(r"# (\S+)\n", block)
        path = tmp_path / (place[1] if place else saved[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block, encoding="utf-8")
    return tmp_path / "methods"


def test_the_yaml_of_the_front_pages_has_no_faults(methods: Path) -> None:
    catalog = Catalog(str(methods))
    found = [str(fault) for file in files(methods) for fault in lint.faults(file, catalog)]
    assert found == []


def test_the_service_of_the_front_pages_answers(methods: Path) -> None:
    with Client("tracker", sandbox=True, methods=str(methods)) as tracker:
        assert tracker.call("issue.add", {"project": "lamps", "title": "It hums"}).value["number"] == 2
        titles = [row["title"] for row in tracker.iterate("issue.list", {"project": "lamps"})]
    assert titles == ["The lamp is dark", "It hums"]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_the_front_pages_runs(page: str, number: int, home: Path) -> None:
    code = blocks(page, "python")[number]
    line = [sys.executable, "-W", "error", "-c", code]
    known = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    said = subprocess.run(line, cwd=home, env=known, capture_output=True, check=False)
    assert (said.returncode, said.stderr.decode()) == (0, "")


def test_both_front_pages_show_the_same() -> None:
    english, russian = ([re.sub(r"\s*# [^\n]*", "", one) for one in blocks(page, "yaml")] for page in PAGES)
    assert english == russian
