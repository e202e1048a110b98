"""YAML texts: read as data, located by line and column, written. The only home of the YAML library.

What is read is YAML 1.2's core: `NO`, `on`, `12:30`, `2025-10-01` and `0644` stay text. Duplicate keys, tags
and aliases that unfold into too much are refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import yaml

from .errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

MOST_NODES = 200_000
MOST_DEPTH = 64
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_TAG = "tag:yaml.org,2002:"
_CORE: list[tuple[str, str, str]] = [
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("int", r"^(?:[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+0123456789.",
    ),
]


_DOUBTFUL = re.compile(r"(?m)(?:^|[\s\[{,:-])[*&!]\S|^ {32}|(?:[-?:]\s+){16}")
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Loader(_BASE):  # type: ignore[misc]
    """The library's safe loader, narrowed to what JSON can say."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    yaml_constructors: dict[str | None, Any] = {}

    def mapping(self, node: yaml.MappingNode) -> Iterator[dict[Hashable, Any]]:
        seen: dict[Hashable, Any] = {}
        yield seen
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(problem="a key must be text", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
            seen[key] = self.construct_object(value_node, deep=True)

    def integer(self, node: yaml.ScalarNode) -> int:
        text = str(self.construct_scalar(node))
        return int(text, 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10)


for _name, _form, _starts in _CORE:
    for _start in _starts:
        _entry = (_TAG + _name, re.compile(_form))
        _Loader.yaml_implicit_resolvers.setdefault("" if _start == "\0" else _start, []).append(_entry)
for _name, _reader in {
    "null": _BASE.construct_yaml_null,
    "bool": _BASE.construct_yaml_bool,
    "int": _Loader.integer,
    "float": _BASE.construct_yaml_float,
    "str": _BASE.construct_yaml_str,
    "seq": _BASE.construct_yaml_seq,
    "map": _Loader.mapping,
}.items():
    _Loader.yaml_constructors[_TAG + _name] = _reader


def load(text: str, where: str = "text") -> Any:
    """The data of a YAML text. Raises SpecError with `where:line:column`."""
    try:
        if _DOUBTFUL.search(text) or text.count("[") + text.count("{") > MOST_DEPTH:
            _vet(text, where)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - the loader above is narrower than the safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        message = error.problem or error.context or "this is no YAML"
        raise SpecError(message, where=spot, hint=_advice(message, text, mark)) from None
    except (yaml.YAMLError, ValueError) as error:
        bad = _UNPRINTABLE.search(text)
        if bad is None:
            raise SpecError(str(error).splitlines()[0], where=where) from None
        spot = f"{where}:{text.count(chr(10), 0, bad.start()) + 1}:{bad.start() - text.rfind(chr(10), 0, bad.start())}"
        raise SpecError(f"the character {bad[0]!a} can't stand in YAML", where=spot) from None


def _advice(problem: str, text: str, mark: yaml.Mark | None) -> str:
    at = "".join(text.split("\n")[mark.line : mark.line + 1])[mark.column :][:1] if mark else ""
    if "cannot start any token" in problem:
        return "indent with spaces, not with tabs" if at == "\t" else f"put the text in quotes, it begins with {at}"
    if "mapping values are not allowed" in problem:
        return "put the text in quotes, it holds a colon"
    if "expected ',' or" in problem:
        return "close the bracket; a text that holds { } [ ] or , stands in quotes"
    if "expected key" in problem:
        return "check the indentation; a text that begins with * & ! % @ or ` stands in quotes"
    return ""


def _vet(text: str, where: str) -> None:
    """Refuse tags, what is nested too deeply, and aliases that unfold into too much."""
    depth, aliases = 0, False
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases |= isinstance(event, yaml.AliasEvent)
        tag, mark = getattr(event, "tag", None), cast("Any", event.start_mark)
        if tag is not None:
            problem = f"the tag {tag!r} is not taken; write plain YAML"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        if depth > MOST_DEPTH:
            problem = f"this is nested more than {MOST_DEPTH} levels deep"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
    if aliases:
        _count(yaml.compose(text, Loader=_Loader), where)


def _count(node: yaml.Node | None, where: str) -> None:
    """Refuse aliases that unfold into more than MOST_NODES nodes, or into themselves."""
    sizes: dict[int, int] = {}

    def size(part: yaml.Node, above: frozenset[int]) -> int:
        if id(part) in above:
            message = "an alias holds itself"
            raise SpecError(message, where=f"{where}:{part.start_mark.line + 1}:{part.start_mark.column + 1}")
        if id(part) not in sizes:
            children: list[yaml.Node] = []
            if isinstance(part, yaml.MappingNode):
                children = [half for pair in part.value for half in pair]
            elif isinstance(part, yaml.SequenceNode):
                children = part.value
            sizes[id(part)] = 1 + sum(size(child, above | {id(part)}) for child in children)
        return sizes[id(part)]

    if node is not None and size(node, frozenset()) > MOST_NODES:
        message = f"its aliases unfold into more than {MOST_NODES} nodes"
        raise SpecError(message, where=where)


def locate(text: str, path: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
    """Line and column, from 1, of what stands at `path`; of its key where `key`. The nearest parent otherwise."""
    node = yaml.compose(text, Loader=_Loader)
    mark = node.start_mark if node is not None else None
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        key_node, node = found
        mark = key_node.start_mark if key and key_node is not None else node.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == str(step):
                return key_node, value_node
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None


_UNBLOCKED = re.compile(r"(?m)\A\s|[ \t]$|[\r\x85\u2028\u2029\ufeff]|\n\n\Z")


class _Dumper(_DUMPER):  # type: ignore[misc]
    """The library's safe dumper, with lists indented under their key."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _text(dumper: Any, value: str) -> yaml.Node:
    style = "|" if "\n" in value and not _UNBLOCKED.search(value) else None
    node: yaml.Node = dumper.represent_scalar(_TAG + "str", value, style=style)
    return node


_Dumper.add_representer(str, _text)
for _name, _form, _starts in _CORE:  # beside the older forms of the library, so that every reader reads text as text
    _Dumper.add_implicit_resolver(_TAG + _name, re.compile(_form), [_start.strip("\0") for _start in _starts])


def dump(value: object) -> str:
    """A JSON value as YAML, keys in their order, letters of every script as they are."""
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)
    return text[:-4] if text.endswith("\n...\n") else text
