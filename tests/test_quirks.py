"""Every known quirk of a service has a case or a test, or a line that says why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from runner import document

TESTS = Path(__file__).parent
PATH = TESTS / "cases" / "bitrix24" / "quirks.yaml"
MANY = 36


def listed() -> list[dict[str, Any]]:
    return list(document.load(PATH.read_text(encoding="utf-8"), str(PATH))["quirks"])


@pytest.fixture(scope="module")
def titles() -> set[str]:
    """The titles of all cases."""
    files = [path for path in (TESTS / "cases").glob("*/*.yaml") if path.name not in {"slips.yaml", PATH.name}]
    return {case["title"] for path in files for case in document.load(path.read_text("utf-8"), str(path))["cases"]}


@pytest.fixture(scope="module")
def functions() -> set[str]:
    """The names of all tests."""
    return {
        name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }


def test_they_are_all_there_and_each_once() -> None:
    assert [one["number"] for one in listed()] == [*map(str, range(1, 29)), "28a", *map(str, range(29, MANY))]


@pytest.mark.parametrize("quirk", listed(), ids=lambda one: one["number"])
def test_a_quirk_has_a_case_or_a_reason(quirk: dict[str, Any], titles: set[str], functions: set[str]) -> None:
    assert set(quirk) <= {"number", "quirk", "cases", "tests", "why"}
    assert quirk["quirk"]
    assert set(quirk.get("cases", ())) <= titles
    assert set(quirk.get("tests", ())) <= functions
    assert quirk.get("cases") or quirk.get("tests") or quirk.get("why")
