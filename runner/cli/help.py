"""What there is and what it takes, at every level: services, areas, one method. Made from the same YAML."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from .. import arguments, settings
from ..encoding import text_of
from ..node import resolved
from . import console
from .quick import counted, listed
from .words import SWITCHES, VALUES, says_yes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..catalog import Catalog
    from ..spec import Method, Param

Json = dict[str, Any]
_COLUMN, _WIDEST = 26, 100

_COMMANDS = {
    "find WORDS": "search methods by words of their names, summaries and params",
    "show [SERVICE] METHOD": "what a method is; --skeleton prints a structure to fill",
    "check [PATH...]": "check YAML files: what is wrong, where, and the fix",
    "new SERVICE METHOD": "write a starting file for a method of your own",
    "batch SERVICE FILE|-": "make the calls of a file in as few requests as the service allows",
    "bulk SERVICE METHOD": "call a method for every row of a file, at the limit of the service, each row once",
    "login SERVICE [NAME]": "ask for a connection, check it, and keep it under a name; main where none is said",
    "profiles [SERVICE]": "list what is kept; --explain says where each value comes from, "
    "profiles default SERVICE NAME makes one the default",
    "logout SERVICE [NAME]": "forget one; --all forgets all of them",
    "sandbox serve SERVICE": "play a service on this machine for other programs; sandbox reset forgets its data",
    "completion bash|zsh|fish": "print a script that completes names and options",
}


def _width() -> int:
    """The width of a page: that of the terminal, where there is one and it is not very wide."""
    return max(min(console.width() or _WIDEST, _WIDEST), 2 * _COLUMN)


def item(name: str, text: str) -> str:
    """A name and what it means, in two columns."""
    lines = wrap(text, _width() - _COLUMN) or [""]
    head = f"  {name:<{_COLUMN - 4}}  "
    if len(name) > _COLUMN - 4:
        return "\n".join([f"  {name}", *(" " * _COLUMN + one for one in lines)]).rstrip() + "\n"
    return "\n".join([head + lines[0], *(" " * _COLUMN + one for one in lines[1:])]).rstrip() + "\n"


def general_options() -> str:
    """The options that every call takes."""
    lines = [item(name, text) for name, text in SWITCHES.items()]
    for name, text in VALUES.items():
        word, _, rest = text.partition(": ")
        lines.append(item(f"{name} {word}", rest))
    return "".join(lines)


def top(catalog: Catalog) -> str:
    """The first page."""
    services = catalog.services()
    lines = [
        "declarest calls REST methods that are described in YAML.\n\n",
        "  declarest SERVICE METHOD [--flag value | name=value | name:=json | name@file] ...\n",
        "  declarest COMMAND ...\n\nServices:\n",
        *(item(name, f"{title}, {counted(len(catalog.names(name)), 'method')}") for name, title in services.items()),
        "\nCommands:\n",
        *(item(name, text) for name, text in _COMMANDS.items()),
        "\nOptions of every call:\n",
        general_options(),
    ]
    if services:
        first = next(iter(services))
        lines.append(f"\ndeclarest {first} lists its areas; --help after a method shows what it takes.\n")
    return "".join(lines)


def command(name: str) -> str:
    """How one of the commands is used."""
    used = next(text for text in _COMMANDS if text.split()[0] == name)
    return f"declarest {used}\n\n  {_COMMANDS[used]}\n"


def options(table: Mapping[str, str]) -> str:
    """The options of a command: names and what they mean."""
    return "".join(item(name, text) for name, text in table.items())


def of_service(catalog: Catalog, service: str) -> str:
    """A service: its areas, its credentials, where they come from."""
    about = catalog.service(service)
    areas = Counter(name.split(".")[0] for name in catalog.names(service))
    singles = {name for name in catalog.names(service) if "." not in name and "@" not in name}
    lines = [f"{about.title}  {about.docs}\n\n"]
    shown = sorted(area for area in areas if area.split("@")[0] not in singles)
    lines += ["Areas:\n", *(item(area, counted(areas[area], "method")) for area in shown)]
    if singles:
        lines += ["\nMethods:\n", *(item(name, catalog.rows(service)[name].summary) for name in sorted(singles))]
    lines += ["\nCredentials:\n", credentials(catalog, service)]
    lines.append(f"\ndeclarest {service} AREA lists its methods, declarest find WORDS searches them.\n")
    return "".join(lines)


def credentials(catalog: Catalog, service: str) -> str:
    """The fields of a connection, and where they come from."""
    about = catalog.service(service)
    lines = []
    for name in settings.inputs(about):
        node = about.fields.get(name, {})
        forms = about.accept.get(name)
        written = dict.fromkeys(settings.example(about, one) for one in (forms[0], forms[-1])) if forms else {}
        text = " or ".join(written) or node.get("description", "")
        secret = " (a secret: - reads standard input, @file a file)" if node.get("writeOnly") else ""
        lines.append(item(f"--{name.replace('_', '-')}", f"{text}{secret}; or {settings.variable(service, name)}"))
    if about.help:
        lines.append("\n" + "\n".join(f"  {one}" for one in wrap(about.help, _width())) + "\n")
    return "".join(lines)


def of_area(catalog: Catalog, service: str, area: str) -> str:
    """The methods whose names begin with a word or with several."""
    start = f"{area.lower()}."
    rows = [row for name, row in catalog.rows(service).items() if name.lower().startswith(start)]
    return listed(rows, services=False, most=len(rows)) + f"\ndeclarest {service} METHOD --help shows what one takes.\n"


def of_method(method: Method, catalog: Catalog) -> str:
    """One method: what it does, what it takes, an example, its documentation."""
    document, service = method.document, method.service
    row = catalog.rows(service.name)[method.full_name]
    lines = [f"{method.full_name}: {row.summary}\n"]
    if document.get("description"):
        lines.append("\n" + "\n".join(wrap(document["description"], _width())) + "\n")
    deprecated = document.get("deprecated")
    if deprecated:
        instead = f", use {deprecated}" if isinstance(deprecated, str) else ""
        lines.append(f"\nDeprecated{instead}.\n")
    lines.append(f"\n  declarest {service.name} {method.full_name} {_usage(method)}".rstrip() + "\n")
    lines += _params(method)
    lines += _examples(method)
    lines.append("\n" + _facts(method))
    lines.append("Options of every call: declarest --help\n")
    return "".join(lines)


def _usage(method: Method) -> str:
    required = method.document.get("required", [])
    words = [f"{method.params[name].flags[0]} …" for name in required if name in method.params]
    return " ".join([*words, "[options]" if len(method.params) > len(words) else ""])


def _params(method: Method) -> list[str]:
    if not method.params:
        return ["\nIt takes no parameters.\n"]
    required = set(method.document.get("required", ()))
    lines = ["\nParameters:\n"]
    for name, param in method.params.items():
        flags = ", ".join(sorted(param.flags, key=len))
        mark = " (required)" if name in required else _required_by_way(method, name)
        spelt = f"{flags}" if _reaches(method, param) else f"{name}=…"
        lines.append(item(spelt, f"{name}{mark}: {_about(method, param)}"))
        lines += _keys(method, param)
    lines += [item(f"{form.pattern}=…", _about(method, param)) for form, param in method.patterns]
    return lines


def _required_by_way(method: Method, name: str) -> str:
    """The ways of authorising that a param is required with, where it is with some of them alone."""
    nodes = method.document.get("by_auth", {})
    ways = [one.title for one in method.service.schemes if name in nodes.get(one.name, {}).get("required", ())]
    return f" (required with the {' and the '.join(ways)})" if ways else ""


def _keys(method: Method, param: Param) -> list[str]:
    """The keys of an object, or of the objects in a list: how each is written, and what it is."""
    defs = method.schema.get("$defs", {})
    block = resolved(param.schema, defs)
    inner = block if "properties" in block else resolved(block.get("items"), defs)
    path = param.name if inner is block else f"{param.name}.0"
    required = inner.get("required", ())
    lines = []
    for key, node in inner.get("properties", {}).items():
        each = list(resolved(resolved(node, defs).get("items"), defs).get("properties", ()))
        more = f"; each has {', '.join(each)}" if each else ""
        mark = "(required) " if key in required else ""
        lines.append(item(f"  {path}.{key}=…", f"{mark}{_of_node(method, node)}{more}"))
    return lines


def _reaches(method: Method, param: Param) -> bool:
    """Whether a param's flag is its own, and not one that every call takes."""
    name = param.flags[0].removeprefix("--").replace("-", "_")
    taken = name in method.service.accept or name in method.service.secrets()
    return not taken and param.flags[0] not in {*SWITCHES, *VALUES}


