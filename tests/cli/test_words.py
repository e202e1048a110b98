from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runner.catalog import Catalog
from runner.cli import words
from runner.cli.words import Given, Line, general
from runner.errors import CallError

if TYPE_CHECKING:
    from pathlib import Path

    from runner.spec import Method


LISTED = (
    "it has --title, --kind, --lines, --marks, --size, --weight, --done, --either; "
    "declarest notes note.add --help lists them all"
)


@pytest.fixture
def method(shelf: Path, desk: Path) -> Method:
    return Catalog(str(shelf)).method("notes", "note.add")


def refusal(*line: str) -> str:
    """What is wrong with a line."""
    with pytest.raises(CallError) as caught:
        general(list(line))
    return str(caught.value)


def given(method: Method, *line: str, dialect: dict[str, Any] | None = None) -> Given:
    """A method's words, sorted."""
    return words.of_method(general(list(line)).rest, method, dialect or {})


def refused(method: Method, *line: str, dialect: dict[str, Any] | None = None) -> str:
    """What is wrong with a method's words."""
    with pytest.raises(CallError) as caught:
        given(method, *line, dialect=dialect)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "options", "rest"),
    [
        ([], {}, []),
        (["a", "--all", "b"], {"--all": ""}, ["a", "b"]),
        (["--output", "yaml"], {"--output": "yaml"}, []),
        (["--output=yaml"], {"--output": "yaml"}, []),
        (["-o", "yaml", "-q=a=b"], {"--output": "yaml", "--query": "a=b"}, []),
        (["-v", "-h"], {"--verbose": "", "--help": ""}, []),
        (["--params", "-"], {"--params": "-"}, []),
        (["--out", "-"], {}, []),
        (["--title", "-v"], {"--verbose": ""}, ["--title"]),
        (["--title", "-o=csv"], {}, ["--title", "-o=csv"]),
        (["--title", "-5"], {}, ["--title", "-5"]),
        (["--title", "-x"], {}, ["--title", "-x"]),
        (["--title=--all"], {}, ["--title=--all"]),
        (["--title", "--- cut ---"], {}, ["--title", "--- cut ---"]),
        (["--dry-run=1"], {}, ["--dry-run=1"]),
        (["--all", "--", "--limit", "5", "-v"], {"--all": ""}, ["--limit", "5", "-v"]),
        (["--title", "--", "x"], {}, ["--title", "x"]),
        (["--limit", "1", "--limit", "2"], {"--limit": "2"}, []),
    ],
)
def test_general_options_are_taken_out_of_a_line(line: list[str], options: dict[str, str], rest: list[str]) -> None:
    assert general(line) == Line(options, rest)


def test_a_command_may_have_options_of_its_own() -> None:
    assert general(["--port", "5"], also={"--port": "N"}).options == {"--port": "5"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            ["--query"],
            "--query needs a value; JMESPATH: the part of the answer to print; with --all it waits for all rows",
        ),
        (["--out", "--dry-run"], "--out needs a value; if --dry-run is the value, write --out=--dry-run"),
        (["--query", "-v"], "--query needs a value; if -v is the value, write --query=-v"),
        (
            ["--query", "--output=csv"],
            "--query needs a value; if --output=csv is the value, write --query=--output=csv",
        ),
        (["--output", "jsn"], "--output can't be 'jsn'; did you mean json?"),
        (["--output", "xlsx"], "--output can't be 'xlsx'; one of json, yaml, table, csv, ndjson"),
    ],
)
def test_a_general_option_with_a_slip_is_refused(line: list[str], told: str) -> None:
    assert refusal(*line) == told


def test_a_command_refuses_the_options_that_it_does_not_have() -> None:
    general(["a", "-", "--lang", "ru", "--help"]).only("find", "--lang")
    with pytest.raises(CallError, match=r"^find has no option --dry-run; it has --lang$"):
        general(["--dry-run"]).only("find", "--lang")
    with pytest.raises(CallError, match=r"^find has no option --lng; did you mean --lang\?$"):
        general(["--lng=ru"]).only("find", "--lang")
    with pytest.raises(CallError, match=r"^find has no option -x; it has none$"):
        general(["-x"]).only("find")


def test_numbers_have_defaults() -> None:
    line = general(["--timeout", "2.5", "--limit", "0"])
    assert (line.number("--timeout", 60.0), line.number("--wait", 1.5)) == (2.5, 1.5)
    assert (line.whole("--limit", 9, 0), line.whole("--port", 8024)) == (0, 8024)


