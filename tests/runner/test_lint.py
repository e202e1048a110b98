from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner import draft, lint
from runner.catalog import Catalog
from runner.fault import files

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICE = """\
spec: 1
service: notes
title: Notes
profile:
  properties:
    server: {type: string, format: uri}
    token: {type: string, writeOnly: true}
  accept: {link: ["{server}#{token}"]}
auth:
  token:
    needs: [server, token]
    base: "{server}/"
    send: {header: {Authorization: "Bearer {token}"}}
  desk:
    needs: [server]
    base: "{server}/"
    first: {method: desk.open, keep: {session: key}}
    send: {basic: [someone, "{session}"]}
response: {result: result, error: {when: error, code: error}}
encode: {yn: {"true": "Y", "false": "N"}}
types: {id: {type: integer, minimum: 1}}
variants: {v2: {title: Notes 2}}
"""
METHOD = "method: note.add\nsummary: Write a note\neffect: write\n"


@pytest.fixture
def shelf(tmp_path: Path) -> Callable[[str, str], list[str]]:
    """Writes a file of the service, and gives the faults that are found in it, without the folder before them."""
    root = tmp_path / "methods"

    def found(name: str, text: str | bytes) -> list[str]:
        (root / "notes").mkdir(parents=True, exist_ok=True)
        if not (root / "notes" / "_service.yaml").exists():
            (root / "notes" / "_service.yaml").write_text(SERVICE)
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        catalog = Catalog(str(root))
        return [str(fault).replace(f"{path.parent}/", "") for fault in lint.faults(path, catalog, {"find"})]

    return found


PLACE = "notes/note/note.add.yaml"


@pytest.mark.parametrize("name", ["notes/_service.yaml", PLACE, "notes/_types/more.yaml", "notes/ru.overlay.yaml"])
def test_a_file_without_faults_has_none(name: str, shelf: Callable[[str, str], list[str]]) -> None:
    texts = {
        "notes/_service.yaml": SERVICE,
        PLACE: METHOD,
        "notes/_types/more.yaml": "types: {color: {enum: [red]}}\n",
        "notes/ru.overlay.yaml": "lang: ru\nmethods: {note.add: {summary: Записать}}\n",
    }
    assert shelf(name, texts[name]) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"\xff", "note.add.yaml:1:1: error: this is not UTF-8 text; save it as UTF-8"),
        ("method: [", "note.add.yaml:2:1: error: "),
        ("a: 1\na: 2\n", "note.add.yaml:2:1: error: "),
        (METHOD + "sumary: x\n", "note.add.yaml:4:1: error: the key 'sumary' is not known; did you mean summary?"),
        ("method: note.add\nsummary: x\n", "note.add.yaml:1:1: error: the file lacks effect; add effect: …"),
        (METHOD.replace("write", "wrte"), 'note.add.yaml:3:9: error: effect can\'t be "wrte"; did you mean write?'),
        (
            METHOD + "params: {a: {typ: string}}\n",
            "note.add.yaml:4:14: error: the key 'typ' is not known; did you mean type?",
        ),
    ],
)
def test_a_slip_of_the_grammar_has_its_line_its_column_and_its_fix(
    text: str | bytes, told: str, shelf: Callable[[str, str | bytes], list[str]]
) -> None:
    assert shelf(PLACE, text)[0].startswith(told)


def test_a_file_that_can_not_be_read_is_a_fault(tmp_path: Path) -> None:
    catalog = Catalog()
    faults = [str(one) for one in lint.faults(tmp_path / "gone.yaml", catalog)]
    assert faults == [f"{tmp_path}/gone.yaml: error: can't be read: No such file or directory"]