def _about(method: Method, param: Param) -> str:
    """What a param is: its kind, its meaning, its values."""
    switch = param.name in method.params and says_yes(method, param.name)
    return _of_node(method, param.schema, "yes or no" if switch else "")


def _of_node(method: Method, node: Any, named: str = "") -> str:
    """What a value is: its kind, or that name of it, its meaning, its values."""
    defs = method.schema.get("$defs", {})
    block = resolved(node, defs)
    parts = [named or kind(block, defs), block.get("description", "")]
    if "enum" in block and not named:
        parts.append("one of " + ", ".join(text_of(one) or '""' for one in block["enum"]))
    elif block.get("examples") and not named:
        parts.append(
            "such as " + ", ".join(json.dumps(one, ensure_ascii=False).strip('"') for one in block["examples"])
        )
    if "default" in block:
        parts.append(f"the service's default is {json.dumps(block['default'], ensure_ascii=False)}")
    if block.get("deprecated"):
        parts.append("deprecated")
    return "; ".join(filter(None, parts))


def kind(node: Any, defs: Json) -> str:
    """The type of a node in a word or two."""
    block = resolved(node, defs)
    if block.get("contentEncoding"):
        return "a picture, @file or @https://…" if "image" in block.get("contentMediaType", "") else "a file, @file"
    if "title" in block and "enum" not in block:
        return str(block["title"]).removeprefix("a ")
    if block.get("encode") == "file":
        return "a file, @file"
    names = block.get("type", "value" if "enum" not in block else "word")
    names = [names] if isinstance(names, str) else names
    if names == ["array"] and "items" in block:
        title = resolved(block["items"], defs).get("title") if "enum" not in resolved(block["items"], defs) else None
        if title:
            return f"list, each {title}"
        inner = kind(block["items"], defs)
        return f"list of {inner}s" if inner.isalpha() else f"list of {inner}"
    return " or ".join("text" if name == "string" else name for name in names)