def test_a_folder_of_methods_must_be_there(desk: Path) -> None:
    assert "bitrix24" in words.catalog(general([])).services()
    with pytest.raises(CallError, match=r"^there is no folder 'nowhere'; --methods takes a folder of services$"):
        words.catalog(general(["--methods", "nowhere"]))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (["title=A"], (["title"], "=", "A")),
        (["--title", "A"], (["title"], "=", "A")),
        (["--title=A"], (["title"], "=", "A")),
        (["--title="], (["title"], "=", "")),
        (["--Title", "A"], (["title"], "=", "A")),
        (["-t", "A"], (["title"], "=", "A")),
        (["-t=A"], (["title"], "=", "A")),
        (["--title", "-"], (["title"], "=", "-")),
        (["--title", "-5"], (["title"], "=", "-5")),
        (["--title", "--- cut ---"], (["title"], "=", "--- cut ---")),
        (["--title=--done"], (["title"], "=", "--done")),
        (["--entity-type", "A"], (["ENTITY_TYPE"], "=", "A")),
        (["--ENTITY_TYPE", "A"], (["ENTITY_TYPE"], "=", "A")),
        (["--place.room", "hall"], (["place", "room"], "=", "hall")),
        (["--place.room=hall"], (["place", "room"], "=", "hall")),
        (["--place[room]", "hall"], (["place", "room"], "=", "hall")),
        (["--place.shelf:=2"], (["place", "shelf"], ":=", "2")),
        (["--any.>=ID=5"], (["any", ">=ID"], "=", "5")),
        (["--any.>=ID", "5"], (["any", ">=ID"], "=", "5")),
        (["--phone.0.VALUE", "1"], (["phone", "0", "VALUE"], "=", "1")),
        (["--done"], (["done"], "=", "true")),
        (["--done", "no"], (["done"], "=", "no")),
        (["--done=no"], (["done"], "=", "no")),
        (["--done.x", "5"], (["done", "x"], "=", "5")),
        (["--done", "-o", "csv"], (["done"], "=", "true")),
        (["limit=3"], (["limit"], "=", "3")),
        (["--", "--limit", "3"], (["limit"], "=", "3")),
        (["color=red"], (["color"], "=", "red")),
        (["--color", "red"], (["color"], "=", "red")),
        (["token=word"], (["token"], "=", "word")),
    ],
)
def test_a_value_is_given_in_many_forms(line: list[str], value: Any, method: Method) -> None:
    found = given(method, *line)
    assert (found.values, found.credentials, found.whole) == ([value], {}, [])


def test_a_switch_leaves_the_next_word_alone(method: Method) -> None:
    assert given(method, "--done", "title=A").values == [(["done"], "=", "true"), (["title"], "=", "A")]


@pytest.mark.parametrize(
    ("line", "credentials"),
    [
        (["--server", "https://a.example"], {"server": "https://a.example"}),
        (["--server=https://a.example"], {"server": "https://a.example"}),
        (["--link", "https://a.example#x"], {"link": "https://a.example#x"}),
        (["--token", "x"], {"token": "x"}),
        (["--token", "-x"], {"token": "-x"}),
    ],
)
def test_a_secret_and_a_pasted_address_come_before_a_param(
    line: list[str], credentials: dict[str, str], method: Method
) -> None:
    found = given(method, *line)
    assert (found.credentials, found.values) == (credentials, [])


def test_fields_is_the_whole_input_where_the_method_has_no_such_param(method: Method, shelf: Path) -> None:
    assert given(method, "--fields", "{}", "--fields=-").whole == ["{}", "-"]
    other = Catalog(str(shelf)).method("notes", "note.scan")
    assert given(other, "--fields", "{}").values == [(["fields"], "=", "{}")]


def test_flags_of_another_tool_lead_where_its_dialect_says(method: Method) -> None:
    dialect = {"flags": {"--data": {"to": "params"}, "--secret": {"to": "token"}, "--caption": {"to": "title"}}}
    found = given(method, "--data", "{}", "--secret=x", "--caption", "A", "--size", "5", dialect=dialect)
    assert found == Given({"token": "x"}, ["{}"], [(["title"], "=", "A"), (["size"], "=", "5")])
    found = given(method, "data.size=5", "DATA.title=A", "data=1", dialect=dialect)
    assert [path for path, _, _ in found.values] == [["size"], ["title"], ["data"]]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["--colr", "red"], "note.add has no option --colr; did you mean --color?"),
        (["--TITEL", "x"], "note.add has no option --TITEL; did you mean --title?"),
        (["--secrt", "x"], "note.add has no option --secrt; did you mean --secret?"),
        (["--qqqqqq"], f"note.add has no option --qqqqqq; {LISTED}"),
        (["--use-rid"], f"note.add has no option --use-rid; {LISTED}"),
        (["-x"], f"note.add has no option -x; {LISTED}"),
        (["--Shelf", "5"], "note.add has no option --Shelf; write place.shelf=…"),
        (["--timout", "5"], "note.add has no option --timout; did you mean --timeout?"),
        (["--dry-run=1"], "--dry-run takes no value; write --dry-run"),
        (["--title"], "--title needs a value"),
        (["--title", "--size", "5"], "--title needs a value; if --size is the value, write --title=--size"),
        (["--title", "--size=5"], "--title needs a value; if --size=5 is the value, write --title=--size=5"),
        (["--token"], "--token needs a value"),
        (["--fields"], "--fields needs a value"),
        (["title"], "'title' is no option and no name=value; to give title write title=… or --title …"),
        (["New chat"], "'New chat' is no option and no name=value; put quotes around a text that has spaces"),
        (["-"], "'-' is no option and no name=value; put quotes around a text that has spaces"),
    ],
)
def test_a_word_that_nothing_takes_is_refused_with_the_nearest(line: list[str], told: str, method: Method) -> None:
    assert refused(method, *line, dialect={"flags": {"--secret": {"to": "token"}}}) == told


def test_every_flag_of_a_call_is_listed(method: Method) -> None:
    flags = words.flags_of(method)
    assert flags[:3] == ["--title", "-t", "--kind"]
    assert flags[-4:] == ["--link", "--server", "--token", "--color"]


@pytest.mark.parametrize(
    ("name", "credentials", "values"),
    [("card.token", {}, 2), ("visit.add", {"badge": "x"}, 1)],
)
def test_a_secret_that_no_call_of_a_method_needs_is_its_param(
    name: str, credentials: dict[str, str], values: int, catalog: Catalog
) -> None:
    """Whoever asks for tokens by hand gives the secrets of the application as params."""
    method = catalog.method("library", name)
    line = {"card.token": ["--spare", "s", "--key", "k"], "visit.add": ["--badge", "x", "--visitor", "1"]}[name]
    found = words.of_method(line, method, {})
    assert (found.credentials, len(found.values)) == (credentials, values)
