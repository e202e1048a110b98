"""YAML files held against everything that a reader of them relies on: the grammar, and what a grammar can't say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import arguments, compiler, dialects, document, grants, query, settings, template, validation
from .encoding import json_text
from .errors import RunnerError, ServiceError, SpecError, did_you_mean, nearest
from .fault import Fault, File
from .grants import named as fields_of
from .node import nodes
from .refusal import blocks
from .response import Reply, read
from .spec import Method, Scheme, Service

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from .catalog import Catalog

Json = dict[str, Any]
_OF_PARAMS = ("cli", "in", "wire", "send", "preset", "generate")
_UNWRITTEN = frozenset(
    ("contains", "dependentSchemas", "else", "if", "not", "prefixItems", "propertyNames", "then")
)  # under these a node says what is right, not how it is written
_TAKEN = frozenset({"-h", "-v", "-o", "-q"})
_PLACED = re.compile(r"(\S.*?\.yaml(?::\d+:\d+)?): (.*)", re.DOTALL)
_QUOTED = re.compile(r"#\w+|'[^']+'")
_READ = {"next", "follow", "last", "items", "total", "wait", "wait_ms", "until"}
_PLAIN_MARKS = ("header.", "link.")  # what is read from the headers is no JMESPath


def faults(path: Path, catalog: Catalog, taken: Collection[str] = ()) -> Iterator[Fault]:
    """Everything wrong with one file. `catalog` must find its service and its types; a service may not be `taken`."""
    file = File(path)
    try:
        if compiler.misnamed(path):
            raise compiler.misnomer(path)
        file.text = path.read_text(encoding="utf-8")
        file.data = document.load(file.text, str(path))
    except SpecError as error:
        yield Fault(error.where or str(path), error.message.removeprefix(f"{error.where}: "), error.hint)
        return
    except UnicodeDecodeError:
        yield Fault(f"{path}:1:1", "this is not UTF-8 text", "save it as UTF-8")
        return
    except OSError as error:
        yield Fault(str(path), f"can't be read: {error.strerror}")
        return
    kind = _kind(path)
    found = list(_by_grammar(file, kind))
    yield from found
    if not found and kind == "method":
        yield from _of_method(file, catalog)
    if not found and kind == "service":
        yield from _of_service(file, catalog, taken)
    if not found and kind in {"service", "part"}:
        yield from _of_dialects(file, catalog)


def _kind(path: Path) -> str:
    """Which grammar a file is under."""
    if path.name == compiler.SERVICE:
        return "service"
    if path.name.endswith(compiler.OVERLAY):
        return "overlay"
    return "part" if any(part.startswith("_") for part in path.parts[-3:]) else "method"


def _by_grammar(file: File, kind: str) -> Iterator[Fault]:
    if kind == "part":
        try:
            compiler.read_part(file.path, str(file.path))
        except SpecError as error:
            yield Fault(error.where, error.message.removeprefix(f"{error.where}: "), error.hint)
        return
    for where, message, hint, key in compiler.faults(file.data, kind):
        yield file.fault(where, message, hint, key=key)


def _of_service(file: File, catalog: Catalog, taken: Collection[str]) -> Iterator[Fault]:
    """A service's name, and the names that must mean something: of fields in what is needed, pasted and sent."""
    data: Json = file.data
    name, folder = data["service"], file.path.resolve().parent.name
    if name != folder:
        yield file.fault(["service"], f"the service {name!r} stands in a folder called {folder!r}", "rename one")
    if name in taken:
        yield file.fault(["service"], f"{name} is a command, which a service can't be called", "take another name")
    yield from _errors(file)
    service = Service.read(data)
    for flag, forms in service.accept.items():
        for place, form in enumerate(forms):
            yield from _fields(file, ["profile", "accept", flag, place], template.names(form), service)
    for scheme in service.schemes:
        path: list[str | int] = ["auth", scheme.name]
        yield from _fields(file, [*path, "needs"], scheme.needs, service)
        for word, part in (("base", scheme.base), ("send", scheme.send)):
            yield from _fields(file, [*path, word], fields_of(part), service, scheme)
    yield from _readings(file)
    whoami = data.get("profile", {}).get("whoami", {})
    for where, message, hint in grants.faults(service, whoami, lambda name: catalog.own(folder, name)):
        yield file.fault(where, message, hint)


