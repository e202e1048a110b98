"""The words of a line, sorted: what was asked for in general, who is calling, and what the method is given."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import arguments, settings
from ..errors import CallError, did_you_mean, nearest
from ..node import places_within
from ..output import FILES, FORMS
from .quick import language

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..catalog import Catalog
    from ..spec import Method

Json = dict[str, Any]

SWITCHES = {
    "--sandbox": "answer from the sandbox on this machine: no account, no network",
    "--dry-run": "show the request as JSON, secrets masked, and send nothing",
    "--curl": "show the request as a curl command, and send nothing",
    "--show-secrets": "with --curl: do not mask secrets",
    "--all-profiles": "make the call for every saved connection of the service at once",
    "--raw": "print the whole answer, not only its value",
    "--all": "read all pages of a list",
    "--labels": "of rows: after STAGE_ID show STAGE_ID_label, the name behind its value, where the method tells of one",
    "--bom": "with a .csv file: put the mark in front by which Excel knows UTF-8",
    "--quiet": "say nothing but warnings and errors",
    "--no-check": "send the input as it is, without checking it",
    "--insecure": "let credentials travel over http:// to another machine",
    "--verbose": "say what is sent and what comes back",
    "--help": "this text",
}
VALUES = {
    "--profile": "NAME: the saved connection to use; NAME,NAME,… makes one call for each of them",
    "--params": "JSON, @file or -: the whole input",
    "--output": f"{'|'.join((*FORMS, *FILES))}: the form of the answer",
    "--query": "JMESPATH: the part of the answer to print; with --all it waits for all rows",
    "--out": "FILE: write the answer there, in the form that its name ends in: .json .yaml, and as rows .csv .ndjson "
    ".xlsx .parquet .sqlite; in a cell an object or a list is its JSON text",
    "--table": "NAME: of the table in a .sqlite file, of the sheet in an .xlsx file",
    "--limit": "N: read pages until there are N rows",
    "--timeout": "SECONDS: how long an answer may take",
    "--ca-bundle": "FILE: certificates that are trusted besides those of this machine",
    "--methods": "DIR: one more folder of methods",
    "--lang": "LANGUAGE: of summaries, such as ru",
    "--state": "FILE: with --sandbox: where it keeps what it knows",
}
MOST_FLAGS = 8
SHORT = {"-h": "--help", "-v": "--verbose", "-o": "--output", "-q": "--query"}


@dataclass(slots=True)
class Line:
    """A line of words, sorted as far as that goes without knowing the method."""

    options: dict[str, str] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)

    def on(self, name: str) -> bool:
        """Whether a switch was given."""
        return name in self.options

    def get(self, name: str, default: str = "") -> str:
        """The value of an option."""
        return self.options.get(name, default)

    def number(self, name: str, default: float) -> float:
        """The value of an option that is a positive number."""
        text = self.options.get(name)
        if text is None:
            return default
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 < number < 1e9:  # noqa: PLR2004 - thirty years
            raise CallError(f"{name} takes a number above 0, not {text!r}")
        return number

    def whole(self, name: str, default: int, least: int = 1) -> int:
        """The value of an option that is a whole number."""
        text = self.options.get(name, str(default))
        if not text.isascii() or not text.isdigit() or not least <= int(text[:10]) < 10**9:
            raise CallError(f"{name} takes a whole number from {least}, not {text!r}")
        return int(text)

    def only(self, command: str, *known: str) -> None:
        """Refuse every option that a command does not have: none is passed over in silence."""
        flags = [word.partition("=")[0] for word in self.rest if word.startswith("-") and word != "-"]
        for name in [*self.options, *flags]:
            if name not in {*known, "--help"}:
                hint = did_you_mean(nearest(name, known)) or f"it has {', '.join(known) or 'none'}"
                raise CallError(f"{command} has no option {name}", hint=hint)


def catalog(line: Line, near: str = "") -> Catalog:
    """The methods that a line may name. Raises CallError where --methods is no folder."""
    from ..catalog import Catalog

    folder = line.get("--methods")
    if "--methods" in line.options and not os.path.isdir(folder):
        raise CallError(f"there is no folder {folder!r}", hint="--methods takes a folder of services")
    return Catalog(folder or None, lang=line.get("--lang") or language(), near=near)


def general(
    argv: list[str],
    *,
    also: dict[str, str] | None = None,
    left: Collection[str] = (),
    forms: tuple[str, ...] = FORMS,
) -> Line:
    """Take the general options out of a line; what belongs to a method stays, in order.

    After `--` nothing is an option. `also` are more options with a value, `left` are options that stay as well,
    `forms` those that an answer may have.
    """
    line = Line()
    values = {**VALUES, **(also or {})}
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            line.rest += words
            break
        name, mark, value = word.partition("=")
        name = name if name in left else SHORT.get(name, name)
        if name in SWITCHES and not mark:
            line.options[name] = ""
        elif name in values:
            line.options[name] = value if mark else _next(name, words, values)
        else:
            line.rest.append(word)
            follows = words[0] if words else "--"
            if word.startswith("--") and not mark and not follows.startswith("--") and follows not in {*SHORT, *left}:
                line.rest.append(words.pop(0))
    if line.get("--out") == "-":
        del line.options["--out"]
    form = line.get("--output", "json")
    if form not in forms:
        hint = did_you_mean(nearest(form, forms)) or f"one of {', '.join(forms)}"
        raise CallError(f"--output can't be {form!r}", hint=hint)
    return line


def service_first(rest: list[str]) -> list[str]:
    """The words with the options that stand before the service moved behind it."""
    moved: list[str] = []
    words = list(rest)
    while words and words[0].startswith("-"):
        word = words.pop(0)
        moved.append(word)
        if "=" not in word and words and not words[0].startswith("-"):
            moved.append(words.pop(0))
    return words + moved


def _next(name: str, words: list[str], values: dict[str, str]) -> str:
    """The value of a general option. Another option is none: `--out --dry-run` would send what was to be shown."""
    if not words:
        raise CallError(f"{name} needs a value", hint=values[name])
    follows = words[0].partition("=")[0]
    if SHORT.get(follows, follows) in {*SWITCHES, *values}:
        raise CallError(f"{name} needs a value", hint=f"if {words[0]} is the value, write {name}={words[0]}")
    return words.pop(0)


@dataclass(slots=True)
class Given:
    """What a call is given: credentials, and values still as text."""

    credentials: Json = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    values: list[tuple[list[str], str, str]] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)


def of_method(words: list[str], method: Method, dialect: Json) -> Given:
    """Sort the words of one method's call. Raises CallError for a word that nothing takes.

    A flag that could be both is a pasted address or a secret before it is a param, and a param before it is
    any other field of the connection; `name=value` always is a param. An option of a dialect goes where that says.
    """
    given = Given()
    told: dict[str, str] = {}
    rest = list(words)
    flags = dialect.get("flags", {})
    known = settings.inputs(method.service)
    first = _credentials_first(method)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            found = arguments.split(word)
            if found is None:
                raise CallError(f"{word!r} is no option and no name=value", hint=_meant(word, method))
            given.values.append((_within(found[0], method, flags), *found[1:]))
            continue
        name = word.partition("=")[0]
        if name in flags:
            _foreign(given, told, flags[name], word, rest, method)
            continue
        flag, mark, text = _parted(word)
        target = flag.removeprefix("--").replace("-", "_")
        param = arguments.by_flag(method, _first(flag))
        if target in known and (param is None or target in first):
            given.credentials[target] = text if mark else _value(flag, rest, method)
        elif flag == "--fields" and param is None:
            given.whole.append(text if mark else _value(flag, rest, method))
        elif param is not None:
            path = [param.name, *arguments.steps(flag)[1:]]
            given.values.append((path, mark or "=", text if mark else _param_value(flag, rest, method, path)))
        else:
            if flag in SWITCHES:
                raise CallError(f"{flag} takes no value", hint=f"write {flag}")
            raise CallError(f"{method.full_name} has no option {flag}", hint=_near_flag(flag, method, flags))
    given.names = {path: told[option] for path, option in given.names.items() if option in told}
    return given


def _credentials_first(method: Method) -> set[str]:
    """The flags that are a credential's although a param has them too: pasted addresses, and secrets of its calls."""
    allowed = list(method.document.get("auth", ()))
    needed = {name for way in method.service.schemes if settings.takes(way, allowed) for name in way.needs}
    return {*method.service.accept, *(method.service.secrets() & needed)}


