"""A sandbox whose secret stands nowhere else, and a client of it that never waits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner import Client
from runner.catalog import Catalog
from runner.sandbox import MEMORY, Served, start

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "s3cr3tc0de"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def catalog(cache: object, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The service with a secret that stands nowhere else."""
    folder = tmp_path_factory.mktemp("faults") / "bitrix24"
    folder.mkdir()
    text = (ROOT / "methods/bitrix24/_service.yaml").read_text(encoding="utf-8")
    assert "code: sandbox\n" in text
    (folder / "_service.yaml").write_text(text.replace("code: sandbox\n", f"code: {SECRET}\n"), encoding="utf-8")
    return Catalog(str(folder.parent))


@pytest.fixture
def served(catalog: Catalog) -> Iterator[Served]:
    with start(catalog, "bitrix24", state=MEMORY) as one:
        yield one


@pytest.fixture
def client(catalog: Catalog, served: Served) -> Iterator[Client]:
    url = f"{served.address}/rest/1/{SECRET}/"
    with Client("bitrix24", url=url, methods=catalog, limits="memory", timeout=10) as one:
        one._sleep = lambda _seconds: None
        yield one
