"""`profiles` and `logout`: the connections that are kept, where each value of one comes from, and forgetting them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .. import output, settings
from .. import profiles as store
from ..errors import CallError, did_you_mean, nearest
from . import console
from . import help as pages
from .login import service_of, sorted_words
from .words import catalog, general

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..catalog import Catalog
    from ..spec import Service
    from .ways import Words
    from .words import Line

Json = dict[str, Any]
_FIRST = 10**9  # from here on, in 2001, a whole number that is kept of a sign-in is taken for Unix seconds
_OPTIONS = ("--output", "--methods", "--lang", "--profile")


def profiles(argv: list[str]) -> int:
    """`profiles [SERVICE]`, `profiles --explain [SERVICE]`, `profiles default SERVICE NAME`."""
    line = general([word for word in argv if word != "--explain"])
    words = sorted_words(line)
    if line.on("--help"):
        console.answer(pages.command("profiles"))
        return 0
    line.rest = [] if "--explain" in argv else [*words.given]
    line.rest += sorted(words.switches)
    line.only("profiles", *_OPTIONS)
    if "--explain" in argv:
        return _explain(line, words)
    if words.names[:1] == [store.DEFAULT]:
        return _set_default(words.names[1:])
    if len(words.names) > 1:
        raise CallError(f"profiles takes one service, not {' '.join(words.names)}", hint="declarest profiles SERVICE")
    methods = catalog(line)
    known = store.services()
    if words.names and words.names[0] not in known:
        methods.service(words.names[0])  # whether there is such a service at all
    rows = [
        _row(methods, service, name)
        for service in (words.names or known)
        for name in store.names(service)
    ]  # fmt: skip
    if not rows:
        console.note(f"there are no profiles yet; declarest login {' '.join(words.names) or 'SERVICE'} makes one")
    if rows or "--output" in line.options:
        console.answer(output.text(rows, line.get("--output", "table"), width=console.width()))
    return 0


def _set_default(names: list[str]) -> int:
    if len(names) != 2:  # noqa: PLR2004 - service and name
        raise CallError("which profile?", hint="declarest profiles default SERVICE NAME")
    store.set_default(*names)
    console.note(f"{names[1]} is the default profile of {names[0]}")
    return 0


def _row(methods: Catalog, name: str, profile: str) -> Json:
    """A profile as a row, secrets masked. What can't be read is told in its place."""
    row: Json = {
        "service": name,
        "profile": profile,
        "default": store.default(name) == profile,
        "host": "",
        "kind": "",
        "fields": "",
        "secrets": "",
        "expires": "",
    }
    if name not in methods.services():
        return row | {"kind": "a service that is not installed"}
    service = methods.service(name)
    try:
        kept = store.fields(name, profile)
        found = settings.credentials(service, kept, "").values
    except CallError as error:
        return row | {"kind": error.message}
    schemes = [one for one in service.schemes if not one.apart and set(one.needs) <= set(found)]
    secret = service.secrets()
    told = {key: "***" if key in secret else found[key] for key in found if key in kept or key in secret}
    hosts = settings.hosts(service)
    places = [store.place(name, profile, key) for key in kept if key in secret or key in service.accept]
    return row | {
        "host": next((str(found[one]) for one in service.fields if one in hosts and one in found), ""),
        "kind": schemes[0].title if schemes else "not complete",
        "fields": ", ".join(f"{key}={value}" for key, value in told.items() if key not in hosts),
        "secrets": next(iter(places), "none"),
        "expires": _expiry(service, found),
    }


def _expiry(service: Service, found: Mapping[str, Any]) -> str:
    """When it ends, where a sign-in or a renewal keeps a whole number that is a time: `2026-01-31 12:00 (over)`."""
    kept = {
        name
        for scheme in service.schemes
        for how in (scheme.login, scheme.renew)
        for name in (how or {"keep": ()})["keep"]
    }
    ends = next(
        (found[name] for name in sorted(kept) if isinstance(found.get(name), int) and found[name] >= _FIRST), None
    )
    if ends is None:
        return ""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(ends)) + (" (over)" if ends < time.time() else "")


def _explain(line: Line, words: Words) -> int:
    """Where each value of a connection comes from."""
    methods = catalog(line)
    if len(words.names) > 1:
        raise CallError("--explain takes one service", hint="declarest profiles --explain SERVICE --profile NAME")
    known = store.services()
    service = methods.service(known[0] if len(known) == 1 and not words.names else service_of(methods, words.names))
    given = {}
    for flag, text in words.given.items():
        field = flag.removeprefix("--").replace("-", "_")
        if field not in settings.inputs(service):
            raise CallError(
                f"profiles has no option {flag}", hint=did_you_mean(nearest(field, settings.inputs(service)))
            )
        given[field] = text
    found = settings.credentials(service, given, line.get("--profile") or None)
    rows = [
        {"field": name, "value": value, "from": source}
        for name, value, source in settings.origins(service, given, found)
    ]
    console.answer(output.text(rows, line.get("--output", "table"), width=console.width()))
    return 0


def logout(argv: list[str]) -> int:
    """`logout SERVICE [NAME]` or `logout --all [SERVICE]`: forget a connection."""
    line = general([word for word in argv if word != "--all"])
    everything = "--all" in argv
    if line.on("--help"):
        console.answer(pages.command("logout"))
        return 0
    line.only("logout", "--profile", "--methods", "--lang", "--quiet")
    names = line.rest + ([line.get("--profile")] if "--profile" in line.options else [])
    if len(names) > 2 or (everything and len(names) > 1):  # noqa: PLR2004 - service and name
        raise CallError(f"logout takes a service and a name, not {' '.join(names)}")
    known = store.services()
    if not everything:
        service = names[0] if names else next(iter(known), "") if len(known) == 1 else ""
        return _forget([(service, _one(service, names[1:], known))])
    gone = [(one, name) for one in (names or known) for name in store.names(one)]
    if not gone:
        raise CallError("there is nothing to forget", hint=f"{store.path()} has {', '.join(known) or 'no profiles'}")
    return _forget(gone)


def _one(service: str, names: list[str], known: list[str]) -> str:
    """The profile to forget: the one that is named, or the only one there is."""
    if names:
        return names[0]
    if not service:
        hint = f"one of {', '.join(known)}: declarest logout SERVICE NAME" if known else "there are no profiles"
        raise CallError("which service?", hint=hint)
    found = store.names(service)
    if len(found) != 1:
        hint = f"one of {', '.join(found)}, or --all" if found else f"{store.path()} has none for {service}"
        raise CallError(f"which profile of {service}?", hint=hint)
    return found[0]


def _forget(pairs: list[tuple[str, str]]) -> int:
    for service, name in pairs:
        trouble = store.remove(service, name)
        console.say(
            f"the profile {name} of {service} is forgotten here; the service takes it until it is deleted there"
        )
        console.warn(filter(None, [trouble]))
    return 0