def _foreign(  # noqa: PLR0913 - what is gathered, the option, and where it stands
    given: Given, told: dict[str, str], meant: Json, word: str, rest: list[str], method: Method
) -> None:
    """Take an option of another tool: where its value goes, and what is to be said of it."""
    flag, mark, text = word.partition("=")
    target = meant.get("to", "")
    if "warn" in meant:
        given.warnings[meant.get("option", flag)] = meant["warn"]
    if target in SWITCHES:
        given.options[target] = ""
        return
    path = arguments.steps(target.removeprefix("params."))
    proper = method.canonical(path[0]) if path else ""
    if not mark:
        plain = target != "params" and proper in method.params and "values" not in meant
        text = _param_value(flag, rest, method, [proper, *path[1:]]) if plain else _value(flag, rest, method)
    if target in VALUES:
        given.options[target] = text
    elif target == "params":
        given.whole.append(text)
    elif target in settings.inputs(method.service) and (
        proper not in method.params or target in _credentials_first(method)
    ):
        given.credentials[target] = text
    elif path:
        told[meant.get("option", flag)] = text
        if "named" in meant:
            given.names[".".join([proper, *path[1:]])] = meant["named"]
        value = arguments.chosen(text, meant.get("values", {}))
        given.values.append(([proper, *path[1:]], ":=" if "values" in meant else meant.get("read", "="), value))


