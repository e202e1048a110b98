"""What lets callers in for a while: the page where a person allows it, its codes, tokens that end, their renewal.

All of it is read from what the service file says of `renew` and `login`, from the other side.
"""

from __future__ import annotations

import html
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from .. import encoding, renewal, template
from ..grants import named
from ..limit import seconds
from .envelope import Refused, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..spec import Method, Scheme, Service
    from .store import Store

Json = dict[str, Any]
ALLOW = "allow"  # what the button of the page adds to its address
_NEVER = 1e18
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - sandbox</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem }}
h1 {{ font-size: 1.7rem }}
button {{ font: inherit; padding: .4rem 1.4rem; margin-right: .8rem; cursor: pointer }}
</style>
<h1>{title}</h1>
<p>{text}</p>
<p><small>This is the sandbox of {service}: no account of anybody is behind it.</small></p>
"""
_FORM = """<form method="get">{fields}<button name="{answer}" value="1">Allow</button>
<button name="{answer}" value="0">Refuse</button></form>
"""


class Grants:
    """The tokens that are good now, the codes and the renewals that may be exchanged. They stand in the state."""

    def __init__(
        self, service: Service, store: Store, own: Mapping[str, Any], clock: Callable[[], float], life: float | None
    ) -> None:
        self._service, self._store, self._own, self._clock = service, store, own, clock
        block = service.sandbox.get("grants", {})
        self._life = seconds(block["life"]) if life is None and "life" in block else life
        self._codes = seconds(block.get("codes", "30s"))
        self.back = ""  # the address that the page sends the browser back to, where it is not the declared one
        self.auto = False  # whether the page asks nobody
        for scheme in service.schemes:
            for name in self._kept(scheme):
                if name in own:  # the sandbox's own account is good at each start
                    ends = name in renewal.renewed(scheme) and life is not None
                    self._put(name, str(own[name]), (life or 0) if ends else None)

    def _kept(self, scheme: Scheme) -> set[str]:
        """The secrets that a renewal changes."""
        return set((scheme.renew or {}).get("keep", ())) & self._service.secrets()

    def _put(self, name: str, value: str, life: float | None) -> None:
        until = _NEVER if life is None else self._clock() + life
        self._store.run("INSERT OR REPLACE INTO grants VALUES (?, ?, ?)", name, value, until)

    def _until(self, name: str, value: str) -> float | None:
        found = self._store.run("SELECT until FROM grants WHERE name = ? AND value = ?", name, value)
        return found[0][0] if found else None

    def expire(self) -> None:
        """Let every token end now that calls are signed with."""
        for scheme in self._service.schemes:
            for name in renewal.renewed(scheme):
                self._store.run("UPDATE grants SET until = 0 WHERE name = ?", name)

    def admits(self, scheme: Scheme, name: str, value: str) -> bool:
        """Whether a value is good for a field that ends. Raises Refused where it was."""
        until = self._until(name, value) if name in renewal.renewed(scheme) else None
        if until is not None and until <= self._clock():
            raise Refused("expired")
        return until is not None

    def exchanged(self, method: Method, values: Mapping[str, Any], value: Any) -> Any:
        """The value of a call with new tokens in it, where it is one that exchanges something for them.

        Raises Refused where what is given can't be exchanged. It is used up by the exchange.
        """
        given = {method.canonical(name): text for name, text in values.items()}
        known = [(scheme, how) for scheme, how in self._hows() if how["method"].lower() == method.name.lower()]
        if not known:
            return value
        for scheme, how in known:
            params = {method.canonical(name): form for name, form in how.get("params", {}).items()}
            if all(named(form) or given.get(name) == form for name, form in params.items()):
                with self._store.change():
                    self._use(params, given, how)
                    return self._issued(scheme, how, value)
        raise Refused("grant")

    def _hows(self) -> Iterator[tuple[Scheme, Json]]:
        for scheme in self._service.schemes:
            yield from ((scheme, how) for how in (scheme.renew, scheme.login) if how is not None)

    def _use(self, params: Json, given: Json, how: Json) -> None:
        """Take what is exchanged. Raises Refused for another caller, or a code or a renewal that is not good."""
        fields = {named(form)[0]: str(given.get(name)) for name, form in params.items() if named(form)}
        used = {name for name in fields if name in how["keep"] or name in how.get("back", ())}
        if any(str(self._own.get(name)) != value for name, value in fields.items() if name not in used):
            raise Refused("client")
        for name in used:
            mark = name if name in how["keep"] else _code(name)
            until = self._until(mark, fields[name])
            self._store.run("DELETE FROM grants WHERE name = ? AND value = ?", mark, fields[name])
            if until is None or until <= self._clock():
                raise Refused("grant")

    def _issued(self, scheme: Scheme, how: Json, value: Any) -> Any:
        """The answer with new ones in the place of those of an example."""
        for name, path in how["keep"].items():
            if name in self._service.secrets():
                new = token_hex(16)
                self._put(name, new, self._life if name in renewal.renewed(scheme) else None)
                value = put(value, path, new)
            elif self._service.fields[name].get("type") == "integer" and self._life is not None:
                value = put(value, path, int(self._clock() + self._life))
        return value

    def page(self, address: str, query: str) -> tuple[int, bytes, dict[str, str]] | None:
        """The page where a person lets a caller in, where an address is that of one; or the way back."""
        asked = dict(parse_qsl(query, keep_blank_values=True))
        for scheme in self._service.schemes:
            how = scheme.login or {}
            place, _, form = how.get("page", "\0").partition("?")
            if template.filled(place, self._own) == address:
                return self._shown(how, dict(parse_qsl(form, keep_blank_values=True)), asked)
        return None

    def _shown(self, how: Json, form: Mapping[str, str], asked: Json) -> tuple[int, bytes, dict[str, str]]:
        heads = {"Content-Type": "text/html; charset=utf-8"}
        known = {**self._own, "state": asked.get(next((n for n, t in form.items() if t == "{state}"), ""), "")}
        service = html.escape(self._service.title)
        strange = [name for name, text in form.items() if str(template.filled(text, known)) != asked.get(name)]
        if strange:
            told = "; ".join(self._expected(name, form[name], known) for name in strange)
            text = f"There is no such application here: {html.escape(told)}."
            return 400, _PAGE.format(title="Sorry", text=text, service=service).encode(), heads
        if not (self.auto or ALLOW in asked):
            text = f"May this application act for you in {service}?"
            fields = "".join(
                f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
                for name, value in asked.items()
            )
            page = _PAGE.format(title="Let it in?", text=text, service=service)
            return 200, (page + _FORM.format(fields=fields, answer=ALLOW)).encode(), heads
        if asked.get(ALLOW) == "0":
            marks = {place: str(known.get(name, "")) for name, place in how["back"].items() if name == "state"}
            return 302, b"", {"Location": self._way_back(how, {"error": "access_denied", **marks})}
        back = {}
        for name, place in how["back"].items():
            if name in named(how.get("params", {})):
                back[place] = token_hex(16)
                self._put(_code(name), back[place], self._codes)
            else:
                back[place] = str(known.get(name, ""))
        return 302, b"", {"Location": self._way_back(how, back)}

    def _way_back(self, how: Json, back: Mapping[str, str]) -> str:
        """Where the page sends the browser."""
        return f"{self.back or how.get('listen', 'http://127.0.0.1/')}?{encoding.urlencoded(back.items())}"

    def _expected(self, name: str, form: str, known: Json) -> str:
        """What stands in the query of the page's address, as far as that is no secret."""
        hidden = self._service.secrets() & set(template.names(form))
        return f"{name} is not {'the right one' if hidden else template.filled(form, known)}"


def _code(name: str) -> str:
    """The name of a code among the grants: a field of the connection may be called the same."""
    return f"{name} of a page"
