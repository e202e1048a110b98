from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner import compiler, index
from runner.errors import SpecError

Write = Callable[[str, str], Path]
SERVICE = "spec: 1\nservice: toy\ntitle: Toy\nauth: {open: {base: x}}\n"
METHOD = "method: box.add\nsummary: Add a box\neffect: write\n"


def built(root: Path, old: index.Tree | None = None) -> index.Tree:
    return compiler.build(str(root), str(root.parent / "cache"), "1", old)


def names(tree: index.Tree) -> list[str]:
    return [row.name for row in tree.methods("toy")]


def broken(tree: index.Tree) -> list[str]:
    return [cells[3] for cells in tree.rows("X")]


@pytest.mark.parametrize(
    ("path", "text", "place", "message"),
    [
        ("a.yaml", METHOD + "params:\n  A: {typ: string}\n", ":5:7", "the key 'typ' is not known; did you mean type?"),
        ("a.yaml", METHOD + "params: {A: {title: Red, white and blue}}", ":4:26",
         "the key 'white and blue' is not known; if it belongs to the text before it, put that text in quotes"),
        ("a.yaml", METHOD + "params:\n  A:\n    zzz: 1\n", ":6:5", "the key 'zzz' is not known; known here: $comment"),
        ("a.yaml", "method: a\nsummary: A\n", ":1:1", "the file lacks effect; add effect: …"),
        ("a.yaml", METHOD.replace("write", "wirte"), ":3:9", "effect can't be \"wirte\"; did you mean write?"),
        ("a.yaml", METHOD.replace("write", "zzz"), ":3:9", "one of read, write, destroy"),
        ("a.yaml", METHOD + "params: [a]", ":4:9", 'params must be object, not ["a"]'),
        ("a.yaml", METHOD + "scope: 1", ":4:8", "scope must be string or array or object, not 1"),
        ("a.yaml", METHOD + "scope: {al: [a, b]}", ":4:8", "scope lacks all; add all: …"),
        ("a.yaml", METHOD + "scope: {all: [a]}", ":4:14", "scope.all: ['a'] is too short"),
        ("a.yaml", METHOD + "params: {A: {type: strng}}", ":4:20",
         "params.A.type can't be \"strng\"; did you mean string?"),
        ("a.yaml", METHOD + "params: {A: {minLength: -1}}", ":4:25", "params.A.minLength: -1 is less than"),
        ("a.yaml", METHOD + "params: {A: {pattern: '('}}", ":4:23", "'(' is no regular expression: missing )"),
        ("a.yaml", METHOD + "params: {A: {anyOf: [{pattern: '*'}]}}", ":4:32", "'*' is no regular expression"),
        ("a.yaml", METHOD + "patterns: {'[': {}}", ":4:12", "'[' is no regular expression"),
        ("a.yaml", METHOD + "returns: {patternProperties: {'[': {}}}", ":4:31", "'[' is no regular expression"),
        ("a.yaml", METHOD + "errors: {A: {message: '('}}", ":4:23", "'(' is no regular expression: missing )"),
        ("a.yaml", METHOD + "errors: {A: [{message: a}, {message: '['}]}", ":4:38", "'[' is no regular expression"),
        ("a.yaml", METHOD + "errors: {A: {kin: usage}}", ":4:14", "the key 'kin' is not known; did you mean kind?"),
        ("a.yaml", METHOD + "errors: {A: [{kind: usag}]}", ":4:21", 'can\'t be "usag"; did you mean usage?'),
        ("a.yaml", METHOD + "errors: {'*': {kind: usage}}", ":4:15", "errors.* lacks message; add message: …"),
        ("a.yaml", METHOD + "errors: {'*': [{kind: usage}]}", ":4:16", "errors.*.0 lacks message"),
        ("a.yaml", METHOD + "errors: {A: []}", ":4:13", "errors.A: [] should be non-empty"),
        ("a.yaml", "", ":1:1", "the file must be object, not null"),
        ("a.yaml", "method: a\nmethod: b\n", ":2:1", "the key 'method' stands twice"),
        ("_service.yaml", SERVICE.replace("1", "2"), ":1:7", "spec must be 1, not 2"),
        ("_service.yaml", SERVICE.replace("toy", "pen"), "", "the service 'pen' stands in a folder called 'toy'"),
        ("_service.yaml", SERVICE + "types: {a: {pattern: '('}}", ":5:22", "'(' is no regular expression"),
        ("_service.yaml", SERVICE + "common: {write: {a: {pattern: '('}}}", ":5:31", "'(' is no regular expression"),
        ("_service.yaml", SERVICE + "common: {wirte: {}}", ":5:10", "did you mean write?"),
        ("_service.yaml", SERVICE + "errors: {A: {message: '('}}", ":5:23", "'(' is no regular expression"),
        ("_service.yaml", SERVICE + "variants: {b: {errors: {A: {message: '('}, B: null}}}", ":5:38", "no regular"),
        ("_service.yaml", SERVICE + "variants: {b: {errors: {A: {kin: a}}}}", ":5:29", "the key 'kin' is not known"),
        ("_types/a.yaml", "typs: {}", ":1:1", "a part of a service holds `types:` or `dialects:`"),
        ("_types/a.yaml", "", ":1:1", "a part of a service holds `types:` or `dialects:`"),
        ("_types/a.yaml", "types: {a: {typ: x}}", ":1:13", "did you mean type?"),
        ("a.yml", METHOD, "", "a file whose name ends with .yml is not read; name it a.yaml"),
        ("a.YAML", METHOD, "", "a file whose name ends with .YAML is not read; name it a.yaml"),
        ("a.overlay.yaml", "target: a", ":1:1", "the file lacks patch; add patch: …"),
        ("a.overlay.yaml", "patch: {}\nmethods: []\ntarget: x", ":2:10", "methods must be object"),
    ],
)  # fmt: skip
def test_a_broken_file_is_told_with_its_place_and_the_fix_and_hides_no_other(
    path: str, text: str, place: str, message: str, root: Path, write: Write
) -> None:
    write("toy/good.yaml", METHOD)
    file = write(f"toy/{path}", text)
    tree = built(root)
    (line,) = broken(tree)
    assert line.startswith(f"{file}{place}: ")
    assert message in line
    assert names(tree) == ["box.add"]