def test_commands_of_other_tools_name_what_there_is(shelf: Callable[[str, str], list[str]]) -> None:
    shelf(
        "notes/note/note.add.yaml",
        "method: note.add\nsummary: Add\neffect: write\nparams: {title: {type: string}, place: {type: object}}\n"
        "patterns: {^x_: {}}\n",
    )
    text = """\
dialects:
  other:
    commands:
      A: {call: note.add, flags: {--a: title, -b: params, --c: token, --d: place.room, --e: x_1, -f: {}, -g: --dry-run}}
      B: {call: note.ad}
      C: {call: note.add, flags: {--t: titel}, preset: {plac.room: 1}}
      D: {print: {a: "{x}"}, of: note.add}
      E: {link: "{server}/{token}", of: note.add, flags: {--token: token}}
      F: {skeleton: note.add, at: plase}
      G: {call: note.add, skeleton: note.add}
      H: {print: {a: "{x}", b: [1]}, of: note.add, flags: {--x: x}}
      I: {skeleton: note.add}
"""
    assert [one.removeprefix("other.yaml:") for one in shelf("notes/_dialects/other.yaml", text)] == [
        "5:7: error: B: call: there is no method 'note.ad' in notes; did you mean note.add?",
        "6:7: error: C: titel is no param and no field of the profile; did you mean title?",
        "6:7: error: C: plac.room is no param and no field of the profile; did you mean place?",
        "7:7: error: D: no option gives {x}; write flags: {--x: x}",
        "8:7: error: E: token is a secret and is never shown",
        "9:7: error: F: plase is no param and no field of the profile; did you mean place?",
        "10:7: error: G: it does one of call, skeleton, print and link",
    ]


def test_commands_that_no_index_holds_are_checked_as_well(tmp_path: Path) -> None:
    path = tmp_path / "library" / "_dialects" / "other.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("dialects: {other: {flags: {--a: nothing}, commands: {Strange: {call: im.chat.add}}}}")
    (found,) = lint.faults(path, Catalog())
    assert "Strange: call: there is no service" in str(found)


