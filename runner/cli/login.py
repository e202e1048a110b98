"""`login`: a connection asked for, checked by a harmless call, and kept under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import output, profiles, query, settings
from ..client import Client
from ..errors import CallError, RunnerError, did_you_mean, nearest
from . import ask, browser, console
from . import help as pages
from .call import Outside, Watch, secret
from .connect import REACH, connect
from .ways import Way, Words, chosen, ways
from .words import catalog, general

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..spec import Service
    from .words import Line

Json = dict[str, Any]
MAIN = "main"
VALUES = {
    "--listen": "ADDRESS: where the browser comes back to, as the application's card says; a port alone will do",
}
SWITCHES = {
    "--default": "make it the profile that is taken where none is named",
    "--force": "replace a profile of that name without asking",
    "--no-browser": "print the address of the page, and open nothing",
    "--no-check": "save it without a call that checks it",
}
_GENERAL = (*REACH, "--quiet", "--output")


def login(argv: list[str]) -> int:
    """`login SERVICE [NAME] [--url … | --token - | …]`."""
    line = general(argv, also=VALUES)
    words = sorted_words(line)
    if line.on("--help"):
        console.answer(_help(catalog(line), words.names))
        return 0
    line.rest = []
    line.only("login", *_GENERAL, *VALUES)
    methods = catalog(line)
    service = methods.service(service_of(methods, words.names))
    if service.guest:
        message = f"{service.origin} replaces an installed service, so nothing is saved for it"
        raise CallError(message, hint="work in another folder, or leave --methods out")
    name = _name(line, words)
    words.given = _read(service, words.given)
    renews = _renewable(service, name, words)
    replaces = _replaces(service, name, words, renews=renews is not None)
    way, values = renews or chosen(service, words)
    if way.paged:
        values = browser.let_in(line, methods, service, way.scheme, values, opens="--no-browser" not in words.switches)
    values = {key: value for key, value in values.items() if key in way.takes() or key in words.given}
    told = {} if line.on("--no-check") else _checked(line, methods, service, values)
    return _keep(line, service, name, way, values, told, default="--default" in words.switches, replaces=replaces)


def sorted_words(line: Line) -> Words:
    """The words that are no general option: names, fields of a connection, switches."""
    words, rest = Words(), list(line.rest)
    while rest:
        word = rest.pop(0)
        flag, mark, text = word.partition("=")
        if flag in SWITCHES and not mark:
            words.switches.add(flag)
        elif word.startswith("--"):
            if not mark and not rest:
                raise CallError(f"{flag} needs a value", hint="- reads standard input, @file a file")
            words.given[flag] = text if mark else rest.pop(0)
        elif word.startswith("-"):
            raise CallError(f"login has no option {word}", hint="declarest login --help")
        else:
            words.names.append(word)
    return words


def service_of(methods: Catalog, names: list[str]) -> str:
    """The service that a line names, or the only one there is."""
    services = methods.services()
    if names:
        return names[0]
    if len(services) != 1:
        raise CallError("which service?", hint=f"one of {', '.join(services)}: declarest login SERVICE")
    return next(iter(services))


def _name(line: Line, words: Words) -> str:
    if len(words.names) > 2:  # noqa: PLR2004 - service and name
        raise CallError(
            f"login takes a service and a name, not {' '.join(words.names)}", hint="put a name with blanks in quotes"
        )
    name = words.names[1] if len(words.names) > 1 else line.get("--profile") or MAIN
    profiles.demand_name(name)
    return name


def _read(service: Service, flags: dict[str, str]) -> dict[str, str]:
    """The fields that flags give, read from where they stand. Raises CallError for a flag that is none."""
    known, outside, found = settings.inputs(service), Outside(), {}
    for flag, text in flags.items():
        name = flag.removeprefix("--").replace("-", "_")
        if name not in known:
            spelt = [f"--{one.replace('_', '-')}" for one in known]
            hint = did_you_mean(nearest(flag, [*spelt, *SWITCHES, *VALUES])) or f"it has {', '.join(spelt)}"
            raise CallError(f"login has no option {flag}", hint=hint)
        found[name] = secret(name, text, outside)
        if not found[name].isprintable():  # nor is a letter that is no UTF-8
            raise CallError(f"{flag} holds letters that no text has", hint="copy it again")
    return found


def _renewable(service: Service, name: str, words: Words) -> tuple[Way, Json] | None:
    """The way and the fields with which a profile may be signed in again, where nothing else was said."""
    if name not in profiles.names(service.name) or set(words.given) & _telling(service):
        return None
    try:
        kept = {**profiles.fields(service.name, name), **words.given}
        found = settings.credentials(service, kept, "").values
    except CallError:
        return None
    ways = [Way(scheme, paged=True) for scheme in service.schemes if scheme.login]
    return next(((way, dict(found)) for way in ways if set(way.needs) <= set(found)), None)


def _telling(service: Service) -> set[str]:
    """What says by itself that another connection is meant."""
    return {*service.accept, *service.secrets(), *settings.hosts(service)}


def _replaces(service: Service, name: str, words: Words, *, renews: bool) -> bool:
    """Whether a profile of that name may be replaced: the person is asked, where there is one."""
    if "--force" in words.switches or renews:
        return True
    if name not in profiles.names(service.name):
        return False
    if not ask.possible():
        message = f"{service.name} has a profile {name!r} already"
        raise CallError(message, hint="--force replaces it; another name keeps both: declarest login SERVICE NAME")
    if not ask.yes(f"{service.name} has a profile {name!r} already. Replace it?"):
        raise CallError("nothing was changed", hint=f"another name keeps both: declarest login {service.name} NAME")
    return True


def _checked(line: Line, methods: Catalog, service: Service, values: Json) -> Json:
    """Who the connection is of and what it may do, by harmless calls. Raises what the service says."""
    how = service.whoami
    if how is None:
        console.note(f"it is not checked: nothing says by which call of {service.title} that may be done")
        return {}
    told: Json = {}
    try:
        with _client(line, methods, service, values, told) as client:
            found = client.call(how["method"]).value
            told["who"] = query.search(how["show"], found) if "show" in how else found
            if "scopes" in how:
                told["scopes"] = _scopes(client, how["scopes"])
    except RunnerError as error:
        error.message = f"this connection does not work, and is not saved: {error.message or error.code}"
        error.hint = "; ".join(filter(None, [error.hint, "--no-check saves it all the same"]))
        raise
    values.update(told.pop("news", {}))
    return told


def _client(line: Line, methods: Catalog, service: Service, values: Json, told: Json) -> Client:
    """A client of these fields alone; where they are renewed on the way, the new ones are told."""
    client = connect(line, methods, service.name, values, "", lambda news: told.setdefault("news", {}).update(news))
    client.watch = Watch(verbose=line.on("--verbose"), quiet=line.on("--quiet"))
    return client


def _scopes(client: Client, method: str) -> list[str] | None:
    """The scopes of a connection; nothing where it may not ask for them."""
    try:
        found = client.call(method).value
    except RunnerError:
        return None
    return [str(one) for one in found] if isinstance(found, list) else None


def _keep(  # noqa: PLR0913 - what is kept, and what is said of it
    line: Line, service: Service, name: str, way: Way, values: Json, told: Json, *, default: bool, replaces: bool
) -> int:
    """Save it, and say what was saved and where."""
    whole = {key: value for key, value in values.items() if value != service.fields.get(key, {}).get("default")}
    hosts, hidden = settings.hosts(service), service.secrets()
    where = profiles.save(service.name, name, whole, hidden, ring=True, hosts=hosts, replace=replaces)
    if default:
        profiles.set_default(service.name, name)
    usual = profiles.default(service.name)
    host = next((str(values[one]) for one in service.fields if one in hosts and one in values), "")
    who = told.get("who")
    answer = {
        "service": service.name,
        "profile": name,
        "default": usual == name,
        "host": host,
        "kind": way.scheme.title,
        "who": who,
        "scopes": told.get("scopes"),
        "secrets": where,
    }
    if "--output" in line.options:
        console.answer(output.text(answer, line.get("--output"), width=console.width()))
        return 0
    shown = who if isinstance(who, str) else output.line(who).strip() if who else ""
    lines = [f"{service.title}: {' at '.join(filter(None, [shown, host]))}, by {way.scheme.title}"]
    if told.get("scopes"):
        lines.append(f"scopes: {', '.join(told['scopes'])}")
    mark = ", the default one" if usual == name else f"; the default one is {usual}"
    lines.append(f"saved as the profile {name} of {service.name}{mark}; its secrets are in {where}")
    console.answer("".join(f"{console.plain(one)}\n" for one in lines))
    return 0


def _help(methods: Catalog, names: list[str]) -> str:
    """How it is used, and what a service takes."""
    lines = [pages.command("login"), "\n", *(pages.item(name, text) for name, text in SWITCHES.items())]
    lines += [pages.item(f"{name} {text.partition(': ')[0]}", text.partition(": ")[2]) for name, text in VALUES.items()]
    services = methods.services()
    for name in [names[0]] if names else services:
        service = methods.service(name)
        lines.append(f"\n{service.title}:\n")
        lines += [pages.item(way.title, ", ".join(way.needs)) for way in ways(service)]
        lines += ["\n", pages.credentials(methods, name)]
    lines.append(
        "\nWhat is missing is asked for, secrets without showing them. A value - is read from standard input, @file"
        "\nfrom a file; an address alone may be piped in. Secrets go to the system's keyring where there is one that"
        "\nworks (pip install 'declarest[keyring]'), else to a file that only you can read.\n"
    )
    return "".join(lines)