def test_words_inside_data_are_no_patterns(root: Path, write: Write) -> None:
    write("toy/a.yaml", METHOD + "params: {A: {default: {pattern: '('}, examples: [{pattern: '('}]}, pattern: {}}")
    assert broken(built(root)) == []


@pytest.mark.parametrize("path", ["toy/a.yaml", "toy/_types/a.yaml"])
def test_what_is_no_utf_8_and_what_is_no_file_are_told(path: str, root: Path, write: Write) -> None:
    write(path, "x").write_bytes(b"method: \xff")
    (root / "toy" / "gone.yaml").symlink_to(root / "nowhere")
    first, second = sorted(broken(built(root)), key=lambda line: "gone" in line)
    assert first == f"{root / path}: this is not UTF-8 text; save it as UTF-8"
    assert second == f"{root / 'toy/gone.yaml'}: can't be read: No such file or directory"


def test_a_name_that_stands_in_two_files_is_an_error_of_the_second(root: Path, write: Write) -> None:
    write("toy/a.yaml", METHOD)
    second = write("toy/b.yaml", METHOD.replace("box.add", "BOX.add"))
    tree = built(root)
    assert broken(tree) == [f"{second}: BOX.add is already described in toy/a.yaml"]
    assert names(tree) == ["box.add"]


def test_hidden_files_and_files_beside_the_services_are_passed_over(root: Path, write: Write) -> None:
    for path in ("a.yaml", "toy/.a.yaml", ".toy/a.yaml", "toy/__pycache__/a.yaml", "toy/a.txt"):
        write(path, "no: method")
    assert not list(built(root).rows("X"))


def test_a_file_with_a_name_of_odd_bytes_hides_no_other(root: Path, write: Write) -> None:
    write("toy/a.yaml", METHOD)
    try:
        Path(f"{root}/toy/b\udcff.yaml").write_text(METHOD.replace("add", "get"), encoding="utf-8")
    except (OSError, UnicodeError):
        pytest.skip("this disk has no such names")
    assert names(built(root)) == ["box.add", "box.get"]


def test_a_service_its_types_and_its_dialects_become_rows(root: Path, write: Write) -> None:
    write("toy/_service.yaml", SERVICE + "variants: {v2: {}, v3: {}}\ntypes: {id: {type: integer}}")
    write("toy/_types/more.yaml", "types: {ids: {items: {$ref: '#id'}}}")
    write(
        "toy/_dialects/other.yaml",
        """
dialects:
  other:
    flags: {--url: {to: url}}
    commands: {AddBox: {call: box.add}, BoxForm: {skeleton: box.add}}
""",
    )
    tree = built(root)
    assert broken(tree) == []
    ((_, service, variants, *_, file, title),) = tree.rows("S")
    assert (service, variants, file, title) == ("toy", "v2,v3", "toy/_service.yaml", "Toy")
    assert [cells[2] for cells in tree.rows("T", "toy")] == ["id", "ids"]
    assert [cells[2:7] for cells in tree.rows("A")] == [
        ["addbox", "AddBox", "other", "call", "box.add"],
        ["boxform", "BoxForm", "other", "skeleton", "box.add"],
    ]
    (_, *_, offset, length) = next(tree.rows("A"))
    assert json.loads(tree.text(int(offset), int(length))) == {
        "call": "box.add", "dialect": "other", "alias": "AddBox",
    }  # fmt: skip
    (_, *where, offset, length) = next(tree.rows("B"))
    assert where == ["toy", "other"]
    assert json.loads(tree.text(int(offset), int(length))) == {"flags": {"--url": {"to": "url"}}}


