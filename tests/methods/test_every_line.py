"""Every command of other tools, as their users write it: with long options, with letters, under each of its names.

`tests/lines/SERVICE/DIALECT/` holds, by command: `also` (another name), `long` and `short` (the same line in two
spellings), `token` (the letter of a token), and what comes of it: `calls` a method and `sends` a body, or `gets` an
address; `prints` data, `has` these keys, or `says` a text; `warns` is a part of the one warning, and `app` is true
where nobody but an application may call. `without` are options that another one excludes.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import document
from runner.cli import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.catalog import Catalog

Json = dict[str, Any]
TESTS = Path(__file__).parents[1]
FILES = sorted((TESTS / "lines").rglob("*.yaml"))
LINKS = {
    "bitrix24": ("https://b24.example.com/rest/1/code/", "https://b24.example.com/rest/1/***/"),
    "library": ("https://library.example/r/7/code/", "https://library.example/r/7/***/"),
}
TOKENS = {
    "bitrix24": ("b24.example.com", "https://b24.example.com/rest/"),
    "library": ("library.example", "https://library.example/api/"),
}
CONTENTS = {
    "note.txt": b"hello",
    "picture.png": b"\x89PNG\r\n\x1a\n",
    "fields.json": b'{"TITLE": "From a file", "OPENED": "N"}',
}


def cases() -> list[Any]:
    """Each command with what is known of it."""
    found = []
    for path in FILES:
        service, dialect = path.relative_to(TESTS / "lines").with_suffix("").parts[:2]
        data = document.load(path.read_text(encoding="utf-8"), str(path))
        found += [pytest.param((service, dialect, name), case, id=f"{dialect} {name}") for name, case in data.items()]
    return found


CASES = cases()


@pytest.fixture
def say(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a line in a folder that has the files which the lines name; its answer and what it says."""
    for name, content in CONTENTS.items():
        (home / name).write_bytes(content)
    monkeypatch.chdir(home)
    monkeypatch.setenv("DECLAREST_METHODS", str(TESTS / "service"))
    monkeypatch.setenv("DECLAREST_LANG", "en")

    def said(*words: str) -> tuple[str, str]:
        code = run([part for word in words for part in shlex.split(word)])
        answer = capsys.readouterr()
        assert code == 0, answer.err
        return re.sub(r'(?<="X-Request-Id": ")[^"]*', "", answer.out), answer.err  # an id that is made for each call

    return said


@pytest.mark.parametrize(("place", "case"), CASES)
def test_a_line_comes_to_the_same_in_every_spelling(
    place: tuple[str, str, str], case: Json, say: Callable[..., Any]
) -> None:
    service, _, name = place
    also, long, short = case.get("also", name.swapcase()), case.get("long", ""), case.get("short", "")
    if "calls" not in case:
        shown = "--dry-run" if "gets" in case else ""
        out, err = say(service, name, long, shown)
        assert say(service, also, short, shown) == (out, err)
        compare(out, case)
    else:
        link, address = LINKS[service]
        token, api = TOKENS[service]
        err = ""
        if not case.get("app"):
            out, err = say(service, name, long, f"--url {link} --dry-run")
            assert say(service, also, short, f"-u {link} --dry-run") == (out, err)
            compare_call(out, address, case)
        by_token, _ = say(service, name, long, f"--url {token} --token secret --dry-run")
        assert say(service, also, short, f"-u {token} {case['token']} secret --dry-run")[0] == by_token
        assert "secret" not in by_token
        compare_call(by_token, api, case)
    assert err.count("warning: ") == err.count("\n") == ("warns" in case)
    assert case.get("warns", "") in err


def compare_call(out: str, address: str, case: Json) -> None:
    """The shown request is that of the case, whatever way of authorising it went."""
    data = json.loads(out)
    assert data["url"].partition("?")[0] == address + case["calls"]
    body = data["body"]
    if isinstance(body, dict):
        body.pop("auth", None)
    assert body == case["sends"]


def compare(out: str, case: Json) -> None:
    """What a command prints that sends nothing, or where it leads."""
    if "says" in case:
        assert out == case["says"] + "\n"
    elif "prints" in case:
        assert json.loads(out) == case["prints"]
    elif "has" in case:
        assert set(case["has"]) <= set(json.loads(out))
    else:
        assert json.loads(out)["url"] == case["gets"]


def test_every_command_has_a_line_and_every_line_a_command(catalog: Catalog) -> None:
    known = set()
    for service in catalog.services():
        for alias in catalog.aliases(service):
            command = catalog.command(service, alias)
            assert command is not None
            known.add((service, command["dialect"], command["alias"]))
    assert {case.values[0] for case in CASES} == known


def test_every_name_and_option_of_a_command_is_tried(catalog: Catalog) -> None:
    for (service, _, name), case in (one.values for one in CASES):
        command = catalog.command(service, name)
        assert command is not None
        assert ([case["also"]] if "also" in case else []) == command.get("also", []), name
        tried = {word for part in ("long", "short") for word in shlex.split(case.get(part, "")) if word[:1] == "-"}
        own = {flag for flag, meant in command["flags"].items() if meant["own"]}
        assert own <= {*tried, *case.get("without", ())}, name