def _examples(method: Method) -> list[str]:
    examples = method.document.get("examples", ())
    lines = ["\nExamples:\n"] if examples else []
    for example in examples:
        if "title" in example:
            lines.append(f"  # {example['title']}\n")
        lines.append(f"  {command_line(method, example['params'])}\n")
    return lines


def command_line(method: Method, params: Json) -> str:
    """A line that makes a call with these values."""
    words = ["declarest", method.service.name, method.full_name]
    for name, value in params.items():
        param = method.params.get(method.canonical(name))
        found = _assigned(method, name, value)
        text = found[0].partition("=")[2]
        if found[0] != f"{name}={text}" or param is None or not _reaches(method, param):
            words += found
        elif text.startswith("-"):
            words.append(f"{param.flags[0]}={text}")
        else:
            words += [param.flags[0], text]
    return shlex.join(words)


def _assigned(method: Method, path: str, value: Any) -> list[str]:
    """The words that give a value: an object key by key, and as JSON what has no plainer form."""
    if isinstance(value, dict) and value and all(re.fullmatch(r"[^\W\d]\w*", key) for key in value):
        return [word for key, one in value.items() for word in _assigned(method, f"{path}.{key}", one)]
    text, node = _as_text(value), arguments.node_at(method, arguments.steps(path))
    if text is None or arguments.typed(text, node, method.schema.get("$defs", {}), method.service.encoders) != value:
        return [f"{path}:={json.dumps(value, ensure_ascii=False)}"]
    return [f"{path}=@{text}" if text.startswith("@") else f"{path}={text}"]


def _as_text(value: Any) -> str | None:
    """A value as a word of a line, None where it has none: objects, lists in lists, what would be standard input."""
    if isinstance(value, list):
        parts = [_as_text(one) for one in value]
        flat = [part for part in parts if part and "," not in part]
        return ",".join(flat) if len(flat) == len(parts) and flat else None
    return None if isinstance(value, dict) or value == "-" else text_of(value)


def _facts(method: Method) -> str:
    document = method.document
    facts = {
        "effect": method.effect + ("; may be repeated" if document.get("idempotent") else ""),
        "scope": method.scope,
        "auth": ", ".join(document.get("auth", ())),
        "pages": ", ".join(style.name for style in method.styles) + (" (--all reads them)" if method.styles else ""),
        "labels": _labelled(method),
        "docs": document.get("docs", ""),
        "file": method.origin,
    }
    return "".join(f"{name + ':':<8}{value}\n" for name, value in facts.items() if value)


def _labelled(method: Method) -> str:
    """The columns of the rows that have names behind their values."""
    from ..export.labels import labelled

    names = ", ".join(labelled(method))
    return f"{names} (--labels shows the names behind them)" if names else ""