def test_a_command_may_have_more_names_and_a_dialect_more_files(root: Path, write: Write) -> None:
    write("toy/_service.yaml", SERVICE)
    write("toy/_dialects/other.yaml", "dialects: {other: {title: Other, commands: {A: {call: x, also: [B, Б]}}}}")
    write(
        "toy/_dialects/other/more.yaml", "dialects: {other: {commands: {C: {print: {}, of: y}, D: {link: z, of: y}}}}"
    )
    tree = built(root)
    assert broken(tree) == []
    rows = [(cells[2], cells[3], cells[5], cells[6]) for cells in tree.rows("A")]
    assert rows == [
        ("a", "A", "call", "x"), ("b", "B", "call", "x"), ("c", "C", "print", "y"), ("d", "D", "link", "y"),
        ("б", "Б", "call", "x"),
    ]  # fmt: skip
    assert [cells[2] for cells in tree.rows("B")] == ["other"]
    write("toy/_dialects/third.yaml", "dialects: {other: {commands: {b: {call: x}}}}")
    assert "third.yaml: the command b stands twice in other" in broken(built(root))[0]


def test_an_overlay_becomes_a_row_for_each_glob(root: Path, write: Write) -> None:
    write("toy/a.overlay.yaml", "lang: ru\ntarget: [Box.*, pen]\npatch: {summary: Привет}\nmethods: {x: {summary: 5}}")
    write("toy/b.overlay.yaml", "target: box.add\npatch: {summary: null}")
    tree = built(root)
    rows = [(cells[2], cells[3], cells[7]) for cells in tree.rows("O")]
    assert rows == [("-", "box.add", ""), ("ru", "pen", "Привет"), ("ru", "x", "5")]
    assert [cells[1:4] for cells in tree.rows("G")] == [["toy", "ru", "box.*"]]


def test_the_marks_of_a_method_tell_what_a_list_shows(root: Path, write: Write) -> None:
    write("toy/a.yaml", METHOD + "request: {path: a}\ndeprecated: box.new\nvariant: v3")
    (row,) = built(root).methods("toy")
    assert (row.name, row.marks) == ("box.add@v3", "rd")


def test_what_did_not_change_is_not_read_again(root: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("toy/a.yaml", METHOD)
    write("toy/b.yaml", METHOD.replace("add", "get"))
    old = built(root)
    write("toy/b.yaml", METHOD.replace("add", "get").replace("Add a box", "Get a box"))
    seen: list[str] = []
    read = compiler.read

    def watched(path: Path, kind: str, shown: str) -> compiler.Json:
        seen.append(path.name)
        return read(path, kind, shown)

    monkeypatch.setattr(compiler, "read", watched)
    tree = built(root, old)
    assert seen == ["b.yaml"]
    assert [row.summary for row in tree.methods("toy")] == ["Add a box", "Get a box"]
    assert [json.loads(tree.text(row.offset, row.length))["method"] for row in tree.methods("toy")] == names(tree)


def test_a_cache_that_cannot_be_written_is_no_error(root: Path, write: Write) -> None:
    write("toy/a.yaml", METHOD)
    (root.parent / "cache").write_text("here stands a file")
    assert names(built(root)) == ["box.add"]


def test_a_place_that_is_taken_by_a_folder_leaves_no_draft_behind(root: Path, write: Write) -> None:
    write("toy/a.yaml", METHOD)
    place = Path(index.place(str(root), str(root.parent / "cache")))
    place.mkdir(parents=True)
    assert names(built(root)) == ["box.add"]
    assert list((root.parent / "cache").iterdir()) == [place]


def test_a_grammar_borrows_from_its_sister() -> None:
    assert compiler.grammar("service")["$defs"].keys() > compiler.grammar("method")["$defs"].keys()
    assert "$defs" not in compiler.grammar("profile")


def test_a_document_without_a_text_is_told_by_its_file_alone() -> None:
    with pytest.raises(SpecError, match=r"^x\.yaml:1:1: the file lacks method, summary, effect"):
        compiler.checked({}, "method", "", "x.yaml")
