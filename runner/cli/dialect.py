"""Commands of other tools: those that print something without a call, and the help of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .. import arguments, output, settings, template
from ..dialects import EMPTY
from ..errors import CallError, did_you_mean, nearest
from ..skeleton import skeleton

if TYPE_CHECKING:
    from ..catalog import Catalog
    from .words import Line

Json = dict[str, Any]
_MEANS = {"": "means nothing here", "params": "the whole input", EMPTY: "false: with hints"}
_DOES = {
    "call": "calls",
    "skeleton": "prints a structure for",
    "print": "prints a structure for",
    "link": "prints an address for",
}


def method_of(command: Json) -> str:
    """The method that a command calls, or the one that it serves."""
    name: str = command.get("call") or command.get("skeleton") or command["of"]
    return name


def answer(line: Line, catalog: Catalog, service: str, command: Json, rest: list[str]) -> str:
    """What a command prints that calls nothing; or its help."""
    if line.on("--help"):
        return _page(catalog, service, command)
    fields = _fields(command, rest)
    hints = fields.pop(EMPTY, "").lower() in arguments.FALSE
    if "link" in command:
        return f"{_address(catalog, service, command, fields)}\n"
    if "skeleton" in command:
        method = catalog.method(service, command["skeleton"])
        found = skeleton(method, command.get("at", ""), described=hints)
    else:
        _demand(command, template.names(str(command["print"])), fields)
        found = template.filled(command["print"] if hints else _emptied(command["print"]), fields)
    return output.text(found, line.get("--output", "json"))


def _fields(command: Json, rest: list[str]) -> dict[str, str]:
    """What the options of a command give, by where it goes."""
    flags, words = command["flags"], list(rest)
    fields: dict[str, str] = {}
    while words:
        flag, mark, text = words.pop(0).partition("=")
        if flag not in flags:
            near = did_you_mean(nearest(flag, flags))
            raise CallError(f"{command['alias']} has no option {flag}", hint=near or f"it has {', '.join(flags)}")
        target = flags[flag].get("to", "")
        if target.startswith("--") and target != EMPTY:
            continue
        if not mark and not words:
            raise CallError(f"{flag} needs a value")
        fields[target] = text if mark else words.pop(0)
    return fields


def _demand(command: Json, names: list[str], fields: Json) -> None:
    for name in names:
        if name not in fields:
            flags = [one["option"] for one in command["flags"].values() if one.get("to") == name]
            flag = flags[-1] if flags else f"--{name}"  # the command's own stand behind those of all
            raise CallError(f"{command['alias']} needs {flag}")


def _address(catalog: Catalog, service: str, command: Json, fields: Json) -> str:
    """The address of a link: the options' values, and the fields of the connection."""
    about = catalog.service(service)
    own = {name: text for name, text in fields.items() if name in settings.inputs(about)}
    known = {**settings.credentials(about, own).values, **fields}
    kinds = about.kinds()
    lacking = [name for name in template.names(command["link"]) if name not in known]
    whole = next(iter(about.accept), "")
    offered = {one.get("to") for one in command["flags"].values()}
    _demand(
        command, [whole if whole and name in about.fields and name not in offered else name for name in lacking], {}
    )
    written = {
        name: str(value) if kinds.get(name) in {"hostname", "uri"} else quote(str(value), safe="")
        for name, value in known.items()
    }
    return template.plain(command["link"], written)


def _emptied(value: Any) -> Any:
    """A structure without its hints, which are texts in < and >."""
    if isinstance(value, dict):
        return {key: _emptied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [item for one in value if (item := _emptied(one)) != ""]
    return "" if isinstance(value, str) and value.startswith("<") else value


def _page(catalog: Catalog, service: str, command: Json) -> str:
    """The help of a command: what it stands for, its own options; then the method's page."""
    from .help import item, of_method

    method = catalog.method(service, method_of(command))
    tool = command.get("title", command["dialect"])
    does = next(text for word, text in _DOES.items() if word in command)
    names = ", ".join([command["alias"], *command.get("also", ())])
    lines = [f"{names} ({tool}) {does} {method.full_name}\n\nOptions of {command['alias']}:\n"]
    options: dict[str, list[str]] = {}
    for flag, meant in command["flags"].items():
        options.setdefault(meant["option"], []).append(flag)
    for option, flags in options.items():
        lines.append(item(", ".join(sorted(flags, key=len)), _about(command["flags"][option])))
    return "".join(lines) + "\n" + of_method(method, catalog)


def _about(meant: Json) -> str:
    """Where an option's value goes, and what is said of it."""
    target = meant.get("to", "")
    return "; ".join(filter(None, [_MEANS.get(target, target), meant.get("warn", "")]))