def test_a_part_of_a_service_holds_types_or_dialects(shelf: Callable[[str, str], list[str]]) -> None:
    assert shelf("notes/_types/more.yaml", "kinds: {}\n") == [
        "more.yaml:1:1: error: a part of a service holds `types:` or `dialects:`"
    ]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            "params: {a: {items: {send: 1}}}",
            "4:13: error: 'send' is a word of params; it means nothing deeper; move it up",
        ),
        ("params: {a: {cli: [-v]}}", "4:19: error: -v is an option of every call; take another letter"),
        ("params: {a: {cli: [-x]}, b: {cli: [-x]}}", "4:35: error: -x is a's already"),
        ("params: {a: true}\nrequired: [b]", "5:12: error: b is no param"),
        ("params: {title: true}\nrequired: [titel]", "5:12: error: titel is no param; did you mean title?"),
        (
            "params: {title: true}\nby_auth: {token: {required: [titel]}}",
            "5:30: error: titel is no param; did you mean title?",
        ),
        ("params: {title: true}\nby_auth: {token: {not: {required: [title]}}, desk: false}", ""),
        ("by_auth: {tokn: {}}", "4:17: error: the service notes has no way of authorising called 'tokn'"),
        ("idempotent: key", "4:13: error: key is no param"),
        ("request: {path: 'notes/{id}'}", "4:17: error: the address has {id}, which is no param"),
        ("params: {id: {in: path}}", "4:14: error: id travels in the address, which has no {id}"),
        ("params: {a: {encode: yan}}", "4:13: error: there is no encoder 'yan'; did you mean yn?"),
        (
            "errors: {A: [{message: a}, {kind: usage}, {message: b}]}",
            "4:28: error: what follows is never reached: this is known as A whatever its message; put it last",
        ),
        ("errors: {A: [{message: a}, {kind: usage}], B: {kind: usage}}", ""),
        (
            "params: {a: {if: {required: [x]}, then: {properties: {x: {encode: yn}}}}}",
            "4:13: error: an encoder under 'then' has no effect; say it of the value itself, a key, items,",
        ),
        ("params: {a: {prefixItems: [{encode: yn}]}}", "4:13: error: an encoder under 'prefixItems' has no effect"),
        ("params: {a: {anyOf: [{encode: yn}, {items: {encode: yn}}], not: {required: [x]}}}", ""),
        (
            "params: {key: {type: integer, generate: counter}}\nidempotent: key",
            "5:13: error: key counts the calls of each client from 1, so it makes no repeated call harmless",
        ),
        ("params: {key: {generate: uuid}}\nidempotent: key", ""),
        ("auth: [tokn]", "4:8: error: the service notes has no way of authorising called 'tokn'; it has token, desk"),
        ("params: {a: {minimum: 1, enum: [1, 1]}}", ""),
        ("params: {a: {pattern: '['}}", "4:23: error: '[' is no regular expression: "),
        ("response: {result: 'a['}", "4:20: error: 'a[' is no JMESPath: "),
        ("response: {meta: {next: 'a['}}", "4:25: error: 'a[' is no JMESPath: "),
        ("response: {result: 'a['}\nexamples: [{params: {}, response: {}}]", "4:20: error: 'a[' is no JMESPath: "),
        ("pages: {offset: {items: 'a['}}", "4:25: error: 'a[' is no JMESPath: "),
        ("errors: {FULL: {wait: 'a[', hint: 'a['}}", "4:23: error: 'a[' is no JMESPath: "),
        ("errors: {FULL: [{message: a, wait: 'a['}, {kind: usage}]}", "4:36: error: 'a[' is no JMESPath: "),
        ("errors: {FULL: {wait: header.Retry-After}}", ""),
        ("params: {a: {$ref: '#idd'}}", "4:20: error: note.add refers to the type #idd, which "),
        ("pages: [offset]", "4:9: error: the service notes has no way of paging called 'offset'; it has none"),
        ("pages: {offset: {}}", "4:17: error: the service notes has no way of paging called 'offset'; it has none"),
        ("idempotent: yes", "4:13: error: yes is no param; write true"),
        ("params: {a: {type: integer}}\nexamples: [{params: {a: x}}]", "5:25: error: the example does not fit: a: "),
        ("examples: [{params: {}, response: [1]}]", ""),
        ("examples: [{params: {}, response: {error: NO}}]", ""),
        ("returns: {type: integer}\nexamples: [{params: {}, response: {result: 7}}]", ""),
        (
            "returns: {type: integer}\nexamples: [{params: {}, response: {result: x}}]",
            "5:35: error: the value is not what `returns` says: 'x' is not of type 'integer'",
        ),
        (
            "returns: {properties: {a: {type: integer}}}\nexamples: [{params: {}, response: {result: {a: x}}}]",
            "5:35: error: a is not what `returns` says: ",
        ),
        (
            "examples: [{params: {}, status: 302, response: {}}]",
            "4:48: error: the answer can't be read: the service answered with a redirect: {}",
        ),
    ],
)
def test_what_the_grammar_can_not_say_is_found(more: str, told: str, shelf: Callable[[str, str], list[str]]) -> None:
    found = shelf(PLACE, f"{METHOD}{more}\n")
    if told:
        assert len(found) == 1
        assert found[0].startswith(f"note.add.yaml:{told}")
    else:
        assert found == []