def _fields(
    file: File, path: list[str | int], names: Iterable[str], service: Service, scheme: Scheme | None = None
) -> Iterator[Fault]:
    """Names at a place that are no fields of a connection, nor got by a first call."""
    kept = (scheme.first or {}).get("keep", {}) if scheme else {}
    known = [*service.fields, *kept]
    for name in names:
        if name not in known:
            hint = did_you_mean(nearest(name, known)) or f"it has {', '.join(known) or 'none'}"
            yield file.fault(path, f"{name} is no field of the profile", hint)


def _of_dialects(file: File, catalog: Catalog) -> Iterator[Fault]:
    """The commands of other tools: their methods, and where their options lead."""
    service = service_of(file.path, [tree.root for tree in catalog.trees])
    for dialect, block in file.data.get("dialects", {}).items():
        for name, own in block.get("commands", {}).items():
            path: list[str | int] = ["dialects", dialect, "commands", name]
            command = catalog.command(service, name) or dialects.command(own, block)
            for message, hint in _of_command(catalog, service, command):
                yield file.fault(path, f"{name}: {message}", hint, key=True)


def _of_command(catalog: Catalog, service: str, command: Json) -> Iterator[tuple[str, str]]:
    """What is wrong with a command, and the fix."""
    does = [word for word in ("call", "skeleton", "print", "link") if word in command]
    if len(does) != 1:
        yield "it does one of call, skeleton, print and link", ""
        return
    word = does[0] if does[0] in {"call", "skeleton"} else "of"
    try:
        method = catalog.method(service, command.get(word, ""))
    except RunnerError as error:
        yield f"{word}: {error.message}", error.hint
        return
    known = [*method.params, "params", *settings.inputs(method.service)]
    targets = [meant["to"] for meant in command["flags"].values() if "to" in meant]
    named = [*targets, *command.get("preset", {})] if does == ["call"] else [command["at"]] if "at" in command else []
    for target in named:
        first = method.canonical((arguments.steps(target.removeprefix("params.")) or [""])[0])
        if not target.startswith("--") and first not in known and not method.param(first):
            yield f"{target} is no param and no field of the profile", did_you_mean(nearest(first, known))
    secrets = method.service.secrets()
    for field in fields_of([command.get("print"), command.get("link")]):
        if field in secrets:
            yield f"{field} is a secret and is never shown", ""
        elif field not in {*targets, *(method.service.fields if does == ["link"] else ())}:
            yield f"no option gives {{{field}}}", f"write flags: {{--{field}: {field}}}"


def _of_method(file: File, catalog: Catalog) -> Iterator[Fault]:
    data: Json = file.data
    service = service_of(file.path, [tree.root for tree in catalog.trees])
    yield from _place(file, data, service)
    yield from _words(file, data)
    name = data["method"] + (f"@{data['variant']}" if "variant" in data else "")
    try:
        method = catalog.method(service, name)
    except RunnerError as error:
        yield _unread(file, error)
        return
    if Path(method.origin).resolve() != file.path.resolve():
        yield file.fault(["method"], f"{method.origin} describes {name} before this file does", level="warning")
        return
    yield from _names(file, method)
    yield from _errors(file)
    yield from _schemas(file, method)
    yield from _labels(file, method, catalog)
    yield from _examples(file, method)


def _unread(file: File, error: RunnerError) -> Fault:
    """Why a method can't be read: at what the error names in this file, or in the file that it is about."""
    found = _PLACED.fullmatch(error.message)
    where, message = found.groups() if found else ("", error.message)
    if found and Path(where.split(".yaml", maxsplit=1)[0] + ".yaml").resolve() != file.path.resolve():
        return Fault(where, message, error.hint)
    named = next(filter(None, (_path_to(file.data, word.strip("'")) for word in _QUOTED.findall(message))), None)
    return file.fault(named or ["method"], message, error.hint)


