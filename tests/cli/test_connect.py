"""The client of a line: every command that calls a service reaches it in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINK = ["--link", "https://127.0.0.1:9#opener"]


@pytest.mark.parametrize(
    "words",
    [
        ["notes", "note.list", *LINK],
        ["batch", "notes", "calls.yaml", *LINK],
        ["bulk", "notes", "note.add", "--in", "rows.ndjson", *LINK],
        ["login", "bitrix24", "work", "--url", "https://127.0.0.1:9/rest/1/secret-code/"],
    ],
    ids=lambda words: words[0],
)
def test_every_command_takes_the_certificates_of_the_caller(
    words: list[str], line: Callable[..., Any], desk: Path
) -> None:
    (desk / "calls.yaml").write_text("[{method: note.list}]")
    (desk / "rows.ndjson").write_text('{"title": "a"}\n')
    said = line(*words, "--ca-bundle", "missing.pem")
    assert said.code
    assert "can't read the certificates of missing.pem" in said.err