def test_params_that_are_no_json_schema_are_found(
    shelf: Callable[[str, str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.validation.faults_of_schema", lambda _: "it is upside down")
    assert shelf(PLACE, METHOD + "params: {a: {}}\n") == [
        "note.add.yaml:4:9: error: the params are no JSON Schema: it is upside down"
    ]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{values: {a: b}}", []),
        ("{method: note.add, key: id, label: '[a, b]', items: '\"{name}\".list'}", []),
        ("{method: note.gone, key: id, label: name}", ["come from note.gone, which there is not"]),
        ("{method: note.add, key: 'a[', label: name}", ["'a[' is no JMESPath: "]),
        ("{method: note.add, key: a}", ["labels"]),
    ],
)
def test_names_behind_values_come_from_somewhere(
    source: str, told: list[str], shelf: Callable[[str, str], list[str]]
) -> None:
    found = shelf(PLACE, f"{METHOD}returns: {{properties: {{a: {{labels: {source}}}}}}}\n")
    assert len(found) == len(told)
    assert all(part in one for part, one in zip(told, found, strict=True))
    assert all(one.startswith("note.add.yaml:4:") for one in found)


def test_a_warning_in_an_example_is_no_fault(shelf: Callable[[str, str], list[str]]) -> None:
    assert shelf(PLACE, METHOD + "params: {a: {deprecated: true}}\nexamples: [{params: {a: 1}}]\n") == []


def test_a_pattern_may_have_flags_too(shelf: Callable[[str, str], list[str]]) -> None:
    assert shelf(PLACE, METHOD + "patterns: {'^a': {cli: [-o]}, '^b': true}\n") == [
        "note.add.yaml:4:24: error: -o is an option of every call; take another letter"
    ]


@pytest.mark.parametrize(
    ("place", "text", "told"),
    [
        (
            "notes/note/add.yaml",
            METHOD,
            ["add.yaml:1:9: warning: the file of note.add is called note.add.yaml; rename add.yaml"],
        ),
        (
            "notes/note.add.yaml",
            METHOD,
            ["note.add.yaml:1:9: warning: note.add belongs in the folder notes/note"],
        ),
        (
            "notes/deep/ping.yaml",
            METHOD.replace("note.add", "ping"),
            ["ping.yaml:1:9: warning: ping belongs in the folder notes/"],
        ),
        ("notes/note/note.add.yaml", METHOD + "variant: v2\n", []),
        ("notes/note/note.add@v2.yaml", METHOD + "variant: v2\n", []),
        ("notes/ping.yaml", METHOD.replace("note.add", "ping"), []),
        ("notes/a/b/a.b.c.d.yaml", METHOD.replace("note.add", "a.b.c.d"), []),
    ],
)
def test_a_file_stands_where_its_name_says(
    place: str, text: str, told: list[str], shelf: Callable[[str, str], list[str]]
) -> None:
    assert shelf(place, text) == told


def test_a_method_that_another_folder_describes_is_a_warning(tmp_path: Path) -> None:
    for root in ("one", "two"):
        path = tmp_path / root / "notes" / "note" / "note.add.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(METHOD)
        (tmp_path / root / "notes" / "_service.yaml").write_text(SERVICE)
    first = Catalog(str(tmp_path / "one"))
    path = tmp_path / "two" / "notes" / "note" / "note.add.yaml"
    assert [str(one) for one in lint.faults(path, first)] == [
        f"{path}:1:9: warning: {tmp_path}/one/notes/note/note.add.yaml describes note.add before this file does"
    ]


def test_a_method_of_a_service_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "methods" / "letters" / "letter" / "letter.add.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(METHOD.replace("note.add", "letter.add"))
    (found,) = lint.faults(path, Catalog(str(tmp_path / "methods")))
    assert str(found).startswith(f"{path}:1:9: error: there is no service 'letters'; ")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "service: notes",
            "service: letters",
            "2:10: error: the service 'letters' stands in a folder called 'notes'; rename one",
        ),
        ("needs: [server]", "needs: [sever]", "15:12: error: sever is no field of the profile; did you mean server?"),
        (
            'base: "{server}/"\n    send',
            'base: "{serve}/"\n    send',
            "12:11: error: serve is no field of the profile; did you mean server?",
        ),
        ('"Bearer {token}"', '"Bearer {x}"', "13:11: error: x is no field of the profile; it has server, token"),
        ('"{session}"', '"{sesion}"', "18:11: error: sesion is no field of the profile; did you mean session?"),
        (
            '["{server}#{token}"]',
            '["{server}#{tken}"]',
            "8:19: error: tken is no field of the profile; did you mean token?",
        ),
        ("spec: 1", "spec: 2", "1:7: error: spec must be 1, not 2"),
    ],
)
def test_names_in_a_service_must_mean_something(
    old: str, new: str, told: str, shelf: Callable[[str, str], list[str]]
) -> None:
    assert SERVICE.count(old) == 1
    assert shelf("notes/_service.yaml", SERVICE.replace(old, new)) == [f"_service.yaml:{told}"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("result: result", "result: 'a['", "19:20: error: 'a[' is no JMESPath: "),
        ("code: error", "code: 'a['", "19:55: error: 'a[' is no JMESPath: "),
        ("encode:", "pages: {list: {next: 'a b'}}\nencode:", "20:22: error: 'a b' is no JMESPath: "),
        ("encode:", "errors: {FULL: {wait: retry after}}\nencode:", "20:23: error: 'retry after' is no JMESPath: "),
        ("encode:", "pages: {list: {next: link.next}, more: {next: header.X}}\nencode:", ""),
    ],
)
def test_places_in_answers_are_told_where_the_service_names_them(
    old: str, new: str, told: str, shelf: Callable[[str, str], list[str]]
) -> None:
    found = shelf("notes/_service.yaml", SERVICE.replace(old, new))
    assert len(found) == bool(told)
    assert not told or found[0].startswith(f"_service.yaml:{told}")