def _path_to(data: Any, word: str) -> list[str | int] | None:
    """Where a text stands in data, as a value or as a key below the top; None where it does not."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in items:
        if value == word:
            return [step]
        below = [word] if isinstance(value, dict) and word in value else _path_to(value, word)
        if below:
            return [step, *below]
    return None


def _labels(file: File, method: Method, catalog: Catalog) -> Iterator[Fault]:
    """Names behind values that could not be had: from a method that there is not, at a place that is no place."""
    sources = [
        one["labels"]
        for part in (method.returns, *method.schema.get("$defs", {}).values())
        for one in nodes(part)
        if "labels" in one
    ]
    for source in sources:
        name = source.get("method", "")
        if name and not catalog.has(method.service.name, name):
            yield file.fault(["returns"], f"the labels of {method.full_name} come from {name}, which there is not")
        for word in ("items", "key", "label"):
            try:
                query.compiled(source.get(word, "@").replace("{name}", "name"))
            except SpecError as error:
                yield file.fault(["returns"], f"the labels of {method.full_name}: {error.message}")


def service_of(path: Path, roots: Sequence[str] = ()) -> str:
    """The service of a method's file: the folder below one of `roots`, else the nearest that could be one."""
    for root in roots:
        parts = path.resolve().parts[len(Path(root).parts) :]
        if path.resolve().is_relative_to(root) and len(parts) > 1:
            return parts[0]
    for folder in path.resolve().parents:
        if (folder / compiler.SERVICE).exists():
            return folder.name
        if folder.parent.name == "methods":
            return folder.name
    return path.parent.name


def proper_place(name: str) -> str:
    """Where a method of this name stands below its service: the first two words are folders."""
    words = name.split("@", maxsplit=1)[0].split(".")
    return "/".join([*words[: min(2, len(words) - 1)], f"{name}.yaml"])


def _place(file: File, data: Json, service: str) -> Iterator[Fault]:
    name = data["method"] + (f"@{data['variant']}" if "variant" in data else "")
    plain = f"{data['method']}.yaml"
    if file.path.name not in {f"{name}.yaml", plain}:
        yield file.fault(
            ["method"], f"the file of {name} is called {name}.yaml", f"rename {file.path.name}", level="warning"
        )
    proper = Path(proper_place(name)).parent.as_posix()
    here = file.path.resolve().parent.as_posix()
    if not here.endswith(f"/{service}" if proper == "." else f"/{service}/{proper}"):
        yield file.fault(
            ["method"], f"{name} belongs in the folder {service}/{'' if proper == '.' else proper}", level="warning"
        )


def _words(file: File, data: Json) -> Iterator[Fault]:
    """Words of params that stand deeper, where they mean nothing; flags that are taken or stand twice."""
    seen: dict[str, str] = {}
    for block in ("params", "patterns"):
        for name, node in data.get(block, {}).items():
            for part in nodes(node):
                strange = [word for word in _OF_PARAMS if word in part and part is not node]
                for word in strange:
                    yield file.fault(
                        [block, name], f"{word!r} is a word of params; it means nothing deeper", "move it up"
                    )
            for flag in node.get("cli", ()) if isinstance(node, dict) else ():
                if flag in _TAKEN:
                    yield file.fault([block, name, "cli"], f"{flag} is an option of every call", "take another letter")
                if flag in seen:
                    yield file.fault([block, name, "cli"], f"{flag} is {seen[flag]}'s already")
                seen[flag] = name


def _names(file: File, method: Method) -> Iterator[Fault]:
    """Names that must mean something: in required and rules, in the address, of encoders."""
    yield from _required(file, method)
    yield from _path_names(file, method)
    for name in method.params:
        yield from _encoders(file, method, name)


def _required(file: File, method: Method) -> Iterator[Fault]:
    for place, name in enumerate(method.document.get("required", ())):
        if name not in method.params:
            yield file.fault(["required", place], f"{name} is no param", did_you_mean(nearest(name, method.params)))
    for way, node in method.document.get("by_auth", {}).items():
        for place, name in enumerate(node.get("required", ()) if isinstance(node, dict) else ()):
            if name not in method.params:
                hint = did_you_mean(nearest(name, method.params))
                yield file.fault(["by_auth", way, "required", place], f"{name} is no param", hint)
    idempotent = method.document.get("idempotent")
    if isinstance(idempotent, str) and idempotent not in method.params:
        hint = "write true" if idempotent in {"yes", "on", "y"} else did_you_mean(nearest(idempotent, method.params))
        yield file.fault(["idempotent"], f"{idempotent} is no param", hint)
    elif isinstance(idempotent, str) and method.params[idempotent].schema.get("generate") == "counter":
        message = f"{idempotent} counts the calls of each client from 1, so it makes no repeated call harmless"
        yield file.fault(["idempotent"], message, "write generate: uuid")