def _within(path: list[str], method: Method, flags: Json) -> list[str]:
    """The path of a value; what stands for the whole input in a dialect is no part of it: fields.TITLE is TITLE."""
    whole = flags.get(f"--{path[0].lower()}", {}).get("to") == "params"
    return path[1:] if whole and len(path) > 1 and method.param(method.canonical(path[0])) is None else path


def _parted(word: str) -> tuple[str, str, str]:
    """The flag of a word, and the sign and the value where they are in it; a path may hold `=`: --filter.>=ID=5."""
    flag, mark, text = word.partition("=")
    if _first(flag) == flag:
        return flag, mark, text
    found = arguments.split(word.removeprefix("--"))
    return (f"--{'.'.join(found[0])}", *found[1:]) if found else (word, "", "")


def _first(flag: str) -> str:
    """The flag of a param, without the path behind it."""
    return flag.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]


def _value(flag: str, rest: list[str], method: Method) -> str:
    if not rest:
        raise CallError(f"{flag} needs a value", method=method.full_name)
    if rest[0].startswith("--") and arguments.by_flag(method, _first(rest[0].partition("=")[0])):
        raise CallError(f"{flag} needs a value", hint=f"if {rest[0]} is the value, write {flag}={rest[0]}")
    return rest.pop(0)


def _param_value(flag: str, rest: list[str], method: Method, path: list[str]) -> str:
    """The value after a param's flag; a switch takes the next word only where that is yes or no."""
    if len(path) == 1 and says_yes(method, path[0]):
        follows = rest[0].lower() if rest else ""
        return rest.pop(0) if follows in arguments.TRUE | arguments.FALSE else "true"
    return _value(flag, rest, method)


def says_yes(method: Method, name: str) -> bool:
    """Whether a param is a switch: true or false in one form or another."""
    schema = method.params[name].schema
    return schema.get("type") == "boolean" or any(one is True for one in schema.get("enum", ()))


def _meant(word: str, method: Method) -> str:
    near = nearest(word, method.params)
    taken = [name for name, param in method.params.items() if {*param.flags} & SWITCHES.keys()]
    if taken and not near:
        return f"{method.params[taken[0]].flags[0]} is an option of every call; the method's own is {taken[0]}={word}"
    if near:
        return f"to give {near[0]} write {near[0]}=… or {method.params[near[0]].flags[0]} …"
    return "put quotes around a text that has spaces"


def flags_of(method: Method) -> list[str]:
    """Every flag that a call of a method takes, beside the general ones."""
    own = [flag for param in method.params.values() for flag in param.flags]
    return [*own, *(f"--{name.replace('_', '-')}" for name in settings.inputs(method.service))]


def _near_flag(flag: str, method: Method, dialect: Json) -> str:
    """What may have been meant: a key of an object, a param, an option of every call; else what there is."""
    nodes = {name: param.schema for name, param in method.params.items()}
    if within := places_within(nodes, flag.removeprefix("--"), method.schema.get("$defs", {})):
        return f"write {within[0]}=…"
    own = [flag for param in method.params.values() for flag in param.flags]
    known = [*flags_of(method)[len(own) :], *SWITCHES, *VALUES]
    own += dialect
    near = nearest(flag, [*own, *nearest(flag, known, least=0.75)])
    params = [flag for flag in own if flag.startswith("--")][:MOST_FLAGS]
    what = f"it has {', '.join(params)}; " if params else ""
    return did_you_mean(near) or f"{what}declarest {method.service.name} {method.full_name} --help lists them all"