def test_a_method_of_a_broken_service_tells_of_the_service(tmp_path: Path) -> None:
    path = tmp_path / "methods" / PLACE
    path.parent.mkdir(parents=True)
    path.write_text(METHOD)
    service = tmp_path / "methods" / "notes" / "_service.yaml"
    service.write_text(SERVICE.replace("spec: 1", "spec: 2"))
    (found,) = lint.faults(path, Catalog(str(tmp_path / "methods")))
    assert str(found) == f"{service}:1:7: error: spec must be 1, not 2"


def test_a_service_without_a_profile_needs_no_fields(shelf: Callable[[str, str], list[str]]) -> None:
    text = "spec: 1\nservice: notes\ntitle: Notes\nauth: {none: {base: 'https://{host}/'}}\n"
    assert shelf("notes/_service.yaml", text) == [
        "_service.yaml:4:21: error: host is no field of the profile; it has none"
    ]


def test_a_service_can_not_have_the_name_of_a_command(shelf: Callable[[str, str], list[str]]) -> None:
    assert shelf("find/_service.yaml", SERVICE.replace("service: notes", "service: find")) == [
        "_service.yaml:2:10: error: find is a command, which a service can't be called; take another name"
    ]


def test_the_service_of_a_file_is_the_folder_that_could_be_one(tmp_path: Path) -> None:
    path = tmp_path / "shelf" / "notes" / "note" / "note.add.yaml"
    path.parent.mkdir(parents=True)
    assert lint.service_of(path, [str(tmp_path / "shelf")]) == "notes"
    assert lint.service_of(tmp_path / "shelf" / "x.yaml", [str(tmp_path / "shelf")]) == "shelf"
    assert lint.service_of(path, [str(tmp_path / "other")]) == "note"
    assert lint.service_of(tmp_path / "methods" / "notes" / "note" / "x.yaml") == "notes"
    (tmp_path / "shelf" / "notes" / "_service.yaml").touch()
    assert lint.service_of(path) == "notes"


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("note.add", "write"),
        ("note.list", "read"),
        ("Note.GET", "read"),
        ("note.delete", "destroy"),
        ("ping", "write"),
        ("note.add@v2", "write"),
    ],
)
def test_a_starting_method_has_no_faults(name: str, effect: str, shelf: Callable[[str, str], list[str]]) -> None:
    text = draft.method("notes", name, "method.json")
    assert f"\neffect: {effect}\n" in text
    assert text.startswith("# yaml-language-server: $schema=method.json\n")
    assert shelf(f"notes/{lint.proper_place(name)}", text) == []


def test_a_starting_method_of_no_service_is_answered_without_an_envelope() -> None:
    assert "    response: true\n" in draft.method("", "ping", "method.json")


def test_a_starting_service_has_no_faults(shelf: Callable[[str, str], list[str]]) -> None:
    text = draft.service("letters", "service.json")
    assert "title: Letters\n" in text
    assert shelf("letters/_service.yaml", text) == []


def test_no_file_of_the_trees_that_are_here_has_a_fault(catalog: Catalog) -> None:
    for tree in catalog.trees:
        for path in files(Path(tree.root)):
            assert [str(fault) for fault in lint.faults(path, catalog)] == []
