from __future__ import annotations

from runner import dialects


def test_a_command_has_the_options_of_its_dialect_and_its_own() -> None:
    shared = {"title": "Other", "unknown": "allow", "flags": {"--url -u": "url"}, "read": {"--data": "json"}}
    own = {"call": "box.add", "alias": "AddBox", "flags": {"--data -d": "params", "--size": {"to": "size"}}}
    found = dialects.command(own, shared)
    assert found["flags"] == {
        "--url": {"to": "url", "option": "--url", "own": False},
        "-u": {"to": "url", "option": "--url", "own": False},
        "--data": {"to": "params", "read": "json", "option": "--data", "own": True},
        "-d": {"to": "params", "read": "json", "option": "--data", "own": True},
        "--size": {"to": "size", "option": "--size", "own": True},
    }
    del found["flags"]
    assert found == {"title": "Other", "unknown": "allow", "call": "box.add", "alias": "AddBox"}


def test_only_a_structure_has_the_option_that_empties_it() -> None:
    shared = {"flags": {"--empty -e": "--empty"}}
    assert dialects.command({"call": "x"}, shared)["flags"] == dialects.command({"link": "x"}, shared)["flags"] == {}
    assert [*dialects.command({"print": {}}, shared)["flags"]] == ["--empty", "-e"]
    assert [*dialects.command({"skeleton": "x"}, shared)["flags"]] == ["--empty", "-e"]


def test_an_own_letter_takes_the_place_of_the_dialects() -> None:
    found = dialects.command({"flags": {"--task -t": "id"}}, {"flags": {"--token -t -k": "token"}})["flags"]
    assert {flag: meant["to"] for flag, meant in found.items()} == {
        "--token": "token", "-t": "id", "-k": "token", "--task": "id",
    }  # fmt: skip


def test_an_option_is_read_by_its_own_form_before_that_of_its_name_and_of_all() -> None:
    shared = {"read": {"*": "escaped", "--b": "list"}}
    found = dialects.command({"flags": {"--a": "x", "--b -c": "y", "--d": {"to": "z", "read": "text"}}}, shared)[
        "flags"
    ]
    assert {flag: meant["read"] for flag, meant in found.items()} == {
        "--a": "escaped", "--b": "list", "-c": "list", "--d": "text",
    }  # fmt: skip