def _errors(file: File) -> Iterator[Fault]:
    """Meanings of a code that are never reached: those behind one that asks for no message."""
    for code, said in file.data.get("errors", {}).items():
        plain = [place for place, block in enumerate(blocks(said)) if "message" not in block]
        if plain and plain[0] + 1 < len(blocks(said)):
            what = f"what follows is never reached: this is known as {code} whatever its message"
            yield file.fault(["errors", code, plain[0]], what, "put it last, or say its message")


def _path_names(file: File, method: Method) -> Iterator[Fault]:
    wanted = template.names(method.sending.path)
    for name in wanted:
        if name not in method.params and name not in {"method", "variant"}:
            yield file.fault(["request", "path"], f"the address has {{{name}}}, which is no param")
    for name, param in method.params.items():
        if param.place == "path" and name not in wanted:
            yield file.fault(["params", name], f"{name} travels in the address, which has no {{{name}}}")


def _encoders(file: File, method: Method, name: str) -> Iterator[Fault]:
    known = ["json", "comma", *method.service.encoders]
    for node in nodes(method.document["params"][name]):
        coder = node.get("encode", "json")
        if coder not in known:
            yield file.fault(["params", name], f"there is no encoder {coder!r}", did_you_mean(nearest(coder, known)))
        for word in _UNWRITTEN & node.keys():
            if any("encode" in part for part in nodes({"allOf": [{word: node[word]}]})):
                message = f"an encoder under {word!r} has no effect"
                yield file.fault(["params", name], message, "say it of the value itself, a key, items, anyOf or oneOf")


def _schemas(file: File, method: Method) -> Iterator[Fault]:
    message = validation.faults_of_schema(method.schema)
    if message:
        yield file.fault(["params"], f"the params are no JSON Schema: {message}")
    yield from _readings(file)


def _readings(file: File) -> Iterator[Fault]:
    """Places in answers that are no JMESPath: of values and errors, of pages, of waiting times."""
    response, pages = file.data.get("response", {}), file.data.get("pages", {})
    found: list[tuple[list[str | int], Json]] = [(["response"], response)]
    found += [(["response", part], response.get(part, {})) for part in ("meta", "error")]
    found += [(["pages", name], style) for name, style in pages.items()] if isinstance(pages, dict) else []
    for code, said in file.data.get("errors", {}).items():
        several = isinstance(said, list)
        found += [(["errors", code, *([place] * several)], block) for place, block in enumerate(blocks(said))]
    for path, block in found:
        for word, text in block.items():
            if not isinstance(text, str) or text.startswith(_PLAIN_MARKS):
                continue
            if path[0] == "response" or word in _READ:
                try:
                    query.compiled(text)
                except SpecError as error:
                    yield file.fault([*path, word], error.message)


def _examples(file: File, method: Method) -> Iterator[Fault]:
    """Each example's input must pass, and its answer must be what the method returns."""
    for place, example in enumerate(method.document.get("examples", ())):
        for problem in validation.check(method, example["params"]):
            if problem.level == "error":
                path: list[str | int] = ["examples", place, "params", *problem.path.split(".")]
                yield file.fault(path, f"the example does not fit: {problem}")
        if "response" in example:
            yield from _response(file, method, place, example)


def _response(file: File, method: Method, place: int, example: Json) -> Iterator[Fault]:
    status = example.get("status", 200)
    try:
        result = read(method, Reply(status, {}, json_text(example["response"])))
    except (ServiceError, SpecError):
        return  # a refusal is an answer, and a place that is none has been told
    except RunnerError as error:
        yield file.fault(["examples", place, "response"], f"the answer can't be read: {error.message}")
        return
    returns = method.document.get("returns")
    if returns is not None:
        schema = {"$defs": method.schema.get("$defs", {}), "allOf": [method.returns]}
        for misfit in validation.misfits(result.value, schema)[:1]:
            where = ".".join(map(str, misfit.absolute_path)) or "the value"
            yield file.fault(
                ["examples", place, "response"], f"{where} is not what `returns` says: {misfit.message[:160]}"
            )
