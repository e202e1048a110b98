from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runner import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_each_shell_is_told_how_to_take_its_script(words: list[str], line: Run) -> None:
    assert line("completion", *words) == (
        0,
        "declarest completion bash|zsh|fish\n"
        "\n"
        '  eval "$(declarest completion bash)"  in ~/.bashrc\n'
        "  declarest completion fish | source  in ~/.config/fish/config.fish\n"
        '  eval "$(declarest completion zsh)"  in ~/.zshrc\n',
        "",
    )


@pytest.mark.parametrize(("shell", "told"), [("bsh", "did you mean bash?"), ("powershell", "one of bash, fish, zsh")])
def test_an_unknown_shell_is_met_with_those_that_are_known(shell: str, told: str, line: Run) -> None:
    said = line("completion", shell)
    assert said == (2, "", f"error: no script for {shell!r}; {told}\n")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["notes", "note.add", "--so"], []),
        (["notes", "note.add", "--pl"], ["--place"]),
        (["notes", "note.add", "--li"], ["--lines", "--limit", "--link"]),
        (["notes", "note.add", "--out"], ["--output", "--out"]),
        (["notes", "note.add", "-t"], ["-t"]),
        (["notes", "note.add", "--kind", ""], ["PLAIN", "Round", "007", "2"]),
        (["notes", "note.add", "--kind", "r"], ["Round"]),
        (["notes", "note.add", "--title", ""], []),
        (["notes", "note.add", "--output", ""], ["json", "yaml", "table", "csv", "ndjson"]),
        (["notes", "note.add", "--output", "c"], ["csv"]),
        (["notes", "note.add", "pl"], ["place="]),
        (["notes", "note.add", "PI"], ["picture=", "PIN="]),
        (["notes", "note.add", "title=A", "si"], ["size="]),
        (["notes", "note.add", "place.SH"], ["place.shelf="]),
        (["notes", "note.add", "place."], ["place.room=", "place.shelf="]),
        (["notes", "note.add", "phone.0.v"], ["phone.0.VALUE="]),
        (["notes", "note.add", "title.x"], []),
        (["notes", "note.add", "kind=r"], ["kind=Round"]),
        (["notes", "note.add", "kind:=r"], []),
        (["notes", "note.add", "=r"], []),
        (["notes", "NewNote", "--pl"], ["--place"]),
        (["notes", "NoteShape", "--pl"], []),
        (["note.add", "--pl"], ["--place"]),
        (["note.add", "pl"], ["place="]),
        (["notes", "nothing", "--x"], []),
        (["nothing", "--x"], []),
        (["--x", "--y"], []),
        (["notes", "--ti"], ["--timeout"]),
        (["find", "notes", ""], []),
        (["notes", "--output", "j"], ["json"]),
        (["bitrix24", "im.chat.add", "--color", "GR"], ["GREEN", "GRAY", "GRAPHITE"]),
        (["bitrix24", "im.chat.add", "--col"], ["--color"]),
    ],
)
def test_flags_names_and_values_of_a_method_are_offered(words: list[str], found: list[str], line: Run) -> None:
    assert line("--complete", *words) == (0, "".join(f"{one}\n" for one in found), "")


@pytest.mark.parametrize("word", ["--picture @", "picture=@", "place.room=@", "lines:=@"])
def test_files_are_offered_behind_the_sign_for_a_file(word: str, line: Run, desk: Path) -> None:
    for name in ("cat [1].png", "cat.png", "dog.png"):
        (desk / name).touch()
    (desk / "cats").mkdir()
    *before, begun = f"{word}cat".split()
    head = begun.removesuffix("cat")
    said = line("--complete", "notes", "note.add", *before, begun)
    assert said.out.splitlines() == [f"{head}cat [1].png", f"{head}cat.png", f"{head}cats/"]
    assert line("--complete", "notes", "note.add", *before, f"{begun} [").out == f"{head}cat [1].png\n"


def test_a_broken_file_is_met_with_silence(line: Run, desk: Path) -> None:
    folder = desk / "methods" / "notes" / "note"
    folder.mkdir(parents=True)
    (folder / "note.bad.yaml").write_text("method: note.bad\n")
    assert line("--complete", "notes", "note.bad", "--t") == (0, "", "")


@pytest.fixture
def command(desk: Path) -> dict[str, str]:
    """The surroundings of a shell that has the command in its path."""
    script = desk / "bin" / "declarest"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runner "$@"\n')
    script.chmod(0o755)
    source = Path(arguments.__file__).parents[1]
    return {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}", "PYTHONPATH": str(source)}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("declarest bit", ["bitrix24"]),
        ("declarest notes note.pic", ["note.picture"]),
        ("declarest notes note.add --kind ro", ["Round"]),
        ("declarest notes note.add --pl", ["--place"]),
        ("declarest notes note.add pla", ["place="]),
    ],
)
def test_bash_completes_what_is_typed(typed: str, offered: list[str], command: dict[str, str]) -> None:
    script = (
        'eval "$(declarest completion bash)"\n'
        f"COMP_LINE={typed!r}; COMP_POINT=${{#COMP_LINE}}\n"
        "COMP_WORDS=($COMP_LINE); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        "compopt() { :; }\n"
        '_declarest\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    said = subprocess.run(
        ["bash", "-c", script],
        env=command,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (said.stdout.split(), said.stderr) == (offered, "")


@pytest.mark.parametrize(
    ("found", "typed", "parts", "offered"),
    [
        ("note:add note:get", "note:", "note : ''", ["add", "get"]),
        ("kind=A kind=B", "kind=", "kind =", ["A", "B"]),
        ("kind=AA kind=AB", "kind=A", "kind = A", ["AA", "AB"]),
        ("x=@a x=@b", "x=@", "x =@", ["@a", "@b"]),
        ("x=@ab x=@ac", "x=@a", "x =@ a", ["@ab", "@ac"]),
        ("@ab @ac", "@a", "@ a", ["@ab", "@ac"]),
    ],
)
def test_bash_offers_what_comes_behind_a_sign_that_parts_words(
    found: str, typed: str, parts: str, offered: list[str], command: dict[str, str]
) -> None:
    script = (
        f"declarest() {{ printf '%s\\n' {found}; }}\n"
        f'source <("{sys.executable}" -m runner completion bash)\n'
        f"COMP_LINE='declarest notes {typed}'; COMP_POINT=${{#COMP_LINE}}\n"
        f"COMP_WORDS=(declarest notes {parts}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        '_declarest\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    said = subprocess.run(
        ["bash", "-c", script],
        env=command,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.split() == offered


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        ("zsh", ["#compdef declarest", "    compdef _declarest declarest"]),
        (
            "fish",
            [
                "    declarest --complete $words[2..-1] 2>/dev/null",
                "complete -c declarest -f -a '(__declarest_complete)'",
            ],
        ),
        ("bash", ["complete -o default -F _declarest declarest"]),
    ],
)
def test_the_script_of_each_shell_is_one_that_it_reads(shell: str, lines: list[str], line: Run, desk: Path) -> None:
    said = line("completion", shell)
    assert said.code == 0
    assert set(lines) <= set(said.out.splitlines())
    if shutil.which(shell):
        (desk / "script").write_text(said.out)
        subprocess.run([shell, "-n", "script"], check=True, timeout=10, cwd=desk)
